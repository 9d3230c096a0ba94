use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::health::{self, HealthCause, Progress, Vitals};
use watchbell_pipeline::spec::RuleName;
use watchbell_pipeline::{Reason, RuleStatus};

use crate::{Decision, Explanation, Health, History, RuleView, Source, Status, Time, VERSION};

/// Changes since the last update, and the host's own state.
#[derive(Clone, Debug)]
pub struct Update {
    /// `None`: the rule is no longer part of the bundle.
    pub rules: Vec<(RuleName, Option<RuleStatus>)>,
    /// Why these and other rules are in their current state, as explained by the engine. A rule that is not listed
    /// keeps its reasons.
    pub reasons: Vec<(RuleName, Vec<Reason>)>,
    /// The host itself.
    pub host: HostState,
}

/// The host's own state, as published by its loop.
#[derive(Clone, Debug)]
pub struct HostState {
    /// The host's time.
    pub at: Timestamp,
    /// Its name.
    pub name: String,
    /// The environment that it runs.
    pub environment: String,
    /// The digest of the bundle in force.
    pub bundle: String,
    /// How many bundles were put in force since the host started.
    pub generation: u64,
    /// Deliveries waiting or in progress.
    pub owed: u64,
    /// How far the wall clock is from the host's time.
    pub drift: Duration,
    /// Causes from comparing this host's clock with the clusters', where they stop evaluation.
    pub apart: Vec<HealthCause>,
    /// When progress was last made.
    pub progress: Progress,
    /// Warnings of destinations that fail or have reached their limits.
    pub destinations: Vec<HealthCause>,
    /// Why the store refuses commits, if it does.
    pub store_fault: Option<Arc<str>>,
    /// Maximum concurrent requests per cluster.
    pub concurrency: Arc<BTreeMap<String, usize>>,
}

/// The accumulated content of all updates.
#[derive(Debug, Default)]
pub struct Model {
    rules: BTreeMap<RuleName, Rule>,
    host: Option<HostState>,
}

/// A rule's status, and the reasons for it. An idle rule has one reason; both are shared with every snapshot that
/// contains them.
#[derive(Clone, Debug)]
struct Rule {
    status: Arc<RuleStatus>,
    reasons: Arc<[Reason]>,
}

/// A consistent snapshot of a host.
#[derive(Clone, Debug)]
pub struct Snapshot {
    host: HostState,
    /// By name.
    rules: Vec<Arc<RuleStatus>>,
    /// For each of `rules`.
    reasons: Vec<Arc<[Reason]>>,
    alive: Health,
    ready: Health,
}

impl Model {
    /// Applies changes.
    pub fn apply(&mut self, update: Update) {
        for (name, status) in update.rules {
            let Some(status) = status.map(Arc::new) else {
                self.rules.remove(&name);
                continue;
            };
            match self.rules.get_mut(&name) {
                Some(known) => known.status = status,
                None => drop(self.rules.insert(name, Rule { status, reasons: Arc::new([]) })),
            }
        }
        for (name, reasons) in update.reasons {
            if let Some(known) = self.rules.get_mut(&name) {
                known.reasons = reasons.into();
            }
        }
        self.host = Some(update.host);
    }

    /// The current snapshot; `None` before the first update.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let host = self.host.clone()?;
        let rules: Vec<_> = self.rules.values().map(|rule| Arc::clone(&rule.status)).collect();
        let reasons = self.rules.values().map(|rule| Arc::clone(&rule.reasons)).collect();
        let vitals = Vitals {
            now: host.at,
            drift: host.drift,
            apart: &host.apart,
            progress: host.progress,
            store_fault: host.store_fault.as_deref(),
            concurrency: &host.concurrency,
        };
        let alive = Health::of(&health::progress(&rules, &vitals));
        let warnings = [host.destinations.clone(), health::warnings(&rules)].concat();
        let ready = Health::of(&health::freshness(&rules, &vitals)).warning(&warnings);
        Some(Snapshot { host, rules, reasons, alive, ready })
    }
}

impl Snapshot {
    /// The host itself.
    pub fn host(&self) -> &HostState {
        &self.host
    }

    /// Whether the host makes progress; if not, a restart helps.
    pub fn alive(&self) -> &Health {
        &self.alive
    }

    /// Whether every rule has been evaluated recently.
    pub fn ready(&self) -> &Health {
        &self.ready
    }

    /// All rules.
    pub fn status(&self) -> Status {
        let host = &self.host;
        Status {
            version: VERSION,
            environment: host.environment.clone(),
            host: Some(host.name.clone()),
            at: Time(host.at),
            bundle: Some(host.bundle.clone()),
            generation: host.generation,
            rules: self.rules.iter().map(|status| RuleView::live(status, host.at)).collect(),
            owed: host.owed,
            clock_drift_seconds: host.drift.secs_f64(),
            alive: self.alive.clone(),
            ready: self.ready.clone(),
        }
    }

    /// One rule, with its history; `None` if it is not in the bundle in force.
    pub fn explain(&self, name: &RuleName, history: &History) -> Option<Explanation> {
        let index = self.rules.binary_search_by(|rule| rule.name.cmp(name)).ok()?;
        let (status, host) = (&self.rules[index], &self.host);
        let decisions =
            self.reasons[index].iter().map(|reason| Decision::as_of(host.at, status, reason)).collect();
        let rule = RuleView::live(status, host.at);
        Some(Explanation::of(host.environment.clone(), Source::Host, rule, decisions, history, host.at))
    }
}
