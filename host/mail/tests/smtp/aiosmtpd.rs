//! aiosmtpd, which knows nothing of this client: STARTTLS and a password are required.
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use watchbell_mail::{Access, Failure, Mail, MailSettings, MailTls};
use watchbell_secret::Secret;

use crate::authority::Authority;
use crate::{access, settings};

/// Python with aiosmtpd; `cargo xtask test --only mail` installs it.
const PYTHON: &str = "WATCHBELL_AIOSMTPD_PYTHON";
const PASSWORD: &str = "a-long-password";

struct Aiosmtpd {
    _child: Child,
    _scratch: tempfile::TempDir,
    lines: Lines<BufReader<ChildStdout>>,
    authority: Authority,
    port: u16,
}

impl Aiosmtpd {
    /// `None` where it is not installed; the name of what is skipped is printed.
    async fn start(mode: &str) -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON).filter(|python| !python.is_empty()) else {
            println!("skipped: mails to aiosmtpd, {mode} (`cargo xtask test --only mail` runs them)");
            return None;
        };
        let authority = Authority::new();
        let (certificate, key) = authority.issue("localhost");
        let scratch = tempfile::tempdir().unwrap();
        let [certificate_file, key_file] =
            ["certificate.pem", "key.pem"].map(|name| scratch.path().join(name));
        std::fs::write(&certificate_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp/aiosmtpd_server.py"))
            .args([certificate_file, key_file])
            .args(["watchbell", PASSWORD, mode])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("its port").parse().unwrap();
        Some(Self { _child: child, _scratch: scratch, lines, authority, port })
    }

    fn settings(&self) -> MailSettings {
        MailSettings {
            tls: MailTls::StartTls,
            ca: Some(self.authority.pem()),
            credentials: Some(("watchbell".into(), Secret::new(PASSWORD))),
            ..settings(self.port)
        }
    }

    async fn next(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
    }
}

fn mail() -> Mail {
    Mail {
        subject: format!("Schlüssel {}", "x".repeat(300)),
        text: format!("Grüße\n.\n{}", "y".repeat(3_000)),
        html: Some("<p>Grüße</p>".into()),
        references: vec!["<1@example.com>".into()],
        ..Mail::default()
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let Some(mut server) = Aiosmtpd::start("accept").await else { return };
    let sent = access(server.settings()).send(0, mail()).await.unwrap();
    let got = server.next().await;
    assert_eq!(got["recipients"], serde_json::json!(["ann@example.com", "bob@example.com"]));
    assert_eq!((got["from"].as_str(), got["tls"].as_bool()), (Some("watchbell@example.com"), Some(true)));
    let header = |name: &str| got["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header("message-id"), sent.message_id);
    assert_eq!(header("in-reply-to"), "<1@example.com>");
    assert_eq!(header("subject"), mail().subject);
    assert_eq!(header("from"), "Wächter <watchbell@example.com>");
    let part = |kind: &str| got["parts"][kind].as_str().unwrap().trim_end().replace("\r\n", "\n");
    assert_eq!((part("text/plain"), part("text/html")), (mail().text, "<p>Grüße</p>".to_owned()));
    assert_eq!(got["defects"], serde_json::json!([]));
}

#[tokio::test]
async fn a_wrong_password_and_a_strange_certificate_are_told() {
    let Some(server) = Aiosmtpd::start("accept").await else { return };
    let wrong = Some(("watchbell".into(), Secret::new("not-the-password")));
    let outcome = access(MailSettings { credentials: wrong, ..server.settings() }).send(0, mail()).await;
    let Err(Failure::Refused(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("answered the credentials with 535") && !why.contains("not-the"), "{why}");
    let outcome = access(MailSettings { credentials: None, ..server.settings() }).send(0, mail()).await;
    let Err(Failure::Refused(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("530"), "{why}");
    let stranger = MailSettings { ca: None, ..server.settings() };
    let outcome = access(stranger).send(0, mail()).await;
    let Err(Failure::Unavailable(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("TLS with `localhost` failed"), "{why}");
}

#[tokio::test]
async fn a_greylisting_server_takes_the_second_attempt() {
    let Some(mut server) = Aiosmtpd::start("greylist").await else { return };
    let to = watchbell_mail::MailServer::new(server.settings()).unwrap();
    let mut first = Access::new(to.clone(), "7".into(), vec![]);
    let outcome = first.send(0, mail()).await;
    let Err(Failure::Unavailable(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("451 4.7.1 greylisted") && !first.is_interrupted(), "{why}");
    let sent = Access::new(to, "7".into(), first.take_recorded()).send(0, mail()).await.unwrap();
    assert_eq!(server.next().await["headers"]["message-id"], sent.message_id);
}

#[tokio::test]
async fn a_connection_that_is_dropped_within_the_message_leaves_its_outcome_open() {
    let Some(server) = Aiosmtpd::start("drop").await else { return };
    let mut way = access(server.settings());
    let outcome = way.send(0, mail()).await;
    assert!(matches!(outcome, Err(Failure::Interrupted(_))) && way.is_interrupted(), "{outcome:?}");
}
