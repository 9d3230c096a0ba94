//! `alert` of a rule: its alerters as destinations.
use crate::alerters::{Kitchen, Make, recipe};
use crate::node::{Data, Entry};
use crate::sheet::Sheet;
use crate::surroundings::Surroundings;
use crate::texts::Terms;
use crate::yaml::Yaml;

/// The alerters of the rule, each with options of its own.
pub(crate) fn alerts(sheet: &mut Sheet) -> Vec<(String, Vec<Entry>)> {
    let Some(node) = sheet.node("alert") else {
        sheet.fault("alert", "`alert` is missing", "name an alerter, as ElastAlert needs it too");
        return Vec::new();
    };
    let items = match node.data {
        Data::List(items) => items,
        _ => vec![node],
    };
    let mut found = Vec::new();
    for item in items {
        match &item.data {
            Data::Map(entries) => {
                for entry in entries {
                    let own = entry.value.entries().to_vec();
                    found.push((entry.key.clone(), own));
                }
            }
            _ => match item.text() {
                Some(name) => found.push((name, Vec::new())),
                None => {
                    sheet.fault("alert", "an alerter must be a name", "write for example `alert: [slack]`")
                }
            },
        }
    }
    found
}

pub(crate) fn destinations(
    sheet: &mut Sheet,
    terms: &mut Terms,
    around: &mut Surroundings<'_>,
    alerts: &[(String, Vec<Entry>)],
) -> Vec<(String, Yaml)> {
    let mut found = Vec::new();
    let mut told = Vec::new();
    for (name, own) in alerts {
        let Some(recipe) = recipe(name) else {
            told.push((false, unknown(name)));
            continue;
        };
        let made = match recipe.make {
            Make::Dropped(why) => {
                sheet.drop_all(recipe.options, &format!("the alerter `{name}` is dropped"));
                told.push((false, format!("`{name}` is dropped: {why}")));
                continue;
            }
            Make::Destinations(make) => {
                let mut own_sheet = sheet.with(own);
                let mut kitchen = Kitchen { sheet: &mut own_sheet, terms, secrets: around.secrets };
                let made = make(&mut kitchen);
                sheet.faults.extend(own_sheet.faults);
                let keys: Vec<&str> = own.iter().map(|entry| entry.key.as_str()).collect();
                // What an alerter brings of its own stands inside of `alert`.
                for entry in own.iter().filter(|entry| {
                    !own_sheet.findings.iter().any(|found| found.outcome.place == entry.place)
                }) {
                    told.push((false, format!("`{}` of `{name}` has no place", entry.key)));
                }
                sheet.findings.extend(own_sheet.findings);
                if !keys.is_empty() {
                    told.push((true, format!("`{name}` with {} of its own", keys.join(", "))));
                }
                made
            }
        };
        if made.is_empty() {
            told.push((false, format!("`{name}` is dropped: see its options")));
        } else {
            told.push((true, format!("`{name}` as a destination of environments/default.yaml")));
        }
        found.extend(made.into_iter().map(|destination| (name.clone(), destination)));
    }
    for (carried, what) in told {
        match carried {
            true => sheet.carried("alert", what),
            false => sheet.dropped("alert", what),
        }
    }
    found
}

fn unknown(name: &str) -> String {
    if name.contains('.') {
        return format!(
            "`{name}` is an alerter of your own in Python: a `webhook`, or an alerter component, can take its place"
        );
    }
    match watchbell_manifest::nearest(name, crate::alerters::names()) {
        Some(near) => format!("`{name}` is no alerter of ElastAlert's; did you mean `{near}`?"),
        None => format!("`{name}` is no alerter of ElastAlert's"),
    }
}
