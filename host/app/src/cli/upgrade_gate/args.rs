use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use watchbell_gate::{ALLOWED_BY_DEFAULT, Allowed, Version};

use crate::cli::args::pause::pause;
use crate::cli::args::place::Place;

// A paragraph is one line, which is wrapped as wide as the terminal is.
const HELP: &str = "\
Between two nodes of a rolling upgrade:

  watchbell upgrade-gate --cluster https://es:9200 --node es-data-2 && replace es-data-2

It waits for green. If shards stay unassigned, it asks why each of them is on no node, and accepts only what an \
upgrade explains: `version` (newer data on older nodes), `same-node` (a copy beside another) and `awareness` (a zone \
that has its share). An unassigned primary is never accepted. With `--node` it also looks at what would go with that \
node: the only copy of a shard, indices without replicas, the last master-eligible node, disk space elsewhere.

Scaling up first:     upgrade-gate --cluster … --drain es-data-2       (says when to terminate it)
Restarting in place:  upgrade-gate --cluster … --node es-data-2 --disable-allocation
Which one is next:    upgrade-gate --cluster … --next

What `--drain` and `--disable-allocation` write to the cluster's settings they take back, also after Ctrl-C. What a \
crash left behind is found by the next call, and taken back by `--put-back`.

Credentials of a cluster that is given as a URL come from the variables WATCHBELL_CLUSTER_USERNAME and \
WATCHBELL_CLUSTER_PASSWORD, WATCHBELL_CLUSTER_API_KEY or WATCHBELL_CLUSTER_TOKEN; those of a named one from the \
environment's file. The user needs the cluster privilege `monitor`, and `manage` to write settings.

Exit codes:
  0  safe
  1  not safe: what is in the way, and what would help, was printed
  2  could not tell (or the command line is wrong)
  3  the time was over while the cluster was still changing";

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
    /// The node that is to be replaced, by name or id.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["drain", "put_back"])]
    pub node: Option<String>,
    /// How long to wait for a verdict.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = pause)]
    pub wait: Duration,
    /// How long unassigned shards have to stay the same before they are explained.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = pause)]
    pub stable: Duration,
    /// The time between two looks at the cluster.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = poll)]
    pub poll: Duration,
    /// The deciders that may keep a replica unassigned: `version`, `same-node` or names as the servers have them.
    #[arg(long, value_name = "LIST", default_value = ALLOWED_BY_DEFAULT, value_parser = allowed)]
    pub allow: String,
    /// Say which node to replace next, and why; with `--node`, whether that one may be the next.
    #[arg(long)]
    pub next: bool,
    /// The version that nodes are upgraded to; the newest in the cluster by default.
    #[arg(long, value_name = "VERSION", requires = "next", value_parser = version)]
    pub to: Option<Version>,
    /// Empty this node: exclude it from allocation, wait until it holds no shard, say when to terminate it, wait
    /// until it has left, remove the exclusion.
    #[arg(long, value_name = "NODE")]
    pub drain: Option<String>,
    /// Hold allocation back while `--node` restarts in place: wait until it may, say when, wait until it is back, and
    /// until its shards are.
    #[arg(long, requires = "node")]
    pub disable_allocation: bool,
    /// When `--drain` and `--disable-allocation` end. `ready`: when it is the caller's turn; what was written to the
    /// cluster's settings stays until `--put-back`. `done` by default.
    #[arg(long, value_enum, requires = "writes")]
    pub until: Option<Until>,
    /// Take back what an earlier `--drain` or `--disable-allocation` has left in the cluster's settings.
    #[arg(long)]
    pub put_back: bool,
    /// A PEM file with the certificate authority of a cluster that is given as a URL.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// How long one request may take, for a cluster that is given as a URL.
    /// 30s by default.
    #[arg(long, value_name = "TIME", value_parser = poll)]
    pub timeout: Option<Duration>,
    /// Print JSON, for machines. Progress goes to standard error all the same.
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
    Version::parse(text).ok_or_else(|| "write it like `7.10.2`".to_owned())
}

fn poll(text: &str) -> Result<Duration, String> {
    pause(text).and_then(|time| match time.is_zero() {
        true => Err("must be longer than nothing".to_owned()),
        false => Ok(time),
    })
}
