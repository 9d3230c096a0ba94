//! What a process cost, read from the system while it runs.
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::given;

/// The kernel counts processor time in hundredths of a second, on every Linux that reports it here.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mebibytes: f64,
}

/// What the process `id` has cost so far, its threads included, its children not.
pub(crate) fn cost(id: u32) -> Result<Cost> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).context("the process has ended")?;
    // The program's name may hold anything; what follows it may not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    let status = fs::read_to_string(format!("/proc/{id}/status")).context("the process has ended")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    Ok(Cost {
        cpu_seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
        peak_mebibytes: peak.unwrap_or(0.0) / 1024.0,
    })
}

pub(crate) fn pause(span: Duration) {
    std::thread::sleep(span);
}

/// Starts a host with the rules in `folder`, where its log goes as well.
pub(crate) fn start_host(folder: &Path, logged: &str) -> Result<Child> {
    Ok(Command::new(given("WATCHBELL_BIN")?)
        .args(["run", "--json", "--listen", "127.0.0.1:0", "--rules"])
        .arg(folder.join("rules"))
        .env("RUST_LOG", logged)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log"))?)
        .spawn()?)
}

/// Milliseconds since the epoch.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
