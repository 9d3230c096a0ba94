//! Plugins from `plugin new` to a host that runs them, with the real compilers and a real registry.
mod projects; // every language: new, test, build, inspect, bench
mod registry; // push, pull, offline, who may run

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A place for calls of the program, with caches of its own.
pub(crate) struct Bench {
    folder: PathBuf,
    caches: PathBuf,
}

/// What a call said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), caches: folder.join("caches") }
    }

    /// Calls the program in `folder`, below this place.
    pub(crate) fn call_in(&self, folder: &str, args: &[&str]) -> Said {
        self.call_with(folder, &[], args)
    }

    /// The same with variables of its own.
    pub(crate) fn call_with(&self, folder: &str, variables: &[(&str, &str)], args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
        command.args(args).current_dir(self.folder.join(folder)).stdin(Stdio::null());
        command.env("NO_COLOR", "1").env("XDG_CACHE_HOME", &self.caches);
        // Nobody's own credentials and settings take part; npm and cargo keep their registries.
        command
            .env("DOCKER_CONFIG", self.folder.join("docker"))
            .env_remove("ENVIRONMENT")
            .env_remove("WATCHBELL_SDK");
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        // What cargo builds for one project serves the next, and the next run of the test.
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-target"));
        command.envs(variables.iter().copied());
        let output = command.output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    pub(crate) fn call(&self, args: &[&str]) -> Said {
        self.call_in("", args)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn caches(&self) -> &Path {
        &self.caches
    }
}

impl Said {
    /// # Panics
    /// It failed.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }

    /// What stands behind `name` on a line of its own: `sha256`, `use`.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let found = self.out.lines().find_map(|line| line.trim_start().strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.out)).trim().to_owned()
    }
}

/// Whether `program` can be called; if not, a skip is told under the test's name.
pub(crate) fn has(program: &str, test: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        skipped(test, &format!("there is no {program}"));
    }
    found.is_ok()
}

pub(crate) fn skipped(test: &str, why: &str) {
    println!("skipped: {test} ({why})");
}
