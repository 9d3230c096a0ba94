//! Exported silences as maintenance windows, which end when they do.
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use watchbell_manifest::Place;

use super::account::Account;
use super::matchers::{Matcher, conditions};
use crate::files::SourceFile;
use crate::names::{free, slug};
use crate::report::Fate;
use crate::yaml::Yaml;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Silence {
    #[serde(default)]
    id: String,
    matchers: Vec<Given>,
    starts_at: String,
    ends_at: String,
    #[serde(default)]
    comment: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

#[derive(Deserialize)]
struct Status {
    state: String,
}

fn yes() -> bool {
    true
}

/// The most that are read.
const SILENCES_MAX: usize = 10_000;

/// `taken`: the names of windows that there are already.
pub(super) fn silences(
    file: &SourceFile,
    taken: &mut BTreeSet<String>,
    account: &mut Account<'_>,
) -> Vec<(String, Yaml)> {
    let path: Arc<str> = file.path.as_str().into();
    let place = Place { file: path, line: 0, column: 0 };
    let read = file.text.clone().and_then(|text| {
        serde_json::from_str::<Vec<Silence>>(&text)
            .map_err(|error| format!("not a list of silences: {error}"))
    });
    let all = match read {
        Ok(all) if all.len() > SILENCES_MAX => {
            account.told(&place, Fate::Failed, format!("more than {SILENCES_MAX} silences"));
            return Vec::new();
        }
        Ok(all) => all,
        Err(why) => {
            account.told(&place, Fate::Failed, why);
            return Vec::new();
        }
    };
    let mut made = Vec::new();
    for silence in all {
        let wanted = slug(&silence.comment).or_else(|| slug(&silence.id)).unwrap_or_else(|| "silence".into());
        match windows(&silence) {
            Ok(windows) => {
                for window in windows {
                    let name = free(&wanted, taken);
                    let what = format!("the silence `{}` is `maintenance.{name}`", silence.id);
                    account.told(&place, Fate::Changed, what);
                    made.push((name, window));
                }
            }
            Err(why) => account.told(&place, Fate::Dropped, format!("the silence `{}`: {why}", silence.id)),
        }
    }
    made
}

fn windows(silence: &Silence) -> Result<Vec<Yaml>, String> {
    if silence.status.as_ref().is_some_and(|status| status.state == "expired") {
        return Err("it has expired".into());
    }
    let instant =
        |text: &str| text.parse::<jiff::Timestamp>().map_err(|_| format!("`{text}` is not an instant"));
    if instant(&silence.starts_at)? >= instant(&silence.ends_at)? {
        return Err("it ends before it begins".into());
    }
    let matchers: Vec<Matcher> = silence
        .matchers
        .iter()
        .map(|given| Matcher {
            label: given.name.clone(),
            is_negated: !given.is_equal,
            is_regex: given.is_regex,
            value: given.value.clone(),
        })
        .collect();
    if matchers.is_empty() {
        return Err("it has no matcher".into());
    }
    let window = |conditions: Vec<String>| {
        Yaml::map([
            ("match", Yaml::texts(conditions)),
            ("from", Yaml::text(silence.starts_at.clone())),
            ("until", Yaml::text(silence.ends_at.clone())),
        ])
    };
    Ok(conditions(&matchers)?.into_iter().map(window).collect())
}
