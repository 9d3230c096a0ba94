//! Reads a module and its metadata.
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use watchbell_contract::TextFormat;
use watchbell_sandbox::{AlerterModule, Capability, Inspection, ModuleKind, RuleModule, Sandbox};

use super::super::Failure;

/// A module that the sandbox accepted.
pub(super) enum Module {
    Rule(RuleModule),
    Alerter(AlerterModule),
}

impl Module {
    pub(super) fn read(file: &Path, sandbox: &Sandbox) -> Result<Self, Failure> {
        let bytes =
            crate::catalog::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        Self::load(&file.display().to_string(), &bytes, sandbox)
    }

    pub(super) fn load(name: &str, bytes: &[u8], sandbox: &Sandbox) -> Result<Self, Failure> {
        let inspection = Sandbox::inspect(bytes).with_context(|| name.to_owned())?;
        Ok(match inspection.kind {
            ModuleKind::Rule => Self::Rule(sandbox.load_rule(name, bytes)?),
            ModuleKind::Alerter => Self::Alerter(sandbox.load_alerter(name, bytes)?),
        })
    }

    pub(super) fn inspection(&self) -> &Inspection {
        match self {
            Self::Rule(module) => module.inspection(),
            Self::Alerter(module) => module.inspection(),
        }
    }

    /// Its name and version.
    pub(super) fn name(&self) -> (&str, &str) {
        match self {
            Self::Rule(module) => (&module.about().name, &module.about().version),
            Self::Alerter(module) => (&module.about().name, &module.about().version),
        }
    }

    /// In one sentence.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Rule(module) => {
                let about = module.about();
                format!("rule `{}` {}: {}", about.name, about.version, about.summary)
            }
            Self::Alerter(module) => {
                let about = module.about();
                let products: Vec<&str> =
                    about.products.iter().map(|product| product.name.as_str()).collect();
                format!("alerter `{}` {}: delivers to {}", about.name, about.version, products.join(", "))
            }
        }
    }

    /// The schemas of its parameters: one for a rule; for an alerter one per product, with the product's name.
    pub(super) fn schemas(&self) -> Vec<(Option<String>, Value)> {
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or_default();
        match self {
            Self::Rule(module) => vec![(None, parsed(&module.about().params_schema))],
            Self::Alerter(module) => {
                let products = module.about().products.iter();
                products.map(|product| (Some(product.name.clone()), parsed(&product.params_schema))).collect()
            }
        }
    }

    /// Calls that compile but cannot work, each with what to do instead.
    pub(super) fn misuses(&self) -> Vec<String> {
        let misuses = &self.inspection().misuses;
        misuses.iter().map(|misuse| format!("uses {}: {}", misuse.what, misuse.instead)).collect()
    }

    /// Everything, as JSON.
    pub(super) fn report(&self) -> Value {
        let inspection = self.inspection();
        let mut report = match self {
            Self::Rule(module) => {
                let about = module.about();
                json!({
                    "kind": "rule", "name": about.name, "version": about.version, "summary": about.summary,
                    "state_version": about.state_version, "params_schema": self.schemas()[0].1,
                })
            }
            Self::Alerter(module) => {
                let about = module.about();
                let products = about.products.iter().zip(self.schemas());
                let products: Vec<Value> = products
                    .map(|(product, (_, schema))| {
                        json!({
                            "name": product.name, "summary": product.summary,
                            "format": format_name(product.text.format), "title_max": product.text.title_max,
                            "body_max": product.text.body_max, "params_schema": schema,
                        })
                    })
                    .collect();
                json!({ "kind": "alerter", "name": about.name, "version": about.version, "products": products })
            }
        };
        report["sha256"] = inspection.digest.clone().into();
        report["bytes"] = inspection.bytes.into();
        report["contract"] = inspection.contract.clone().into();
        report["sdk"] = inspection.sdk.clone().into();
        report["imports"] = inspection.imports.clone().into();
        report["exports"] = inspection.exports.clone().into();
        let may = |it: &&Capability| json!({ "import": it.name, "may": it.summary, "limits": (it.limits)() });
        report["capabilities"] = inspection.capabilities.iter().map(may).collect();
        report["faults"] = self.misuses().into();
        report
    }
}

pub(super) fn format_name(format: TextFormat) -> &'static str {
    match format {
        TextFormat::Plain => "plain",
        TextFormat::Markdown => "markdown",
        TextFormat::Html => "html",
        TextFormat::Mrkdwn => "mrkdwn",
    }
}
