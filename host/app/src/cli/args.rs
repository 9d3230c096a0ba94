//! The command line. The help texts say everything that a person needs to know.
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::control::args as control;
use super::destination::Destination;
use super::history::History;
use super::noise::Noise;
use super::oncall::Oncall;
use super::preview::Preview;
use super::render::Render;
use super::shared_args::{Place, key_value, pause};
use super::upgrade_gate::args::UpgradeGate;

/// Evaluates rules over Elasticsearch and OpenSearch, and delivers the alerts.
///
/// Rules are YAML files that name a sandboxed WebAssembly module. Start with `watchbell check`, then `watchbell run`.
/// While it runs, `watchbell status` and `watchbell explain RULE` show what it does and why.
#[derive(Debug, Parser)]
#[command(name = "watchbell", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  success; for `run`: stopped on request
  1  errors in the manifests, the module or the host's response; all of them were printed
  2  invalid command line
  3  the store cannot be opened (locked, full, corrupt, from a newer version)
  4  another host has taken over the store's partition
  5  stopped, but some runs or deliveries had to be abandoned

`upgrade-gate` and the commands to a running host (`ack`, `silence`, `pause` and their like) have their own exit codes:
see their help.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Evaluate the rules until stopped (SIGTERM or Ctrl-C; SIGHUP reloads the manifests).
    Run(Run),
    /// Report every error in every manifest at once, with file, line and column.
    Check(Check),
    /// Print the effective rules of an environment, or the differences between two environments.
    Render(Render),
    /// Show what was last evaluated, what comes next, and what is open, for each rule.
    Status(Status),
    /// Explain why a rule or an episode did or did not fire or send, and what comes next.
    Explain(Explain),
    /// List the open episodes with their ids, who has them, and what comes next.
    Episodes(control::Episodes),
    /// Acknowledge an episode: you are working on it, so it is not repeated and not escalated.
    Ack(control::Ack),
    /// Take an acknowledgement back: the escalation goes on.
    Unack(control::Unack),
    /// Resolve an episode by hand: it is quiet until what it is about has ended once.
    Resolve(control::Resolve),
    /// Write something down about an episode, in the log of commands.
    Note(control::Note),
    /// Hold back what meets some conditions, for a while.
    Silence(control::Silence),
    /// End a silence.
    Unsilence(control::Unsilence),
    /// List the silences, and the pause if there is one.
    Silences(control::Silences),
    /// Send nothing at all for a while, at most 24 hours.
    Pause(control::Pause),
    /// End the pause.
    Unpause(control::Unpause),
    /// List, send again or give up messages that no receiver accepted in time.
    #[command(subcommand)]
    DeadLetter(control::DeadLetter),
    /// Show which commands people gave, by whom, and what became of them; also while no host runs.
    History(History),
    /// Show how much each rule says and what people make of it: messages, acknowledgements, alerts that end by themselves.
    Noise(Noise),
    /// Test rules offline on a virtual timeline, with documents and expectations from `*.test.yaml`.
    Test(Test),
    /// Show what each destination of a rule would get: title, body and requests. Sends nothing and shows no secret.
    Preview(Preview),
    /// List destinations, and test that messages arrive.
    #[command(subcommand)]
    Destination(Destination),
    /// Show who is on call, until when, and the next hand-overs.
    Oncall(Oncall),
    /// Show what a rule would have found and sent over a cluster's past. Sends and stores nothing.
    Backtest(Backtest),
    /// Compare what rules find in a cluster's past with what ElastAlert alerted. Sends and stores nothing.
    Shadow(Shadow),
    /// Repeat a recorded run and compare the result bit for bit. Without an id: list the recordings.
    ///
    /// The host records runs that find something, and runs in which the module fails, beside its store: the newest 20
    /// of each rule whose rows fit into 2 MiB.
    Replay(Replay),
    /// Say whether a node of an Elasticsearch or OpenSearch cluster may be replaced now, and why.
    UpgradeGate(Box<UpgradeGate>),
    /// Convert another program's rules to manifests.
    #[command(subcommand)]
    Import(Import),
    /// Create, build, test, measure, publish and inspect plugins.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Start the embedded search node: an in-memory subset of Elasticsearch, for trials and tests.
    Node(NodeArgs),
    /// Print a JSON Schema: of manifests, environments and tests for editors, of status and explain for programs.
    Schema {
        #[arg(value_enum)]
        of: SchemaOf,
    },
    /// Compile a module from standard input to standard output: started by this program, never by people.
    #[command(hide = true)]
    CompileModule { cpu_seconds: u64, memory_bytes: u64 },
    /// Print shell completions.
    Completions { shell: clap_complete::Shell },
}

#[derive(Clone, Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub place: Place,
    /// The store's file; overrides the environment.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// The address to serve /livez, /readyz, /metrics, /status, /explain and /api on; overrides the environment.
    #[arg(long, value_name = "ADDRESS", env = "WATCHBELL_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// The Unix socket for commands such as `watchbell ack`; overrides the environment. By default the store's file
    /// with `.sock` after it. Only the user of the host and root may use it.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_SOCKET")]
    pub socket: Option<PathBuf>,
    /// The folder to cache compiled modules in; no other user must be able to write to it.
    #[arg(long, value_name = "DIR", env = "WATCHBELL_MODULE_CACHE")]
    pub cache: Option<PathBuf>,
    /// How many connections for health and metrics may be open at once. They take at most a quarter of the open files
    /// that the process may have.
    #[arg(long, value_name = "N", default_value_t = 256, env = "WATCHBELL_MAX_CONNECTIONS")]
    pub max_connections: usize,
    /// Allow manifests that end more than half of the known rules.
    #[arg(long)]
    pub allow_shrink: bool,
    /// Run rules even if this host's clock differs from a cluster's.
    #[arg(long)]
    pub accept_clock: bool,
    /// Log as JSON, even on a terminal.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub place: Place,
    /// Also check with the clusters that the indices exist and that the fields can be read as the rules need them.
    #[arg(long)]
    pub online: bool,
    /// Skip secret look-up: for machines that must not have secrets, such as those that check pull requests.
    #[arg(long, conflicts_with = "online")]
    pub no_secrets: bool,
    /// Print the errors as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub place: Place,
    /// The store to read if no host responds.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// The address of the host to ask.
    #[arg(long, value_name = "ADDRESS", env = "WATCHBELL_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

const EXPLAIN_HELP: &str = "\
Examples:
  watchbell explain failed-logins        why the rule did or did not fire or send
  watchbell explain 3f2a91               why an episode's messages were sent or held, and what comes next
  watchbell explain 3f2a91 --json

An episode that has ended is explained as long as the store remembers it. Without a host, the store is read, and what comes
next is said by the manifests.";

#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub struct Explain {
    /// A rule's name, or an episode's id or how that begins (see `watchbell episodes`).
    #[arg(value_name = "RULE|EPISODE")]
    pub subject: String,
    #[command(flatten)]
    pub status: Status,
}

const TEST_HELP: &str = "A test beside rules/web/spike.yaml, in rules/web/spike.test.yaml:

  tests:
    - name: a burst of errors is sent, once
      documents:
        - { at: 0s, every: 30s, count: 20, fields: { Status: 500 } }
        - { at: 6m, every: 1s, count: 60, fields: { Status: 500 } }
      expect:
        - { at: 5m, signals: [] }
        - at: 8m
          deliveries: [{ to: ops-chat, cause: opened, title: { contains: spiked } }]
    - name: one error a minute is fine
      documents: [{ at: 0s, every: 1m, count: 60, fields: { Status: 500 } }]
      quiet: true

A window that ends at 5m is evaluated at 5m10s (`delay`). `watchbell test --verbose` shows what
happened and when; `--bless` writes what happened into `expect`; `watchbell schema test` prints
the schema for editors.";

#[derive(Debug, Args)]
#[command(after_help = TEST_HELP)]
pub struct Test {
    /// A `*.test.yaml` file or a folder of them; by default all below the folder of rules.
    pub path: Option<PathBuf>,
    /// The folder of rule manifests; it contains `environments/`.
    #[arg(long, value_name = "DIR", default_value = "rules", env = "WATCHBELL_RULES")]
    pub rules: PathBuf,
    /// Run every test in this environment, instead of those that the test names.
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Set a token of the environment for this invocation; may be given several times.
    #[arg(long = "token", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tokens: Vec<(String, String)>,
    /// Run only tests whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write what happened into the `expect` of failing tests.
    #[arg(long)]
    pub bless: bool,
    /// Fail if a rule has no test in which it fires, or none in which it stays quiet.
    #[arg(long)]
    pub strict: bool,
    /// Show passing tests too, and what happened in each.
    #[arg(short, long, conflicts_with = "json")]
    pub verbose: bool,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print JSON.
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
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A range of a cluster's past, and how much the cluster may be asked for it.
#[derive(Debug, Args)]
pub struct Past {
    /// The start: `2026-11-20`, `2026-11-20T08:00:00Z`, or how long ago: `6h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// The end, written like `--from`; now by default.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Do not start if a rule needs more windows than this.
    #[arg(long, value_name = "NUMBER", default_value_t = 5_000)]
    pub windows_max: u64,
    /// Stop once more rows than this have been read for a rule.
    #[arg(long, value_name = "NUMBER", default_value_t = 5_000_000)]
    pub rows_max: u64,
    /// Pause for this long after each hundredth of the time range, to spare the cluster.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = pause)]
    pub pause: std::time::Duration,
}

const SHADOW_HELP: &str = "\
An ElastAlert alert agrees with a finding if rule, key values and time are the same: the rule by the name that \
`import` gave it, the time give or take `--tolerance`. Repetitions are not compared: a rule that keeps matching is one \
finding here and many alerts in ElastAlert. What ElastAlert muted (`realert`) is reported but is not a difference. The \
exit code is 1 if anything differs.";

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
    /// ElastAlert's `writeback_index`; what it muted is in the index of the same name with `_silence`.
    #[arg(long, value_name = "INDEX", default_value = "elastalert_status")]
    pub writeback: String,
    /// The environment's cluster that holds that index; may be omitted if there is only one.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// How much the times of an alert and a finding may differ. Without `--to`, anything newer than this is left out,
    /// because ElastAlert may not have evaluated it yet.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = pause)]
    pub tolerance: std::time::Duration,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The run's id, as shown in the log and the list, or the file of a recording.
    pub run: Option<String>,
    #[command(flatten)]
    pub place: Place,
    /// The store beside which recordings are kept; overrides the environment.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// Run this module instead of the rule's own, for example to test a fix.
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// Write the run as a case (params, timeline, expected) for the module's own tests.
    #[arg(long, value_name = "DIR")]
    pub write_case: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Import {
    /// Convert rules and configuration of ElastAlert or ElastAlert2; reports every option by file and line.
    ///
    /// Nothing is guessed: the report names what cannot be converted, with a reason. Variables are not looked up and
    /// credentials are not written: the report says which ones to set.
    Elastalert(Elastalert),
    /// Convert Alertmanager's configuration: receivers to destinations, inhibition, mute times and silences.
    ///
    /// It writes an environment, and `alertmanager-routes.md` about the routes: here a rule names its destinations itself.
    /// Every option is reported by line. Credentials are not written: the report says which variables to set.
    Alertmanager(Alertmanager),
}

#[derive(Debug, Args)]
pub struct Elastalert {
    /// The folder with `config.yaml` and the rules.
    pub folder: PathBuf,
    /// The configuration that ElastAlert is started with, where the folder has several.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The instant at which ElastAlert is stopped, such as `2026-12-01T12:00:00Z`: rules begin there (`begin:`), so that
    /// nothing before is told twice and nothing after is lost. Start the host then or later.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub from: Option<String>,
    /// Where to write manifests and `environments/default.yaml`.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    pub out: PathBuf,
    /// The destination of rules whose alerters cannot be converted; without it such rules are left out.
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,
    /// The value of a `@@TOKEN@@` in the environment; may be given several times.
    #[arg(long = "token", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tokens: Vec<(String, String)>,
    #[command(flatten)]
    pub shown: ImportShown,
}

#[derive(Debug, Args)]
pub struct Alertmanager {
    /// The configuration, `alertmanager.yml`.
    pub file: PathBuf,
    /// Silences that `amtool silence query -o json` printed; they become maintenance windows.
    #[arg(long, value_name = "FILE")]
    pub silences: Option<PathBuf>,
    /// Where to write `environments/` and `alertmanager-routes.md`.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    pub out: PathBuf,
    /// The environment to write; one other than `default` is laid over a `default.yaml` that is there already.
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = environment_name)]
    pub environment: String,
    #[command(flatten)]
    pub shown: ImportShown,
}

/// What an import writes and prints.
#[derive(Debug, Args)]
pub struct ImportShown {
    /// Overwrite existing files.
    #[arg(long)]
    pub overwrite: bool,
    /// Only report; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Also write the report here, as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// An instant, as manifests write it.
fn instant(text: &str) -> Result<String, String> {
    match text.parse::<jiff::Timestamp>() {
        Ok(instant) => Ok(instant.to_string()),
        Err(_) => Err("write a date, a time and an offset: `2026-12-24T22:00:00+01:00`".into()),
    }
}

/// It becomes the name of a file.
fn environment_name(text: &str) -> Result<String, String> {
    match watchbell_import::slug(text) {
        Some(slug) if slug == text.to_lowercase() => Ok(text.to_owned()),
        _ => Err("a name consists of letters, digits, `_`, `.` and `-`".into()),
    }
}

#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// Create a plugin: a folder with a small rule or alerter, its tests, and a CI workflow that builds it.
    New(NewPlugin),
    /// Build a plugin's component into its dist/ folder, and print its size and digest.
    Build {
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
    },
    /// Run a plugin's own tests, then its cases (tests/*.test.yaml) through the component.
    Test {
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
        /// Write what happened into `expect` of the failing cases, and the bytes of their states into
        /// tests/state.golden.json; comments and the rest are kept.
        #[arg(long)]
        bless: bool,
        /// Fail a rule that lacks a case in which it fires, or one in which it stays quiet. This is the default.
        #[arg(long, overrides_with = "no_strict")]
        strict: bool,
        /// Accept a rule that lacks one of the two.
        #[arg(long)]
        no_strict: bool,
    },
    /// Show a module's metadata: parameters, imports, exports, digest, versions.
    Inspect {
        /// A component (`.wasm`).
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Benchmark a rule on generated rows: time per call and per row, memory, state size.
    Bench(BenchPlugin),
    /// Check whether a module would be accepted; if not, say why and what to do.
    Check {
        /// A component (`.wasm`).
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Sign a module: write FILE.sig beside it, for environments that require signatures (`plugins.keys`).
    Sign {
        /// A component (`.wasm`).
        file: PathBuf,
        /// An Ed25519 private key in PEM, as `openssl genpkey -algorithm ed25519` writes it.
        #[arg(long, value_name = "KEYFILE")]
        key: PathBuf,
    },
    /// Push a module to an OCI registry, and print the digest by which manifests name it.
    Push {
        /// A component (`.wasm`).
        file: PathBuf,
        /// The destination: `registry.example.com/rules/login-burst:1.0`.
        reference: String,
        /// Sign it with this Ed25519 private key in PEM; may be given several times.
        #[arg(long, value_name = "KEYFILE")]
        sign: Vec<PathBuf>,
        /// Use plain HTTP (no TLS) for a registry on another machine.
        #[arg(long)]
        plain_http: bool,
    },
    /// Pull a module from an OCI registry; afterwards it can be used without the registry.
    Pull {
        /// The source: with a tag, or with `@sha256:` and the digest.
        reference: String,
        /// Also write the module to this file, and its signatures beside it.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Use plain HTTP (no TLS) for a registry on another machine.
        #[arg(long)]
        plain_http: bool,
    },
    /// List the modules built into this program.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct NewPlugin {
    /// The name of the plugin and its folder: lower-case words joined by `-`, for example `login-burst`.
    pub name: String,
    /// What kind of plugin to create.
    #[arg(long, value_enum)]
    pub kind: PluginKind,
    #[arg(long, value_enum, default_value = "rust")]
    pub language: PluginLanguage,
    /// Where a Rust plugin finds the SDK: the folder `sdk` of Watchbell's source, or the URL of its git repository.
    #[arg(long, value_name = "PATH", env = "WATCHBELL_SDK")]
    pub sdk: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PluginKind {
    /// Evaluates rows.
    Rule,
    /// Delivers messages.
    Alerter,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PluginLanguage {
    Rust,
    #[value(name = "javascript")]
    JavaScript,
    Python,
}

#[derive(Debug, Args)]
pub struct BenchPlugin {
    /// A rule's component (`.wasm`).
    pub file: PathBuf,
    /// The rule's parameters. Choose them so that it rarely fires: a run's output is limited.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub params: String,
    /// A field of the key; may be given several times.
    #[arg(long, value_name = "FIELD")]
    pub key: Vec<String>,
    /// A field that holds text, not numbers; may be given several times. Key fields always hold text.
    #[arg(long, value_name = "FIELD")]
    pub text: Vec<String>,
    /// The number of rows per run, 1 to 10,000,000.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rows: u32,
    /// The number of distinct keys, however many key fields there are.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub keys: u32,
    /// The length of the window over which the rows are spread.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub over: u32,
    /// The number of runs to measure.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: u32,
    /// Print JSON.
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
    /// The output of `status --json` and `GET /status`.
    Status,
    /// The output of `explain RULE --json` and `GET /explain/RULE`.
    Explain,
    /// The output of `explain EPISODE --json` and `GET /api/v1/episodes/EPISODE`.
    ExplainEpisode,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
