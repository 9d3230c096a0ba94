//! Real Elasticsearch and OpenSearch servers on this machine, from their own jars: no container is needed.
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::cargo;
use crate::clock;
use crate::http;
use crate::jars::{Program, ServerKind};
use crate::java::Java;
use crate::process_group::ProcessGroup;
use crate::stage::Stage;

/// They take 3–8 s on a quiet machine.
const START_MAX: Duration = Duration::from_secs(120);

/// A server that answers. It ends when this is dropped, and when this program dies.
pub(crate) struct Server {
    pub(crate) kind: &'static ServerKind,
    pub(crate) url: String,
    pub(crate) took: Duration,
    group: ProcessGroup,
    home: PathBuf,
}

/// The servers that were started.
pub(crate) struct Fleet {
    pub(crate) servers: Vec<Server>,
    /// Servers that this machine cannot run, and why.
    pub(crate) missing: Vec<(&'static ServerKind, String)>,
}

impl Fleet {
    /// Starts `kinds` at the same time, waits until each answers a bulk and a search. `heap` as Java writes it: `512m`.
    pub(crate) fn start(
        cache: &Cache,
        stage: &mut Stage,
        java: &Java,
        kinds: &[&'static ServerKind],
        heap: &str,
    ) -> Result<Fleet> {
        let mut fleet = Fleet { servers: Vec::new(), missing: Vec::new() };
        let mut starting = Vec::new();
        for kind in kinds {
            match Program::prepare(cache, stage, java, kind)? {
                Ok(program) => starting.push(program),
                Err(why) => fleet.missing.push((kind, why)),
            }
        }
        let starting: Vec<Starting> = starting
            .into_iter()
            .map(|program| Starting::begin(cache, program, heap))
            .collect::<Result<_>>()?;
        for server in starting {
            fleet.servers.push(server.wait(stage)?);
        }
        Ok(fleet)
    }

    /// The value of `WATCHBELL_SERVERS`: `es7=http://127.0.0.1:PORT,…`.
    pub(crate) fn variable(&self) -> String {
        let pairs: Vec<String> =
            self.servers.iter().map(|server| format!("{}={}", server.kind.key, server.url)).collect();
        pairs.join(",")
    }
}

impl Server {
    /// Resident memory, where the kernel tells.
    pub(crate) fn resident_mib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.group.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? / 1024)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.group.ended(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.group.stop();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// A JVM that is starting.
struct Starting {
    server: Server,
    port: u16,
    log: PathBuf,
    begun: std::time::Instant,
}

impl Starting {
    fn begin(cache: &Cache, program: Program, heap: &str) -> Result<Starting> {
        let kind = program.kind;
        let (port, transport) = free_ports()?;
        let home = std::env::temp_dir().join(format!("watchbell-{}-{}-{port}", kind.key, std::process::id()));
        fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let log = cache.log(&format!("server-{}-{port}", kind.key));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = cargo::plain(&program.java);
        command
            .arg(format!("-Xmx{heap}"))
            .args(program.arguments())
            .args([port.to_string(), transport.to_string()])
            .arg(&home)
            .current_dir(&home)
            // The server ends when this pipe does.
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out);
        let group = ProcessGroup::start(&mut command, Some(&home))?;
        let url = format!("http://127.0.0.1:{port}");
        let server = Server { kind, url, took: Duration::ZERO, group, home };
        Ok(Starting { server, port, log, begun: clock::now() })
    }

    fn wait(mut self, stage: &mut Stage) -> Result<Server> {
        let title = self.server.kind.title;
        let ready = format!("READY {}", self.server.url);
        while !fs::read_to_string(&self.log).is_ok_and(|log| log.contains(&ready)) {
            if !self.server.is_running() {
                bail!("{title} ended while starting:\n{}", tail(&self.log));
            }
            if self.begun.elapsed() > START_MAX {
                bail!("{title} was not ready within {}:\n{}", clock::short(START_MAX), tail(&self.log));
            }
            stage.left()?;
            stage.tick(|| format!("{title} is starting"));
            clock::pause();
        }
        self.server.took = self.begun.elapsed();
        smoke(self.port).with_context(|| format!("{title} started but does not work"))?;
        Ok(self.server)
    }
}

/// Checks that documents can be written and found.
fn smoke(port: u16) -> Result<()> {
    let documents = "{\"index\":{}}\n{\"status\":200}\n{\"index\":{}}\n{\"status\":503}\n";
    let bulk = http::ask(port, "POST", "/watchbell-smoke/_bulk?refresh=true", documents)?;
    if !bulk.contains("\"errors\":false") {
        bail!("it rejected a bulk request: {bulk}");
    }
    let query = r#"{"query":{"query_string":{"query":"status:[500 TO 599]"}}}"#;
    let found = http::ask(port, "POST", "/watchbell-smoke/_search", query)?;
    if !found.contains("\"value\":1,") {
        bail!("it found the wrong documents: {found}");
    }
    http::ask(port, "DELETE", "/watchbell-smoke", "")?;
    Ok(())
}

/// Two ports that nobody listens on. Held together, so that they differ.
fn free_ports() -> Result<(u16, u16)> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 is free");
    let (one, other) = (listen()?, listen()?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
