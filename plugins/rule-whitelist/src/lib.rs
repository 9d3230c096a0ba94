//! `whitelist`: a field with a value that is not on a list.
use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Announces every document whose `field` has a value that is not one of `values`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["field", "value", "values"]))]
#[serde(deny_unknown_fields)]
pub struct Whitelist {
    /// The field to look at.
    field: String,
    /// What it may be: values as the field's type reads them (ranges such as `10.0.0.0/8` in a field of type `ip`), and
    /// regular expressions `/like this/` that match the text of the whole value. Case counts.
    values: ValueList,
    /// Pass over documents without the field, which else are announced.
    #[serde(default)]
    ignore_null: bool,
}

/// What the summary shows of a value, in characters.
const SHOWN_MAX: usize = 200;

#[watchbell_sdk::rule(name = "whitelist", summary = "Announces documents with a value that is not on a list")]
impl Rule for Whitelist {
    type State = ();

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = self.values.faults("/values");
        if self.field.is_empty() {
            faults.push(Fault::new("/field", "must name a field"));
        }
        if faults.is_empty() { Ok(Plan::rows(Duration::ZERO)) } else { Err(faults) }
    }

    /// A question can name values to keep, not values to leave out.
    fn ask(&self, over: Range) -> Vec<Question> {
        vec![self.values.ask(Question::hits(over).identified(), &self.field)]
    }

    fn row(&self, row: &Row<'_>, _state: &mut Self::State, out: &mut Signals) {
        let mut values = self.values.compare(row, &self.field).peekable();
        let is_missing = values.peek().is_none();
        let strange: Vec<Value<'_>> =
            values.filter(|(_, is_listed)| !is_listed).map(|(value, _)| value).collect();
        let summary = match strange.first() {
            Some(first) => format!("{}: {}", self.field, beginning(&first.to_string())),
            None if is_missing && !self.ignore_null => format!("{} is missing", self.field),
            None => return,
        };
        out.push(
            Signal::event(row.labels(), row.time())
                .summary(summary)
                .details(&json!({ "field": self.field, "value": strange.first(), "values": strange }))
                .evidence(row.evidence()),
        );
    }
}

fn beginning(value: &str) -> String {
    match value.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
