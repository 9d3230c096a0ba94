//! What the host says of itself, kept beside the loop. The loop hands over what has changed, at most once a second; all
//! else is done here, at whatever size: who asks often does not slow down the rules.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::body::Bytes;
use tokio::sync::{mpsc, watch};
use watchbell_contract::Duration;
use watchbell_pipeline::RuleStatus;
use watchbell_pipeline::health::{self, Vitals};
use watchbell_pipeline::spec::RuleName;

use crate::clock::{self, rfc3339};
use crate::host_state::HostState;
use crate::metrics::Metrics;
use crate::view::{Health, RuleView, View};

/// The loop turns at least once a second; after this long without a turn it is stuck.
const BEAT_MAX: Duration = Duration::from_secs(5);

/// What has changed since the last update, and the host's own state.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// `None`: the rule is no longer part of the bundle.
    pub(crate) rules: Vec<(RuleName, Option<RuleStatus>)>,
    pub(crate) host: HostState,
}

/// One consistent picture of the host. What is rendered of it is rendered once, however often it is asked for.
pub(crate) struct Snapshot {
    host: HostState,
    /// By name.
    rules: Vec<Arc<RuleStatus>>,
    pub(crate) alive: Health,
    pub(crate) ready: Health,
    status: OnceLock<Bytes>,
    metrics: OnceLock<Bytes>,
}

/// The sign that the loop turns.
pub(crate) struct Pulse {
    started: Instant,
    /// Milliseconds since `started`.
    beat: AtomicU64,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { started: clock::monotonic(), beat: AtomicU64::new(0) }
    }

    pub(crate) fn beat(&self) {
        self.beat.store(self.millis(), Ordering::Relaxed);
    }

    /// How long the loop has not turned, if that is too long.
    pub(crate) fn stuck(&self) -> Option<Duration> {
        let since = Duration(self.millis().saturating_sub(self.beat.load(Ordering::Relaxed)));
        (since > BEAT_MAX).then_some(since)
    }

    fn millis(&self) -> u64 {
        Duration::from(self.started.elapsed()).millis()
    }
}

pub(crate) type Published = watch::Receiver<Option<Arc<Snapshot>>>;

/// Starts to follow a loop. Updates go in, snapshots come out; `None` before the first.
pub(crate) fn start() -> (mpsc::UnboundedSender<Update>, Published) {
    let (updates, mut inbox) = mpsc::unbounded_channel();
    let (publish, published) = watch::channel(None);
    tokio::spawn(async move {
        let mut rules = BTreeMap::new();
        while let Some(update) = inbox.recv().await {
            let mut host = apply(&mut rules, update);
            while let Ok(next) = inbox.try_recv() {
                host = apply(&mut rules, next);
            }
            publish.send_replace(Some(Arc::new(Snapshot::new(host, &rules))));
        }
    });
    (updates, published)
}

fn apply(rules: &mut BTreeMap<RuleName, Arc<RuleStatus>>, update: Update) -> HostState {
    for (name, status) in update.rules {
        match status {
            Some(status) => drop(rules.insert(name, Arc::new(status))),
            None => drop(rules.remove(&name)),
        }
    }
    update.host
}

impl Snapshot {
    fn new(host: HostState, rules: &BTreeMap<RuleName, Arc<RuleStatus>>) -> Self {
        let rules: Vec<Arc<RuleStatus>> = rules.values().cloned().collect();
        let vitals = Vitals {
            now: host.at,
            drift: host.drift,
            apart: &host.apart,
            progress: host.progress,
            concurrency: &host.concurrency,
        };
        let alive = Health::of(&health::progress(&rules, &vitals));
        let ready = Health::of(&health::freshness(&rules, &vitals));
        Self { host, rules, alive, ready, status: OnceLock::new(), metrics: OnceLock::new() }
    }

    /// As JSON.
    pub(crate) fn status(&self) -> Bytes {
        // A view of strings and numbers can always be written.
        self.status.get_or_init(|| serde_json::to_vec(&self.view()).unwrap_or_default().into()).clone()
    }

    /// In the text format that Prometheus reads.
    pub(crate) fn metrics(&self, metrics: &Metrics) -> Bytes {
        self.metrics.get_or_init(|| metrics.render(&self.view()).into()).clone()
    }

    pub(crate) fn view(&self) -> View {
        let host = &self.host;
        View {
            environment: host.environment.clone(),
            host: host.name.clone(),
            at: rfc3339(host.at),
            bundle: Some(host.bundle.clone()),
            generation: host.generation,
            alive: self.alive.clone(),
            ready: self.ready.clone(),
            rules: self.rules.iter().map(|status| RuleView::of(status, host.at)).collect(),
            owed: host.owed,
            clock_drift_seconds: host.drift.secs_f64(),
        }
    }
}
