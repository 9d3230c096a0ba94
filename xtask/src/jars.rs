//! The search servers that can be started: their jars from Maven, and a compiled launcher.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, checkout, write_if_changed};
use crate::cargo;
use crate::java::{Java, Jdk};
use crate::stage::Stage;

/// Jars are a download the first time.
const MAVEN_MAX: Duration = Duration::from_secs(240);

/// A server that can be started.
pub(crate) struct ServerKind {
    /// The name in `WATCHBELL_SERVERS` and `WATCHBELL_NODES`, and of the folder that its classes are kept in.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// The folder of `tests/clusters` with its `pom.xml` and `Server.java`.
    pub(crate) launcher: &'static str,
    /// The version of the artifacts that the `pom.xml` names.
    pub(crate) jars: &'static str,
    pub(crate) jdk: fn(&Java) -> Option<&Jdk>,
    pub(crate) jdk_named: &'static str,
    pub(crate) flags: &'static [&'static str],
}

const JDK_17: &str = "JDK 17 (Debian: openjdk-17-jdk-headless)";
const JDK_CURRENT: &str = "JDK 21 or later (for example Temurin 25)";

/// A fixed seed: the servers' test framework draws random values, and its default is a new one each time.
const ES9_FLAGS: &[&str] =
    &["--enable-native-access=ALL-UNNAMED", "--add-modules=jdk.incubator.vector", "-Dtests.seed=5EED"];

/// What the host is tried on, one node each.
pub(crate) const KINDS: &[ServerKind] = &[
    on_17("es7", "Elasticsearch 7.10.2", "es7", "7.10.2.0"),
    on_current("es9", "Elasticsearch 9.5.3", "es9", "9.5.3", ES9_FLAGS),
    on_current("os3", "OpenSearch 3.8.0", "os3", "3.8.0.0", &[]),
];

/// What the command line calls the servers of `kinds`.
pub(crate) fn keys<'a>(
    kinds: impl IntoIterator<Item = &'a ServerKind>,
) -> impl Iterator<Item = &'static str> {
    kinds.into_iter().map(|kind| kind.key)
}

/// What clusters of several nodes are made of, and upgraded from and to.
pub(crate) const NODES: &[ServerKind] = &[
    on_17("elasticsearch-7.8.1", "Elasticsearch 7.8.1", "es7", "7.8.1.0"),
    on_17("elasticsearch-7.10.2", "Elasticsearch 7.10.2", "es7", "7.10.2.0"),
];

/// Whose answers `tests/cases/gate` keeps besides, each after the one that it may be upgraded from.
pub(crate) const RECORDED: &[ServerKind] = &[
    on_17("elasticsearch-6.8.23", "Elasticsearch 6.8.23", "es6", "6.8.23"),
    on_current("elasticsearch-8.18.0", "Elasticsearch 8.18.0", "es9", "8.18.0", ES9_FLAGS),
    on_current("elasticsearch-8.19.0", "Elasticsearch 8.19.0", "es9", "8.19.0", ES9_FLAGS),
    on_current("elasticsearch-9.5.2", "Elasticsearch 9.5.2", "es9", "9.5.2", ES9_FLAGS),
    on_current("elasticsearch-9.5.3", "Elasticsearch 9.5.3", "es9", "9.5.3", ES9_FLAGS),
    on_17("opensearch-1.3.0", "OpenSearch 1.3.0", "os3", "1.3.0.0"),
    on_17("opensearch-2.17.0", "OpenSearch 2.17.0", "os3", "2.17.0.0"),
    on_17("opensearch-2.18.0", "OpenSearch 2.18.0", "os3", "2.18.0.0"),
    on_current("opensearch-3.0.0", "OpenSearch 3.0.0", "os3", "3.0.0.0", &[]),
    on_current("opensearch-3.8.0", "OpenSearch 3.8.0", "os3", "3.8.0.0", &[]),
];

const fn on_17(
    key: &'static str,
    title: &'static str,
    launcher: &'static str,
    jars: &'static str,
) -> ServerKind {
    ServerKind { key, title, launcher, jars, jdk: Java::seventeen, jdk_named: JDK_17, flags: &[] }
}

const fn on_current(
    key: &'static str,
    title: &'static str,
    launcher: &'static str,
    jars: &'static str,
    flags: &'static [&'static str],
) -> ServerKind {
    ServerKind { key, title, launcher, jars, jdk: Java::current, jdk_named: JDK_CURRENT, flags }
}

/// A server's classes and class path, ready to run.
pub(crate) struct Program {
    pub(crate) kind: &'static ServerKind,
    pub(crate) java: PathBuf,
    class_path: String,
    libraries: PathBuf,
}

impl Program {
    /// Resolves the jars and compiles the launcher, both once. The inner error is why this machine cannot do it.
    pub(crate) fn prepare(
        cache: &Cache,
        stage: &mut Stage,
        java: &Java,
        kind: &'static ServerKind,
    ) -> Result<Result<Program, String>> {
        let Some(jdk) = (kind.jdk)(java) else { return Ok(Err(format!("needs {}", kind.jdk_named))) };
        let Some(maven) = &java.maven else { return Ok(Err("needs Maven (Debian: maven)".to_owned())) };
        let sources = checkout().join("tests/clusters");
        let folder = cache.clusters().join(kind.key);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;

        let pom = sources.join(kind.launcher).join("pom.xml");
        let list = folder.join("classpath.txt");
        let pom_text = fs::read_to_string(&pom).with_context(|| format!("cannot read {}", pom.display()))?;
        let stamp = format!("{}\n{pom_text}", kind.jars);
        let resolved = fs::read_to_string(&list).unwrap_or_default();
        let known = fs::read_to_string(folder.join("jars.stamp")).is_ok_and(|old| old == stamp);
        if !known || resolved.is_empty() || !std::env::split_paths(&resolved).all(|jar| jar.exists()) {
            let mut command = cargo::plain(maven);
            command.env("JAVA_HOME", &jdk.home).args(["-B", "-ntp", "-Dstyle.color=never", "-f"]).arg(&pom);
            command.arg("dependency:build-classpath").arg(format!("-Dserver={}", kind.jars));
            command.arg(format!("-Dmdep.outputFile={}", list.display()));
            if !stage.attempt(&mut command, MAVEN_MAX)? {
                return Ok(Err(format!("Maven could not fetch its jars (log: {})", stage.log().display())));
            }
            write_if_changed(&folder.join("jars.stamp"), stamp.as_bytes())?;
        }
        let jars = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        let classes = folder.join("classes");
        compile(stage, jdk, &sources, kind, &jars, &classes)?;
        let class_path = format!("{}:{}", classes.display(), jars.trim());
        Ok(Ok(Program { kind, java: jdk.home.join("bin/java"), class_path, libraries: libraries(cache)? }))
    }

    /// All that `java` is given before the launcher's own arguments, except the size of its heap.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = self.kind.flags.iter().map(|flag| (*flag).to_owned()).collect();
        arguments.push(format!("-Des.nativelibs.path={}", self.libraries.display()));
        arguments.extend(["-cp".to_owned(), self.class_path.clone(), "Server".to_owned()]);
        arguments
    }
}

fn compile(
    stage: &mut Stage,
    jdk: &Jdk,
    sources: &Path,
    kind: &ServerKind,
    jars: &str,
    classes: &Path,
) -> Result<()> {
    let files = [sources.join("Launch.java"), sources.join(kind.launcher).join("Server.java")];
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
