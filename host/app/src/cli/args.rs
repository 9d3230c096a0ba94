//! What can be typed. Everything a person needs to know stands in the help texts.
pub(crate) mod pause; // a span of time
pub(crate) mod place; // which manifests

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::pause::pause;
pub use self::place::Place;
use self::place::key_value;
use super::upgrade_gate::args::UpgradeGate;

/// Evaluates rules over Elasticsearch and OpenSearch, and delivers what they find.
///
/// Rules are YAML files; what they compute is a sandboxed WebAssembly module. Start with `watchbell check`, then
/// `watchbell run`. While it runs, `watchbell status` and `watchbell explain RULE` tell what it does and why.
#[derive(Debug, Parser)]
#[command(name = "watchbell", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  done; for `run`: stopped as asked
  1  the manifests, the module or the host's answer have faults, all of which were printed
  2  the command line is wrong
  3  the store refuses to open (locked, full, corrupt, from a newer version)
  4  another host has taken over the store's partition
  5  stopped, but some runs or deliveries had to be abandoned

`upgrade-gate` has exit codes of its own: see its help.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Evaluate the rules until told to stop (SIGTERM or Ctrl-C; SIGHUP reads the manifests again).
    Run(Run),
    /// Report every fault of every manifest at once, with file, line and column.
    Check(Check),
    /// Print the rules as they are in force in an environment, or what differs between two.
    Render(Render),
    /// Show, for each rule, what was evaluated last, what comes next, and what is open.
    Status(Status),
    /// Tell why a rule did, or did not, fire or send.
    Explain(Explain),
    /// Try rules on a virtual timeline, offline: the documents, and what must come of them, lie in `*.test.yaml`.
    Test(Test),
    /// Show what a rule would have found and sent over a cluster's past; nothing is sent and nothing is kept.
    Backtest(Backtest),
    /// Compare what rules find with what ElastAlert alerted: evaluates a cluster's past, sends nothing, keeps nothing.
    Shadow(Shadow),
    /// Ask a recorded run again, bit for bit: what the rule was given, and what it says now. Without an id: list them.
    ///
    /// The host records runs that find something, and runs that a module fails, beside its store: the newest 20 of
    /// each rule, where their rows fit into 2 MiB.
    Replay(Replay),
    /// Say whether a node of an Elasticsearch or OpenSearch cluster may be replaced now, and why.
    UpgradeGate(Box<UpgradeGate>),
    /// Turn what another program has into manifests.
    #[command(subcommand)]
    Import(Import),
    /// Start, build, test, measure, publish and look into plugins.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Start the embedded search node: an Elasticsearch subset in memory, for trials and tests.
    Node(NodeArgs),
    /// Print a JSON Schema: of manifests, environments and tests for editors, of status and explain for programs.
    Schema {
        #[arg(value_enum)]
        of: SchemaOf,
    },
    /// Write shell completions to standard output.
    Completions { shell: clap_complete::Shell },
}

#[derive(Clone, Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub place: Place,
    /// Where the store lies, instead of where the environment says.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// Where to answer /livez, /readyz, /metrics, /status and /explain, instead of where the environment says.
    #[arg(long, value_name = "ADDRESS", env = "WATCHBELL_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Where compiled modules are kept; only this user may be able to write there.
    #[arg(long, value_name = "DIR", env = "WATCHBELL_MODULE_CACHE")]
    pub cache: Option<PathBuf>,
    /// Let rules end even if they are more than half of all that are known.
    #[arg(long)]
    pub allow_shrink: bool,
    /// Run rules even if a cluster's clock says that this host's is wrong.
    #[arg(long)]
    pub accept_clock: bool,
    /// Log lines as JSON even on a terminal.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub place: Place,
    /// Also ask the clusters: do the indices exist, can the fields be read as the rules need them?
    #[arg(long)]
    pub online: bool,
    /// Look for no secrets: for machines that must not have them, such as those that check pull requests.
    #[arg(long, conflicts_with = "online")]
    pub no_secrets: bool,
    /// Print the faults as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Render {
    #[command(flatten)]
    pub place: Place,
    /// Print what differs from this environment.
    #[arg(long, value_name = "NAME")]
    pub against: Option<String>,
    /// Only this rule.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub place: Place,
    /// The store to read when no host answers.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// The address of the host to ask.
    #[arg(long, value_name = "ADDRESS", env = "WATCHBELL_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Print JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The rule's name.
    pub rule: String,
    #[command(flatten)]
    pub status: Status,
}

const TEST_HELP: &str = "A test beside rules/web/spike.yaml, in rules/web/spike.test.yaml:

  tests:
    - name: a burst of errors is told, once
      documents:
        - { at: 0s, every: 30s, count: 20, fields: { Status: 500 } }
        - { at: 6m, every: 1s, count: 60, fields: { Status: 500 } }
      expect:
        - { at: 5m, signals: [] }
        - at: 8m
          deliveries: [{ to: ops-chat, cause: opened, title: { contains: spiked } }]
    - name: one error in a minute is nobody's business
      documents: [{ at: 0s, every: 1m, count: 60, fields: { Status: 500 } }]
      quiet: true

A window that ends at 5m is judged at 5m10s (`delay`). `watchbell test --verbose` tells what
happened and when; `--bless` writes what happened into `expect`; `watchbell schema test` writes
the schema for editors.";

#[derive(Debug, Args)]
#[command(after_help = TEST_HELP)]
pub struct Test {
    /// A `*.test.yaml` or a folder of them; all below the folder of rules by default.
    pub path: Option<PathBuf>,
    /// The folder of rule manifests; `environments/` lies inside it.
    #[arg(long, value_name = "DIR", default_value = "rules", env = "WATCHBELL_RULES")]
    pub rules: PathBuf,
    /// Run every test in this environment, instead of those it names.
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Set a token of the environment for this call; may be given several times.
    #[arg(long = "token", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tokens: Vec<(String, String)>,
    /// Only tests whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write what happened into the `expect` of tests that fail.
    #[arg(long)]
    pub bless: bool,
    /// Fail if a rule has no test that fires, or none that stays quiet.
    #[arg(long)]
    pub strict: bool,
    /// Tell of tests that pass too, and what happened in each.
    #[arg(short, long, conflicts_with = "json")]
    pub verbose: bool,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Backtest {
    /// The rule's name.
    pub rule: String,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub past: Past,
    /// Print JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

/// A stretch of a cluster's past, and what may be asked of the cluster for it.
#[derive(Debug, Args)]
pub struct Past {
    /// Where to begin: `2026-11-20`, `2026-11-20T08:00:00Z`, or how long ago: `6h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// Where to end, as `--from`; now by default.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Begin nothing that takes more windows of a rule than this.
    #[arg(long, value_name = "NUMBER", default_value_t = 5_000)]
    pub windows_max: u64,
    /// Stop when the cluster has handed out more rows for a rule than this.
    #[arg(long, value_name = "NUMBER", default_value_t = 5_000_000)]
    pub rows_max: u64,
    /// Leave the cluster alone for this long after each hundredth of the time.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = pause)]
    pub pause: std::time::Duration,
}

const SHADOW_HELP: &str = "\
An alert of ElastAlert's agrees with a finding here if rule, values of the key and time are the same: the rule by the \
name that `import` gave it, the time give or take `--tolerance`. Repetitions are not compared: a rule that goes on \
matching is one finding here and many alerts there. What ElastAlert muted (`realert`) is told and is no difference. \
The exit code is 1 if something differs.";

#[derive(Debug, Args)]
#[command(after_help = SHADOW_HELP)]
pub struct Shadow {
    /// The rules to compare; all by default.
    #[arg(value_name = "RULE")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub past: Past,
    /// ElastAlert's `writeback_index`; what it muted stands in the index of the same name with `_silence`.
    #[arg(long, value_name = "INDEX", default_value = "elastalert_status")]
    pub writeback: String,
    /// The cluster of the environment that holds that index; the only one by default.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// By how much the times of an alert and of a finding may differ. Without `--to`, what is newer than this is left
    /// out: ElastAlert may not have judged it.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = pause)]
    pub tolerance: std::time::Duration,
    /// Print JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The run's id, as the log and the list tell it, or the file of a recording.
    pub run: Option<String>,
    #[command(flatten)]
    pub place: Place,
    /// The store beside which recordings lie, instead of where the environment says.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// Ask this module instead of the rule's own: does a mended one do better?
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// Write the run as a case (params, timeline, expected) for the module's own tests.
    #[arg(long, value_name = "DIR")]
    pub write_case: Option<PathBuf>,
    /// Print JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Import {
    /// Rules and configuration of ElastAlert or ElastAlert2, with an account of every option by file and line.
    ///
    /// Nothing is guessed: what cannot be carried is named, with a reason. Variables are not looked up and credentials
    /// are not written: the report says which to set.
    Elastalert(Elastalert),
}

#[derive(Debug, Args)]
pub struct Elastalert {
    /// The folder with `config.yaml` and the rules.
    pub folder: PathBuf,
    /// Where to write manifests and `environments/default.yaml`.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    pub out: PathBuf,
    /// Whom rules tell that have no alerter which can be carried; without it such a rule is left out.
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,
    /// The value of a `@@TOKEN@@`, for the environment; may be given several times.
    #[arg(long = "token", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tokens: Vec<(String, String)>,
    /// Write over files that are there.
    #[arg(long)]
    pub overwrite: bool,
    /// Report, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Also write the report here, as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// Start a plugin: a folder with a small rule or alerter, its tests, and a workflow that builds it.
    New(NewPlugin),
    /// Build the component of a plugin's folder into its dist/, and tell its size and digest.
    Build {
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
    },
    /// Run a plugin's own tests, then its cases.json through the component.
    Test {
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
    },
    /// Tell all that a module says of itself: parameters, imports, exports, digest, versions.
    Inspect {
        /// A component (`.wasm`).
        file: PathBuf,
        /// Print JSON, for machines.
        #[arg(long)]
        json: bool,
    },
    /// Measure a rule on generated rows: time per call and per row, memory, size of its state.
    Bench(BenchPlugin),
    /// Say whether a module would be accepted, and if not, why and what to do.
    Check {
        /// A component (`.wasm`).
        file: PathBuf,
        /// Print JSON, for machines.
        #[arg(long)]
        json: bool,
    },
    /// Vouch for a module: write FILE.sig beside it, which `plugins.keys` of an environment may ask for.
    Sign {
        /// A component (`.wasm`).
        file: PathBuf,
        /// An Ed25519 private key in PEM, as `openssl genpkey -algorithm ed25519` writes it.
        #[arg(long, value_name = "KEYFILE")]
        key: PathBuf,
    },
    /// Put a module into an OCI registry, and tell the digest by which a manifest may name it.
    Push {
        /// A component (`.wasm`).
        file: PathBuf,
        /// Where to: `registry.example.com/rules/login-burst:1.0`.
        reference: String,
        /// Sign it with this Ed25519 private key in PEM; may be given several times.
        #[arg(long, value_name = "KEYFILE")]
        sign: Vec<PathBuf>,
        /// Speak without TLS to another machine's registry.
        #[arg(long)]
        plain_http: bool,
    },
    /// Fetch a module from an OCI registry, to be used without it from then on.
    Pull {
        /// Where from: with a tag, or `@sha256:` and its digest.
        reference: String,
        /// Also write the module to this file, and its signatures beside it.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Speak without TLS to another machine's registry.
        #[arg(long)]
        plain_http: bool,
    },
    /// List the modules built into this program.
    List {
        /// Print JSON, for machines.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct NewPlugin {
    /// Its name, and that of the folder: lower-case words joined by `-`, for example `login-burst`.
    pub name: String,
    /// What it is to be.
    #[arg(long, value_enum)]
    pub kind: PluginKind,
    #[arg(long, value_enum, default_value = "rust")]
    pub language: PluginLanguage,
    /// Where a plugin in Rust finds the SDK: the folder `sdk` of Watchbell's source, or the address of its git
    /// repository.
    #[arg(long, value_name = "PATH", env = "WATCHBELL_SDK")]
    pub sdk: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PluginKind {
    /// Judges rows.
    Rule,
    /// Delivers messages.
    Alerter,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PluginLanguage {
    Rust,
    #[value(name = "javascript")]
    JavaScript,
}

#[derive(Debug, Args)]
pub struct BenchPlugin {
    /// A rule's component (`.wasm`).
    pub file: PathBuf,
    /// Its parameters. Choose them so that it seldom fires: what it reports has a limit.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub params: String,
    /// A field of the key; may be given several times.
    #[arg(long, value_name = "FIELD")]
    pub key: Vec<String>,
    /// A field that holds words and not numbers; may be given several times. Key fields do anyway.
    #[arg(long, value_name = "FIELD")]
    pub text: Vec<String>,
    /// How many rows a run gets, 1 to 10,000,000.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rows: u32,
    /// How many values a key field has.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub keys: u32,
    /// How long the window is over which the rows are spread.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub over: u32,
    /// How many runs are measured.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: u32,
    /// Print JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct NodeArgs {
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9200")]
    pub listen: SocketAddr,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaOf {
    /// A rule's manifest.
    Rule,
    /// An environment.
    Environment,
    /// A file of tests.
    Test,
    /// What `status --json` prints and `/status` answers.
    Status,
    /// What `explain --json` prints and `/explain/RULE` answers.
    Explain,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
