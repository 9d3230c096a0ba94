//! A core module becomes a component, and must export what the host will call.
use anyhow::{Context, Result, bail};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// What a component is loaded for; each exports one of them: a rule, an alerter, or the function that renders texts.
const EXPORTS: [&str; 3] = ["watchbell:plugin/rule@", "watchbell:plugin/alerter@", "render"];

/// Encodes and validates. The encoder is content with a module that lost its `component-type` section and makes an
/// empty component of it: that is caught here.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>> {
    if !described(module)? {
        bail!("the module has no `component-type` section: check that it uses the SDK's export macro");
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .context("cannot turn the module into a component")
}

/// That `component` exports what the host calls.
pub(crate) fn check_exports(component: &[u8]) -> Result<()> {
    let names = exports(component)?;
    if names.iter().any(|name| EXPORTS.iter().any(|wanted| name.starts_with(wanted))) {
        return Ok(());
    }
    bail!(
        "the component exports neither `rule` nor `alerter` of watchbell:plugin, nor `render`, but [{}]",
        names.join(", ")
    )
}

fn described(module: &[u8]) -> Result<bool> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload.context("the module cannot be read")?
            && section.name().starts_with("component-type")
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The outermost exports, in order.
fn exports(component: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.context("the component cannot be read")? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    names.push(export.context("the component cannot be read")?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `\0asm` and version 1: a core module with nothing in it.
    const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    /// The same as a component.
    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_module_without_its_description_is_refused() {
        let error = encode(EMPTY_MODULE).unwrap_err().to_string();
        assert!(error.contains("component-type"), "{error}");
    }

    #[test]
    fn a_component_without_exports_is_refused() {
        let error = check_exports(EMPTY_COMPONENT).unwrap_err().to_string();
        assert!(error.contains("neither `rule` nor `alerter`"), "{error}");
    }

    #[test]
    fn bytes_that_are_no_module_are_refused() {
        assert!(encode(b"#!/bin/sh\n").is_err());
    }
}
