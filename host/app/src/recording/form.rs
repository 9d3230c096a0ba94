//! The format of a recording: JSON in which every value reads back as the same bits.
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use watchbell_contract::{
    Column, Context, Dictionary, Duration, Evidence, Finding, Label, Points, Rows, Signal, SignalKind,
    Timestamp, Values, Window,
};
use watchbell_sandbox::Limits;

use super::recorder::Page;
use super::refused::RefusedForm;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recording {
    pub(crate) rule: String,
    pub(crate) environment: String,
    /// SHA-256 of the module, in hex.
    pub(crate) module: String,
    pub(crate) params: Value,
    pub(crate) key: Vec<String>,
    /// Milliseconds; `None` under `cron`.
    #[serde(default)]
    pub(crate) every: Option<u64>,
    /// Milliseconds.
    #[serde(default)]
    pub(crate) lateness: u64,
    #[serde(default)]
    pub(crate) indices: Vec<String>,
    pub(crate) limits: Limit,
    /// Milliseconds: start, settled, end.
    pub(crate) window: [i64; 3],
    pub(crate) attempt: u32,
    /// Hex-encoded.
    pub(crate) state: Option<String>,
    pub(crate) pages: Vec<PageForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<RefusedForm>,
    pub(crate) ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Limit {
    time_ms: u64,
    memory_bytes: usize,
    state_bytes: usize,
    output_bytes: usize,
    /// Not of recordings that are older than this limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reach_ms: Option<u64>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// The rule's complete output: its signals as text, and the SHA-256 of its state, in hex.
    Found {
        signals: Vec<SignalForm>,
        state: String,
    },
    Failed {
        message: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PageForm {
    round: usize,
    question: u32,
    times: Vec<i64>,
    columns: Vec<ColumnForm>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ColumnForm {
    pub(crate) field: String,
    #[serde(default = "is_mapped")]
    is_mapped: bool,
    values: ValuesForm,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    present: Vec<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    offsets: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ValuesForm {
    Integers(Vec<i64>),
    /// Stored as bits, because text could lose the last digits.
    Numbers(Vec<u64>),
    Booleans(Vec<u8>),
    Words {
        codes: Vec<u32>,
        words: Vec<String>,
    },
    /// As bits, too.
    Points {
        latitudes: Vec<u64>,
        longitudes: Vec<u64>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SignalForm {
    pub(crate) labels: Vec<(String, Option<String>)>,
    pub(crate) at: i64,
    pub(crate) until: Option<i64>,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    /// As bits.
    pub(crate) value: Option<u64>,
    threshold: Option<u64>,
    pub(crate) summary: String,
    pub(crate) details: String,
    /// Only if it is needed to distinguish two signals.
    evidence: Option<String>,
}

/// Of columns that were recorded before they said it.
fn is_mapped() -> bool {
    true
}

impl Recording {
    /// `rule@end`, with the attempt unless it was the first.
    pub(crate) fn id(&self) -> String {
        let again = if self.attempt > 1 { format!("#{}", self.attempt) } else { String::new() };
        format!("{}@{}{again}", self.rule, crate::clock::rfc3339(Timestamp(self.window[2])))
    }

    pub(crate) fn context(&self) -> Context {
        Context {
            key: self.key.clone(),
            every: self.every.map(Duration),
            lateness: Duration(self.lateness),
            indices: self.indices.clone(),
        }
    }

    pub(crate) fn window(&self) -> Window {
        let [start, settled, end] = self.window.map(Timestamp);
        Window { start, settled, end }
    }

    pub(crate) fn rows(&self) -> usize {
        self.pages.iter().map(|page| page.times.len()).sum()
    }

    /// The pages of a question, in order.
    pub(crate) fn answers(&self, round: usize, question: u32) -> impl Iterator<Item = Rows> {
        self.pages
            .iter()
            .filter(move |page| (page.round, page.question) == (round, question))
            .map(PageForm::rows)
    }

    /// What was refused, if it was this question.
    pub(crate) fn refused_at(&self, round: usize, question: u32) -> Option<&RefusedForm> {
        self.refused.as_ref().filter(|refused| (refused.round, refused.question) == (round, question))
    }

    /// Whether all of its pages answer one question.
    pub(crate) fn is_one_question(&self) -> bool {
        self.pages.iter().all(|page| (page.round, page.question) == (0, 0))
    }
}

impl Ended {
    pub(crate) fn of(finding: &Finding) -> Self {
        Self::Found {
            signals: finding.signals.iter().map(SignalForm::of).collect(),
            state: hex::encode(Sha256::digest(&finding.state)),
        }
    }
}

impl From<&Limits> for Limit {
    fn from(limits: &Limits) -> Self {
        Self {
            time_ms: u64::try_from(limits.time_max.as_millis()).unwrap_or(u64::MAX),
            memory_bytes: limits.memory_bytes_max,
            state_bytes: limits.state_bytes_max,
            output_bytes: limits.output_bytes_max,
            reach_ms: Some(limits.reach.millis()),
        }
    }
}

impl From<Limit> for Limits {
    fn from(limit: Limit) -> Self {
        let usual = Self::default();
        Self {
            reach: limit.reach_ms.map_or(usual.reach, Duration),
            time_max: std::time::Duration::from_millis(limit.time_ms),
            memory_bytes_max: limit.memory_bytes,
            state_bytes_max: limit.state_bytes,
            output_bytes_max: limit.output_bytes,
            ..usual
        }
    }
}

impl PageForm {
    /// `None` if its strings are not valid text, which no cluster sends.
    pub(super) fn of(page: &Page) -> Option<Self> {
        let columns = page.rows.columns.iter().map(ColumnForm::of).collect::<Option<_>>()?;
        Some(Self { round: page.round, question: page.question, times: page.rows.times.clone(), columns })
    }

    fn rows(&self) -> Rows {
        Rows { times: self.times.clone(), columns: self.columns.iter().map(ColumnForm::column).collect() }
    }
}

impl ColumnForm {
    fn of(column: &Column) -> Option<Self> {
        let values = match &column.values {
            Values::Integers(values) => ValuesForm::Integers(values.clone()),
            Values::Numbers(values) => {
                ValuesForm::Numbers(values.iter().map(|value| value.to_bits()).collect())
            }
            Values::Booleans(values) => ValuesForm::Booleans(values.clone()),
            Values::Words(words) => {
                let mut start = 0;
                let texts = words.ends.iter().map(|&end| {
                    let bytes = words.bytes.get(start..end as usize)?;
                    start = end as usize;
                    String::from_utf8(bytes.to_vec()).ok()
                });
                ValuesForm::Words { codes: words.codes.clone(), words: texts.collect::<Option<_>>()? }
            }
            Values::Points(points) => {
                let bits = |degrees: &Vec<f64>| degrees.iter().map(|degrees| degrees.to_bits()).collect();
                let (latitudes, longitudes) = (bits(&points.latitudes), bits(&points.longitudes));
                ValuesForm::Points { latitudes, longitudes }
            }
        };
        let (present, offsets) = (column.present.clone(), column.offsets.clone());
        Some(Self { field: column.field.clone(), is_mapped: column.is_mapped, values, present, offsets })
    }

    fn column(&self) -> Column {
        let values = match &self.values {
            ValuesForm::Integers(values) => Values::Integers(values.clone()),
            ValuesForm::Numbers(bits) => {
                Values::Numbers(bits.iter().map(|bits| f64::from_bits(*bits)).collect())
            }
            ValuesForm::Booleans(values) => Values::Booleans(values.clone()),
            ValuesForm::Words { codes, words } => {
                let ends = words.iter().scan(0_u32, |end, word| {
                    *end = end.saturating_add(u32::try_from(word.len()).unwrap_or(u32::MAX));
                    Some(*end)
                });
                Values::Words(Dictionary {
                    codes: codes.clone(),
                    ends: ends.collect(),
                    bytes: words.concat().into_bytes(),
                })
            }
            ValuesForm::Points { latitudes, longitudes } => {
                let degrees = |bits: &[u64]| bits.iter().map(|bits| f64::from_bits(*bits)).collect();
                Values::Points(Points { latitudes: degrees(latitudes), longitudes: degrees(longitudes) })
            }
        };
        Column {
            field: self.field.clone(),
            is_mapped: self.is_mapped,
            values,
            present: self.present.clone(),
            offsets: self.offsets.clone(),
        }
    }
}

impl SignalForm {
    fn of(signal: &Signal) -> Self {
        let kind = match signal.kind {
            SignalKind::Firing => "firing",
            SignalKind::Clear => "clear",
            SignalKind::Event => "event",
        };
        Self {
            labels: signal.labels.iter().map(|Label { name, value }| (name.clone(), value.clone())).collect(),
            at: signal.at.0,
            until: signal.until.map(|until| until.0),
            kind: kind.into(),
            identity: signal.identity.clone(),
            value: signal.value.map(f64::to_bits),
            threshold: signal.threshold.map(f64::to_bits),
            summary: signal.summary.clone(),
            details: signal.details.clone(),
            evidence: signal.evidence.as_ref().map(|evidence: &Evidence| format!("{evidence:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_reads_back_as_the_same_bits() {
        let columns = vec![
            Column {
                field: "w".into(),
                is_mapped: true,
                values: Values::Words(Dictionary {
                    codes: vec![0, 1, 0],
                    ends: vec![3, 5],
                    bytes: "aäbc".into(),
                }),
                present: vec![0b101],
                offsets: vec![],
            },
            Column {
                field: "n".into(),
                is_mapped: true,
                values: Values::Numbers(vec![0.1 + 0.2, f64::NAN, -0.0]),
                present: vec![],
                offsets: vec![0, 1, 2, 3],
            },
            Column {
                field: "i".into(),
                is_mapped: false,
                values: Values::Integers(vec![i64::MIN, 0, i64::MAX]),
                present: vec![],
                offsets: vec![],
            },
            Column {
                field: "p".into(),
                is_mapped: true,
                values: Values::Points(Points {
                    latitudes: vec![0.1 + 0.2, -90.0, 0.0],
                    longitudes: vec![180.0, 0.0, -0.0],
                }),
                present: vec![],
                offsets: vec![],
            },
            Column {
                field: "b".into(),
                is_mapped: true,
                values: Values::Booleans(vec![0, 1, 1]),
                present: vec![],
                offsets: vec![],
            },
        ];
        let page = Page { round: 1, question: 2, rows: Rows { times: vec![1, 2, 3], columns } };
        let form = PageForm::of(&page).unwrap();
        let text = serde_json::to_string(&form).unwrap();
        let back: PageForm = serde_json::from_str(&text).unwrap();
        assert_eq!(back, form);
        // NaN does not equal itself; its bits do.
        assert_eq!(format!("{:?}", back.rows()), format!("{:?}", page.rows));
    }
}
