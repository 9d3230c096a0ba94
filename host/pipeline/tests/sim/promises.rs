use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Cause, Duration, Intent, Severity, Timestamp};
use watchbell_pipeline::active::Outside;
use watchbell_pipeline::record::{Delivery, EpisodeRecord, GapReason, Overflow, Phase};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_pipeline::{CANNOT_RUN_LABEL, OVERFLOW_LABEL};

use crate::shell::{END, Sim};
use crate::world::{self, LATE_MAX, START};

/// A late document may come before the first signal of the level that it extends: by what it is late, and a step.
const LATER_MAX: i64 = LATE_MAX + 60_000;

impl Sim {
    pub(crate) fn check_end(&self) {
        let judged = |rule: &str, at: i64| {
            let name = RuleName(rule.into());
            self.store.first[&name] <= at && at < self.store.rules[&name].cursor.0
        };
        let in_gap = |rule: &str, at: i64| {
            self.store.gaps.iter().any(|gap| {
                // A document that came after the rule was switched off may lie before the span that is left out.
                let late = if gap.reason == GapReason::Disabled { LATE_MAX } else { 0 };
                gap.rule.0 == rule && gap.over.start.0 - late <= at && at < gap.over.end.0
            })
        };
        for name in world::RULES {
            let cursor = self.store.rules[&RuleName(name.into())].cursor;
            let behind = if name == "zoned" { 620_000 } else { 200_000 };
            assert!(cursor.0 > END - behind, "{name} fell behind: {cursor:?}");
        }
        for rule in world::EVENTS {
            for document in &self.world.documents {
                let summary = format!("document {}", document.id);
                let about = |intent: &&Intent| intent.rule == rule && intent.summary == summary;
                let ids: BTreeSet<&str> = self
                    .received
                    .iter()
                    .map(|(intent, _)| intent)
                    .filter(about)
                    .map(|intent| intent.id.as_str())
                    .collect();
                let place = format!("{rule}: document {} at {}", document.id, document.at - START);
                // What was announced before a late document spoilt its slice stays announced.
                let nobody_knew = rule == "switched" && self.store.of_nobody.contains(&summary);
                if in_gap(rule, document.at) || nobody_knew {
                    assert!(ids.len() <= 1, "{place} was notified {} times", ids.len());
                } else {
                    assert_eq!(ids.len(), usize::from(judged(rule, document.at)), "{place}");
                }
            }
        }
        for gap in &self.store.gaps {
            if gap.reason == GapReason::Disabled {
                assert!(world::SWITCHED.contains(&gap.rule.0.as_str()), "never off: {gap:?}");
                continue;
            }
            let inside = || self.world.documents.iter().filter(|d| gap.over.contains(Timestamp(d.at)));
            assert!(
                inside().any(|d| d.poison) || inside().count() > world::ROWS_MAX,
                "a gap without a cause: {gap:?}"
            );
            assert_eq!(gap.over.end.since(gap.over.start), Duration::from_mins(1), "the smallest slice");
        }
        for gap in &self.store.first_gaps {
            let notified = self.received.iter().any(|(intent, _)| {
                intent.at == gap.over.start && intent.summary.contains(gap.message.as_str())
            });
            assert!(notified, "nobody was notified of {gap:?}");
        }
        // One message for all gaps between two runs that committed, however often the host started over in between.
        for (intent, _) in
            self.received.iter().filter(|(it, _)| it.summary.starts_with("evaluation failed from"))
        {
            let first = self.store.first_gaps.iter().any(|gap| gap.over.start == intent.at);
            assert!(first, "notified of a gap after the first: {intent:?}");
        }
        self.check_episodes();
        for (partition, number) in self.store.transitions.keys() {
            let decided = self.store.positions.get(partition).copied().unwrap_or(0);
            assert!(*number <= decided, "nobody decided transition {number} of {partition:?}");
        }
        // What was merged is delivered if what it was merged into is.
        let is_told = |delivery: &Delivery| match delivery {
            Delivery::Delivered { .. } => true,
            Delivery::Merged { into, .. } => self.store.intents.contains_key(into),
            Delivery::Owed { .. } | Delivery::Claimed { .. } | Delivery::Dead { .. } => false,
        };
        let owed = self.store.intents.values().filter(|intent| !is_told(&intent.delivery)).count();
        assert_eq!(owed, 0, "everything is delivered in the end");
        let (from, _) = world::read(
            &self.store.rules[&RuleName("counting".into())].state.as_ref().expect("primed").bytes,
        );
        // A host that is killed before its first commit starts over.
        let first = self.store.first[&RuleName("counting".into())];
        assert!(from <= first - 45 * 60_000, "history was read before the first window");
    }

    /// Every announced beginning has one announced end, at the same destinations.
    fn check_episodes(&self) {
        assert!(self.store.episodes.values().all(|episode| matches!(episode.phase, Phase::Resolved { .. })));
        let notified = |cause: Cause| -> BTreeSet<(&str, &DestinationName)> {
            let of = |(intent, _): &&(Intent, DestinationName)| intent.cause == cause;
            self.received.iter().filter(of).map(|(intent, to)| (intent.episode.as_str(), to)).collect()
        };
        let began: BTreeSet<_> =
            [Cause::Opened, Cause::Escalated, Cause::Worse].into_iter().flat_map(notified).collect();
        assert_eq!(began, notified(Cause::Resolved));
        assert!(notified(Cause::Was).iter().all(|was| !began.contains(was)));
        // Each document of the level belongs to a span that was announced.
        let spans: Vec<_> =
            self.store.episodes.values().filter(|episode| episode.rule.0 == "level").collect();
        let name = RuleName("level".into());
        for document in &self.world.documents {
            if self.store.first[&name] <= document.at && document.at < self.store.rules[&name].cursor.0 {
                let host = format!("h{}", document.id % 5);
                let held = spans.iter().any(|episode| {
                    episode.labels[0].value.as_deref() == Some(&host)
                        && episode.since.0 - LATER_MAX <= document.at
                        && document.at < episode.until.0
                });
                assert!(held, "document {} opened or extended no episode", document.id);
            }
        }
    }

    /// Each document of `flooding` belongs to an episode of its key, or to one that stands for the keys beyond the limit.
    pub(crate) fn check_flood(&self) {
        let name = RuleName("flooding".into());
        let spans: Vec<_> = self.store.episodes.values().filter(|episode| episode.rule == name).collect();
        for document in &self.world.documents {
            if self.store.first[&name] <= document.at && document.at < self.store.rules[&name].cursor.0 {
                let key = format!("f{}", document.id % world::FLOODING_KEYS);
                let held = spans.iter().any(|episode| {
                    let is_own = episode.labels[0].value.as_deref() == Some(&key);
                    (is_own || episode.labels[0].name == OVERFLOW_LABEL)
                        && episode.since.0 - LATER_MAX <= document.at
                        && document.at < episode.until.0
                });
                assert!(held, "document {} of {key} is in no episode", document.id);
            }
        }
        assert_eq!(self.store.rules[&name].overflow, Overflow::default());
    }

    /// A level that grew says how far, in the end; it is critical if it ever was, and worse to nobody twice.
    pub(crate) fn check_growth(&self) {
        let mut worse: BTreeMap<(&str, &DestinationName), BTreeSet<&str>> = BTreeMap::new();
        for (intent, to) in self.received.iter().filter(|(intent, _)| intent.cause == Cause::Worse) {
            worse.entry((&intent.episode, to)).or_default().insert(&intent.id);
        }
        assert!(worse.values().all(|ids| ids.len() == 1), "worse twice: {worse:?}");
        self.check_early();
        let grows = |episode: &&EpisodeRecord| {
            episode.rule.0 == "growing" && episode.labels[0].name != CANNOT_RUN_LABEL
        };
        for episode in self.store.episodes.values().filter(grows) {
            let host = episode.labels[0].value.as_deref().and_then(|name| name[1..].parse().ok());
            let truth = self.world.growth(host.expect("a number"), |_| true);
            let (since, last) = (episode.since.0, episode.last.at.0);
            let said = truth.iter().find(|(at, ..)| *at == last).map(|(_, _, value, _)| *value);
            assert_eq!(episode.last.value, said, "the newest value of {episode:?}");
            let peak = |from: i64| {
                let within = truth.iter().filter(|(at, ..)| from <= *at && *at <= last);
                within.map(|(_, _, value, _)| *value).fold(0.0, f64::max)
            };
            let critical = episode.severity == Severity::Critical;
            assert!(critical || peak(since) < world::CRITICAL, "it was critical: {episode:?}");
            // A late document before the first signal counts as well.
            assert!(
                !critical || peak(since - 240_000) >= world::CRITICAL,
                "it never was critical: {episode:?}"
            );
        }
    }

    /// In an edition with one step for `mail`, which asks for critical, it fires once: at its time or early.
    fn check_early(&self) {
        const EDITION: usize = 4;
        for episode in self.store.episodes.values().filter(|episode| episode.rule.0 == "growing") {
            // A rule that cannot run is told by its first step.
            if episode.labels[0].name == CANNOT_RUN_LABEL {
                continue;
            }
            let Phase::Resolved { at, .. } = episode.phase else { continue };
            let (before, later): (Vec<_>, Vec<_>) =
                self.bundles.iter().partition(|(since, _)| *since <= episode.opened_at.0);
            let is_edited = later.iter().any(|(since, _)| *since <= at.0);
            if is_edited || before.last().is_none_or(|(_, bundle)| bundle.edition != EDITION) {
                continue;
            }
            let begins = [Cause::Opened, Cause::Escalated, Cause::Worse];
            let to_mail = self.received.iter().filter(|(intent, to)| {
                intent.episode == episode.id.0 && to.0 == "mail" && begins.contains(&intent.cause)
            });
            let ids: BTreeSet<&str> = to_mail.map(|(intent, _)| intent.id.as_str()).collect();
            assert!(ids.len() <= 1, "mail's one step fired {} times: {episode:?}", ids.len());
        }
    }

    /// Nothing begins outside the hours of `active`, and what they put off is sent once they come.
    pub(crate) fn check_hours(&self) {
        let hours = world::hours(Outside::Skip);
        for document in &self.world.documents {
            let line = format!("document {}", document.id);
            let is_inside = hours.holds(Timestamp(document.at));
            for rule in ["daytime", "office"] {
                let name = RuleName(rule.into());
                let (from, to) = (self.store.first[&name], self.store.rules[&name].cursor.0);
                let of_rule = || self.received.iter().map(|(intent, _)| intent).filter(|it| it.rule == rule);
                let alone: BTreeSet<&str> =
                    of_rule().filter(|it| it.summary == line).map(|it| it.id.as_str()).collect();
                let listed: BTreeSet<&str> = of_rule()
                    .filter(|it| it.body.lines().any(|entry| entry.ends_with(&format!(" {line}"))))
                    .map(|it| it.id.as_str())
                    .collect();
                let is_judged = from <= document.at && document.at < to;
                let sent = (alone.len(), listed.len());
                let place = format!("{rule}: {line} at {}, sent {sent:?}", document.at - START);
                match (is_judged, is_inside, rule) {
                    (true, true, _) => assert_eq!(sent, (1, 0), "{place}"),
                    // The first of a list is its summary.
                    (true, false, "office") => assert_eq!(sent.0 + sent.1, 1, "{place}"),
                    _ => assert_eq!(sent, (0, 0), "{place}"),
                }
            }
        }
        let shifts = |episode: &&EpisodeRecord| {
            episode.rule.0 == "shift" && episode.labels[0].name != CANNOT_RUN_LABEL
        };
        for episode in self.store.episodes.values().filter(shifts) {
            let begins = hours.next_from(episode.since).is_some_and(|begins| begins <= episode.until);
            assert_eq!(!episode.notified.is_empty(), begins, "{episode:?}");
        }
    }
}
