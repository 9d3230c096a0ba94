use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::health::{CauseKind, HealthCause};

use crate::{Health, RuleView, Time, VERSION};

/// What a host is doing: `watchbell status --json` and `GET /status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The version of this document's format.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// The environment that it runs.
    pub environment: String,
    /// The host, or the last one that owned the store; null if there was none.
    pub host: Option<String>,
    /// When this was current. A host's answer is at most a second old.
    pub at: Time,
    /// The digest of the bundle in force; null if there was none.
    pub bundle: Option<String>,
    /// How many bundles were put in force since the host started; 0 if no host responds.
    pub generation: u64,
    /// All rules, by name.
    pub rules: Vec<RuleView>,
    /// Deliveries waiting or in progress.
    pub owed: u64,
    /// How far the wall clock is from the host's time, in seconds; 0 if no host responds.
    pub clock_drift_seconds: f64,
    /// Whether the host makes progress, as reported by `/livez`.
    pub alive: Health,
    /// Whether every rule has been evaluated recently, as reported by `/readyz`.
    pub ready: Health,
}

/// What a store knows about a host.
#[derive(Clone, Debug, Default)]
pub struct StoredHost {
    /// The last one that owned the store.
    pub name: Option<String>,
    /// The digest of the bundle that it ran.
    pub bundle: Option<String>,
    /// Deliveries waiting or in progress.
    pub owed: u64,
}

impl Status {
    /// The status while no host responds.
    pub fn stored(environment: String, host: StoredHost, rules: Vec<RuleView>, at: Timestamp) -> Self {
        let silent =
            Health::of(&[HealthCause::new(CauseKind::Silent, "no host answers; this comes from the store")]);
        Self {
            version: VERSION,
            environment,
            host: host.name,
            at: Time(at),
            bundle: host.bundle,
            generation: 0,
            rules,
            owed: host.owed,
            clock_drift_seconds: 0.0,
            alive: silent.clone(),
            ready: silent,
        }
    }
}
