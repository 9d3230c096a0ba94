//! A way to build for `wasm32-unknown-unknown`: the rustup target, else Debian's packages.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cache::{Cache, write_if_changed};
use crate::cargo;
use crate::stage::Stage;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// rustup retries for minutes where it cannot reach its server.
const RUSTUP_MAX: Duration = Duration::from_secs(60);
const APT_MAX: Duration = Duration::from_secs(300);
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];

#[derive(Debug, PartialEq)]
pub(crate) enum Toolchain {
    /// The target is part of the toolchain in use.
    Rustup,
    /// Debian's compiler with its own copy of std's source; the linker is rustup's, since Debian's may be missing.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// What an earlier call decided, else what can be found, else what can be installed.
    pub(crate) fn find_or_install(cache: &Cache, stage: &mut Stage) -> Result<Toolchain> {
        if target_installed() {
            return remember(cache, Toolchain::Rustup);
        }
        if let Some(known) = recall(cache) {
            return Ok(known);
        }
        let found = debian();
        // Where Debian's packages are at hand, an unreachable rustup server is not worth a whole minute.
        let limit = if found.is_some() { RUSTUP_MAX / 3 } else { RUSTUP_MAX };
        let mut rustup = cargo::plain("rustup");
        if stage.attempt(rustup.args(["target", "add", TARGET]), limit).unwrap_or(false) && target_installed()
        {
            return remember(cache, Toolchain::Rustup);
        }
        if let Some(found) = found {
            return remember(cache, found);
        }
        apt_install(stage, &DEBIAN);
        if let Some(found) = debian() {
            return remember(cache, found);
        }
        bail!(
            "no compiler for {TARGET}: run `rustup target add {TARGET}`,\n\
             or as root on Debian 12 `apt-get update && apt-get install {}`",
            DEBIAN.join(" ")
        )
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Toolchain::Rustup => format!("rustup target {TARGET}"),
            Toolchain::Debian { linker } => format!("Debian's rustc-web, linked by {}", linker.display()),
        }
    }

    /// `cargo build` or `cargo rustc` for wasm, up to and without the choice of packages.
    pub(crate) fn cargo(&self, cache: &Cache, verb: &str) -> Command {
        let mut command = match self {
            Toolchain::Rustup => cargo::native(cache),
            Toolchain::Debian { linker } => {
                let mut command = cargo::plain("/usr/bin/cargo");
                command
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTFLAGS", format!("-Clinker={}", linker.display()))
                    .env_remove("LD_LIBRARY_PATH")
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        };
        command.env("CARGO_TARGET_DIR", cache.wasm()).args([verb, "--release", "--target", TARGET]);
        if let Toolchain::Debian { .. } = self {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command
    }
}

/// Installs Debian packages where that is possible (root, apt). Whether it worked is for the caller to look at.
pub(crate) fn apt_install(stage: &mut Stage, packages: &[&str]) {
    if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return;
    }
    let apt = || {
        let mut command = cargo::plain("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=120"]);
        command
    };
    // An outdated list names packages that are gone from the mirror; a failing update may still leave a usable one.
    let _ = stage.attempt(apt().arg("update"), APT_MAX / 3);
    let _ = stage.attempt(apt().args(["install", "-y", "--no-install-recommends"]).args(packages), APT_MAX);
}

fn is_root() -> bool {
    first_line(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}

fn target_installed() -> bool {
    let mut rustc = cargo::plain("rustc");
    let folder = first_line(rustc.args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_some_and(|folder| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libstd-"))
    })
}

fn debian() -> Option<Toolchain> {
    let sysroot = first_line(Command::new("/usr/bin/rustc").args(["--print", "sysroot"]))?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !source.exists() || !Path::new("/usr/bin/cargo").exists() {
        return None;
    }
    let of_rustup = first_line(cargo::plain("rustc").args(["--print", "sysroot"]))
        .map(|root| format!("{root}/lib/rustlib/{}-unknown-linux-gnu/bin/rust-lld", std::env::consts::ARCH));
    let linkers = of_rustup.into_iter().chain(["/usr/bin/rust-lld".to_owned()]).map(PathBuf::from);
    linkers.into_iter().find(|linker| linker.exists()).map(|linker| Toolchain::Debian { linker })
}

/// A decision holds as long as what it chose is still there.
fn recall(cache: &Cache) -> Option<Toolchain> {
    let known: Value = serde_json::from_slice(&std::fs::read(cache.setup()).ok()?).ok()?;
    let linker = PathBuf::from(known.get("debian_linker")?.as_str()?);
    let now = debian()?;
    (now == Toolchain::Debian { linker }).then_some(now)
}

fn remember(cache: &Cache, toolchain: Toolchain) -> Result<Toolchain> {
    let known = match &toolchain {
        Toolchain::Rustup => json!({ "rustup_target": TARGET }),
        Toolchain::Debian { linker } => json!({ "debian_linker": linker }),
    };
    write_if_changed(&cache.setup(), format!("{known:#}\n").as_bytes())
        .context("cannot keep the decision")?;
    Ok(toolchain)
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}
