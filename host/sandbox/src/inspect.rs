//! Reads a module without running it: its kind, version, imports and exports.
mod resources; // what an instance of it takes

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload};

use crate::bytes::{Size, shortened};
use crate::capabilities::{CAPABILITIES, Capability};
use crate::kind::ModuleKind;
use crate::limits::{NAME_BYTES_MAX, PORTS_MAX};
use crate::versions::{CONTRACT, OFFERED, is_newer, track};

use resources::Counter;

const PACKAGE: &str = "watchbell:plugin/";
/// The section in which the SDK stores its version.
const SDK_SECTION: &str = "watchbell:sdk";
/// The section in which an SDK stores the contract's version, `0.2` or `0.2.0`. Modules without it are checked only by
/// their imports and exports.
const CONTRACT_SECTION: &str = "watchbell:contract";

/// A module, read but not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub kind: ModuleKind,
    /// The version of the Rust SDK it was built with, if it was.
    pub sdk: Option<String>,
    /// The version of the contract that it exports.
    pub contract: String,
    pub imports: Vec<String>,
    /// What its imports let it do.
    pub capabilities: Vec<&'static Capability>,
    pub exports: Vec<String>,
    /// SHA-256, in hexadecimal.
    pub digest: String,
    pub bytes: usize,
    /// Calls that compile but cannot work in the sandbox.
    pub misuses: Vec<Misuse>,
}

/// A call that compiles for this target but fails at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    pub what: &'static str,
    pub instead: &'static str,
}

/// Why a module is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadFault {
    #[error("has {}, more than the {} that a module may have", Size(*bytes), Size(*limit))]
    TooLarge { bytes: usize, limit: usize },
    #[error("is empty")]
    Empty,
    #[error("is not WebAssembly")]
    NotWasm,
    #[error("is truncated at byte {at}: fetch or build it again")]
    Truncated { at: u64 },
    #[error("is not valid WebAssembly at byte {at}: {message}")]
    Invalid { at: u64, message: String },
    #[error(
        "is compiled machine code, which cannot be checked: use the `.wasm` component that it was compiled from"
    )]
    Precompiled,
    #[error(
        "is a core module, not a component{}: build it with `watchbell plugin build`, which makes the component",
        hints(imports)
    )]
    CoreModule { imports: Vec<String> },
    #[error("was built for contract {built}; this host offers {}: {}", OFFERED.join(", "), if is_newer(built) {
        "update Watchbell, or build the module with its SDK"
    } else {
        "build the module with a newer SDK"
    })]
    Version { built: String },
    #[error("has more than the {max} {what} that a module may have")]
    TooMany { what: &'static str, max: usize },
    #[error(
        "instantiates a core module or component that it is given only when it runs, so what it takes cannot be known before"
    )]
    Uncounted,
    #[error("imports {}{}", listed(imports), allowance(*kind, imports))]
    Imports { kind: ModuleKind, imports: Vec<String> },
    #[error(
        "exports neither `watchbell:plugin/rule` nor `watchbell:plugin/alerter`: was the SDK's export macro used, and were custom sections stripped before it became a component?"
    )]
    NoExport,
    #[error("is {found}, not {}", match found { ModuleKind::Rule => ModuleKind::Alerter, ModuleKind::Alerter => ModuleKind::Rule })]
    OtherKind { found: ModuleKind },
    #[error("does not fit the contract {CONTRACT}: {0}")]
    Contract(String),
    #[error("cannot be compiled: {0}")]
    Compile(String),
    #[error("cannot be compiled: {0}")]
    Compiler(crate::CompileFault),
    #[error("failed to describe itself: {0}")]
    Describe(crate::GuestFault),
    #[error("describes itself in a way that violates the contract: {0}")]
    About(String),
}

/// Reads `bytes` to the end, so that a truncated file is reported as such.
pub(crate) fn inspect(bytes: &[u8], bytes_max: usize) -> Result<Inspection, LoadFault> {
    if bytes.len() > bytes_max {
        return Err(LoadFault::TooLarge { bytes: bytes.len(), limit: bytes_max });
    }
    if bytes.is_empty() {
        return Err(LoadFault::Empty);
    }
    if wasmtime::Engine::detect_precompiled(bytes).is_some() || bytes.starts_with(b"\x7fELF") {
        return Err(LoadFault::Precompiled);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadFault::NotWasm);
    }
    let outline = Outline::read(bytes).map_err(|fault| match fault {
        // The parser reports where the incomplete part begins; people compare the file's length.
        LoadFault::Truncated { .. } => LoadFault::Truncated { at: bytes.len() as u64 },
        fault => fault,
    })?;
    if let Some(built) = outline.foreign_version() {
        return Err(LoadFault::Version { built });
    }
    if outline.is_core {
        return Err(LoadFault::CoreModule { imports: outline.imports });
    }
    let (kind, contract) = outline.kind().ok_or(LoadFault::NoExport)?;
    let denied = outline.denied(kind);
    if !denied.is_empty() {
        return Err(LoadFault::Imports { kind, imports: denied });
    }
    outline.resources.finish()?;
    let capabilities = outline.capabilities();
    Ok(Inspection {
        kind,
        sdk: outline.sdk,
        contract,
        capabilities,
        imports: outline.imports,
        exports: outline.exports,
        digest: hex::encode(Sha256::digest(bytes)),
        bytes: bytes.len(),
        misuses: misuses(bytes),
    })
}

#[derive(Default)]
struct Outline {
    is_core: bool,
    sdk: Option<String>,
    contract: Option<String>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// The imports as a set, for fast look-up.
    seen: HashSet<String>,
    resources: Counter,
}

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, LoadFault> {
        let mut outline = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(unreadable)?;
            outline.resources.take(&payload)?;
            match payload {
                Payload::Version { encoding, .. } => {
                    outline.is_core |= depth == 0 && encoding == Encoding::Module;
                    depth += 1;
                }
                Payload::End(_) => depth -= 1,
                Payload::CustomSection(section) if section.name() == SDK_SECTION => {
                    outline.sdk = Some(version_text(section.data()));
                }
                Payload::CustomSection(section) if section.name() == CONTRACT_SECTION => {
                    outline.contract = Some(version_text(section.data()));
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        outline.add_import(import.map_err(unreadable)?.name.name)?;
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        let export = export.map_err(unreadable)?.name.name.to_owned();
                        outline.exports.push(export);
                        at_most(outline.exports.len(), "exports")?;
                    }
                }
                Payload::ImportSection(section) if depth == 1 => {
                    for import in section.into_imports() {
                        outline.add_import(import.map_err(unreadable)?.module)?;
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    /// Adds each name once: a core module names the same module for each of its functions.
    fn add_import(&mut self, name: &str) -> Result<(), LoadFault> {
        if self.seen.insert(name.to_owned()) {
            self.imports.push(name.to_owned());
        }
        at_most(self.imports.len(), "imports")
    }

    /// The version that it was built for, if this host does not support it.
    fn foreign_version(&self) -> Option<String> {
        let versions = self.imports.iter().chain(&self.exports).filter_map(|name| plugin_version(name));
        // The SDK's own version says nothing: it can change while the contract stays the same.
        self.contract
            .as_deref()
            .into_iter()
            .chain(versions)
            .map(track)
            .find(|version| !OFFERED.contains(&version.as_str()))
    }

    fn kind(&self) -> Option<(ModuleKind, String)> {
        self.exports.iter().find_map(|name| {
            let kind = match interface(name)? {
                "rule" => ModuleKind::Rule,
                "alerter" => ModuleKind::Alerter,
                _ => return None,
            };
            Some((kind, plugin_version(name)?.to_owned()))
        })
    }

    fn capabilities(&self) -> Vec<&'static Capability> {
        let imported = |name: &str| self.imports.iter().any(|import| interface(import) == Some(name));
        CAPABILITIES.iter().filter(|capability| imported(capability.name)).collect()
    }

    fn denied(&self, kind: ModuleKind) -> Vec<String> {
        let allowed =
            |interface: &str| interface == "types" || Capability::of(kind).any(|it| it.name == interface);
        let denied = |name: &&String| !interface(name).is_some_and(allowed);
        self.imports.iter().filter(denied).cloned().collect()
    }
}

/// A section can contain anything; only this much of it is shown.
fn version_text(section: &[u8]) -> String {
    String::from_utf8_lossy(&section[..section.len().min(64)]).trim().chars().take(32).collect()
}

fn at_most(count: usize, what: &'static str) -> Result<(), LoadFault> {
    if count > PORTS_MAX { Err(LoadFault::TooMany { what, max: PORTS_MAX }) } else { Ok(()) }
}

fn unreadable(error: wasmparser::BinaryReaderError) -> LoadFault {
    // wasmparser has no error kind for it, only this message.
    if error.message().starts_with("unexpected end") {
        return LoadFault::Truncated { at: error.offset() };
    }
    LoadFault::Invalid { at: error.offset(), message: error.message().to_owned() }
}

/// `rule` of `watchbell:plugin/rule@0.1.0`.
fn interface(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(PACKAGE)?;
    Some(rest.split_once('@').map_or(rest, |(interface, _)| interface))
}

fn plugin_version(name: &str) -> Option<&str> {
    Some(name.strip_prefix(PACKAGE)?.split_once('@')?.1)
}

fn listed(imports: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = imports
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", shortened(unversioned(name), NAME_BYTES_MAX)))
        .collect();
    match imports.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

fn allowance(kind: ModuleKind, imports: &[String]) -> String {
    let allowed: Vec<String> = Capability::of(kind).map(|it| format!("`{PACKAGE}{}`", it.name)).collect();
    let allowed = match allowed.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "nothing".to_owned(),
    };
    format!(": {kind} may import only {allowed}{}", hints(imports))
}

const BUILT_FOR_WASI: &str = "it was built for WASI: in Rust, build for the target wasm32-unknown-unknown; in JavaScript, disable the runtime's features (`jco componentize --disable all`)";

/// The cause of an import, and what to do instead; each is reported once.
fn hints(imports: &[String]) -> String {
    const KNOWN: &[(&str, &str)] = &[
        ("wasi:random", "a crate uses random numbers (getrandom, uuid, rand): derive them from the rows"),
        (
            "wasi:clocks",
            "a crate reads the clock (chrono's `clock`, `Instant::now`): use the times of the window or the rows",
        ),
        ("wasi:", BUILT_FOR_WASI),
        ("wasi_snapshot_preview1", BUILT_FOR_WASI),
        (
            "__wbindgen",
            "wasm-bindgen is linked in (getrandom's `wasm_js`, chrono's `wasmbind`): disable that feature",
        ),
        (
            "wbg",
            "wasm-bindgen is linked in (getrandom's `wasm_js`, chrono's `wasmbind`): disable that feature",
        ),
        ("env", "C code that needs a C library is linked in: use a pure Rust crate"),
    ];
    let mut hints: Vec<&str> = Vec::new();
    for import in imports {
        let mut known = CAPABILITIES.iter().flat_map(|capability| capability.instead_of).chain(KNOWN);
        let hint = known.find(|(prefix, _)| import.starts_with(prefix)).map(|&(_, hint)| hint);
        hints.extend(hint.filter(|hint| !hints.contains(hint)));
    }
    hints.iter().map(|hint| format!("; {hint}")).collect()
}

/// Looks for the messages with which Rust's standard library fails on this target. They are linked in only if the call
/// is used.
fn misuses(bytes: &[u8]) -> Vec<Misuse> {
    const KNOWN: &[(&str, Misuse)] = &[
        (
            "time not implemented on this platform",
            Misuse {
                what: "`Instant::now` or `SystemTime::now`",
                instead: "use the window's times (`window.end`) or the rows' own",
            },
        ),
        (
            "failed to spawn thread",
            Misuse {
                what: "`std::thread::spawn`",
                instead: "use a single thread; the host runs many rules concurrently",
            },
        ),
        (
            "can't sleep",
            Misuse { what: "`std::thread::sleep`", instead: "return; the host retries by itself" },
        ),
        (
            "operation not supported on this platform",
            Misuse {
                what: "a file, a socket, a thread or a process of the operating system",
                instead: "use what the contract provides: parameters, rows, and an alerter's `http`",
            },
        ),
        (
            "getrandom: this target is not supported",
            Misuse {
                what: "random numbers (getrandom, uuid, rand)",
                instead: "derive them from the rows, so that the same rows give the same finding",
            },
        ),
    ];
    let contains = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    KNOWN.iter().filter(|(text, _)| contains(text)).map(|(_, misuse)| misuse.clone()).collect()
}
