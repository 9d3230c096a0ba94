//! A rule's `alert`: its alerters as destinations.
use crate::alerters::{self, Context, Make};
use crate::node::{Data, Entry};
use crate::options::Options;
use crate::report::Fate;
use crate::surroundings::Surroundings;
use crate::texts::Terms;
use crate::yaml::Yaml;

/// The alerters of the rule, each with options of its own.
pub(crate) fn alerts(options: &mut Options) -> Vec<(String, Vec<Entry>)> {
    let Some(node) = options.node("alert") else {
        options.fault("alert", "`alert` is missing", "name an alerter; ElastAlert requires it too");
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
                None => options.fault(
                    "alert",
                    "an alerter must be a name",
                    "write, for example, `alert: [slack]`",
                ),
            },
        }
    }
    found
}

/// The destinations of the rule, each with the name to give it.
pub(crate) fn destinations(
    options: &mut Options,
    terms: &mut Terms,
    around: &mut Surroundings<'_>,
    alerts: &[(String, Vec<Entry>)],
) -> Vec<(String, Yaml)> {
    let mut found = Vec::new();
    let mut told = Vec::new();
    for (name, own) in alerts {
        let Some(alerter) = alerters::alerter(name) else {
            if !name.contains('.') {
                told.push((Fate::Dropped, unknown(name)));
                continue;
            }
            let (wanted, made) = alerters::stand_in(name, around.secrets).written("python");
            told.push((
                Fate::Changed,
                format!(
                    "`{name}` is a custom Python alerter, which does not run here: a `webhook` stands in for it in \
                     environments/default.yaml, until you give it an address or an alerter plugin",
                ),
            ));
            found.push((wanted, made));
            continue;
        };
        let made = match alerter.make {
            Make::Dropped(why) => {
                options.drop_all(alerter.options, &format!("the alerter `{name}` is dropped"));
                told.push((Fate::Dropped, format!("`{name}` is dropped: {why}")));
                continue;
            }
            Make::Destinations(make) => {
                let mut own_options = options.with(own);
                let mut context = Context { options: &mut own_options, terms, secrets: around.secrets };
                let made = make(&mut context);
                if made.is_empty() {
                    // What it would have carried is not written either.
                    own_options
                        .findings
                        .retain(|found| matches!(found.outcome.fate, Fate::Dropped | Fate::Failed));
                }
                options.faults.extend(own_options.faults);
                let keys: Vec<&str> = own.iter().map(|entry| entry.key.as_str()).collect();
                // An alerter's own options are nested inside `alert`.
                for entry in own.iter().filter(|entry| {
                    !own_options.findings.iter().any(|found| found.outcome.place == entry.place)
                }) {
                    told.push((Fate::Dropped, format!("`{}` of `{name}` is not supported", entry.key)));
                }
                options.findings.extend(own_options.findings);
                if !keys.is_empty() {
                    told.push((Fate::Carried, format!("`{name}` with {} of its own", keys.join(", "))));
                }
                made
            }
        };
        if made.is_empty() {
            for option in
                alerter.options.iter().filter(|option| !options.is_settled(option)).collect::<Vec<_>>()
            {
                options.dropped(option, format!("the alerter `{name}` is dropped"));
            }
            told.push((Fate::Dropped, format!("`{name}` is dropped: see its options")));
        } else {
            told.push((Fate::Carried, format!("`{name}` as a destination in environments/default.yaml")));
        }
        found.extend(made.into_iter().map(|destination| destination.written(alerter.name)));
    }
    for (fate, what) in told {
        match fate {
            Fate::Carried => options.carried("alert", what),
            Fate::Changed => options.changed("alert", what),
            Fate::Dropped | Fate::Failed => options.dropped("alert", what),
        }
    }
    found
}

fn unknown(name: &str) -> String {
    match watchbell_manifest::nearest(name, alerters::names()) {
        Some(near) => format!("`{name}` is not an ElastAlert alerter; did you mean `{near}`?"),
        None => format!("`{name}` is not an ElastAlert alerter"),
    }
}
