use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{CountedKey, Level, NamedKey, Overflow};

use super::change::LevelForm;
use super::json::{Column, Exact, Labels, read_exact};
use super::names::severity;

#[derive(Serialize, Deserialize)]
pub(crate) struct OverflowForm {
    waiting: Vec<LevelForm>,
    /// A hash, the instant of the newest signal, and until when.
    counted: Vec<(u64, i64, i64)>,
    named: Vec<NamedForm>,
    uncounted_until: Option<i64>,
    passed: u64,
    announced: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct NamedForm {
    labels: Labels,
    severity: String,
    value: Option<Exact>,
}

impl Column for Overflow {
    type Form = OverflowForm;
    fn form(&self) -> Self::Form {
        let counted = self.counted.iter().map(|(hash, key)| (*hash, key.last_at.0, key.until.0));
        OverflowForm {
            waiting: self.waiting.iter().map(Column::form).collect(),
            counted: counted.collect(),
            named: self.named.iter().map(Column::form).collect(),
            uncounted_until: self.uncounted_until.map(|until| until.0),
            passed: self.passed,
            announced: self.announced,
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        let counted = form.counted.into_iter().map(|(hash, last_at, until)| {
            (hash, CountedKey { last_at: Timestamp(last_at), until: Timestamp(until) })
        });
        Some(Self {
            waiting: form.waiting.into_iter().map(<Level as Column>::read).collect::<Option<_>>()?,
            counted: counted.collect(),
            named: form.named.into_iter().map(<NamedKey as Column>::read).collect::<Option<_>>()?,
            uncounted_until: form.uncounted_until.map(Timestamp),
            passed: form.passed,
            announced: form.announced,
        })
    }
}

impl Column for NamedKey {
    type Form = NamedForm;
    fn form(&self) -> Self::Form {
        NamedForm {
            labels: self.labels.form(),
            severity: self.severity.as_str().to_owned(),
            value: self.value.map(Exact::of),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(Self {
            labels: Column::read(form.labels)?,
            severity: severity(&form.severity)?,
            value: read_exact(form.value)?,
        })
    }
}
