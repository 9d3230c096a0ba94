//! The folder that holds build output outside the checkout, so that a second run is quick.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};

pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$WATCHBELL_CACHE`, else `$XDG_CACHE_HOME/watchbell`, else `~/.cache/watchbell`, else `target/cache` in the
    /// checkout: the first that can be written.
    pub(crate) fn open() -> Result<Cache> {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(root) = variable("WATCHBELL_CACHE") {
            let root = std::path::absolute(root)?;
            ready(&root).with_context(|| {
                format!("WATCHBELL_CACHE={} cannot be written: name another folder", root.display())
            })?;
            return Ok(Cache { root });
        }
        let candidates = [
            variable("XDG_CACHE_HOME").map(|folder| folder.join("watchbell")),
            variable("HOME").map(|folder| folder.join(".cache/watchbell")),
            Some(checkout().join("target/cache")),
        ];
        for root in candidates.into_iter().flatten().filter(|root| root.is_absolute()) {
            if ready(&root).is_ok() {
                return Ok(Cache { root });
            }
        }
        anyhow::bail!("no folder for build output can be written: set WATCHBELL_CACHE to one that can")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where everything native is built.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Where plugins and guests are built as core modules.
    pub(crate) fn wasm(&self) -> PathBuf {
        self.root.join("wasm")
    }

    /// Finished plugin components, the value of `WATCHBELL_PLUGINS`.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// Finished guest components, the value of `WATCHBELL_GUESTS`.
    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("guests")
    }

    /// Class paths and classes of the real servers.
    pub(crate) fn clusters(&self) -> PathBuf {
        self.root.join("clusters")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    pub(crate) fn setup(&self) -> PathBuf {
        self.root.join("setup.json")
    }
}

/// The root of the checkout that `cargo xtask` was called in. Two checkouts may share a folder for build output, so
/// cargo is asked at run time; a call without cargo falls back to where this program was built.
pub(crate) fn checkout() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let own = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let own = own.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        own.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
    });
    &ROOT
}

/// Writes `bytes` in one move, and only where they differ: an unchanged time keeps cargo from rebuilding.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    fs::write(&draft, bytes).with_context(|| format!("cannot write {}", draft.display()))?;
    fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn ready(root: &Path) -> std::io::Result<()> {
    fs::create_dir_all(root.join("logs"))?;
    let probe = root.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}
