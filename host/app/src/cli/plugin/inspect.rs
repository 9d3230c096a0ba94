//! A module's metadata: short for `check`, in full for `inspect`, for all built-in modules for `list`.
use std::path::Path;

use serde_json::{Value, json};

use super::super::place::catalog;
use super::super::{Colour, Failure, json, paint, plain, print};
use super::look::{Module, format_name};
use super::{sandbox, size};
use crate::native::Native;

pub(super) fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    let module = Module::read(file, &sandbox()?)?;
    let inspection = module.inspection();
    let misuses: Vec<String> = module.misuses().iter().map(|misuse| plain(misuse)).collect();
    let what = plain(&module.sentence());
    if as_json {
        let schema = match &module {
            Module::Rule(_) => module.schemas().remove(0).1,
            Module::Alerter(_) => Value::Null,
        };
        let report = json!({
            "ok": misuses.is_empty(), "faults": misuses, "is": what, "sha256": inspection.digest,
            "bytes": inspection.bytes, "sdk": inspection.sdk, "imports": inspection.imports,
            "exports": inspection.exports, "params_schema": schema,
        });
        json(&report)?;
        return if misuses.is_empty() { Ok(()) } else { Err(Failure::Told) };
    }
    if !misuses.is_empty() {
        return Err(Failure::Faults(anyhow::anyhow!("{}: {}", file.display(), misuses.join("; "))));
    }
    let ok = paint("ok", Colour::Green);
    print(&format!("{ok}: {what}\n{}", ports(&module)))
}

pub(super) fn inspect(file: &Path, as_json: bool) -> Result<(), Failure> {
    let module = Module::read(file, &sandbox()?)?;
    if as_json {
        return json(&module.report());
    }
    let mut text = format!("{}\n{}\n", plain(&module.sentence()), ports(&module));
    text.push_str(&format!("  contract {}\n", plain(&module.inspection().contract)));
    for capability in &module.inspection().capabilities {
        text.push_str(&format!("  may      {} ({})\n", capability.summary, (capability.limits)()));
    }
    match &module {
        Module::Rule(rule) => {
            let about = rule.about();
            let (version, layout) = (about.state_version, plain(&about.state_layout));
            text.push_str(&format!("  state    version {version}, layout {layout}\n"));
        }
        Module::Alerter(alerter) => {
            for product in &alerter.about().products {
                let (format, text_of) = (format_name(product.text.format), &product.text);
                text.push_str(&format!(
                    "  product  {}: {} ({format}, title {} and body {} characters at most)\n",
                    plain(&product.name),
                    plain(&product.summary),
                    text_of.title_max,
                    text_of.body_max
                ));
            }
        }
    }
    for (product, schema) in module.schemas() {
        let of = product.map_or_else(String::new, |product| format!(" of {}", plain(&product)));
        text.push_str(&format!("  params{of}\n{}", params(&schema)));
    }
    for misuse in module.misuses() {
        text.push_str(&format!("  warning  {}\n", plain(&misuse)));
    }
    print(&text)
}

/// What every module has.
fn ports(module: &Module) -> String {
    let inspection = module.inspection();
    format!(
        "  sha256   {}\n  size     {}\n  sdk      {}\n  imports  {}\n  exports  {}",
        inspection.digest,
        size(inspection.bytes),
        plain(inspection.sdk.as_deref().unwrap_or("not stated")),
        plain(&inspection.imports.join(", ")),
        plain(&inspection.exports.join(", ")),
    )
}

/// A line for each parameter; `--json` prints the whole schema.
fn params(schema: &Value) -> String {
    let Some(properties) =
        schema.get("properties").and_then(Value::as_object).filter(|found| !found.is_empty())
    else {
        return "    none\n".into();
    };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let width = properties.keys().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut lines = String::new();
    for (name, property) in properties {
        let described = described(schema, property);
        let must = if required.contains(&name.as_str()) { "required" } else { "optional" };
        let line = plain(&format!("{name:<width$}  {must}  {described}"));
        lines.push_str(&format!("    {}\n", line.trim_end()));
    }
    lines
}

/// Type and description of a property, through one reference.
fn described(schema: &Value, property: &Value) -> String {
    let target = property.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    let target = target.and_then(|pointer| schema.pointer(pointer)).unwrap_or(property);
    let kind = match target.get("type").or_else(|| property.get("type")) {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".into(),
    };
    let text = property.get("description").or_else(|| target.get("description"));
    let text = text.and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
    let default = property.get("default").map_or_else(String::new, |value| format!(" (default {value})"));
    format!("{kind}{default}  {text}")
}

pub(super) fn list(as_json: bool) -> Result<(), Failure> {
    let catalog = catalog(None)?;
    let rules = catalog.rule_modules()?.into_iter().map(Module::Rule);
    let modules: Vec<Module> = rules.chain(catalog.alerter_modules().cloned().map(Module::Alerter)).collect();
    if as_json {
        let reports: Vec<Value> = modules.iter().map(Module::report).collect();
        return json(&reports);
    }
    let mut lines = Vec::new();
    let mut line = |kind: &str, name: &str, version: &str, summary: &str| {
        lines.push(format!("{kind:<8} {:<22} {version:<8} {}", plain(name), plain(summary)));
    };
    for module in &modules {
        match module {
            Module::Rule(rule) => {
                let about = rule.about();
                line("rule", &about.name, &about.version, &about.summary);
            }
            Module::Alerter(alerter) => {
                let about = alerter.about();
                for product in &about.products {
                    line("alerter", &product.name, &about.version, &product.summary);
                }
            }
        }
    }
    for native in Native::ALL.into_iter().filter(|_| !modules.is_empty()) {
        line("host", native.name(), "", native.summary());
    }
    if lines.is_empty() {
        lines.push(crate::catalog::WITHOUT_PLUGINS.to_owned());
    }
    print(&lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_line_by_line() {
        let schema = json!({
            "properties": {
                "at_least": { "type": "integer", "description": "How many\nit takes." },
                "within": { "$ref": "#/$defs/Duration", "description": "Within how long." },
                "note": { "type": ["string", "null"], "default": "\u{1b}[2J" },
            },
            "required": ["at_least", "within"],
            "$defs": { "Duration": { "type": "string" } },
        });
        assert_eq!(
            params(&schema),
            "    at_least  required  integer  How many it takes.\n    within    required  string  Within how long.\n    \
             note      optional  string or null (default \"\\u001b[2J\")\n"
        );
        assert_eq!(params(&json!({ "type": "object" })), "    none\n");
    }
}
