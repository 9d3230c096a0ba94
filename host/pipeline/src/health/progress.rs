use std::collections::BTreeMap;

use watchbell_contract::{Duration, Timestamp};

use crate::partition::RuleStatus;

use super::{CauseKind, DRIFT_MAX, HealthCause, Rules, Vitals, first};

/// A commit that takes longer means that the store hangs.
pub(super) const COMMIT_MAX: Duration = Duration::from_secs(30);
/// How long a run may exceed its own deadline, and how long a due rule may wait while there is capacity.
pub(super) const MARGIN: Duration = Duration::from_secs(30);
/// Well below the engine's own limit on concurrent runs: with fewer than this, a due rule must start.
const RUNS_MAX: usize = 32;

/// When progress was last made.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    commit_since: Option<Timestamp>,
    /// The store responds but refuses commits; restarting the host would not free any disk space.
    refused_since: Option<Timestamp>,
    /// Before this, runs were waiting for the clocks to agree or for a bundle.
    free_since: Timestamp,
}

impl Progress {
    pub fn starting(now: Timestamp) -> Self {
        Self { commit_since: None, refused_since: None, free_since: now }
    }

    pub fn commit_began(&mut self, now: Timestamp) {
        self.commit_since = Some(now);
    }

    /// `written: false` means that the store refused the commit.
    pub fn commit_ended(&mut self, now: Timestamp, written: bool) {
        self.commit_since = None;
        if written {
            self.refused_since = None;
        } else {
            self.refused_since.get_or_insert(now);
        }
    }

    /// The store was found unusable, whether or not anything was to be written.
    pub fn store_lost(&mut self, now: Timestamp) {
        self.refused_since.get_or_insert(now);
    }

    /// The store is usable again.
    pub fn store_restored(&mut self) {
        self.refused_since = None;
    }

    /// From now on, runs may start that could not start before.
    pub fn freed(&mut self, now: Timestamp) {
        self.free_since = now;
    }

    /// Since when the store has refused every commit.
    pub(super) fn refused_since(&self) -> Option<Timestamp> {
        self.refused_since
    }
}

/// What keeps the host from making progress; empty where a restart would not help.
pub fn progress(rules: &Rules, vitals: &Vitals<'_>) -> Vec<HealthCause> {
    let Vitals { progress, now, .. } = *vitals;
    let mut causes = Vec::new();
    if let Some(since) = progress.commit_since.filter(|&since| now.since(since) > COMMIT_MAX) {
        let message = format!("the store has not finished the commit that began at {since}");
        causes.push(HealthCause { since: Some(since), ..HealthCause::new(CauseKind::StoreStalled, message) });
    }
    // While the clocks disagree no run starts, and while the store refuses commits none is committed. Neither is a
    // stall of this host.
    if vitals.drift <= DRIFT_MAX && vitals.apart.is_empty() && progress.refused_since.is_none() {
        let rooms = Rooms::of(rules, vitals.concurrency);
        causes.extend(first(rules.iter().filter_map(|rule| stalled(rule, &rooms, vitals))));
    }
    causes
}

/// A run that exceeds its deadline, or a rule that is due but has not started although its cluster has capacity.
fn stalled(rule: &RuleStatus, rooms: &Rooms<'_>, vitals: &Vitals<'_>) -> Option<HealthCause> {
    let Vitals { progress, now, .. } = *vitals;
    let longest = rule.deadline + MARGIN;
    if let Some(run) = &rule.running {
        let since = run.since.max(progress.free_since);
        let message = format!("a run of rule `{}` has been in progress since {since}", rule.name);
        let is_stalled = now.since(since) > longest;
        return is_stalled.then(|| HealthCause::of_rule(CauseKind::RunStalled, rule, Some(since), message));
    }
    // Only a few rules are primed at once, however long that takes.
    if !rule.enabled || rule.priming.is_some() || !rooms.has_room(&rule.cluster) {
        return None;
    }
    let ended = rule.last_run.as_ref().map(|run| run.ended_at);
    let failed = rule.failure.as_ref().map(|failure| failure.at);
    let due = rule.next_due?;
    // A rule that is catching up was due long before its last run ended.
    let since = [Some(due), ended, failed, Some(progress.free_since)].into_iter().flatten().max()?;
    (now.since(since) > longest).then(|| {
        let message = format!("rule `{}` has been due since {since} and has not started", rule.name);
        HealthCause::of_rule(CauseKind::RuleStalled, rule, Some(since), message)
    })
}

/// The number of runs in progress, counted once for all rules.
struct Rooms<'a> {
    concurrency: &'a BTreeMap<String, usize>,
    running: usize,
    by_cluster: BTreeMap<&'a str, usize>,
}

impl<'a> Rooms<'a> {
    fn of(rules: &'a Rules, concurrency: &'a BTreeMap<String, usize>) -> Self {
        let mut rooms = Self { concurrency, running: 0, by_cluster: BTreeMap::new() };
        for rule in rules.iter().filter(|rule| rule.running.is_some()) {
            rooms.running += 1;
            *rooms.by_cluster.entry(&rule.cluster).or_default() += 1;
        }
        rooms
    }

    fn has_room(&self, cluster: &str) -> bool {
        let here = self.by_cluster.get(cluster).copied().unwrap_or(0);
        here < self.concurrency.get(cluster).copied().unwrap_or(1) && self.running < RUNS_MAX
    }
}
