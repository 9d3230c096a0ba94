//! The sandbox of this program: where compiled modules are kept, and who compiles them.
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use watchbell_sandbox::{CompileLimits, Compiler, Config, Sandbox};

/// A sandbox that keeps compiled modules in `cache`. Modules of others are compiled by this program in a process of its
/// own, with limits.
///
/// # Errors
/// A limit in the process's variables is not one, or the machine cannot run WebAssembly.
pub(crate) fn sandbox(cache: Option<PathBuf>) -> Result<Sandbox> {
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let compiler =
        Some(Compiler { program: own_program()?, args: vec![COMMAND.to_owned()], limits: limits(&env)? });
    Ok(Sandbox::new(Config { cache_dir: cache, compiler, ..Config::default() })?)
}

/// The hidden command that compiles.
const COMMAND: &str = "compile-module";

/// The running program itself, even if its file was replaced meanwhile: another version's code would not be accepted.
#[cfg(target_os = "linux")]
fn own_program() -> Result<PathBuf> {
    Ok("/proc/self/exe".into())
}

#[cfg(not(target_os = "linux"))]
fn own_program() -> Result<PathBuf> {
    std::env::current_exe().context("cannot find this program, which compiles modules")
}

/// The default limits, unless variables say otherwise: `WATCHBELL_COMPILE_TIME` (`5m`, of CPU time) and
/// `WATCHBELL_COMPILE_MEMORY` (`4GiB`).
fn limits(env: &dyn Fn(&str) -> Option<String>) -> Result<CompileLimits> {
    let mut limits = CompileLimits::default();
    if let Some(text) = env("WATCHBELL_COMPILE_TIME") {
        let span = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        limits.cpu_max = span
            .filter(|span| (Duration::from_secs(1)..=TIME_MAX).contains(span))
            .with_context(|| format!("WATCHBELL_COMPILE_TIME must be from `1s` to `1h`, found `{text}`"))?;
        // A busy machine gives a process less than a core.
        limits.wall_max = limits.wall_max.max(limits.cpu_max * 2);
    }
    if let Some(text) = env("WATCHBELL_COMPILE_MEMORY") {
        let bytes = text.strip_suffix("GiB").map(|gib| (gib, 1 << 30));
        let bytes = bytes.or_else(|| text.strip_suffix("MiB").map(|mib| (mib, 1 << 20)));
        limits.memory_bytes_max = bytes
            .and_then(|(count, unit)| count.parse::<u64>().ok()?.checked_mul(unit))
            .filter(|bytes| (MEMORY_MIN..=MEMORY_MAX).contains(bytes))
            .with_context(|| {
                format!("WATCHBELL_COMPILE_MEMORY must be from `256MiB` to `64GiB`, found `{text}`")
            })?;
    }
    Ok(limits)
}

const TIME_MAX: Duration = Duration::from_hours(1);
const MEMORY_MIN: u64 = 256 << 20;
const MEMORY_MAX: u64 = 64 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(time: &str, memory: &str) -> Result<CompileLimits> {
        limits(&|name| Some(if name.ends_with("TIME") { time } else { memory }.to_owned()))
    }

    #[test]
    fn limits_of_compiling_are_read_from_variables() {
        assert_eq!(limits(&|_| None).unwrap(), CompileLimits::default());
        let set = limited("10m", "3GiB").unwrap();
        let expected = CompileLimits {
            cpu_max: Duration::from_mins(10),
            wall_max: Duration::from_mins(20),
            memory_bytes_max: 3 << 30,
            ..CompileLimits::default()
        };
        assert_eq!(set, expected);
        for (time, memory) in
            [("0s", "1GiB"), ("2h", "1GiB"), ("soon", "1GiB"), ("1m", "1MiB"), ("1m", "much")]
        {
            let error = limited(time, memory).unwrap_err().to_string();
            assert!(error.starts_with("WATCHBELL_COMPILE_") && error.contains("must be from"), "{error}");
        }
    }
}
