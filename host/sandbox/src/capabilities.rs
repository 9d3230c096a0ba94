//! What a module may import besides the contract's types, in one list.
pub(crate) mod log; // lines for the host's log
pub(crate) mod http; // requests to the destination that an alerter delivers to

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::guest::Guest;
use crate::kind::Kind;

/// Everything a module may import. A line here, and the room that it names, give a capability its entry in the linker,
/// its place in `plugin inspect`, in refusals and in the reference.
pub(crate) const CAPABILITIES: &[Capability] = &[
    Capability {
        name: "log",
        summary: "write lines to the host's log",
        kinds: &[Kind::Rule, Kind::Alerter],
        limits: log::limits,
        instead_of: &[],
        link: |linker| log::link(linker, |guest| &mut guest.logs),
    },
    Capability {
        name: "http",
        summary: "send requests to the destination that it delivers to",
        kinds: &[Kind::Alerter],
        limits: http::limits,
        instead_of: http::INSTEAD_OF,
        link: |linker| http::link(linker, Guest::http),
    },
];

/// An interface of the contract that the host serves.
#[derive(Clone, Copy)]
pub struct Capability {
    /// The interface's name: `http` for `watchbell:plugin/http`.
    pub name: &'static str,
    /// What a module may do with it.
    pub summary: &'static str,
    /// The kinds of modules that may import it.
    pub kinds: &'static [Kind],
    /// How much of it one run or one delivery may use, by default.
    pub limits: fn() -> String,
    /// Interfaces of others that modules import for the same purpose, by the beginning of their names, and what to
    /// tell their authors.
    pub(crate) instead_of: &'static [(&'static str, &'static str)],
    /// Serves it, in each version of the contract.
    link: fn(&mut Linker<Guest>) -> wasmtime::Result<()>,
}

impl Capability {
    /// Those that modules of `kind` may import.
    pub(crate) fn of(kind: Kind) -> impl Iterator<Item = &'static Self> {
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

/// Serves modules of `kind` what they may import, and nothing else.
pub(crate) fn linker(engine: &Engine, kind: Kind) -> wasmtime::Result<Linker<Guest>> {
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

    /// The page of the reference, made of the list.
    fn reference() -> String {
        let mut page = String::from(
            "# What a plugin may import\n\n\
             A plugin is a WebAssembly component. It imports interfaces of the package `watchbell:plugin` and nothing else: no\n\
             clock, no randomness, no file, no network, no WASI. A module that imports more is refused when it is loaded, with\n\
             the name of what it imports and what to do instead. `watchbell plugin inspect MODULE` shows what a module imports.\n\n\
             | interface | for | a plugin may | limits, by default |\n|---|---|---|---|\n",
        );
        for Capability { name, summary, kinds, limits, .. } in CAPABILITIES {
            let kinds: Vec<_> = kinds.iter().map(|kind| format!("{kind:?}s").to_lowercase()).collect();
            let (kinds, limits) = (kinds.join(", "), limits());
            writeln!(page, "| `watchbell:plugin/{name}` | {kinds} | {summary} | {limits} |").unwrap();
        }
        page.push_str(
            "\nThis page is made of the host's list of capabilities: `BLESS=1 cargo test -p watchbell-sandbox` writes it anew.\n",
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
        assert_eq!(page, reference(), "BLESS=1 cargo test -p watchbell-sandbox writes it anew");
    }

    #[test]
    fn a_kind_is_served_what_it_may_import() {
        let names = |kind| Capability::of(kind).map(|capability| capability.name).collect::<Vec<_>>();
        assert_eq!(names(Kind::Rule), ["log"]);
        assert_eq!(names(Kind::Alerter), ["log", "http"]);
    }
}
