//! A conversation with a mail server (RFC 5321).
//!
//! The client of `lettre` is not used: it ends at the first refused recipient, does not say at which step a connection
//! was lost, and keeps what a server sent before TLS.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use watchbell_secret::Secret;

use crate::connect::{self, Stream};
use crate::limits::{ANSWER_BYTES_MAX, ANSWER_LINE_BYTES_MAX, ANSWER_LINES_MAX, SHOWN_BYTES_MAX};
use crate::mail::Failure;
use crate::message::transparent;
use crate::server::{Inner, MailTls};

/// What became of each recipient, in order.
pub(crate) struct Verdicts {
    pub(crate) accepted: Vec<Address>,
    /// With the server's reason.
    pub(crate) refused: Vec<(Address, String)>,
    pub(crate) later: Vec<(Address, String)>,
}

pub(crate) struct Session<'a> {
    to: &'a Inner,
    stream: BufReader<Box<dyn Stream>>,
    /// What the server offers, in upper case.
    offers: Vec<String>,
}

/// An answer of a server.
struct Answer {
    code: u16,
    /// The texts of its lines.
    lines: Vec<String>,
}

/// Why a mail did not get through.
enum Ended {
    /// The connection broke, or what came is not an answer.
    Broken(String),
    Answered(Answer),
}

impl<'a> Session<'a> {
    /// A session in which mails can be sent: greeted, encrypted and authenticated as the destination says.
    pub(crate) async fn open(to: &'a Inner) -> Result<Self, Failure> {
        let stream = connect::connect(to).await?;
        let stream: Box<dyn Stream> = match to.settings.tls {
            MailTls::Implicit => connect::encrypt(to, stream).await?,
            MailTls::StartTls | MailTls::None => Box::new(stream),
        };
        let mut session = Session { to, stream: BufReader::new(stream), offers: Vec::new() };
        let greeting = session.answer(200..300).await;
        greeting.map_err(|ended| session.failed("the connection", ended))?;
        session.hello().await?;
        if to.settings.tls == MailTls::StartTls {
            session = session.start_tls().await?;
            session.hello().await?;
        }
        if let Some((user, password)) = &to.settings.credentials {
            session.authenticate(user, password).await?;
        }
        Ok(session)
    }

    /// Sends a message to `recipients`. `sent` becomes true when the server may have accepted it without having said so,
    /// and false again with its answer.
    pub(crate) async fn send(
        &mut self,
        recipients: &[Address],
        message: &[u8],
        sent: &mut bool,
    ) -> Result<Verdicts, Failure> {
        let from = format!("MAIL FROM:<{}>", self.to.settings.from.email);
        self.command(&from, "MAIL", 200..300).await?;
        let mut verdicts = Verdicts { accepted: vec![], refused: vec![], later: vec![] };
        for recipient in recipients {
            let said = self.say(&format!("RCPT TO:<{recipient}>"), 200..300).await;
            match said {
                Ok(_) => verdicts.accepted.push(recipient.clone()),
                Err(Ended::Answered(answer)) if answer.code >= 500 => {
                    verdicts.refused.push((recipient.clone(), self.shown(&answer)));
                }
                Err(Ended::Answered(answer)) if answer.code != 421 => {
                    verdicts.later.push((recipient.clone(), self.shown(&answer)));
                }
                Err(ended) => return Err(self.failed("RCPT", ended)),
            }
        }
        if verdicts.accepted.is_empty() {
            return Ok(verdicts);
        }
        self.command("DATA", "DATA", 354..355).await?;
        *sent = true;
        let written = self.write(&transparent(message)).await;
        let answered = match written {
            Ok(()) => self.answer(200..300).await,
            Err(ended) => Err(ended),
        };
        match answered {
            Ok(_) => {
                *sent = false;
                Ok(verdicts)
            }
            Err(Ended::Broken(why)) => Err(Failure::Interrupted(format!(
                "the connection to `{}` broke before it answered the message: {why}",
                self.to.settings.host
            ))),
            Err(ended) => {
                *sent = false;
                Err(self.failed("the message", ended))
            }
        }
    }

    /// Takes leave. The answer is not waited for: it changes nothing.
    pub(crate) async fn quit(mut self) {
        if self.write(b"QUIT\r\n").await.is_ok() {
            let _ = self.stream.get_mut().shutdown().await;
        }
    }

    async fn hello(&mut self) -> Result<(), Failure> {
        let answer = self.command(&format!("EHLO {}", own_name()), "EHLO", 200..300).await?;
        self.offers = answer.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    async fn start_tls(mut self) -> Result<Self, Failure> {
        let host = &self.to.settings.host;
        if !self.offers.iter().any(|offer| offer == "STARTTLS") {
            return Err(Failure::Unavailable(format!(
                "`{host}` does not offer STARTTLS: without it, no mail is sent; for a server that encrypts from the first byte, set `tls: implicit`"
            )));
        }
        self.command("STARTTLS", "STARTTLS", 200..300).await?;
        // What came before the encryption could be anyone's.
        if !self.stream.buffer().is_empty() {
            return Err(Failure::Unavailable(format!("`{host}` sent more than an answer before TLS")));
        }
        let stream = connect::encrypt(self.to, self.stream.into_inner()).await?;
        Ok(Self { to: self.to, stream: BufReader::new(stream), offers: Vec::new() })
    }

    async fn authenticate(&mut self, user: &str, password: &Secret) -> Result<(), Failure> {
        let offered = self.offers.iter().find_map(|offer| offer.strip_prefix("AUTH ")).unwrap_or_default();
        let offers = |method: &str| offered.split(' ').any(|offer| offer == method);
        if offers("PLAIN") {
            let both = STANDARD.encode(format!("\0{user}\0{}", password.expose()));
            self.command(&format!("AUTH PLAIN {both}"), "the credentials", 200..300).await?;
        } else if offers("LOGIN") {
            self.command("AUTH LOGIN", "AUTH", 300..400).await?;
            self.command(&STANDARD.encode(user), "the credentials", 300..400).await?;
            self.command(&STANDARD.encode(password.expose()), "the credentials", 200..300).await?;
        } else {
            return Err(Failure::Unavailable(format!(
                "`{}` offers neither AUTH PLAIN nor AUTH LOGIN",
                self.to.settings.host
            )));
        }
        Ok(())
    }

    /// `step`: what an error calls the command.
    async fn command(
        &mut self,
        command: &str,
        step: &str,
        wanted: std::ops::Range<u16>,
    ) -> Result<Answer, Failure> {
        let said = self.say(command, wanted).await;
        said.map_err(|ended| self.failed(step, ended))
    }

    async fn say(&mut self, command: &str, wanted: std::ops::Range<u16>) -> Result<Answer, Ended> {
        self.write(format!("{command}\r\n").as_bytes()).await?;
        self.answer(wanted).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let broken = |error: std::io::Error| Ended::Broken(error.to_string());
        self.stream.get_mut().write_all(bytes).await.map_err(broken)?;
        self.stream.get_mut().flush().await.map_err(broken)
    }

    /// Reads an answer; one whose code is not `wanted` is an error.
    async fn answer(&mut self, wanted: std::ops::Range<u16>) -> Result<Answer, Ended> {
        let answer = self.read().await?;
        if wanted.contains(&answer.code) { Ok(answer) } else { Err(Ended::Answered(answer)) }
    }

    async fn read(&mut self) -> Result<Answer, Ended> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut self.stream).take(ANSWER_LINE_BYTES_MAX as u64);
            let read = bounded.read_until(b'\n', &mut line).await;
            read.map_err(|error| Ended::Broken(error.to_string()))?;
            if !line.ends_with(b"\n") {
                let is_long = line.len() == ANSWER_LINE_BYTES_MAX;
                let why = if is_long { "it sent a line without end" } else { "it closed the connection" };
                return Err(Ended::Broken(why.into()));
            }
            bytes += line.len();
            if bytes > ANSWER_BYTES_MAX || lines.len() == ANSWER_LINES_MAX {
                return Err(Ended::Broken("it sent an answer without end".into()));
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let parsed =
                line.get(..3).and_then(|code| code.parse::<u16>().ok()).map(|code| (code, &line[3..]));
            let Some((code @ 200..600, rest)) = parsed else {
                return Err(Ended::Broken("it sent what is not an answer of a mail server".into()));
            };
            lines.push(rest.get(1..).unwrap_or_default().to_owned());
            if !rest.starts_with('-') {
                return Ok(Answer { code, lines });
            }
        }
    }

    /// What an answer says, without secrets.
    fn shown(&self, answer: &Answer) -> String {
        let text = self.to.scrubber.text(&answer.lines.join(" "));
        format!("{} {}", answer.code, shown(&text))
    }

    fn failed(&self, step: &str, ended: Ended) -> Failure {
        let host = &self.to.settings.host;
        match ended {
            Ended::Broken(why) => {
                Failure::Unavailable(format!("the connection to `{host}` broke at {step}: {why}"))
            }
            Ended::Answered(answer) => {
                let why = format!("`{host}` answered {step} with {}", self.shown(&answer));
                // Before it heard of the mail, a server speaks of itself.
                let is_of_mail = !matches!(step, "the connection" | "EHLO" | "STARTTLS");
                if answer.code >= 500 && is_of_mail {
                    Failure::Refused(why)
                } else {
                    Failure::Unavailable(why)
                }
            }
        }
    }
}

/// This machine's name, if it is one that a server understands.
fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    // A name without a dot is no domain, and some servers refuse it.
    if name.contains('.') && name.len() <= 253 && name.bytes().all(is_name) {
        return name.to_owned();
    }
    "[127.0.0.1]".to_owned()
}

/// What others wrote, as one line of an error.
pub(crate) fn shown(text: &str) -> String {
    let line = watchbell_outside::line(text);
    let mut end = line.len().min(SHOWN_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    if end < line.len() { format!("{}…", &line[..end]) } else { line.into_owned() }
}
