//! `cargo xtask demo`: the whole path on a live stream, told as it happens: a spike is found and told in a chat, nobody
//! answers, so a mail follows; somebody presses the button in the message, and everyone hears that; at last it is over.
//! The host, the rules, the alerters and the search node are the real ones; only the web traffic is made up.
mod traffic; // the made-up web logs
mod cluster; // where they go
mod receiver; // who hears of the spike in a chat and by text message
#[path = "../../../host/mail/tests/smtp/server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the mail server of the tests")]
mod mail; // who hears of it by mail
mod play; // what happens, in order
mod story; // the host's log lines, as a person would tell them

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use cluster::Cluster;
use play::Play;
use receiver::Receiver;
use traffic::Traffic;

/// Shows Watchbell finding a spike of 5xx responses in a live log stream: chat, mail, acknowledged, resolved.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask demo")]
struct Args {
    /// Exit with 0 as soon as the alert arrives, or with 1 if it does not within 120 s.
    #[arg(long)]
    once: bool,
    /// Stream into this Elasticsearch or OpenSearch, which must not require credentials, instead of the embedded node.
    /// The demo creates the index
    /// `logstash-watchbell-demo` there and deletes it at the end.
    #[arg(long, value_name = "URL")]
    cluster: Option<String>,
    /// The host's program.
    #[arg(long, env = "WATCHBELL_BIN", default_value = "watchbell", hide = true)]
    bin: PathBuf,
    /// The shipped rules.
    #[arg(long, env = "WATCHBELL_RULES", default_value = "rules", hide = true)]
    rules: PathBuf,
}

/// Longer than the story takes.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match tell(Args::parse()).await {
        Ok(Ending::Arrived) => std::process::ExitCode::SUCCESS,
        Ok(Ending::Missing) => {
            eprintln!("error: no alert arrived within {} s", PATIENCE.as_secs());
            std::process::ExitCode::from(1)
        }
        // As a shell counts a program that Ctrl-C ended.
        Ok(Ending::Interrupted) => std::process::ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::from(1)
        }
    }
}

/// How a demo ends.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Arrived,
    Missing,
    Interrupted,
}

impl Ending {
    fn of(arrived: bool) -> Self {
        if arrived { Self::Arrived } else { Self::Missing }
    }
}

async fn tell(args: Args) -> Result<Ending> {
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let (node, url) = match &args.cluster {
        Some(url) => (None, url.trim_end_matches('/').to_owned()),
        None => {
            let (node, url) = start_node(&args).await?;
            (Some(node), url)
        }
    };
    let cluster = Cluster::prepare(&url).await?;
    story::say("logs", &format!("stream into {url}, index {}", cluster::INDEX));
    let (sender, alerts) = mpsc::unbounded_channel();
    let receiver = Receiver::start(sender).await?;
    let mail = mail::Server::start(mail::Tls::None, []).await;
    story::say("chat", &format!("listens on {} as the destination `ops-chat`", receiver.chat));
    story::say(
        "mail",
        &format!("listens on 127.0.0.1:{} as `ops-mail`: after 6 s, unless acknowledged", mail.port),
    );
    story::say("sms", &format!("listens on {} as `ops-sms`: after 18 s, unless acknowledged", receiver.sms));

    let mut traffic = Traffic::new();
    cluster.write(&traffic.backlog()).await?;
    story::say("logs", "the last minute was quiet: 12 requests a second, 1 of them a 5xx");
    let store = scratch.path().join("demo.sqlite");
    let listen = free_address().await?;
    let public_url = format!("http://{listen}");
    let tokens = [
        ("ELASTICSEARCH_URL", url),
        ("OPS_CHAT_URL", receiver.chat),
        ("OPS_MAIL_SERVER", format!("127.0.0.1:{}", mail.port)),
        ("OPS_SMS_URL", receiver.sms),
        ("PUBLIC_URL", public_url.clone()),
    ];
    let mut host = start_host(&args, &listen, &tokens, &store)?;
    let log = lines_of(&mut host)?;
    let mut play = Play { once: args.once, traffic, cluster, host, log, alerts, mail, public_url };
    let ending = play.tell().await;
    stop(&mut play.host).await;
    if args.cluster.is_some() {
        play.cluster.remove().await?;
    }
    drop(node);
    let ending = ending?;
    if ending == Ending::Arrived {
        story::look_further(&args.rules, &store);
    }
    Ok(ending)
}

/// The host's log, line by line.
fn lines_of(host: &mut Child) -> Result<mpsc::UnboundedReceiver<String>> {
    let stderr = host.stderr.take().context("the host's log is not readable")?;
    let (lines, log) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut reader = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
    Ok(log)
}

/// Where the host will listen: the links in its messages name the place before it does.
async fn free_address() -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
    Ok(listener.local_addr()?.to_string())
}

async fn start_node(args: &Args) -> Result<(Child, String)> {
    let mut node = Command::new(&args.bin)
        .args(["node", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{}`", args.bin.display()))?;
    let out = node.stdout.take().context("the node's output is not readable")?;
    let line = BufReader::new(out).lines().next_line().await?.unwrap_or_default();
    let url =
        line.strip_prefix("READY ").with_context(|| format!("the search node did not start: {line}"))?;
    Ok((node, url.to_owned()))
}

fn start_host(
    args: &Args,
    listen: &str,
    tokens: &[(&str, String)],
    store: &std::path::Path,
) -> Result<Child> {
    story::say("host", "starts with rules/ in environment `demo`");
    let mut command = Command::new(&args.bin);
    command.args(["run", "--json", "--environment", "demo", "--listen", listen, "--rules"]);
    command.arg(&args.rules).arg("--store").arg(store);
    for (name, value) in tokens {
        command.args(["--token", &format!("{name}={value}")]);
    }
    // Signs the links that acknowledge.
    let key: String = (0..4).map(|_| format!("{:016x}", rand::random::<u64>())).collect();
    command
        .env("WATCHBELL_ACK_KEY", key)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{}`", args.bin.display()))
}

/// As an operator would: SIGTERM, and ten seconds.
async fn stop(host: &mut Child) {
    if let Some(id) = host.id() {
        let _ = std::process::Command::new("kill").arg(id.to_string()).status();
    }
    if tokio::time::timeout(Duration::from_secs(10), host.wait()).await.is_err() {
        let _ = host.kill().await;
    }
}
