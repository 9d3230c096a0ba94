use serde_json::json;

use super::args::Check;
use super::place::{catalog, tell};
use super::{Failure, GREEN, paint, print};
use crate::catalog::{Catalog, WITHOUT_PLUGINS};

pub(crate) fn check(args: &Check) -> Result<(), Failure> {
    if !Catalog::has_plugins() {
        eprintln!("warning: {WITHOUT_PLUGINS}");
    }
    let catalog = catalog(None)?;
    let bundle = match args.place.load(&catalog) {
        Ok(bundle) => bundle,
        Err(report) if args.json => {
            print(&serde_json::to_string_pretty(&report)?)?;
            return Err(Failure::Told);
        }
        Err(report) => {
            tell(&report);
            return Err(Failure::Told);
        }
    };
    let mut warnings: Vec<String> = bundle.warnings.iter().map(ToString::to_string).collect();
    let mut faults = Vec::new();
    if args.online {
        let found = super::online::check(&bundle)?;
        warnings.extend(found.warnings);
        faults = found.faults;
    }
    let rules = bundle.rules.len();
    if args.json {
        let report = json!({
            "ok": faults.is_empty(), "environment": bundle.environment.name, "digest": bundle.digest,
            "rules": rules, "warnings": warnings, "faults": faults,
        });
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        for warning in &warnings {
            eprintln!("warning: {warning}");
        }
        for fault in &faults {
            eprintln!("error: {fault}");
        }
        if faults.is_empty() {
            let ok = paint("ok", GREEN, &std::io::stdout());
            print(&format!(
                "{ok}: {rules} rules in environment `{}`, bundle {}",
                bundle.environment.name,
                &bundle.digest[..12.min(bundle.digest.len())]
            ))?;
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::Told) }
}
