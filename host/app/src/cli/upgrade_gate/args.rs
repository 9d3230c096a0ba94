use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use watchbell_gate::{ALLOWED_BY_DEFAULT, Allowed, Version};

use crate::cli::shared_args::{Place, pause};

// Each paragraph is one line, which clap wraps to the terminal's width.
const HELP: &str = "\
Between two nodes of a rolling upgrade:

  watchbell upgrade-gate --cluster https://es:9200 --node es-data-2 && replace es-data-2

It waits for green. If shards stay unassigned, it asks the cluster why, and accepts only what an upgrade explains: \
`version` (newer data cannot go to older nodes), `same-node` (two copies cannot share a node) and `awareness` (the zone \
already has its share). An unassigned primary is never accepted. With `--node` it also checks what would be lost with \
that node: the only copy of a shard, indices without replicas, the last master-eligible node, disk space elsewhere.

Scaling up first:     upgrade-gate --cluster … --drain es-data-2       (says when to terminate it)
Restarting in place:  upgrade-gate --cluster … --node es-data-2 --disable-allocation
Which one is next:    upgrade-gate --cluster … --next

`--drain` and `--disable-allocation` undo their changes to the cluster's settings, even after Ctrl-C. After a crash the \
next call finds the changes, and `--put-back` undoes them.

For a cluster given as a URL, credentials come from the variables WATCHBELL_CLUSTER_USERNAME and \
WATCHBELL_CLUSTER_PASSWORD, WATCHBELL_CLUSTER_API_KEY or WATCHBELL_CLUSTER_TOKEN; for a named cluster, from the \
environment's file. The user needs the cluster privilege `monitor`, and `manage` to write settings.

Exit codes:
  0  safe
  1  not safe: the output says what is wrong and what would help
  2  could not tell (or invalid command line)
  3  timed out while the cluster was still changing";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
#[command(group(ArgGroup::new("writes").args(["drain", "disable_allocation"])))]
#[command(group(ArgGroup::new("mode").args(["next", "drain", "disable_allocation", "put_back"])))]
pub struct UpgradeGate {
    /// The cluster: its URL (several separated by commas), or its name in the environment.
    #[arg(long, value_name = "URL|NAME")]
    pub cluster: String,
    #[command(flatten)]
    pub place: Place,
    /// The node to replace, by name or id.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["drain", "put_back"])]
    pub node: Option<String>,
    /// How long to wait for a verdict.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = pause)]
    pub wait: Duration,
    /// How long the unassigned shards must stay the same before they are explained.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = pause)]
    pub stable: Duration,
    /// How often to read the cluster's state.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = poll)]
    pub poll: Duration,
    /// The deciders that may keep a replica unassigned: `version`, `same-node`, or the servers' own names.
    #[arg(long, value_name = "LIST", default_value = ALLOWED_BY_DEFAULT, value_parser = allowed)]
    pub allow: String,
    /// Show which node to replace next, and why; with `--node`, whether that node may be next.
    #[arg(long)]
    pub next: bool,
    /// The version to upgrade to; by default the newest in the cluster.
    #[arg(long, value_name = "VERSION", requires = "next", value_parser = version)]
    pub to: Option<Version>,
    /// Empty this node: exclude it from allocation, wait until it holds no shards, say when to terminate it, wait
    /// until it has left, and remove the exclusion.
    #[arg(long, value_name = "NODE")]
    pub drain: Option<String>,
    /// Disable allocation while `--node` restarts in place: wait until the node may restart, say so, wait until the
    /// node and its shards are back.
    #[arg(long, requires = "node")]
    pub disable_allocation: bool,
    /// When `--drain` and `--disable-allocation` end. `ready`: when it is your turn; the changes to the cluster's
    /// settings stay until `--put-back`. `done` by default.
    #[arg(long, value_enum, requires = "writes")]
    pub until: Option<Until>,
    /// Undo changes that an earlier `--drain` or `--disable-allocation` left in the cluster's settings.
    #[arg(long)]
    pub put_back: bool,
    /// A PEM file with the certificate authority, for a cluster given as a URL.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The timeout of a request, for a cluster given as a URL.
    /// 30s by default.
    #[arg(long, value_name = "TIME", value_parser = poll)]
    pub timeout: Option<Duration>,
    /// Print JSON. Progress still goes to standard error.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    Ready,
    Done,
}

fn allowed(text: &str) -> Result<String, String> {
    Allowed::parse(text).map(|_| text.to_owned()).map_err(|unknown| unknown.to_string())
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "expected a version such as `7.10.2`".to_owned())
}

fn poll(text: &str) -> Result<Duration, String> {
    pause(text).and_then(|time| match time.is_zero() {
        true => Err("must be longer than zero".to_owned()),
        false => Ok(time),
    })
}
