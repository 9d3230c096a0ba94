//! Compares this host's clock with its clusters', because a host that started with a wrong clock cannot detect drift.
use std::collections::BTreeMap;

use tokio::time::Instant;
use watchbell_contract::{Duration, Timestamp};
use watchbell_elastic::{Cause, Cluster, TIME_STEP};
use watchbell_pipeline::health;

use crate::chain;
use crate::clock::{self, Clock, DRIFT_MAX};

/// How long a cluster may take to report its time.
const ANSWER_MAX: std::time::Duration = std::time::Duration::from_secs(5);
/// How often to ask a cluster again, and one that did not answer.
const AGAIN: Duration = Duration::from_mins(1);
const AGAIN_SOON: Duration = Duration::from_secs(5);

/// What a cluster's clock says about this host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Agrees,
    /// This host is ahead of it by this many milliseconds.
    Apart(i64),
    /// It answers, but does not report its time.
    Untold(String),
    /// No answer; a rule would not get one either.
    Silent,
}

/// The clusters' most recent answers.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    host: String,
    /// `None`: not asked yet.
    comparisons: BTreeMap<String, Option<Comparison>>,
    /// The operator chose to accept this host's clock.
    accept: bool,
}

impl Clocks {
    pub(crate) fn new(host: String, accept: bool) -> Self {
        Self { host, comparisons: BTreeMap::new(), accept }
    }

    /// Sets the clusters to compare with from now on.
    pub(crate) fn watch<'a>(&mut self, clusters: impl Iterator<Item = &'a str>) {
        let mut before = std::mem::take(&mut self.comparisons);
        self.comparisons = clusters.map(|name| (name.to_owned(), before.remove(name).flatten())).collect();
    }

    /// Records a cluster's answer, and logs it if it is new.
    pub(crate) fn take(&mut self, cluster: &str, comparison: Comparison) {
        let Some(last) = self.comparisons.get_mut(cluster) else { return };
        // The previous answer still holds.
        if comparison == Comparison::Silent && last.is_some() {
            return;
        }
        let before = last.replace(comparison.clone());
        match (before, comparison) {
            (Some(Comparison::Untold(_)), Comparison::Untold(_))
            | (Some(Comparison::Apart(_)), Comparison::Apart(_)) => {}
            (_, Comparison::Untold(why)) => tracing::warn!(
                cluster,
                "cannot compare this host's clock with the cluster's, so a wrong clock would go unnoticed: {why}"
            ),
            (_, Comparison::Apart(by)) if self.accept => {
                tracing::warn!(cluster, "{}; `--accept-clock` lets rules run", self.apart(cluster, by));
            }
            (_, Comparison::Apart(by)) => tracing::error!(cluster, "{}", self.apart(cluster, by)),
            (Some(Comparison::Apart(_)), Comparison::Agrees) => {
                tracing::info!(cluster, "the clocks of this host and of the cluster agree again");
            }
            _ => {}
        }
    }

    /// Whether every cluster was asked once and this host's clock is not the wrong one. Until then the host owns
    /// nothing.
    pub(crate) fn let_begin(&self) -> bool {
        self.accept || self.comparisons.values().all(Option::is_some) && !self.is_host_wrong()
    }

    /// Whether rules that query `cluster` must wait.
    pub(crate) fn holds(&self, cluster: &str) -> bool {
        let comparison = self.comparisons.get(cluster);
        !self.accept
            && (self.is_host_wrong() || matches!(comparison, Some(None | Some(Comparison::Apart(_)))))
    }

    /// Why evaluation is stopped, for `/readyz`.
    pub(crate) fn causes(&self) -> Vec<health::HealthCause> {
        let apart = |(cluster, comparison): (&String, &Option<Comparison>)| match comparison {
            Some(Comparison::Apart(by)) if !self.accept => Some(self.apart(cluster, *by)),
            None if !self.accept => Some(format!("cluster `{cluster}` has not reported its time yet")),
            _ => None,
        };
        let cause = |of: (&String, &Option<Comparison>)| {
            let cause = health::HealthCause::new(health::CauseKind::ClockApart, apart(of)?);
            Some(health::HealthCause { cluster: Some(of.0.clone()), ..cause })
        };
        self.comparisons.iter().filter_map(cause).collect()
    }

    /// At least one cluster disagrees with this host, and none agrees.
    fn is_host_wrong(&self) -> bool {
        let says = |what: fn(&Comparison) -> bool| self.comparisons.values().flatten().any(what);
        says(|comparison| matches!(comparison, Comparison::Apart(_)))
            && !says(|comparison| *comparison == Comparison::Agrees)
    }

    fn apart(&self, cluster: &str, by: i64) -> String {
        let span = Duration(by.unsigned_abs() / 1_000 * 1_000);
        let way = if by > 0 { "ahead of" } else { "behind" };
        format!(
            "the clock of host `{}` is {span} {way} that of cluster `{cluster}`: no window starts; set the clock and \
             restart the host, or start it with `--accept-clock` if the cluster is wrong",
            self.host
        )
    }
}

/// How long to wait before asking a cluster that gave this answer again.
pub(crate) fn again(comparison: &Comparison) -> Duration {
    if *comparison == Comparison::Silent { AGAIN_SOON } else { AGAIN }
}

/// Asks `cluster` for its time.
pub(crate) async fn compare(cluster: &Cluster, clock: &Clock) -> Comparison {
    let sent = clock.now();
    let answer = cluster.time(Instant::from_std(clock::monotonic() + ANSWER_MAX)).await;
    let got = clock.now();
    match answer {
        Ok(server) => judge(sent, server, got),
        Err(error) => match error.cause {
            Cause::Denied { .. }
            | Cause::Refused { .. }
            | Cause::Malformed { .. }
            | Cause::NotJson { .. } => Comparison::Untold(chain(&error)),
            _ => Comparison::Silent,
        },
    }
}

/// The server's second is compared with the midpoint between request and response. A difference within the network time
/// and the rounding of seconds does not count.
fn judge(sent: Timestamp, server: Timestamp, got: Timestamp) -> Comparison {
    let half = |span: Duration| Duration(span.0 / 2);
    let here = sent + half(got.since(sent));
    let there = server + half(TIME_STEP);
    let by = here.0.saturating_sub(there.0);
    let unknown = half(got.since(sent)) + half(TIME_STEP);
    if Duration(by.unsigned_abs()) > DRIFT_MAX + unknown { Comparison::Apart(by) } else { Comparison::Agrees }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_clock_is_wrong_by_what_way_and_second_do_not_explain() {
        let second = Duration::from_secs(1);
        let judged = |server: Timestamp, way: Duration| judge(NOW, server, NOW + way);
        assert_eq!(judged(NOW, Duration(20)), Comparison::Agrees);
        assert_eq!(judged(NOW + second.saturating_mul(5), Duration(20)), Comparison::Agrees);
        assert_eq!(judged(NOW + second.saturating_mul(7), Duration(20)), Comparison::Apart(-7_490));
        assert_eq!(judged(NOW - second.saturating_mul(7), Duration(20)), Comparison::Apart(6_510));
        // A slow answer is less precise.
        assert_eq!(judged(NOW - second.saturating_mul(6), second.saturating_mul(4)), Comparison::Agrees);
        let hour = Duration::from_hours(1);
        assert!(matches!(judged(NOW - hour, second), Comparison::Apart(by) if by > 3_590_000));
        assert!(matches!(judged(NOW + hour, second), Comparison::Apart(by) if by < -3_590_000));
    }

    fn clocks(accept: bool, comparisons: &[(&str, Comparison)]) -> Clocks {
        let mut clocks = Clocks::new("h-1".into(), accept);
        clocks.watch(["a", "b"].into_iter());
        comparisons.iter().for_each(|(cluster, comparison)| clocks.take(cluster, comparison.clone()));
        clocks
    }

    #[test]
    fn a_host_that_no_cluster_agrees_with_owns_nothing() {
        let ahead = clocks(false, &[("a", Comparison::Apart(3_600_000)), ("b", Comparison::Silent)]);
        assert!(!ahead.let_begin() && ahead.holds("a") && ahead.holds("b"));
        let why: Vec<String> = ahead.causes().into_iter().map(|cause| cause.message).collect();
        assert!(
            why.len() == 1 && why[0].contains("host `h-1` is 1h ahead of that of cluster `a`"),
            "{why:?}"
        );
        let accepted = clocks(true, &[("a", Comparison::Apart(3_600_000))]);
        assert!(accepted.let_begin() && !accepted.holds("a") && accepted.causes().is_empty());
    }

    #[test]
    fn a_cluster_that_stands_alone_holds_its_own_rules() {
        let clocks = clocks(false, &[("a", Comparison::Apart(-60_000)), ("b", Comparison::Agrees)]);
        assert!(clocks.let_begin() && clocks.holds("a") && !clocks.holds("b"));
        assert!(clocks.causes()[0].message.contains("is 1m behind that of cluster `a`"));
    }

    #[test]
    fn what_cannot_be_compared_holds_nothing_once_it_was_asked() {
        let mut clocks = clocks(false, &[("a", Comparison::Untold("access denied (403)".into()))]);
        assert!(!clocks.let_begin() && clocks.holds("b"), "not asked yet");
        let [cause] = &clocks.causes()[..] else { panic!("{:?}", clocks.causes()) };
        assert_eq!(cause.message, "cluster `b` has not reported its time yet");
        assert_eq!(cause.cluster.as_deref(), Some("b"));
        clocks.take("b", Comparison::Silent);
        assert!(clocks.let_begin() && !clocks.holds("a") && !clocks.holds("b") && clocks.causes().is_empty());
        clocks.take("b", Comparison::Apart(9_000));
        clocks.take("b", Comparison::Silent);
        assert!(clocks.holds("b"), "silence takes nothing back");
        clocks.take("b", Comparison::Agrees);
        clocks.watch(["b"].into_iter());
        clocks.take("a", Comparison::Apart(1_000_000));
        assert!(clocks.let_begin(), "a cluster that is no longer asked");
    }
}
