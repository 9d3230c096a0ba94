//! `demo`, `bench`, `servers`, `install`: the programs that need something built or started first.
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::cargo;
use crate::clock;
use crate::elastalert;
use crate::jars::{KINDS, NODES, RECORDED, ServerKind};
use crate::nodes;
use crate::plugins;
use crate::servers::Fleet;
use crate::setup::{self, Tools};
use crate::stage::Stage;
use crate::test_report::{self, SERVERS};

/// The first build of everything on a slow machine.
const BUILD_MAX: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// Builds what `name` needs and runs it in the foreground, with the rest of the command line.
pub(crate) fn run(cache: &Cache, name: &str, arguments: &[String]) -> Result<ExitCode> {
    let tools = prepare(cache)?;
    build_plugins(cache, &tools)?;
    let folder = build(cache, name)?;
    let mut command = cargo::plain(folder.join(name));
    command
        .args(arguments)
        .env("WATCHBELL_BIN", folder.join("watchbell"))
        .env("WATCHBELL_PLUGINS", cache.plugins());
    if name == "watchbell-bench" && arguments.iter().any(|word| word == "elastalert") {
        let mut stage = Stage::start(cache, "elastalert", BUILD_MAX)?;
        command.env(elastalert::VARIABLE, elastalert::python(cache, &mut stage)?);
    }
    // Whole programs are measured at a real server, unless one is named.
    let mut fleet = None;
    if name == "watchbell-bench" && needs_server(arguments) {
        let mut stage = Stage::start(cache, "servers", BUILD_MAX)?;
        let started = Fleet::start(cache, &mut stage, &tools.java, &[&KINDS[0]], "1g")?;
        for (kind, why) in &started.missing {
            stage.say(&format!("{} cannot start: it {why}", kind.title));
        }
        command.env(SERVERS, started.variable());
        fleet = Some(started);
    }
    let code = foreground(&mut command)?;
    drop(fleet);
    Ok(code)
}

/// Whether the benchmarks that `arguments` name measure at a server, and none is named there.
fn needs_server(arguments: &[String]) -> bool {
    let is = |words: &[&str]| arguments.iter().any(|argument| words.contains(&argument.as_str()));
    let named = arguments.iter().any(|word| word.starts_with("--cluster"));
    !named
        && !is(&["parse", "rows", "rules", "sandbox", "texts", "scale", "deliveries", "help", "--help", "-h"])
}

/// Sets up, and tells what was found where it took a while.
pub(crate) fn prepare(cache: &Cache) -> Result<Tools> {
    let mut stage = Stage::start(cache, "setup", setup::BUDGET)?;
    setup::run(cache, &mut stage, false)
}

pub(crate) fn build_plugins(cache: &Cache, tools: &Tools) -> Result<()> {
    let mut stage = Stage::start(cache, "plugins", plugins::BUDGET)?;
    plugins::build(cache, &mut stage, &tools.wasm)
}

/// Starts real servers, those of `keys` or all, and keeps them until Ctrl-C.
pub(crate) fn servers(cache: &Cache, heap: &str, keys: Vec<String>) -> Result<ExitCode> {
    let is_asked = |kind: &&ServerKind| keys.is_empty() || keys.iter().any(|key| key == kind.key);
    let kinds: Vec<&'static ServerKind> = KINDS.iter().filter(is_asked).collect();
    let tools = prepare(cache)?;
    let mut stage = Stage::start(cache, "servers", BUILD_MAX)?;
    let mut fleet = Fleet::start(cache, &mut stage, &tools.java, &kinds, heap)?;
    for server in &fleet.servers {
        let memory = server.resident_mib().map_or_else(String::new, |mib| format!(", {mib} MiB"));
        stage.say(&format!(
            "{:<22} {}  (up in {}{memory})",
            server.kind.title,
            server.url,
            clock::short(server.took)
        ));
    }
    for (kind, why) in &fleet.missing {
        stage.say(&format!("{:<22} unavailable: it {why}", kind.title));
    }
    if fleet.servers.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    stage.say(&format!("\nexport {SERVERS}={}\n\nCtrl-C stops them.", fleet.variable()));
    drop(stage);
    loop {
        for server in &mut fleet.servers {
            if !server.is_running() {
                bail!("{} exited unexpectedly", server.kind.title);
            }
        }
        clock::pause();
    }
}

/// Records what servers answer the upgrade gate into `tests/cases/gate`: all of them, or those that are named.
pub(crate) fn record(cache: &Cache, words: &[String]) -> Result<ExitCode> {
    let known = || NODES.iter().chain(RECORDED);
    let tools = prepare(cache)?;
    let mut stage = Stage::start(cache, "record", BUILD_MAX)?;
    // Clusters of two versions are of one major version.
    let major = |key: &str| key.split('.').next().map(str::to_owned);
    let is_needed =
        |kind: &&ServerKind| words.is_empty() || words.iter().any(|word| major(word) == major(kind.key));
    let nodes = nodes::prepare(cache, &mut stage, &tools.java, known().filter(is_needed))?;
    for (kind, why) in &nodes.missing {
        stage.say(&format!("{} cannot start: it {why}", kind.title));
    }
    drop(stage);
    let wanted = if words.is_empty() { "all".to_owned() } else { words.join(",") };
    let mut command = cargo::native(cache);
    command.args(["test", "--workspace", "--exclude", "watchbell-guests", "--test", "it", "--"]);
    command.args(["upgrade_gate::record", "--nocapture"]);
    command.env(nodes::VARIABLE, &nodes.file).env("WATCHBELL_RECORD", wanted);
    foreground(&mut command)
}

/// Builds the host as its tests run it, with all plugins inside, and puts it into a folder.
pub(crate) fn install(cache: &Cache, to: Option<PathBuf>) -> Result<ExitCode> {
    let folder = match (to, std::env::home_dir()) {
        (Some(folder), _) => std::path::absolute(folder)?,
        (None, Some(home)) => home.join(".local/bin"),
        (None, None) => bail!("there is no home folder: pass `--to DIR`"),
    };
    let tools = prepare(cache)?;
    build_plugins(cache, &tools)?;
    let built = build(cache, "watchbell")?.join("watchbell");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let place = folder.join("watchbell");
    // Renamed into place: a host that runs there keeps its own file until it is restarted.
    let fresh = folder.join(".watchbell.new");
    fs::copy(&built, &fresh)
        .and_then(|_| fs::rename(&fresh, &place))
        .with_context(|| format!("cannot write `{}`", place.display()))?;
    println!("installed {}", place.display());
    let searched = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&searched).any(|entry| entry == folder) {
        println!("that folder is not in your PATH: export PATH=\"{}:$PATH\"", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The host and the program `name`; returns the folder they are in.
fn build(cache: &Cache, name: &str) -> Result<PathBuf> {
    let mut stage = Stage::start(cache, "build", BUILD_MAX)?;
    // The workspace is named for its features: the tests use the same ones, and find everything built.
    let mut command = cargo::native(cache);
    command.args(["build", "--workspace", "--bin", "watchbell", "--bin", name]);
    let ended = stage.run(&mut command)?;
    if !ended.success {
        stage.say(&test_report::excerpt(&ended.output));
        bail!("the host could not be built (log: {})", stage.log().display());
    }
    Ok(cache.target().join("debug"))
}

/// Ctrl-C reaches it as it would on its own command line.
fn foreground(command: &mut Command) -> Result<ExitCode> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
