//! Real Elasticsearch and OpenSearch servers on this machine, from their own jars: no container is needed.
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, checkout, write_if_changed};
use crate::cargo;
use crate::clock;
use crate::group::Group;
use crate::http;
use crate::java::{Java, Jdk};
use crate::stage::Stage;

/// Jars are a download the first time.
const MAVEN_MAX: Duration = Duration::from_secs(240);
/// They take 3–8 s on a quiet machine.
const START_MAX: Duration = Duration::from_secs(120);

/// A server that can be started: a folder of `tests/clusters`.
pub(crate) struct Kind {
    /// The folder, and the name in `WATCHBELL_SERVERS`.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    jdk: fn(&Java) -> Option<&Jdk>,
    jdk_named: &'static str,
    flags: &'static [&'static str],
}

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        key: "es7",
        title: "Elasticsearch 7.10.2",
        jdk: Java::seventeen,
        jdk_named: "JDK 17 (Debian: openjdk-17-jdk-headless)",
        flags: &[],
    },
    Kind {
        key: "es9",
        title: "Elasticsearch 9.5.3",
        jdk: Java::current,
        jdk_named: "JDK 21 or later (for example Temurin 25)",
        // A fixed seed: its test framework draws random values, and its default is a new one each time.
        flags: &[
            "--enable-native-access=ALL-UNNAMED",
            "--add-modules=jdk.incubator.vector",
            "-Dtests.seed=5EED",
        ],
    },
    Kind {
        key: "os3",
        title: "OpenSearch 3.8.0",
        jdk: Java::current,
        jdk_named: "JDK 21 or later (for example Temurin 25)",
        flags: &[],
    },
];

/// What the command line calls them.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.key)
}

/// A server that answers. It ends when this is dropped, and when this program dies.
pub(crate) struct Server {
    pub(crate) kind: &'static Kind,
    pub(crate) url: String,
    pub(crate) took: Duration,
    group: Group,
    home: PathBuf,
}

/// What became of a wish for servers.
pub(crate) struct Fleet {
    pub(crate) servers: Vec<Server>,
    /// What this machine cannot run, and why.
    pub(crate) missing: Vec<(&'static Kind, String)>,
}

impl Fleet {
    /// Starts `kinds` at the same time, waits until each answers a bulk and a search. `heap` as Java writes it: `512m`.
    pub(crate) fn start(
        cache: &Cache,
        stage: &mut Stage,
        java: &Java,
        kinds: &[&'static Kind],
        heap: &str,
    ) -> Result<Fleet> {
        let mut fleet = Fleet { servers: Vec::new(), missing: Vec::new() };
        let mut starting = Vec::new();
        for kind in kinds {
            match programs(cache, stage, java, kind)? {
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

/// A server's classes and class path, ready to run.
struct Program {
    kind: &'static Kind,
    java: PathBuf,
    class_path: String,
    libraries: PathBuf,
}

/// Resolves the jars and compiles the launcher, both once. The inner error is why this machine cannot do it.
fn programs(
    cache: &Cache,
    stage: &mut Stage,
    java: &Java,
    kind: &'static Kind,
) -> Result<Result<Program, String>> {
    let Some(jdk) = (kind.jdk)(java) else { return Ok(Err(format!("needs {}", kind.jdk_named))) };
    let Some(maven) = &java.maven else { return Ok(Err("needs Maven (Debian: maven)".to_owned())) };
    let sources = checkout().join("tests/clusters");
    let folder = cache.clusters().join(kind.key);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;

    let pom = sources.join(kind.key).join("pom.xml");
    let list = folder.join("classpath.txt");
    let pom_text = fs::read(&pom).with_context(|| format!("cannot read {}", pom.display()))?;
    let resolved = fs::read_to_string(&list).unwrap_or_default();
    let known = fs::read(folder.join("pom.xml")).is_ok_and(|old| old == pom_text);
    if !known || resolved.is_empty() || !std::env::split_paths(&resolved).all(|jar| jar.exists()) {
        let mut command = cargo::plain(maven);
        command.env("JAVA_HOME", &jdk.home).args(["-B", "-ntp", "-Dstyle.color=never", "-f"]).arg(&pom);
        command.arg("dependency:build-classpath").arg(format!("-Dmdep.outputFile={}", list.display()));
        if !stage.attempt(&mut command, MAVEN_MAX)? {
            return Ok(Err(format!("Maven could not fetch its jars (log: {})", stage.log().display())));
        }
        write_if_changed(&folder.join("pom.xml"), &pom_text)?;
    }
    let jars = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let classes = folder.join("classes");
    compile(stage, jdk, &sources, kind, &jars, &classes)?;
    let class_path = format!("{}:{}", classes.display(), jars.trim());
    Ok(Ok(Program { kind, java: jdk.home.join("bin/java"), class_path, libraries: libraries(cache)? }))
}

fn compile(
    stage: &mut Stage,
    jdk: &Jdk,
    sources: &Path,
    kind: &Kind,
    jars: &str,
    classes: &Path,
) -> Result<()> {
    let files = [sources.join("Launch.java"), sources.join(kind.key).join("Server.java")];
    let mut stamp = format!("{}\n{jars}\n", jdk.home.display());
    for file in &files {
        stamp += &fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let stamped = classes.with_extension("stamp");
    if fs::read(&stamped).is_ok_and(|old| old == stamp.as_bytes()) {
        return Ok(());
    }
    fs::create_dir_all(classes)?;
    let mut command = cargo::plain(jdk.home.join("bin/javac"));
    command.args(["-nowarn", "-proc:none", "-d"]).arg(classes).args(["-cp", jars.trim()]).args(&files);
    if !stage.run(&mut command)?.success {
        bail!("the launcher of {} does not compile (log: {})", kind.title, stage.log().display());
    }
    write_if_changed(&stamped, stamp.as_bytes())?;
    Ok(())
}

/// A folder with `libzstd.so`, which Elasticsearch 9 loads by that name; Debian has it as `libzstd.so.1` only.
fn libraries(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.clusters().join("lib");
    fs::create_dir_all(&folder)?;
    let link = folder.join("libzstd.so");
    let arch = std::env::consts::ARCH;
    let places = [format!("/usr/lib/{arch}-linux-gnu"), "/usr/lib64".to_owned(), "/usr/lib".to_owned()];
    let found =
        places.iter().map(|place| Path::new(place).join("libzstd.so.1")).find(|library| library.exists());
    if let Some(library) = found
        && !link.exists()
    {
        let _ = fs::remove_file(&link);
        // Another call may have been quicker: then the link is there all the same.
        let _ = std::os::unix::fs::symlink(library, &link);
    }
    Ok(folder)
}

/// A JVM on its way up.
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
            .args(kind.flags)
            .arg(format!("-Des.nativelibs.path={}", program.libraries.display()))
            .args(["-cp", &program.class_path, "Server", &port.to_string(), &transport.to_string()])
            .arg(&home)
            .current_dir(&home)
            // The server ends when this pipe does.
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out);
        let group = Group::start(&mut command, Some(&home))?;
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

/// That documents go in and come out.
fn smoke(port: u16) -> Result<()> {
    let documents = "{\"index\":{}}\n{\"status\":200}\n{\"index\":{}}\n{\"status\":503}\n";
    let bulk = http::ask(port, "POST", "/watchbell-smoke/_bulk?refresh=true", documents)?;
    if !bulk.contains("\"errors\":false") {
        bail!("it refused a bulk: {bulk}");
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
