use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::corpus::{self, Corpus, INDEX, SPAN};
use crate::process::{Cost, cost, pause};
use crate::{Work, given, host, table};

/// Documents per CPU second, as a multiple of what it manages.
const RATE_GOAL: f64 = 100.0;

pub(crate) fn bench(work: &Work) -> Result<()> {
    let python = given("WATCHBELL_ELASTALERT_PYTHON")?;
    let url = work.server()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let corpus = runtime.block_on(corpus::write(&url, work.documents))?;
    let ours = host::measure(work, &url, corpus, &runtime)?;
    eprintln!("running ElastAlert2 over the same documents; this takes a minute or two");
    let (theirs, wall) = run(&python, &url, corpus)?;
    let documents = work.documents as f64;
    let rate = |cpu: f64| documents / cpu;
    println!("\nside by side, {} documents, one server", work.documents);
    println!("  {:<28} {:>14} {:>14} {:>9}", "", "watchbell", "ElastAlert2", "ratio");
    let row = |name: &str, ours: f64, theirs: f64, ratio: f64| {
        println!("  {name:<28} {ours:>14.2} {theirs:>14.2} {ratio:>8.1}x");
    };
    row("CPU seconds", ours.cost.cpu_seconds, theirs.cpu_seconds, theirs.cpu_seconds / ours.cost.cpu_seconds);
    row("wall seconds, whole process", ours.wall_seconds, wall, wall / ours.wall_seconds);
    row(
        "peak RSS, MiB",
        ours.cost.peak_mebibytes,
        theirs.peak_mebibytes,
        theirs.peak_mebibytes / ours.cost.peak_mebibytes,
    );
    let (mine, other) = (rate(ours.cost.cpu_seconds), rate(theirs.cpu_seconds));
    row("documents per CPU second", mine, other, mine / other);
    table::goal("documents per CPU second, against ElastAlert2", mine / other, RATE_GOAL);
    Ok(())
}

fn call(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// One pass over all documents, and its wall seconds.
fn run(python: &Path, url: &str, corpus: Corpus) -> Result<(Cost, f64)> {
    let scratch = tempfile::tempdir()?;
    let rules = scratch.path().join("rules");
    std::fs::create_dir(&rules)?;
    let (host, port) =
        url.trim_start_matches("http://").rsplit_once(':').context("the server's address has no port")?;
    let config = scratch.path().join("config.yaml");
    std::fs::write(
        &config,
        format!(
            "rules_folder: {}\nrun_every: {{ minutes: 1 }}\nbuffer_time: {{ minutes: {} }}\nes_host: {host}\nes_port: {port}\n\
             writeback_index: bench-elastalert\nalert_time_limit: {{ days: 1 }}\nscroll_keepalive: 5m\n",
            rules.display(),
            SPAN / 60_000 * 2
        ),
    )?;
    std::fs::write(
        rules.join("bench.yaml"),
        format!(
            "name: bench\ntype: frequency\nindex: {INDEX}\nnum_events: 100000\ntimeframe: {{ minutes: 1 }}\n\
             query_key: host.name\nfilter: []\nalert: [debug]\n"
        ),
    )?;
    call(
        Command::new(python)
            .args(["-m", "elastalert.create_index", "--config"])
            .arg(&config)
            .current_dir(&scratch),
    )?;
    let began = Instant::now();
    let mut child = Command::new(python)
        .args(["-m", "elastalert.elastalert", "--verbose", "--config"])
        .arg(&config)
        .args(["--start", &iso(corpus.start), "--end", &iso(corpus.start + SPAN)])
        .current_dir(&scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(scratch.path().join("log"))?)
        .spawn()?;
    let mut last = Cost::default();
    let status = loop {
        if let Ok(now) = cost(child.id()) {
            // A process that has ended, and was not yet asked for its status, reads as empty memory.
            last.cpu_seconds = now.cpu_seconds.max(last.cpu_seconds);
            last.peak_mebibytes = now.peak_mebibytes.max(last.peak_mebibytes);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > Duration::from_secs(900) {
            child.kill()?;
            bail!("ElastAlert2 did not finish within 900 s");
        }
        pause(Duration::from_millis(50));
    };
    let wall = began.elapsed().as_secs_f64();
    let log = std::fs::read_to_string(scratch.path().join("log"))?;
    if !status.success() || !log.contains("query hits") {
        bail!("ElastAlert2 failed ({status}):\n{log}");
    }
    let told = log.lines().rfind(|line| line.contains("query hits")).unwrap_or_default();
    println!("\nElastAlert2 says: {told}");
    Ok((last, wall))
}

/// As ElastAlert2's command line wants it, in UTC.
fn iso(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
        .unwrap_or_default()
}
