//! What hostile clusters, receivers, modules, manifests and documents can do.
mod doors; // whoever reaches the port of health and metrics
mod modules; // whoever gets a module into a manifest
mod alerters; // whoever gets a module into a destination
mod store; // whoever may touch the store's folder
mod hostile_cluster; // a server that answers as no server should
mod clusters; // what its answers cost, and what they show
mod flood; // a rule with thousands of messages beside a quiet one
mod templates; // the same, in a host that runs
mod texts; // templates that take more than a text may
mod confined; // manifests that would read what their environment does not allow
mod files; // what a manifest names
mod terminal; // words on a terminal and in the log of a CI
mod registry; // registries of modules

use std::path::Path;
use std::process::{Command, Stdio};

use crate::plugin::Said;
use crate::world::PROGRAM;

/// Seconds that a call may take: far more than any of these takes, and less than for ever.
const SECONDS_MAX: &str = "120";
/// KiB of memory that a call may write to. What wasmtime only reserves does not count.
const DATA_KIB_MAX: u32 = 3 << 20;

/// Calls the program in `folder`, within bounds of time and memory: past them its exit code is none of its own.
fn bounded(folder: &Path, variables: &[(&str, &str)], args: &[&str]) -> Said {
    let limits = format!("ulimit -d {DATA_KIB_MAX} && exec \"$@\"");
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", SECONDS_MAX, "sh", "-c", &limits, "sh", PROGRAM]).args(args);
    command.current_dir(folder).stdin(Stdio::null());
    command.env("NO_COLOR", "1").env("XDG_CACHE_HOME", folder.join("caches"));
    command.env("DOCKER_CONFIG", folder.join("docker")).env_remove("ENVIRONMENT");
    for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command.envs(variables.iter().copied());
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo starts").success());
}
