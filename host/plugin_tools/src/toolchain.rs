//! Finds a toolchain for `wasm32-unknown-unknown`: the rustup target, or Debian's packages.
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{cargo, plain};

const TARGET: &str = "wasm32-unknown-unknown";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The target is part of the toolchain in use.
    Rustup,
    /// Debian's compiler with its own copy of std's source; the linker is rustup's, since Debian's may be missing.
    Debian { linker: PathBuf },
}

#[derive(Debug, thiserror::Error)]
#[error(
    "no compiler for {TARGET} was found: run `rustup target add {TARGET}`; where rustup cannot download, Debian's \
     packages rustc-web, cargo-web, rust-web-src and rust-web-llvm work too"
)]
pub struct ToolchainFault;

impl Toolchain {
    /// The toolchain for the project in `folder`, which may choose its own. Installs nothing.
    ///
    /// # Errors
    /// There is none.
    pub fn find(folder: &Path) -> Result<Self, ToolchainFault> {
        if target_installed(folder) {
            return Ok(Self::Rustup);
        }
        debian(folder).ok_or(ToolchainFault)
    }

    /// `cargo VERB` for wasm, optimised.
    pub(crate) fn cargo(&self, folder: &Path, verb: &str) -> Command {
        let mut command = match self {
            Self::Rustup => cargo(folder),
            Self::Debian { linker } => {
                let mut command = plain("/usr/bin/cargo", folder);
                command
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTFLAGS", format!("-Clinker={}", linker.display()))
                    .env_remove("LD_LIBRARY_PATH")
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        };
        command.args([verb, "--release", "--target", TARGET]);
        if let Self::Debian { .. } = self {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command
    }
}

fn target_installed(folder: &Path) -> bool {
    let mut rustc = plain("rustc", folder);
    let found = first_line(rustc.args(["--print", "target-libdir", "--target", TARGET]));
    found.is_some_and(|found| {
        let files = std::fs::read_dir(found).into_iter().flatten().flatten();
        files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libstd-"))
    })
}

fn debian(folder: &Path) -> Option<Toolchain> {
    let sysroot = first_line(Command::new("/usr/bin/rustc").args(["--print", "sysroot"]))?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !source.exists() || !Path::new("/usr/bin/cargo").exists() {
        return None;
    }
    let of_rustup = first_line(plain("rustc", folder).args(["--print", "sysroot"]))
        .map(|root| format!("{root}/lib/rustlib/{}-unknown-linux-gnu/bin/rust-lld", std::env::consts::ARCH));
    let linkers = of_rustup.into_iter().chain(["/usr/bin/rust-lld".to_owned()]).map(PathBuf::from);
    linkers.into_iter().find(|linker| linker.exists()).map(|linker| Toolchain::Debian { linker })
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}
