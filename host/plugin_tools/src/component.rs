//! Turns a core module into a component.
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

#[derive(Debug, thiserror::Error)]
pub enum EncodeFault {
    #[error("the module cannot be read: {0}")]
    Unreadable(String),
    #[error(
        "the module carries no contract: check that it has a `#[watchbell_sdk::rule]` or `#[watchbell_sdk::alerter]`, and \
         that nothing strips its custom sections"
    )]
    NoContract,
    #[error("the module imports {}, which plugins may not: {}", listed(.0), culprit(.0))]
    Imports(Vec<String>),
    #[error("cannot turn the module into a component: {0}")]
    Refused(String),
}

/// Encodes and validates. The encoder accepts a module without a `component-type` section and turns it into an
/// empty component: that is caught here.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, EncodeFault> {
    let mut is_described = false;
    let mut foreign: Vec<String> = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(unreadable)? {
            Payload::CustomSection(section) => is_described |= section.name().starts_with("component-type"),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let from = import.map_err(unreadable)?.module;
                    let is_ours = from.trim_start_matches("[export]").starts_with("watchbell:plugin/");
                    if !is_ours && !foreign.iter().any(|known| known == from) {
                        foreign.push(from.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    if !foreign.is_empty() {
        return Err(EncodeFault::Imports(foreign));
    }
    if !is_described {
        return Err(EncodeFault::NoContract);
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| EncodeFault::Refused(format!("{error:#}")))
}

fn unreadable(error: wasmparser::BinaryReaderError) -> EncodeFault {
    EncodeFault::Unreadable(error.to_string())
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The usual source of such an import.
fn culprit(names: &[String]) -> &'static str {
    let from = |start: &str| names.iter().any(|name| name.starts_with(start));
    if from("wasi") {
        "it was built for WASI; the target is wasm32-unknown-unknown"
    } else if from("__wbindgen") || from("wbg") {
        "wasm-bindgen is linked in (getrandom's `wasm_js`, chrono's `wasmbind`): turn that feature off"
    } else {
        "C code is linked in, or an `extern` block declares them; use a pure-Rust crate"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `\0asm` and version 1: a core module with nothing in it.
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    /// A module that imports the function `f` of `from`: its type section, then its import section.
    fn importing(from: &str) -> Vec<u8> {
        let mut module = EMPTY.to_vec();
        module.extend([1, 4, 1, 0x60, 0, 0]);
        let name = from.as_bytes();
        module.extend([2, name.len() as u8 + 6, 1, name.len() as u8]);
        module.extend(name);
        module.extend([1, b'f', 0, 0]);
        module
    }

    #[test]
    fn a_module_without_its_description_is_refused() {
        assert!(matches!(encode(EMPTY), Err(EncodeFault::NoContract)));
        assert!(matches!(encode(b"#!/bin/sh\n"), Err(EncodeFault::Unreadable(_))));
    }

    #[test]
    fn what_no_plugin_may_import_is_told_with_who_brings_it_in() {
        for (from, said) in [
            ("wasi_snapshot_preview1", "built for WASI"),
            ("__wbindgen_placeholder__", "wasm_js"),
            ("env", "C code"),
        ] {
            let told = encode(&importing(from)).unwrap_err().to_string();
            assert!(told.contains(from) && told.contains(said), "{told}");
        }
        assert!(matches!(encode(&importing("watchbell:plugin/log@0.2.0")), Err(EncodeFault::NoContract)));
    }
}
