//! What a rule is, once manifest, environment and module agree.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use watchbell_pipeline::spec::RuleSpec;

use crate::environment::Environment;
use crate::modules::ModuleRef;
use crate::report::Diagnostic;
use crate::rule_limits::RuleLimits;
use crate::shown::{Fields, Shown};

/// The manifests, environment and modules in force together.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// SHA-256 in hex over everything that the bundle says; comments and file names are no part of it.
    pub digest: String,
    pub environment: Environment,
    /// Ordered by name.
    pub rules: Vec<BoundRule>,
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
    /// What its texts show of details and documents.
    pub shown: Vec<Shown>,
    /// What its signals tell as `details`; `None`: its module does not say.
    pub details: Option<Fields>,
    pub target: TargetSpec,
    /// The manifest's over the environment's; `None` leaves the host's own default.
    pub limits: RuleLimits,
    pub description: Option<String>,
    /// Name to address, for texts and people.
    pub links: BTreeMap<String, String>,
    pub source: PathBuf,
    /// The manifest as it is in force: overrides and tokens applied, defaults written out.
    pub effective: Value,
}

/// What a rule asks.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSpec {
    /// A key of `Environment::clusters`.
    pub cluster: String,
    /// Never empty; every one lies within the cluster's allowance.
    pub indices: Vec<String>,
    pub time_field: String,
    /// Query DSL.
    pub filter: Option<Value>,
    /// Missing indices are no fault.
    pub ignore_unavailable: bool,
}

impl Bundle {
    pub fn rule(&self, name: &str) -> Option<&BoundRule> {
        self.rules.iter().find(|rule| rule.spec.name.0 == name)
    }

    /// What the outbox needs to know of every destination.
    pub fn outbox(&self) -> Vec<watchbell_pipeline::spec::DestinationSpec> {
        self.environment.destinations.values().map(|destination| destination.outbox.clone()).collect()
    }
}
