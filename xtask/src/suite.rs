//! `cargo xtask test`: every check there is, in stages with a budget each.
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::aiosmtpd;
use crate::cache::Cache;
use crate::cargo;
use crate::clock;
use crate::elastalert;
use crate::jars::{KINDS, NODES};
use crate::nodes;
use crate::plugins;
use crate::receivers;
use crate::servers::Fleet;
use crate::setup::{self, Tools};
use crate::stage::Stage;
use crate::terminal::{green, red, yellow};
use crate::test_report::{self, SERVERS, TestReport, server_of};

/// Ends what hangs while CI, which ends everything after 90 minutes without a word, still listens.
const WHOLE: Duration = minutes(85);

/// In the order in which they run. A budget is about three times what a cold machine with two cores needs, for machines
/// differ by a factor of two from day to day; together the stages have `WHOLE`.
const STAGES: &[Room] = &[
    Room { name: "setup", budget: setup::BUDGET, run: |suite, stage| suite.setup(stage) },
    Room { name: "fmt", budget: minutes(3), run: |suite, stage| suite.fmt(stage) },
    Room { name: "plugins", budget: plugins::BUDGET, run: |suite, stage| suite.plugins(stage) },
    Room { name: "clippy", budget: minutes(20), run: |suite, stage| suite.clippy(stage) },
    Room { name: "tests", budget: minutes(60), run: |suite, stage| suite.tests(stage) },
    Room { name: "timelines", budget: minutes(6), run: |suite, stage| suite.timelines(stage) },
    Room { name: "mail", budget: minutes(4), run: |suite, stage| suite.mail(stage) },
    Room { name: "receivers", budget: minutes(6), run: |suite, stage| suite.receivers(stage) },
    Room { name: "servers", budget: minutes(15), run: |suite, stage| suite.servers(stage) },
    Room { name: "upgrade", budget: minutes(10), run: |suite, stage| suite.upgrade(stage) },
];

/// Parts of `tests` that have one command: what hostile clusters, receivers, modules, manifests and documents can do.
const ATTACKS: Room = Room { name: "attacks", budget: minutes(60), run: |suite, stage| suite.attacks(stage) };

/// The tests of `ATTACKS`: a test binary, and parts of the names of its tests (none: all).
const HOSTILE: &[(&str, &[&str])] =
    &[("it", &["attack::"]), ("guests", &[]), ("texts", &[]), ("inputs", &[])];

/// What is compared with ElastAlert2, which is installed for it alone.
const TIMELINES: &str = "timelines::verdicts";

/// The tests that send mails to a real server, which is installed for them alone.
const MAILS: &str = "aiosmtpd::";

/// The tests that deliver to receivers which are not ours.
const RECEIVERS: &str = "receivers::";

/// The tests that talk to real servers: a test binary, and parts of the names of its tests (none: all).
const ON_SERVERS: &[(&str, &[&str])] = &[("differential", &[]), ("it", &["servers", "fields::"])];

/// The tests that start and stop nodes of real clusters themselves.
const ON_NODES: &str = "upgrade_gate";

struct Room {
    name: &'static str,
    budget: Duration,
    run: fn(&mut Suite, &mut Stage) -> Result<TestReport>,
}

pub(crate) struct Options {
    /// Empty: all stages.
    pub(crate) only: Vec<String>,
    pub(crate) keep_going: bool,
}

/// The stages' names, in order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STAGES.iter().map(|room| room.name)
}

/// Runs the stages; the last line is `N passed, N failed, N skipped`.
pub(crate) fn run(cache: Cache, ci: bool, options: &Options) -> Result<ExitCode> {
    let is_asked = |room: &&Room| options.only.is_empty() || options.only.iter().any(|o| o == room.name);
    rooms(cache, ci, STAGES.iter().filter(is_asked), options.keep_going)
}

/// Runs what hostile clusters, receivers, modules, manifests and documents can do.
pub(crate) fn attacks(cache: Cache, ci: bool) -> Result<ExitCode> {
    rooms(cache, ci, [&ATTACKS].into_iter(), false)
}

fn rooms<'a>(
    cache: Cache,
    ci: bool,
    rooms: impl Iterator<Item = &'a Room>,
    keep_going: bool,
) -> Result<ExitCode> {
    let mut suite = Suite { cache, ci, tools: None };
    let mut total = TestReport::default();
    let started = clock::now();
    for room in rooms {
        let budget = room.budget.min(WHOLE.saturating_sub(started.elapsed()));
        println!("{:<8} (at most {})", room.name, clock::short(budget));
        let mut stage = Stage::start(&suite.cache, room.name, budget)?;
        let report = (room.run)(&mut suite, &mut stage).unwrap_or_else(|error| {
            let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
            stage.say(&chain.join("\n  because "));
            TestReport {
                failed: 1,
                failures: vec![format!("the stage `{}`", room.name)],
                ..TestReport::default()
            }
        });
        let outcome = if report.failed > 0 { red("failed") } else { green("ok") };
        let log = stage.log().display().to_string();
        let took = clock::short(stage.elapsed());
        stage.say(&format!("  {outcome} in {took}: {} (log: {log})", report.line()));
        let stop = report.failed > 0 && !keep_going;
        total.add(report);
        if stop {
            break;
        }
    }
    println!();
    for name in &total.failures {
        println!("{} {name}", red("failed:"));
    }
    for name in &total.skipped {
        println!("{} {name}", yellow("skipped:"));
    }
    let refused = suite.ci && !total.skipped.is_empty();
    if refused {
        println!("with CI=true, a skipped test is a failure");
    }
    println!("in {}", clock::short(started.elapsed()));
    println!("{}", total.line());
    Ok(if total.failed > 0 || refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Suite {
    cache: Cache,
    ci: bool,
    tools: Option<Tools>,
}

impl Suite {
    fn setup(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let tools = setup::run(&self.cache, stage, self.ci)?;
        stage.say(&setup::report(&tools, &self.cache));
        self.tools = Some(tools);
        Ok(TestReport::check())
    }

    fn fmt(&mut self, stage: &mut Stage) -> Result<TestReport> {
        self.check(stage, &["fmt", "--all", "--check", "--", "--color", "never"])
    }

    fn plugins(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let (cache, tools) = self.parts(stage)?;
        plugins::build(cache, stage, &tools.wasm)?;
        Ok(TestReport::check())
    }

    fn clippy(&mut self, stage: &mut Stage) -> Result<TestReport> {
        self.check(stage, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    }

    fn tests(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let mut report = self.libtest(
            stage,
            &["--no-fail-fast"],
            &["--skip", TIMELINES, "--skip", MAILS, "--skip", RECEIVERS],
            &[],
        )?;
        // No server runs yet: what waits for one is a later stage's.
        report.skipped.retain(|name| server_of(name).is_none());
        Ok(report)
    }

    fn attacks(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let (cache, tools) = self.parts(stage)?;
        plugins::build(cache, stage, &tools.wasm)?;
        let mut report = TestReport::default();
        for (binary, parts) in HOSTILE {
            report.add(self.libtest(stage, &["--test", binary, "--no-fail-fast"], parts, &[])?);
        }
        Ok(report)
    }

    /// Random timelines beside ElastAlert2's own rule classes.
    fn timelines(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let python = elastalert::python(&self.cache, stage);
        let what = "random timelines compared with ElastAlert2";
        self.beside(stage, (what, python, elastalert::VARIABLE), "it", TIMELINES)
    }

    /// Mails to aiosmtpd.
    fn mail(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let python = aiosmtpd::python(&self.cache, stage);
        self.beside(stage, ("mails to a real server", python, aiosmtpd::VARIABLE), "smtp", MAILS)
    }

    /// Episodes at Alertmanager, Matrix, SNS and SES.
    fn receivers(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let programs = receivers::prepare(&self.cache, stage);
        self.libtest(stage, &["--test", "it", "--no-fail-fast"], &[RECEIVERS], &programs)
    }

    /// Tests that need another program's Python, whose path is in a variable; without it they are one skip, `what`.
    fn beside(
        &self,
        stage: &mut Stage,
        (what, python, variable): (&str, Result<PathBuf>, &'static str),
        binary: &str,
        filter: &str,
    ) -> Result<TestReport> {
        match python {
            Ok(python) => {
                let variable = (variable, python.display().to_string());
                self.libtest(stage, &["--test", binary], &[filter], &[variable])
            }
            Err(why) => {
                Ok(TestReport { skipped: vec![format!("{what} ({why:#})")], ..TestReport::default() })
            }
        }
    }

    /// Everything is built by now, so that the servers have the machine to themselves.
    fn servers(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let (cache, tools) = self.parts(stage)?;
        let kinds: Vec<_> = KINDS.iter().collect();
        let fleet = Fleet::start(cache, stage, &tools.java, &kinds, "512m")?;
        let mut report = TestReport::default();
        for server in &fleet.servers {
            let memory = server.resident_mib().map_or_else(String::new, |mib| format!(", {mib} MiB"));
            let (title, took) = (server.kind.title, clock::short(server.took));
            stage.say(&format!("  {title} answers after {took}{memory}: {}", server.url));
        }
        for (binary, parts) in ON_SERVERS {
            // The whole workspace is named for its features: with another set half of it would be built again.
            let arguments = ["--test", binary, "--no-fail-fast"];
            let servers = (SERVERS, fleet.variable());
            let mut found = self.libtest(stage, &arguments, parts, &[servers])?;
            for (kind, why) in &fleet.missing {
                let mut told = false;
                for skipped in found.skipped.iter_mut().filter(|name| server_of(name) == Some(kind.key)) {
                    *skipped = format!("{skipped} ({}: it {why})", kind.title);
                    told = true;
                }
                if !told {
                    found.skipped.push(format!("{binary} on {} ({}: it {why})", kind.key, kind.title));
                }
            }
            report.add(found);
        }
        Ok(report)
    }

    /// Clusters of several nodes and versions, which the tests start, stop and upgrade.
    fn upgrade(&mut self, stage: &mut Stage) -> Result<TestReport> {
        let (cache, tools) = self.parts(stage)?;
        let nodes = nodes::prepare(cache, stage, &tools.java, NODES.iter())?;
        let variable = (nodes::VARIABLE, nodes.file.display().to_string());
        let mut report = self.libtest(stage, &["--test", "it"], &[ON_NODES], &[variable])?;
        let missing: Vec<String> =
            nodes.missing.iter().map(|(kind, why)| format!("{}: it {why}", kind.title)).collect();
        for skipped in report.skipped.iter_mut().filter(|_| !missing.is_empty()) {
            *skipped = format!("{skipped} ({})", missing.join("; "));
        }
        Ok(report)
    }

    /// A cargo command that passes or fails as a whole.
    fn check(&self, stage: &mut Stage, arguments: &[&str]) -> Result<TestReport> {
        let ended = stage.run(cargo::native(&self.cache).args(arguments))?;
        if !ended.success {
            stage.say(&test_report::excerpt(&ended.output));
            bail!("`cargo {}` failed", arguments.join(" "));
        }
        Ok(TestReport::check())
    }

    /// `arguments` are cargo's, `filters` the test runner's.
    fn libtest(
        &self,
        stage: &mut Stage,
        arguments: &[&str],
        filters: &[&str],
        variables: &[(&str, String)],
    ) -> Result<TestReport> {
        let mut command = cargo::native(&self.cache);
        // Guests export raw names that only a linker for wasm accepts.
        command
            .args(["test", "--workspace", "--exclude", "watchbell-guests"])
            .args(arguments)
            .arg("--")
            .arg("--show-output")
            .args(filters);
        // A failure is told with its place; the frames of the test runner below it would bury it.
        command.env("RUST_BACKTRACE", "0");
        // Absent and empty would be two different environments for cargo, so it is one of them for good.
        command
            .env_remove(SERVERS)
            .env_remove(elastalert::VARIABLE)
            .env_remove(aiosmtpd::VARIABLE)
            .env_remove(nodes::VARIABLE);
        for variable in receivers::VARIABLES {
            command.env_remove(variable);
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        let ended = stage.run(&mut command)?;
        let mut report = TestReport::parse(&ended.output);
        if !ended.success {
            stage.say(&test_report::excerpt(&ended.output));
            if report.failed == 0 {
                report.failed = 1;
                report
                    .failures
                    .push(format!("`cargo test {}` failed, but not because of a test", arguments.join(" ")));
            }
        }
        Ok(report)
    }

    /// With the setup made up for where only another stage was asked for.
    fn parts(&mut self, stage: &mut Stage) -> Result<(&Cache, &Tools)> {
        let tools = match self.tools.take() {
            Some(tools) => tools,
            None => setup::run(&self.cache, stage, self.ci)?,
        };
        Ok((&self.cache, self.tools.insert(tools)))
    }
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_may_use_its_whole_budget() {
        for room in STAGES.iter().chain([&ATTACKS]) {
            assert!(room.budget <= WHOLE, "{}", room.name);
        }
    }
}
