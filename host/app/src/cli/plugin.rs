use std::path::Path;

use anyhow::Context;
use serde_json::json;
use watchbell_sandbox::{Config, Kind, Sandbox};

use super::place::catalog;
use super::{Failure, GREEN, Plugin, paint, plain, print};

pub(crate) fn plugin(command: &Plugin) -> Result<(), Failure> {
    match command {
        Plugin::Check { file, json } => check(file, *json),
        Plugin::List => list(),
    }
}

fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    let bytes = crate::catalog::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let name = file.display().to_string();
    let sandbox = Sandbox::new(Config::default())?;
    let inspection = Sandbox::inspect(&bytes).with_context(|| name.clone())?;
    let (what, schema) = match inspection.kind {
        Kind::Rule => {
            let module = sandbox.load_rule(&name, &bytes).with_context(|| name.clone())?;
            let about = module.about();
            (
                format!("rule `{}` {}: {}", about.name, about.version, about.summary),
                about.params_schema.clone(),
            )
        }
        Kind::Alerter => {
            let module = sandbox.load_alerter(&name, &bytes).with_context(|| name.clone())?;
            let about = module.about();
            let products: Vec<&str> = about.products.iter().map(|product| product.name.as_str()).collect();
            (
                format!("alerter `{}` {}: speaks to {}", about.name, about.version, products.join(", ")),
                String::new(),
            )
        }
    };
    let misuses = inspection.misuses.iter().map(|misuse| format!("uses {}: {}", misuse.what, misuse.instead));
    let misuses: Vec<String> = misuses.map(|misuse| plain(&misuse)).collect();
    let what = plain(&what);
    if as_json {
        let report = json!({
            "ok": misuses.is_empty(), "faults": misuses, "is": what, "sha256": inspection.digest, "bytes": bytes.len(), "sdk": inspection.sdk,
            "imports": inspection.imports, "exports": inspection.exports,
            "params_schema": serde_json::from_str::<serde_json::Value>(&schema).ok(),
        });
        print(&serde_json::to_string_pretty(&report)?)?;
        return if misuses.is_empty() { Ok(()) } else { Err(Failure::Told) };
    }
    if !misuses.is_empty() {
        return Err(Failure::Faults(anyhow::anyhow!("{name}: {}", misuses.join("; "))));
    }
    let ok = paint("ok", GREEN, &std::io::stdout());
    print(&format!(
        "{ok}: {what}\n  sha256   {}\n  size     {} KiB\n  sdk      {}\n  imports  {}\n  exports  {}",
        inspection.digest,
        bytes.len().div_ceil(1024),
        plain(inspection.sdk.as_deref().unwrap_or("not stated")),
        plain(&inspection.imports.join(", ")),
        plain(&inspection.exports.join(", ")),
    ))
}

fn list() -> Result<(), Failure> {
    let catalog = catalog(None)?;
    let mut lines = Vec::new();
    for module in catalog.rule_modules() {
        let about = module.about();
        lines.push(format!("rule     {:<22} {:<8} {}", about.name, about.version, about.summary));
    }
    for alerter in catalog.alerter_modules() {
        for product in &alerter.about().products {
            lines.push(format!(
                "alerter  {:<22} {:<8} {}",
                product.name,
                alerter.about().version,
                product.summary
            ));
        }
    }
    if lines.is_empty() {
        lines.push(crate::catalog::WITHOUT_PLUGINS.to_owned());
    }
    print(&lines.join("\n"))
}
