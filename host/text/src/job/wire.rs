//! The contract's types as they cross: the contract itself is of no encoding.
use serde::{Deserialize, Serialize};
use watchbell_contract as contract;

#[derive(Serialize, Deserialize)]
#[serde(remote = "contract::AlertText")]
pub(super) struct AlertText {
    #[serde(with = "TextFormat")]
    format: contract::TextFormat,
    styles: bool,
    title_max: u32,
    body_max: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "contract::TextFormat")]
enum TextFormat {
    Plain,
    Markdown,
    Html,
    Mrkdwn,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "contract::Severity")]
pub(super) enum Severity {
    Info,
    Warning,
    Critical,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "contract::Cause")]
pub(super) enum Cause {
    Opened,
    Worse,
    Repeat,
    Escalated,
    Acknowledged,
    Resolved,
    Event,
    Was,
    Summary,
    Test,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "contract::Timestamp")]
pub(super) struct Timestamp(i64);

/// Pairs of name and value.
pub(super) mod labels {
    use serde::{Deserialize, Deserializer, Serializer};
    use watchbell_contract::Label;

    pub(in crate::job) fn serialize<S: Serializer>(labels: &[Label], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(labels.iter().map(|label| (&label.name, &label.value)))
    }

    pub(in crate::job) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Label>, D::Error> {
        let pairs = Vec::<(String, Option<String>)>::deserialize(from)?;
        Ok(pairs.into_iter().map(|(name, value)| Label { name, value }).collect())
    }
}
