//! `cargo xtask demo`: the whole path on a live stream, told as it happens. The host, the rules, the alerter and the
//! search node are the real ones; only the web traffic is made up.
mod traffic; // the made-up web logs
mod cluster; // where they go
mod receiver; // who hears of the spike
mod story; // the host's log lines, as a person would tell them

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use cluster::Cluster;
use receiver::Receiver;
use traffic::Traffic;

/// Shows Watchbell finding a spike of 5xx responses in a live log stream and sending an alert.
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

/// How long `--once` waits for the alert.
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
    let (alerts, mut heard) = mpsc::unbounded_channel();
    let receiver = Receiver::start(alerts).await?;
    story::say("chat", &format!("listens on {} as the destination `ops-chat`", receiver.url));

    let mut traffic = Traffic::new();
    cluster.write(&traffic.backlog()).await?;
    story::say("logs", "the last minute was quiet: 12 requests a second, 1 of them a 5xx");
    let store = scratch.path().join("demo.sqlite");
    let mut host = start_host(&args, &url, &receiver.url, &store)?;
    let stderr = host.stderr.take().context("the host's log is not readable")?;
    let (lines, mut log) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut reader = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
    let ending = play(&args, &mut traffic, &cluster, &mut host, &mut log, &mut heard).await;
    stop(&mut host).await;
    if args.cluster.is_some() {
        cluster.remove().await?;
    }
    drop(node);
    let ending = ending?;
    if ending == Ending::Arrived {
        story::look_further(&args.rules, &store);
    }
    Ok(ending)
}

/// Streams until the story is over: the alert and the calm after it, or patience.
async fn play(
    args: &Args,
    traffic: &mut Traffic,
    cluster: &Cluster,
    host: &mut Child,
    log: &mut mpsc::UnboundedReceiver<String>,
    heard: &mut mpsc::UnboundedReceiver<receiver::Alert>,
) -> Result<Ending> {
    let mut beat = tokio::time::interval(traffic::BEAT);
    let mut arrived = false;
    let end = tokio::time::Instant::now() + if args.once { PATIENCE } else { traffic::STORY.max(PATIENCE) };
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let batch = traffic.next_beat();
                if let Some(turn) = traffic.turn() {
                    story::say("logs", turn);
                }
                cluster.write(&batch).await?;
                if traffic.is_over() && arrived {
                    return Ok(Ending::Arrived);
                }
            }
            Some(line) = log.recv() => story::retell(&line),
            Some(alert) = heard.recv() => {
                story::say_loud("chat", &alert.to_string());
                arrived |= alert.is_about("5xxs spiked");
                if arrived && args.once {
                    return Ok(Ending::Arrived);
                }
            }
            status = host.wait() => {
                while let Ok(line) = log.try_recv() {
                    eprintln!("{line}");
                }
                bail!("the host exited unexpectedly ({})", status?);
            }
            () = tokio::time::sleep_until(end) => return Ok(Ending::of(arrived)),
            _ = tokio::signal::ctrl_c() => return Ok(if arrived { Ending::Arrived } else { Ending::Interrupted }),
        }
    }
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

fn start_host(args: &Args, cluster: &str, chat: &str, store: &std::path::Path) -> Result<Child> {
    story::say("host", "starts with rules/ in environment `demo`");
    Command::new(&args.bin)
        .args(["run", "--json", "--environment", "demo", "--listen", "127.0.0.1:0"])
        .arg("--rules")
        .arg(&args.rules)
        .arg("--store")
        .arg(store)
        .args([
            "--token",
            &format!("ELASTICSEARCH_URL={cluster}"),
            "--token",
            &format!("OPS_CHAT_URL={chat}"),
        ])
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
