//! `any`: every document is a signal.
use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Announces every document that matches the manifest's filter.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = []))]
#[serde(deny_unknown_fields)]
pub struct Any {
    /// Fields to show: how the first value of each begins goes to the summary, all of them to `details`.
    #[serde(default)]
    #[schemars(length(max = 50), extend("x-watchbell-details" = true))]
    fields: Vec<String>,
}

/// What the summary shows of a value, in characters: a stack trace must leave room for the other fields.
const SHOWN_MAX: usize = 120;

#[watchbell_sdk::rule(name = "any", summary = "Announces every matching document")]
impl Rule for Any {
    type State = ();

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        Ok(Plan::rows(Duration::ZERO))
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![self.fields.iter().fold(Question::hits(over).identified(), Question::field)]
    }

    fn row(&self, row: &Row<'_>, _state: &mut Self::State, out: &mut Signals) {
        let mut summary = String::new();
        let mut details = json!({});
        for field in &self.fields {
            let mut values: Vec<_> = row.values(field).map(|value| json!(value)).collect();
            if let Some(first) = row.value(field) {
                let comma = if summary.is_empty() { "" } else { ", " };
                summary.push_str(&format!("{comma}{field}: {}", beginning(&first.to_string())));
            }
            details[field] = match values.len() {
                0 => json!(null),
                1 => values.remove(0),
                _ => json!(values),
            };
        }
        if summary.is_empty() {
            summary = "a document matched".into();
        }
        out.push(
            Signal::event(row.labels(), row.time())
                .summary(summary)
                .details(&details)
                .evidence(row.evidence()),
        );
    }
}

/// How a value begins, on one line.
fn beginning(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
