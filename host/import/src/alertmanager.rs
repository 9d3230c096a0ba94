//! Alertmanager's configuration: receivers as destinations, and what else has a counterpart in an environment.
mod account; // what becomes of every option
mod integrations; // receivers → destinations
mod matchers; // who is meant
mod holds; // inhibition
mod times; // time intervals
mod routes; // who is notified: a page for people
mod silences; // exported silences

use std::collections::BTreeSet;
use std::sync::Arc;

use watchbell_manifest::Place;

use crate::files::{File, SourceFile};
use crate::import::Import;
use crate::node::{Data, Entry, Node};
use crate::report::{Fate, OptionOutcome, Report, TokenNeeded};
use crate::secrets::Secrets;
use crate::tree::parse;
use crate::yaml::{Yaml, document};
use account::Account;

/// Settings of an import of Alertmanager's configuration.
#[derive(Clone, Copy, Debug)]
pub struct AlertmanagerSettings<'a> {
    /// The environment to write: `default`, or one that is laid over it.
    pub environment: &'a str,
    /// Silences as `amtool silence query -o json` or `/api/v2/silences` write them.
    pub silences: Option<&'a SourceFile>,
}

/// Turns Alertmanager's configuration into an environment, a page about its routes, and a report on every option.
///
/// Nothing is written if the file cannot be read; the report says why.
#[must_use]
pub fn import_alertmanager(file: &SourceFile, settings: &AlertmanagerSettings<'_>) -> Import {
    let name: Arc<str> = file.path.as_str().into();
    let whole = Place { file: name.clone(), line: 0, column: 0 };
    let read = match &file.text {
        Ok(text) => parse(&name, text).map_err(|problem| (problem.place, problem.message)),
        Err(why) => Err((whole.clone(), why.clone())),
    };
    match read {
        Ok(read) => made(&whole, &read.entries, settings),
        Err((place, what)) => {
            let option = "(file)".to_string();
            let outcome = OptionOutcome { place, option, fate: Fate::Failed, what };
            Import { files: Vec::new(), report: Report { options: vec![outcome], ..Report::default() } }
        }
    }
}

fn made(whole: &Place, entries: &[Entry], settings: &AlertmanagerSettings<'_>) -> Import {
    let root = Node { place: whole.clone(), data: Data::Map(entries.to_vec()) };
    let mut account = Account::of(&root);
    let mut secrets = Secrets::new(BTreeSet::new());
    let receivers = integrations::receivers(&root, &mut account, &mut secrets);
    let inhibit = holds::inhibitions(&root, &mut account);
    let intervals = times::intervals(&root, &mut account);
    let routes = routes::routes(&root, &receivers, &intervals, &mut account);
    let mut maintenance = routes.maintenance;
    if let Some(file) = settings.silences {
        let mut taken = routes.names;
        maintenance.extend(silences::silences(file, &mut taken, &mut account));
    }
    let mut environment = Vec::new();
    let is_default = settings.environment == "default";
    if is_default {
        let nodes = Yaml::map([("nodes", Yaml::texts(["@@ELASTICSEARCH_URL@@".to_string()]))]);
        environment.push(("clusters".to_string(), Yaml::map([("main", nodes)])));
    }
    let destinations = receivers.into_iter().flat_map(|receiver| receiver.destinations);
    let mut inhibit = inhibit;
    for (key, entries) in [("maintenance", &mut maintenance), ("inhibit", &mut inhibit)] {
        if entries.len() > HOLDS_MAX {
            let what = format!("only the first {HOLDS_MAX} of `{key}`: an environment has no more");
            account.told(whole, Fate::Failed, what);
            entries.truncate(HOLDS_MAX);
        }
    }
    let parts = [
        ("destinations", destinations.collect::<Vec<(String, Yaml)>>()),
        ("maintenance", maintenance),
        ("inhibit", inhibit),
    ];
    for (key, entries) in parts {
        if !entries.is_empty() {
            environment.push((key.to_string(), Yaml::Map(entries)));
        }
    }
    let mut report = Report { options: account.end(), ..Report::default() };
    report.secrets = secrets.needed(&Yaml::Map(environment.clone()));
    let mut tokens = BTreeSet::new();
    for (_, value) in &environment {
        value.visit(&mut |text| tokens.extend(crate::mask::tokens(text).into_iter().map(String::from)));
    }
    let path = format!("environments/{}.yaml", settings.environment);
    if !tokens.is_empty() {
        let values = tokens.iter().map(|token| (token.clone(), Yaml::Null)).collect();
        environment.push(("tokens".to_string(), Yaml::Map(values)));
        let needed = |token: &String| TokenNeeded {
            token: token.clone(),
            defined: false,
            origin: format!("used in {path}"),
        };
        report.tokens = tokens.iter().map(needed).collect();
    }
    report.notes = NOTES.iter().map(ToString::to_string).collect();
    let comment = format!("Imported from Alertmanager's {}.", whole.file);
    let mut files = Vec::new();
    if !environment.is_empty() {
        files.push(File { path, text: document(&comment, &environment) });
    }
    if !routes.page.is_empty() {
        files.push(File { path: "alertmanager-routes.md".into(), text: routes.page });
    }
    Import { files, report }
}

/// Maintenance windows of an environment, and inhibitions.
const HOLDS_MAX: usize = 200;

const NOTES: &[&str] = &[
    "a rule names its destinations itself: alertmanager-routes.md has an `alert:` for the rules of each route",
    "`alertname` is `rule`, the name of a rule here: change it where names differ",
    "texts are the rules' `alert.title` and `alert.body`: Alertmanager's templates are not converted",
    "whoever was notified is also told the end",
    "a destination inside your own network needs `grants: { private_addresses: true }`",
];

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: &str =
        include_str!("../../../tests/cases/import-alertmanager/everything/in/alertmanager.yml");

    fn of(text: &str) -> Import {
        let file = SourceFile { path: "alertmanager.yml".into(), text: Ok(text.into()) };
        import_alertmanager(&file, &AlertmanagerSettings { environment: "default", silences: None })
    }

    #[test]
    fn whatever_is_missing_is_reported_and_no_secret_is_written() {
        let lines: Vec<&str> = EVERYTHING.lines().collect();
        for left_out in 0..lines.len() {
            let kept = lines.iter().enumerate().filter(|(line, _)| *line != left_out).map(|(_, line)| *line);
            let made = of(&kept.collect::<Vec<_>>().join("\n"));
            assert!(!made.report.options.is_empty(), "without line {}", left_out + 1);
            let written = made.files.iter().map(|file| file.text.clone()).chain([made.report.to_string()]);
            for text in written {
                assert!(!text.contains("geheim"), "without line {}:\n{text}", left_out + 1);
            }
        }
    }

    #[test]
    fn every_option_has_an_outcome() {
        let made = of(
            "global: { x: 1 }\nroute: { y: 2 }\nreceivers: [{ name: a, z_configs: [{ k: v }] }]\nnew: []\n",
        );
        let told: Vec<&str> = made.report.options.iter().map(|outcome| outcome.option.as_str()).collect();
        assert_eq!(told, ["global.x", "route.y", "receivers.name", "receivers.z_configs", "new"]);
    }
}
