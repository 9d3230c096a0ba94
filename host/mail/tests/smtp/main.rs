//! Deliveries to mail servers: one that plays a script, and a real one.
mod aiosmtpd; // a real server
mod authority; // certificates
mod server; // the server with a script

use std::time::Duration;

use authority::Authority;
use server::{End, Script, Server, Tls};
use watchbell_mail::{Access, Failure, Mail, MailGrants, MailServer, MailSettings, MailTls, Mailbox, Sent};
use watchbell_secret::Secret;

pub(crate) fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

/// Mails to ann and bob on this machine, without TLS.
pub(crate) fn settings(port: u16) -> MailSettings {
    MailSettings {
        host: "localhost".into(),
        port,
        tls: MailTls::None,
        credentials: None,
        from: mailbox("Wächter <watchbell@example.com>"),
        to: vec![mailbox("Ann <ann@example.com>"), mailbox("bob@example.com")],
        cc: vec![],
        bcc: vec![],
        reply_to: vec![],
        ca: None,
        timeout: Duration::from_secs(60),
        grants: MailGrants { private_addresses: true, plain_text: false },
    }
}

pub(crate) fn access(settings: MailSettings) -> Access {
    Access::new(MailServer::new(settings).unwrap(), "5f2c9a".into(), vec![])
}

fn mail() -> Mail {
    Mail { subject: "5xxs spiked".into(), text: "Was 30".into(), ..Mail::default() }
}

async fn send(settings: MailSettings) -> Result<Sent, Failure> {
    access(settings).send(0, mail()).await
}

async fn scripted(script: Script) -> Server {
    Server::start(Tls::None, [script]).await
}

fn unavailable(outcome: Result<Sent, Failure>) -> String {
    match outcome {
        Err(Failure::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Result<Sent, Failure>) -> String {
    match outcome {
        Err(Failure::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mail_has_the_destinations_names_and_both_forms_of_its_text() {
    let server = scripted(Script::default()).await;
    let mut to = settings(server.port);
    to.cc = vec![mailbox("Team <team@example.com>")];
    to.bcc = vec![mailbox("archive@example.com")];
    to.reply_to = vec![mailbox("oncall@example.com")];
    let mail = Mail {
        subject: "Schlüssel 🔑 gefunden".into(),
        text: "Grüße\n.\n.. und\r\nmehr".into(),
        html: Some("<p>Gr&uuml;&szlig;e</p>".into()),
        headers: vec![
            ("Auto-Submitted".into(), "auto-generated".into()),
            ("X-Watchbell-Rule".into(), "ä".into()),
        ],
        references: vec!["<1@example.com>".into(), "<2@example.com>".into()],
        ..Mail::default()
    };
    let sent = access(to).send(0, mail).await.unwrap();
    assert_eq!((sent.message_id.as_str(), sent.refused.len()), ("<5f2c9a@example.com>", 0));
    let got = server.received().pop().unwrap();
    let all = ["<ann@example.com>", "<bob@example.com>", "<team@example.com>", "<archive@example.com>"];
    assert_eq!(got.recipients, all);
    for line in [
        "From: =?utf-8?b?V8OkY2h0ZXI=?= <watchbell@example.com>",
        "To: Ann <ann@example.com>, bob@example.com",
        "Cc: Team <team@example.com>",
        "Reply-To: oncall@example.com",
        "Message-ID: <5f2c9a@example.com>",
        "In-Reply-To: <2@example.com>",
        "References: <1@example.com> <2@example.com>",
        "Auto-Submitted: auto-generated",
        "X-Watchbell-Rule: =?utf-8?b?w6Q=?=",
        "MIME-Version: 1.0",
    ] {
        assert!(got.message.lines().any(|found| found == line), "{line}\n\n{}", got.message);
    }
    assert!(got.message.contains("Subject: =?utf-8?b?U2NobMO8c3NlbCDwn5SR"), "{}", got.message);
    assert!(
        got.message.contains("multipart/alternative") && !got.message.contains("archive@"),
        "{}",
        got.message
    );
    let (text, html) = (got.message.find("text/plain").unwrap(), got.message.find("text/html").unwrap());
    assert!(text < html, "the plain text comes first");
}

#[tokio::test]
async fn a_text_cannot_end_the_message_or_begin_a_header() {
    let server = scripted(Script::default()).await;
    let smuggled = "a\n.\nMAIL FROM:<x@example.com>\r.\r\n\r\n.\r\nQUIT";
    let sent = access(settings(server.port)).send(0, Mail { text: smuggled.into(), ..mail() }).await;
    assert!(sent.is_ok(), "{sent:?}");
    assert_eq!(server.received().len(), 1);
    assert!(server.received()[0].message.contains("MAIL FROM:<x@example.com>"));
    for mail in [
        Mail { subject: "a\r\nBcc: x@example.com".into(), ..mail() },
        Mail { headers: vec![("X-A".into(), "a\nBcc: x@example.com".into())], ..mail() },
        Mail { headers: vec![("X-A\r\nBcc".into(), "x@example.com".into())], ..mail() },
        Mail { headers: vec![("Bcc".into(), "x@example.com".into())], ..mail() },
        Mail { headers: vec![("From".into(), "x@example.com".into())], ..mail() },
        Mail { headers: vec![("Content-Type".into(), "text/html".into())], ..mail() },
        Mail { references: vec!["<a@b>\r\nBcc: x@example.com".into()], ..mail() },
        Mail { references: vec!["<a b@c>".into()], ..mail() },
        Mail { to: vec!["ann@example.com>\r\nRCPT TO:<x@example.com".into()], ..mail() },
        Mail { subject: "x".repeat(999), ..mail() },
        Mail { text: "x".repeat((1 << 20) + 1), ..mail() },
    ] {
        let outcome = access(settings(server.port)).send(0, mail).await;
        assert!(matches!(outcome, Err(Failure::Invalid(_))), "{outcome:?}");
    }
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn long_lines_are_folded_and_what_looks_encoded_is_shown_as_it_is() {
    let server = scripted(Script::default()).await;
    let mail = Mail {
        subject: format!("{} =?utf-8?q?x?=", "x".repeat(900)),
        text: "y".repeat(5_000),
        headers: vec![("X-Long".into(), "word ".repeat(190))],
        ..Mail::default()
    };
    access(settings(server.port)).send(0, mail).await.unwrap();
    let message = &server.received()[0].message;
    assert!(!message.contains("=?utf-8?q?x?="), "{message}");
    assert!(message.lines().all(|line| line.len() <= 100), "{message}");
}

#[tokio::test]
async fn an_alerter_reaches_only_whom_the_destination_lists() {
    let server = scripted(Script::default()).await;
    let only = |address: &str| Mail { to: vec![address.into()], ..mail() };
    let denied = access(settings(server.port)).send(0, only("eve@example.com")).await;
    let expected = "the destination does not list the address `eve@example.com`";
    assert_eq!(denied, Err(Failure::Denied(expected.into())));
    assert_eq!(server.commands(), Vec::<String>::new());
    access(settings(server.port)).send(0, only("BOB@example.com")).await.unwrap();
    assert_eq!(server.received()[0].recipients, ["<bob@example.com>"]);
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_the_mail_from_others() {
    let script = Script { recipients: &[("ann", "550 no such user")], ..Script::default() };
    let server = scripted(script).await;
    let mut way = access(settings(server.port));
    let sent = way.send(0, mail()).await.unwrap();
    assert_eq!(sent.refused.len(), 1);
    assert_eq!(sent.refused[0].address, "ann@example.com");
    assert_eq!(sent.refused[0].reason, "550 no such user");
    assert_eq!(way.take_refused(), sent.refused);
    assert_eq!(server.received()[0].recipients, ["<bob@example.com>"]);
}

#[tokio::test]
async fn a_mail_that_every_recipient_is_refused_for_is_refused() {
    let script = Script { recipients: &[("@", "550 no such user")], ..Script::default() };
    let server = scripted(script).await;
    assert_eq!(
        refused(send(settings(server.port)).await),
        "`localhost` refused every recipient: `ann@example.com` (550 no such user), `bob@example.com` (550 no such user)"
    );
    assert!(!server.commands().contains(&"DATA".to_owned()));
}

#[tokio::test]
async fn who_must_wait_gets_the_mail_in_the_next_attempt_and_others_once() {
    let script = Script { recipients: &[("bob", "451 greylisted, come back")], ..Script::default() };
    let server = scripted(script).await;
    let to = MailServer::new(settings(server.port)).unwrap();
    let mut first = Access::new(to.clone(), "7".into(), vec![]);
    assert_eq!(
        unavailable(first.send(0, mail()).await),
        "`localhost` does not accept yet: `bob@example.com` (451 greylisted, come back), 1 others have it"
    );
    assert!(!first.is_interrupted());
    let mut second = Access::new(to.clone(), "7".into(), first.take_recorded());
    let sent = second.send(0, mail()).await.unwrap();
    assert_eq!(sent.message_id, "<7@example.com>");
    let got: Vec<Vec<String>> = server.received().into_iter().map(|got| got.recipients).collect();
    assert_eq!(got, [["<ann@example.com>"], ["<bob@example.com>"]]);
    let mut third = Access::new(to, "7".into(), second.take_recorded());
    assert_eq!(third.send(0, mail()).await.unwrap(), sent);
    assert_eq!(server.received().len(), 2, "nobody gets it twice");
}

#[tokio::test]
async fn a_greylisting_server_is_asked_again() {
    let script = Script { recipients: &[("@", "451 later")], ..Script::default() };
    let server = scripted(script).await;
    let mut way = access(settings(server.port));
    assert!(unavailable(way.send(0, mail()).await).contains("does not accept yet"));
    assert!(way.send(0, mail()).await.is_ok());
}

#[tokio::test]
async fn codes_decide_between_refused_and_unavailable() {
    for (script, expected) in [
        (Script { data: "554 no", ..Script::default() }, "answered DATA with 554 no"),
        (
            Script { message: End::Answer("552 too large"), ..Script::default() },
            "the message with 552 too large",
        ),
    ] {
        let server = scripted(script).await;
        let why = refused(send(settings(server.port)).await);
        assert!(why.contains(expected), "{why}");
    }
    for script in [
        Script { greeting: "421 busy", ..Script::default() },
        // Of itself, not of the mail: it may be under maintenance.
        Script { greeting: "554 go away", ..Script::default() },
        Script { data: "451 later", ..Script::default() },
        Script { message: End::Answer("451 later"), ..Script::default() },
        Script { recipients: &[("@", "421 closing")], ..Script::default() },
        Script { greeting: "hello", ..Script::default() },
    ] {
        let server = scripted(script).await;
        unavailable(send(settings(server.port)).await);
    }
}

#[tokio::test]
async fn a_connection_lost_within_the_message_leaves_its_outcome_open() {
    for end in [End::CloseWithin, End::CloseAfter] {
        let server = scripted(Script { message: end, ..Script::default() }).await;
        let mut way = access(settings(server.port));
        let outcome = way.send(0, mail()).await;
        let Err(Failure::Interrupted(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("broke before it answered the message"), "{why}");
        assert!(way.is_interrupted() && way.take_recorded().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let server = scripted(Script { message: End::Silent, ..Script::default() }).await;
    let outcome = send(MailSettings { timeout: Duration::from_secs(1), ..settings(server.port) }).await;
    let expected = "`localhost` did not answer within the destination's timeout of 1s";
    assert_eq!(outcome, Err(Failure::Interrupted(expected.into())));
}

#[tokio::test]
async fn answers_are_bounded_and_without_secrets() {
    let endless: &'static str = "250-x".repeat(1_000).leak();
    let many: &'static str = "220-x\r\n".repeat(300).leak();
    for greeting in [endless, many] {
        let server = scripted(Script { greeting, ..Script::default() }).await;
        assert!(unavailable(send(settings(server.port)).await).contains("without end"));
    }
    let script = Script { offers: &["AUTH PLAIN LOGIN"], auth: "535 what is ECHO", ..Script::default() };
    let server = scripted(script).await;
    let mut to = settings(server.port);
    to.credentials = Some(("watchbell".into(), Secret::new("top-secret-word")));
    let why = refused(send(to).await);
    assert_eq!(why, "`localhost` answered the credentials with 535 what is AUTH PLAIN [redacted]");
}

#[tokio::test]
async fn a_server_without_plain_gets_the_password_by_login() {
    let server = scripted(Script { offers: &["AUTH LOGIN"], ..Script::default() }).await;
    let mut to = settings(server.port);
    to.credentials = Some(("watchbell".into(), Secret::new("top-secret-word")));
    send(to).await.unwrap();
    let commands = server.commands();
    let at = commands.iter().position(|command| command == "AUTH LOGIN").unwrap();
    assert_eq!(commands[at + 1..at + 3], ["d2F0Y2hiZWxs", "dG9wLXNlY3JldC13b3Jk"]);
}

#[tokio::test]
async fn mails_are_encrypted_by_either_way_and_certificates_are_checked() {
    let authority = Authority::new();
    for (tls, server_tls) in [
        (MailTls::StartTls, Tls::Upgraded(authority.acceptor("localhost"))),
        (MailTls::Implicit, Tls::Implicit(authority.acceptor("localhost"))),
    ] {
        let server = Server::start(server_tls, []).await;
        let trusting = MailSettings { tls, ca: Some(authority.pem()), ..settings(server.port) };
        send(trusting.clone()).await.unwrap();
        assert_eq!(server.received().len(), 1);
        let stranger = MailSettings { ca: Some(Authority::new().pem()), ..trusting };
        let why = unavailable(send(stranger).await);
        assert!(
            why.contains("TLS with `localhost` failed") && why.contains("invalid peer certificate"),
            "{why}"
        );
        assert_eq!(server.received().len(), 1);
    }
    let server = Server::start(Tls::Upgraded(authority.acceptor("elsewhere")), []).await;
    let other_name =
        MailSettings { tls: MailTls::StartTls, ca: Some(authority.pem()), ..settings(server.port) };
    let why = unavailable(send(other_name).await);
    assert!(why.contains("not valid for name"), "{why}");
}

#[tokio::test]
async fn without_starttls_nothing_is_said() {
    let server = scripted(Script::default()).await;
    let mut to = MailSettings { tls: MailTls::StartTls, ..settings(server.port) };
    to.credentials = Some(("watchbell".into(), Secret::new("top-secret-word")));
    let why = unavailable(send(to).await);
    assert!(why.starts_with("`localhost` does not offer STARTTLS: "), "{why}");
    assert!(server.commands().iter().all(|command| command.starts_with("EHLO") || command == "QUIT"));
}

#[tokio::test]
async fn what_is_sent_before_tls_is_not_believed() {
    let authority = Authority::new();
    let script = Script { injected: "\r\n250-evil\r\n250 AUTH PLAIN", ..Script::default() };
    let server = Server::start(Tls::Upgraded(authority.acceptor("localhost")), [script]).await;
    let to = MailSettings { tls: MailTls::StartTls, ca: Some(authority.pem()), ..settings(server.port) };
    let why = unavailable(send(to).await);
    assert!(why.contains("before TLS") || why.contains("TLS with `localhost` failed"), "{why}");
}

#[tokio::test]
async fn inner_addresses_need_the_grant_and_other_machines_encryption() {
    let server = scripted(Script::default()).await;
    for host in ["localhost", "127.0.0.1", "::ffff:127.0.0.1"] {
        let to = MailSettings { host: host.into(), grants: MailGrants::default(), ..settings(server.port) };
        let outcome = send(to).await;
        let Err(Failure::Denied(why)) = outcome else { panic!("{host}: {outcome:?}") };
        assert!(why.contains("grant the destination `private_addresses: true`"), "{host}: {why}");
    }
    let outcome = send(MailSettings { host: "192.0.2.1".into(), ..settings(25) }).await;
    let Err(Failure::Denied(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("would not be encrypted"), "{why}");
    assert_eq!(server.commands(), Vec::<String>::new());
}

#[tokio::test]
async fn a_delivery_has_a_limit_of_mails() {
    let server = scripted(Script::default()).await;
    let mut way = access(settings(server.port));
    assert!(matches!(way.send(16, mail()).await, Err(Failure::Invalid(_))));
    let scripts = vec![Script { greeting: "421 busy", ..Script::default() }; 16];
    let server = Server::start(Tls::None, scripts).await;
    let mut way = access(settings(server.port));
    for _ in 0..16 {
        unavailable(way.send(0, mail()).await);
    }
    let denied = way.send(0, mail()).await;
    assert_eq!(denied, Err(Failure::Denied("more than 16 mails in one delivery".into())));
}
