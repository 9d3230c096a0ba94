//! The list of everything that a module may import besides the contract's types.
pub(crate) mod log; // lines for the host's log
pub(crate) mod http; // requests to the destination that an alerter delivers to
pub(crate) mod mail; // mails through the destination that an alerter delivers to
mod receiver; // which of these a delivery may use

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::guest::Guest;
use crate::kind::ModuleKind;

pub use receiver::Receiver;

/// Everything that a module may import. An entry here and the module that it names add a capability to the linker, to
/// `plugin inspect`, to refusals and to the reference.
pub(crate) const CAPABILITIES: &[Capability] = &[
    Capability {
        name: "log",
        summary: "write lines to the host's log",
        kinds: &[ModuleKind::Rule, ModuleKind::Alerter],
        limits: log::limits,
        instead_of: &[],
        link: |linker| log::link(linker, |guest| &mut guest.logs),
    },
    Capability {
        name: "http",
        summary: "send requests to the destination that it delivers to",
        kinds: &[ModuleKind::Alerter],
        limits: http::limits,
        instead_of: http::INSTEAD_OF,
        link: |linker| http::link(linker, Guest::http),
    },
    Capability {
        name: "mail",
        summary: "send mails through the destination that it delivers to",
        kinds: &[ModuleKind::Alerter],
        limits: mail::limits,
        instead_of: &[],
        link: |linker| mail::link(linker, Guest::mail),
    },
];

/// An interface of the contract that the host provides.
#[derive(Clone, Copy)]
pub struct Capability {
    /// The interface's name: `http` for `watchbell:plugin/http`.
    pub name: &'static str,
    /// What a module may do with it.
    pub summary: &'static str,
    /// The kinds of modules that may import it.
    pub kinds: &'static [ModuleKind],
    /// The default limits of one run or one delivery.
    pub limits: fn() -> String,
    /// Prefixes of foreign interfaces that modules import for the same purpose, each with a hint for the module's
    /// author.
    pub(crate) instead_of: &'static [(&'static str, &'static str)],
    /// Adds it to a linker, in each version of the contract.
    link: fn(&mut Linker<Guest>) -> wasmtime::Result<()>,
}

impl Capability {
    /// The capabilities that modules of `kind` may import.
    pub(crate) fn of(kind: ModuleKind) -> impl Iterator<Item = &'static Self> {
        CAPABILITIES.iter().filter(move |capability| capability.kinds.contains(&kind))
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Capability").field(&self.name).finish()
    }
}

impl PartialEq for Capability {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Capability {}

/// Adds what modules of `kind` may import, and nothing else.
pub(crate) fn linker(engine: &Engine, kind: ModuleKind) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    for capability in Capability::of(kind) {
        (capability.link)(&mut linker)?;
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// The reference page, generated from the list.
    fn reference() -> String {
        let mut page = String::from(
            "# What a plugin may import\n\n\
             A plugin is a WebAssembly component. It may import interfaces of the package `watchbell:plugin` and nothing else:\n\
             no clock, no randomness, no files, no network, no WASI. A module that imports anything else is refused when it is\n\
             loaded; the error names the import and what to do instead. `watchbell plugin inspect MODULE` shows the imports.\n\n\
             | interface | for | a plugin may | limits, by default |\n|---|---|---|---|\n",
        );
        for Capability { name, summary, kinds, limits, .. } in CAPABILITIES {
            let kinds: Vec<_> = kinds.iter().map(|kind| format!("{kind:?}s").to_lowercase()).collect();
            let (kinds, limits) = (kinds.join(", "), limits());
            writeln!(page, "| `watchbell:plugin/{name}` | {kinds} | {summary} | {limits} |").unwrap();
        }
        page.push_str(
            "\nThis page is generated from the host's list of capabilities: `BLESS=1 cargo test -p watchbell-sandbox` regenerates it.\n",
        );
        page
    }

    #[test]
    fn the_reference_is_what_the_list_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugin-imports.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(page, reference(), "BLESS=1 cargo test -p watchbell-sandbox regenerates it");
    }

    #[test]
    fn a_kind_is_served_what_it_may_import() {
        let names = |kind| Capability::of(kind).map(|capability| capability.name).collect::<Vec<_>>();
        assert_eq!(names(ModuleKind::Rule), ["log"]);
        assert_eq!(names(ModuleKind::Alerter), ["log", "http", "mail"]);
    }
}
