use clap::Args;

use super::place::{catalog, tell};
use super::{Failure, Place, print};

#[derive(Debug, Args)]
pub struct Render {
    #[command(flatten)]
    pub place: Place,
    /// Print the differences from this environment.
    #[arg(long, value_name = "NAME")]
    pub against: Option<String>,
    /// Print only this rule.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
}

pub(crate) fn render(args: &Render) -> Result<(), Failure> {
    let catalog = catalog(None)?;
    // An environment can be rendered without its secrets.
    let mut bundle = args.place.load_as(&args.place.environment, &catalog, false).map_err(|report| {
        tell(&report);
        Failure::Told
    })?;
    if let Some(name) = &args.rule {
        if bundle.rule(name).is_none() {
            let known: Vec<&str> = bundle.rules.iter().map(|rule| rule.spec.name.0.as_str()).collect();
            return Err(Failure::Faults(anyhow::anyhow!(
                "no rule `{name}` in environment `{}`\n\nhint: there are {}",
                args.place.environment,
                known.join(", ")
            )));
        }
        bundle.rules.retain(|rule| rule.spec.name.0 == *name);
    }
    let Some(against) = &args.against else { return print(&watchbell_manifest::render(&bundle)) };
    let mut other = args.place.load_as(against, &catalog, false).map_err(|report| {
        tell(&report);
        Failure::Told
    })?;
    if let Some(name) = &args.rule {
        other.rules.retain(|rule| rule.spec.name.0 == *name);
    }
    print(&watchbell_manifest::diff(&bundle, &other))
}
