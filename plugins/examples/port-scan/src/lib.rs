//! `port-scan`: a source that tries many ports of a destination.
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Fires for a key whose documents name at least `ports` different ports `within` a duration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-watchbell-details" = ["ports", "first"]))]
pub struct PortScan {
    /// The number of different ports.
    ports: NonZeroU32,
    /// The duration.
    within: Duration,
    /// The field with the port.
    #[serde(default = "field")]
    field: String,
}

fn field() -> String {
    "destination.port".into()
}

/// When a key tried each port last. At most 65,536 of them: there are no more.
#[derive(Default, Serialize, Deserialize, Aged)]
pub struct Tried {
    ports: BTreeMap<u16, Timestamp>,
    /// The tenth of `within` in which the level was told last: a scan has thousands of connections.
    told: Option<i64>,
}

#[watchbell_sdk::rule(name = "port-scan", summary = "Fires when a source tries many ports of a destination")]
impl Rule for PortScan {
    type State = KeyMap<Tried>;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if context.key.is_empty() {
            faults.push(Fault::new("", "needs the fields of source and destination as `key`"));
        }
        if self.within.is_zero() {
            faults.push(Fault::new("/within", "must be longer than zero"));
        }
        if faults.is_empty() { Ok(Plan::rows(self.within + self.tenth())) } else { Err(faults) }
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![Question::hits(over).field(&self.field)]
    }

    fn row(&self, row: &Row<'_>, keys: &mut Self::State, out: &mut Signals) {
        let Some(port) = row.integer(&self.field).and_then(|port| u16::try_from(port).ok()) else { return };
        let (at, tried) = (row.time(), keys.entry(row.key()));
        tried.ports.insert(port, at);
        if tried.ports.len() < self.ports.get() as usize {
            return;
        }
        tried.ports.retain(|_, last| at - *last < self.within);
        let (count, least) = (tried.ports.len(), self.ports.get());
        let tenth = Some(watchbell_sdk::cell(at, self.tenth()));
        if count < least as usize || tried.told == tenth {
            return;
        }
        tried.told = tenth;
        let first = tried.ports.values().min().copied().unwrap_or(at);
        let signal = Signal::firing(row.labels(), at)
            .until(at + self.within)
            .value(count as f64)
            .threshold(f64::from(least))
            .summary(format!("{count} ports within {}", self.within))
            .details(&json!({ "ports": count, "first": first.to_string() }))
            .evidence(Evidence::over(Range::new(first, at + Duration::from_millis(1))).newest(10));
        out.push(signal);
    }

    /// Drops ports that no later row can count with.
    fn settle(&self, at: Timestamp, keys: &mut Self::State) {
        keys.retain(|_, tried| {
            tried.ports.retain(|_, last| at - *last < self.within);
            !tried.ports.is_empty()
        });
    }
}

impl PortScan {
    fn tenth(&self) -> Duration {
        self.within / 10
    }
}
