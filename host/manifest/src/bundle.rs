//! A rule, after manifest, environment and module have been checked against each other.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use watchbell_confine::Scope;
use watchbell_contract::{Context, Duration};
use watchbell_pipeline::spec::{RuleSpec, Schedule};
use watchbell_text::Macros;

use crate::environment::Environment;
use crate::modules::ModuleRef;
use crate::report::{Diagnostic, TextPlace};
use crate::rule_limits::RuleLimits;
use crate::shown::{Fields, Shown};

/// The manifests, environment and modules that are in force together.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// SHA-256 in hex over the bundle's content; comments and file names are not included.
    pub digest: String,
    pub environment: Environment,
    /// Ordered by name.
    pub rules: Vec<BoundRule>,
    /// The files of macros that the rules' texts import.
    pub macros: Macros,
    pub warnings: Vec<Diagnostic>,
}

/// A rule, ready to run.
#[derive(Clone, Debug)]
pub struct BoundRule {
    pub spec: RuleSpec,
    pub module: ModuleRef,
    /// SHA-256 in hex of the module.
    pub module_digest: String,
    /// Valid by the module's schema and accepted by its `prepare`.
    pub params: Value,
    /// Where its own title and body are written; `None` for the host's.
    pub title_place: Option<TextPlace>,
    pub body_place: Option<TextPlace>,
    /// What its texts show of details and documents.
    pub shown: Vec<Shown>,
    /// The `details` of its signals; `None` if its module does not list them.
    pub details: Option<Fields>,
    pub target: TargetSpec,
    /// The manifest's limits merged over the environment's; `None` leaves the host's default.
    pub limits: RuleLimits,
    pub description: Option<String>,
    /// URLs by name, for texts and for people.
    pub links: BTreeMap<String, String>,
    pub source: PathBuf,
    /// The effective manifest: overrides and tokens applied, defaults filled in.
    pub effective: Value,
}

impl BoundRule {
    /// What its module knows of the manifest besides the parameters.
    pub fn context(&self) -> Context {
        context(&self.spec.key, &self.spec.schedule, self.spec.lateness, &self.target.indices)
    }
}

pub(crate) fn context(
    key: &[String],
    schedule: &Schedule,
    lateness: Duration,
    indices: &[String],
) -> Context {
    let every = match schedule {
        Schedule::Every(every) => Some(*every),
        Schedule::Cron { .. } => None,
    };
    Context { key: key.to_vec(), every, lateness, indices: indices.to_vec() }
}

/// What a rule queries.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSpec {
    /// A key of `Environment::clusters`.
    pub cluster: String,
    /// Never empty; the cluster allows each of them.
    pub indices: Vec<String>,
    pub time_field: String,
    /// Query DSL.
    pub filter: Option<Value>,
    /// Whether missing indices are ignored.
    pub ignore_unavailable: bool,
    /// What the environment allows on the cluster.
    pub scope: Scope,
}

impl Bundle {
    pub fn rule(&self, name: &str) -> Option<&BoundRule> {
        self.rules.iter().find(|rule| rule.spec.name.0 == name)
    }

    /// What the outbox needs to know about each destination.
    pub fn outbox(&self) -> Vec<watchbell_pipeline::spec::DestinationSpec> {
        self.environment.destinations.values().map(|destination| destination.outbox.clone()).collect()
    }
}
