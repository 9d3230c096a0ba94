//! A mail server on loopback that does what its script says, and keeps what it was told.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// What a server does in one session. Answers are without their line ends.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) greeting: &'static str,
    /// What it offers after `EHLO`, besides STARTTLS where it has a certificate.
    pub(crate) offers: &'static [&'static str],
    pub(crate) auth: &'static str,
    /// The answers to recipients whose command contains the text; others are accepted.
    pub(crate) recipients: &'static [(&'static str, &'static str)],
    pub(crate) data: &'static str,
    /// The answer to the message.
    pub(crate) message: End,
    /// What follows the answer to STARTTLS at once.
    pub(crate) injected: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) enum End {
    Answer(&'static str),
    /// Closes the connection once the message has begun.
    CloseWithin,
    /// Closes the connection once it has the whole message.
    CloseAfter,
    /// Never answers.
    Silent,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: "220 ready",
            offers: &["8BITMIME"],
            auth: "235 welcome",
            recipients: &[],
            data: "354 go on",
            message: End::Answer("250 taken"),
            injected: "",
        }
    }
}

#[derive(Clone)]
pub(crate) enum Tls {
    None,
    /// Plain at first.
    Upgraded(TlsAcceptor),
    Implicit(TlsAcceptor),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) recipients: Vec<String>,
    /// As it was sent, without the dots that SMTP adds.
    pub(crate) message: String,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    inbox: Arc<Inbox>,
    #[allow(dead_code, reason = "a whole host's test waits for messages")]
    arrivals: mpsc::UnboundedReceiver<()>,
}

#[derive(Default)]
struct Inbox {
    scripts: Mutex<VecDeque<Script>>,
    commands: Mutex<Vec<String>>,
    received: Mutex<Vec<Received>>,
}

impl Server {
    /// Plays the scripts one after the other, then the default one.
    pub(crate) async fn start(tls: Tls, scripts: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inbox =
            Arc::new(Inbox { scripts: Mutex::new(scripts.into_iter().collect()), ..Inbox::default() });
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let shared = Arc::clone(&inbox);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = shared.scripts.lock().unwrap().pop_front().unwrap_or_default();
                let (inbox, tls, arrived) = (Arc::clone(&shared), tls.clone(), arrived.clone());
                tokio::spawn(async move {
                    let session = Session { inbox, script, arrived };
                    match tls {
                        Tls::None => session.plain(stream, None).await,
                        Tls::Upgraded(acceptor) => session.plain(stream, Some(acceptor)).await,
                        Tls::Implicit(acceptor) => {
                            let stream = acceptor.accept(stream).await.ok()?;
                            let mut stream = BufReader::new(stream);
                            session.say(&mut stream, session.script.greeting).await?;
                            session.talk(&mut stream, &[]).await.map(drop)
                        }
                    }
                });
            }
        });
        Self { port, inbox, arrivals }
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.inbox.commands.lock().unwrap().clone()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inbox.received.lock().unwrap().clone()
    }

    /// The next message that is received after those that were waited for.
    #[allow(dead_code, reason = "a whole host's test waits for messages")]
    pub(crate) async fn next(&mut self) -> Received {
        self.arrivals.recv().await.unwrap();
        self.received().pop().unwrap()
    }
}

struct Session {
    inbox: Arc<Inbox>,
    script: Script,
    arrived: mpsc::UnboundedSender<()>,
}

/// Why a dialogue paused.
#[derive(PartialEq)]
enum Paused {
    StartTls,
    Over,
}

impl Session {
    async fn plain(self, stream: tokio::net::TcpStream, acceptor: Option<TlsAcceptor>) -> Option<()> {
        let mut stream = BufReader::new(stream);
        self.say(&mut stream, self.script.greeting).await?;
        let extra: &[&str] = if acceptor.is_some() { &["STARTTLS"] } else { &[] };
        if self.talk(&mut stream, extra).await? == Paused::StartTls {
            let stream = acceptor?.accept(stream.into_inner()).await.ok()?;
            self.talk(&mut BufReader::new(stream), &[]).await?;
        }
        Some(())
    }

    async fn say<S: AsyncWrite + Unpin>(&self, stream: &mut S, answer: &str) -> Option<()> {
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        stream.flush().await.ok()
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        extra: &[&str],
    ) -> Option<Paused> {
        let mut recipients = Vec::new();
        loop {
            let command = line(stream).await?;
            self.inbox.commands.lock().unwrap().push(command.clone());
            let verb = command.split([' ', ':']).next().unwrap_or_default();
            match verb {
                "EHLO" => {
                    let offers = self.script.offers.iter().chain(extra);
                    let text: String = offers.map(|offer| format!("250-{offer}\r\n")).collect();
                    self.say(stream, &format!("250-server\r\n{text}250 HELP")).await?;
                }
                "STARTTLS" => {
                    self.say(stream, &format!("220 go{}", self.script.injected)).await?;
                    return Some(Paused::StartTls);
                }
                "AUTH" if command == "AUTH LOGIN" => {
                    for question in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                        self.say(stream, question).await?;
                        let answer = line(stream).await?;
                        self.inbox.commands.lock().unwrap().push(answer);
                    }
                    self.say(stream, self.script.auth).await?;
                }
                "AUTH" => self.say(stream, &self.script.auth.replace("ECHO", &command)).await?,
                "MAIL" => {
                    recipients.clear();
                    self.say(stream, "250 ok").await?;
                }
                "RCPT" => {
                    let scripted = self.script.recipients.iter().find(|(text, _)| command.contains(text));
                    let answer = scripted.map_or("250 ok", |(_, answer)| answer);
                    if answer.starts_with('2') {
                        recipients.push(command.trim_start_matches("RCPT TO:").to_owned());
                    }
                    self.say(stream, answer).await?;
                }
                "DATA" => {
                    self.say(stream, self.script.data).await?;
                    if !self.script.data.starts_with('3') {
                        continue;
                    }
                    self.message(stream, std::mem::take(&mut recipients)).await?;
                }
                "QUIT" => {
                    self.say(stream, "221 bye").await?;
                    return Some(Paused::Over);
                }
                _ => self.say(stream, "500 what?").await?,
            }
        }
    }

    /// `None`: the connection is to be closed.
    async fn message<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        recipients: Vec<String>,
    ) -> Option<()> {
        if matches!(self.script.message, End::CloseWithin) {
            line(stream).await?;
            return None;
        }
        let mut message = String::new();
        loop {
            let line = line(stream).await?;
            assert!(line.len() <= 998 && line.is_ascii(), "a line of {} bytes: {line}", line.len());
            if line == "." {
                break;
            }
            message.push_str(line.strip_prefix('.').unwrap_or(&line));
            message.push('\n');
        }
        match self.script.message {
            End::Answer(answer) => {
                if answer.starts_with('2') {
                    self.inbox.received.lock().unwrap().push(Received { recipients, message });
                    let _ = self.arrived.send(());
                }
                self.say(stream, answer).await
            }
            End::Silent => std::future::pending().await,
            End::CloseWithin | End::CloseAfter => None,
        }
    }
}

/// A line as SMTP ends it; another end of a line is an error of the client's.
async fn line<S: AsyncBufRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let line = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("a line without CRLF: {line:?}"));
    assert!(!line.contains('\r'), "{line:?}");
    Some(line.to_owned())
}
