use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchbell_manifest::{Level, Report};

use super::args::Check;
use super::place::{catalog, tell, without_level};
use super::{Colour, Failure, block, json, note, paint, print, shown, texts};
use crate::bind::Deployment;
use crate::catalog::{Catalog, WITHOUT_PLUGINS};
use crate::chain;

pub(crate) fn check(args: &Check) -> Result<(), Failure> {
    if !Catalog::has_plugins() {
        note(&format!("warning: {WITHOUT_PLUGINS}"));
    }
    let catalog = catalog(None)?;
    let bundle = match args.place.load_as(&args.place.environment, &catalog, !args.no_secrets) {
        Ok(bundle) => bundle,
        Err(report) if args.json => {
            let (errors, warnings): (Vec<_>, Vec<_>) =
                report.diagnostics.iter().partition(|diagnostic| diagnostic.level == Level::Error);
            let report = json!({
                "ok": false, "environment": args.place.environment, "digest": null, "rules": null,
                "warnings": warnings, "faults": errors, "more": report.more,
            });
            json(&report)?;
            return Err(Failure::Told);
        }
        Err(report) => {
            tell(&report);
            if report.diagnostics.iter().all(|fault| fault.message.starts_with("missing secret ")) {
                note("\nhint: if secrets are not available here, `--no-secrets` checks everything else");
            }
            return Err(Failure::Told);
        }
    };
    let mut warnings: Vec<String> = bundle.warnings.iter().map(ToString::to_string).collect();
    let mut faults = Vec::new();
    // Everything that `run` does before it contacts a cluster: certificates, addresses, secret programs.
    let deployment = (!args.no_secrets).then(|| Deployment::new(&bundle, &catalog));
    if let Some(Err(error)) = &deployment {
        faults.push(chain(error.as_ref()));
    }
    let mut fields = BTreeMap::new();
    if args.online
        && let Some(Ok(deployment)) = &deployment
    {
        let found = super::online::check(&bundle, deployment)?;
        warnings.extend(found.warnings);
        faults.extend(found.faults);
        fields = found.fields;
    }
    warnings.extend(shown::warnings(&bundle, &args.place.rules, &fields));
    let texts = texts::faults(&bundle, &catalog)?;
    let is_ok = faults.is_empty() && texts.is_empty();
    let rules = bundle.rules.len();
    if args.json {
        let placed = texts.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let all = [said(&faults), placed].concat();
        let report = json!({
            "ok": is_ok, "environment": bundle.environment.name, "digest": bundle.digest,
            "rules": rules, "warnings": said(&warnings), "faults": all, "more": 0,
        });
        json(&report)?;
    } else {
        for warning in &warnings {
            note(&format!("warning: {}", block(without_level(warning))));
        }
        for fault in &faults {
            note(&format!("error: {}", block(fault)));
        }
        if !texts.is_empty() {
            tell(&Report { diagnostics: texts, more: 0 });
        }
        if is_ok {
            let ok = paint("ok", Colour::Green);
            print(&format!(
                "{ok}: {rules} rule{} in environment `{}`, bundle {}",
                if rules == 1 { "" } else { "s" },
                bundle.environment.name,
                &bundle.digest[..12.min(bundle.digest.len())]
            ))?;
        }
    }
    if is_ok { Ok(()) } else { Err(Failure::Told) }
}

/// In the same form as a manifest's errors; these have no position in a file.
fn said(messages: &[String]) -> Vec<Value> {
    messages.iter().map(|message| json!({ "message": message })).collect()
}
