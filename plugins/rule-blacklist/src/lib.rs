//! `blacklist`: a field with a value that is on a list.
use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Announces every document whose `field` has one of `values`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["field", "value", "values"]))]
#[serde(deny_unknown_fields)]
pub struct Blacklist {
    /// The field to look at.
    field: String,
    /// What it must not be: values as the field's type reads them (ranges such as `10.0.0.0/8` in a field of type `ip`),
    /// and regular expressions `/like this/` that match the text of the whole value. Case counts.
    values: ValueList,
}

/// What the summary shows of a value, in characters.
const SHOWN_MAX: usize = 200;

#[watchbell_sdk::rule(name = "blacklist", summary = "Announces documents with a value that is on a list")]
impl Rule for Blacklist {
    type State = ();

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = self.values.faults("/values");
        if self.field.is_empty() {
            faults.push(Fault::new("/field", "must name a field"));
        }
        if faults.is_empty() { Ok(Plan::rows(Duration::ZERO)) } else { Err(faults) }
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        let question = self.values.ask(Question::hits(over).identified(), &self.field);
        vec![self.values.narrow(question, &self.field)]
    }

    fn row(&self, row: &Row<'_>, _state: &mut Self::State, out: &mut Signals) {
        // The cluster may have left out what is not on the list; which of several values is on it, only this tells.
        let listed: Vec<Value<'_>> = self
            .values
            .compare(row, &self.field)
            .filter(|(_, is_listed)| *is_listed)
            .map(|(value, _)| value)
            .collect();
        let Some(first) = listed.first() else { return };
        out.push(
            Signal::event(row.labels(), row.time())
                .summary(format!("{}: {}", self.field, beginning(&first.to_string())))
                .details(&json!({ "field": self.field, "value": first, "values": listed }))
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
