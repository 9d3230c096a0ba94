//! The outcome of a test.
use std::path::PathBuf;

use serde_json::{Value, json};
use watchbell_contract::{Duration, Intent};
use watchbell_manifest::Test;
use watchbell_outside as outside;
use watchbell_sdk::testing::flow;

use super::compare::{Discrepancy, Observed};

#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) file: PathBuf,
    pub(crate) line: u32,
    pub(crate) rule: String,
    pub(crate) name: String,
    pub(crate) environment: String,
    pub(crate) claim: Claim,
    /// Wall-clock time.
    pub(crate) took: Duration,
    pub(crate) verdict: Verdict,
    /// The trace, as lines.
    pub(crate) trace: Vec<String>,
    /// Fields that the rule uses and no document of the test has, each as a sentence.
    pub(crate) warnings: Vec<String>,
    /// The first message to each destination, as its alerter would have received it.
    pub(crate) messages: Vec<Intent>,
    /// Observations per point, by line of the test file; for `--bless`.
    pub(crate) points: Vec<(u32, Observed)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Passed,
    Differs(Vec<Discrepancy>),
    /// It could not run, and why.
    Broken(String),
}

/// What a test claims about its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// That it fires.
    Fires,
    /// That it stays quiet, despite documents.
    Quiet,
    /// Neither: it expects no signals or messages, or nothing happens.
    Neither,
}

impl Claim {
    pub(crate) fn of(test: &Test) -> Self {
        let lists =
            || test.expect.iter().flat_map(|point| [&point.signals, &point.episodes, &point.deliveries]);
        let has_some = lists().any(|list| list.as_ref().is_some_and(|list| !list.is_empty()));
        let says_none = test.quiet
            || lists().any(|list| list.as_ref().is_some_and(Vec::is_empty))
            || !test.never.signals.is_empty()
            || !test.never.deliveries.is_empty();
        match (has_some, says_none) {
            (true, _) => Self::Fires,
            (false, true) if !test.documents.is_empty() => Self::Quiet,
            _ => Self::Neither,
        }
    }
}

impl Outcome {
    pub(crate) fn is_passed(&self) -> bool {
        matches!(self.verdict, Verdict::Passed)
    }

    /// `file:line`, as editors open it.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }

    /// A failure for people: the expected with `-`, the observed with `+`, then the trace.
    pub(crate) fn differences(&self) -> String {
        let mut text = String::new();
        match &self.verdict {
            Verdict::Passed => return text,
            Verdict::Broken(why) => text.push_str(&format!("  {why}\n")),
            Verdict::Differs(discrepancies) => {
                for one in discrepancies {
                    text.push_str(&format!("  at {} (line {}): {}\n", one.at, one.line, one.what.as_str()));
                    text.push_str(&diff(one));
                }
            }
        }
        if !self.trace.is_empty() {
            text.push_str("  what happened:\n");
            for line in &self.trace {
                // Documents have a say in it.
                text.push_str(&format!("  {}\n", outside::line(line)));
            }
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let differences = match &self.verdict {
            Verdict::Differs(discrepancies) => discrepancies
                .iter()
                .map(|one| {
                    json!({
                        "line": one.line, "at": one.at, "what": one.what.as_str(), "wanted": one.wanted,
                        "seen": one.seen,
                    })
                })
                .collect(),
            _ => Vec::new(),
        };
        let error = match &self.verdict {
            Verdict::Broken(why) => Some(why),
            _ => None,
        };
        json!({
            "file": self.file.display().to_string(), "line": self.line, "rule": self.rule, "name": self.name,
            "environment": self.environment, "passed": self.is_passed(), "took_ms": self.took.millis(),
            "error": error, "differences": differences, "warnings": self.warnings,
            "trace": if self.is_passed() { &[][..] } else { &self.trace[..] },
        })
    }
}

/// Observed entries show only the expected members, so that differences stand out; unexpected entries show all
/// members.
fn diff(one: &Discrepancy) -> String {
    let mut text = String::new();
    for n in 0..one.wanted.len().max(one.seen.len()) {
        let (wanted, seen) = (one.wanted.get(n), one.seen.get(n));
        if let (Some(wanted), Some(seen)) = (wanted, seen) {
            let fits = watchbell_manifest::Wanted(wanted.clone()).fits(seen);
            if fits {
                text.push_str(&format!("      {}\n", flow(&Value::Object(wanted.clone()))));
                continue;
            }
            let asked = wanted.keys().map(|key| (key.clone(), seen.get(key).cloned().unwrap_or_default()));
            text.push_str(&format!("    - {}\n", flow(&Value::Object(wanted.clone()))));
            text.push_str(&format!("    + {}\n", flow(&Value::Object(asked.collect()))));
        } else if let Some(wanted) = wanted {
            text.push_str(&format!("    - {}\n", flow(&Value::Object(wanted.clone()))));
        } else if let Some(seen) = seen {
            text.push_str(&format!("    + {}\n", flow(&Value::Object(seen.clone()))));
        }
    }
    text
}
