//! `change`: fields of a key that are not what they last were.
use std::iter;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use watchbell_sdk::prelude::*;
use watchbell_sdk::{held_bytes, kept};

#[cfg(test)]
mod tests;

/// Announces every document in which one of `fields` differs from the document of its key before it.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["changed", "old_value", "new_value"]))]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The fields to compare.
    #[schemars(length(min = 1, max = 50))]
    fields: Vec<String>,
    /// Pass over documents in which one of the fields is missing or empty.
    #[serde(default)]
    ignore_null: bool,
    /// Only if the key's last document is at most this old; else however old it is.
    timeframe: Option<Duration>,
}

/// How a key's fields last were.
#[derive(Serialize, Deserialize)]
pub struct Last {
    at: Timestamp,
    /// Which document that was.
    document: DocumentId,
    /// A JSON array of a value for each field: null if missing, an array of several.
    values: Box<str>,
}

/// How much of the past is read for what the fields were, where no timeframe says it.
const HISTORY: Duration = Duration::from_mins(24 * 60);
/// What the summary shows of a value, in characters.
const SHOWN_MAX: usize = 120;

#[watchbell_sdk::rule(
    state_version = 2,
    name = "change",
    summary = "Announces documents whose fields differ from those before"
)]
impl Rule for Change {
    type State = NamedMap<Last>;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if context.key.is_empty() {
            faults.push(Fault::new("", "needs a `key:` in the manifest: it says whose fields are compared"));
        }
        if self.fields.is_empty() {
            faults.push(Fault::new("/fields", "must name at least one field"));
        }
        if self.timeframe.is_some_and(Duration::is_zero) {
            faults.push(Fault::new("/timeframe", "must be longer than zero"));
        }
        if faults.is_empty() { Ok(Plan::rows(self.timeframe.unwrap_or(HISTORY))) } else { Err(faults) }
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![self.fields.iter().fold(Question::hits(over).identified(), Question::field)]
    }

    fn row(&self, row: &Row<'_>, keys: &mut Self::State, out: &mut Signals) {
        let Some(values) = self.values(row) else { return };
        let at = row.time();
        let now = Last { at, document: DocumentId::of(row), values };
        let make = || Last { at, document: DocumentId::default(), values: "".into() };
        let changed = keys.update(row.key(), make, |last| {
            let is_in_time = self.timeframe.is_none_or(|timeframe| at.since(last.at) <= timeframe);
            let before = std::mem::replace(last, now);
            // Empty: the key's first document.
            let is_change = is_in_time && !before.values.is_empty() && before.values != last.values;
            is_change.then(|| self.signal(row, &before, &last.values))
        });
        if let Some(signal) = changed {
            out.push(signal);
        }
    }

    /// A later document would be too late to be compared with these.
    fn settle(&self, at: Timestamp, keys: &mut Self::State) {
        if let Some(timeframe) = self.timeframe {
            keys.retain(|_, last| at.since(last.at) <= timeframe);
        }
    }
}

impl Change {
    /// What the fields hold, as one text; none if the document is to be passed over.
    fn values(&self, row: &Row<'_>) -> Option<Box<str>> {
        let mut all = Vec::new();
        for field in &self.fields {
            let mut values: Vec<Json> = row.values(field).map(json_of).collect();
            let value = match values.len() {
                0 => Json::Null,
                1 => values.remove(0),
                _ => Json::Array(values),
            };
            if self.ignore_null && (value.is_null() || value == "") {
                return None;
            }
            all.push(value);
        }
        Some(Json::Array(all).to_string().into())
    }

    fn signal(&self, row: &Row<'_>, last: &Last, now: &str) -> Signal {
        let read = |text: &str| serde_json::from_str::<Vec<Json>>(text).unwrap_or_default();
        let (before, now) = (read(&last.values), read(now));
        let changed: Vec<_> = iter::zip(&self.fields, iter::zip(&before, &now))
            .filter(|(_, (before, now))| before != now)
            .collect();
        let summary = changed.iter().map(|(field, (before, now))| {
            format!("{field}: {} is now {}", beginning(before), beginning(now))
        });
        let fields: Vec<_> = changed.iter().map(|(field, _)| field).collect();
        Signal::event(row.labels(), row.time())
            .summary(summary.collect::<Vec<_>>().join(", "))
            .details(&json!({ "changed": fields, "old_value": before, "new_value": now }))
            .evidence(row.evidence().and(last.at, &last.document))
    }
}

/// Whole numbers are written alike, whether a page holds them as integers or not.
fn json_of(value: Value<'_>) -> Json {
    match value {
        Value::Word(word) => Json::String(kept(word.to_owned()).into()),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(number as i64),
        plain => json!(plain),
    }
}

fn beginning(value: &Json) -> String {
    let text = match value {
        Json::Null => "missing".to_owned(),
        Json::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Aged for Last {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.at)
    }

    fn heap_bytes(&self) -> usize {
        held_bytes(self.values.len()) + self.document.heap_bytes()
    }

    fn spare(&mut self) {
        self.document.forget();
    }
}
