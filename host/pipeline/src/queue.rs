//! Which rule runs next: per cluster the rule that has waited longest, and clusters in turn, so that neither a slow
//! rule nor a slow cluster delays the rest. A rule waits at most once, so it runs at most once.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use watchbell_contract::Timestamp;

use crate::spec::RuleName;

/// The line in which a rule waits or runs. Runs of one line take no slots from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Line {
    Cluster(String),
    /// Priming runs of this cluster.
    Priming(String),
}

/// How long a rule's last run took. Slow rules leave one slot of their line to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Quick,
    Slow,
}

/// A run's slot in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) line: Line,
    pace: Pace,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    lines: BTreeMap<Line, Waiting>,
    places: BTreeMap<RuleName, (Line, Pace, Timestamp)>,
    /// The line served last.
    last: Option<Line>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the instant when each is ready.
    quick: BTreeSet<(Timestamp, RuleName)>,
    slow: BTreeSet<(Timestamp, RuleName)>,
    running: usize,
    running_slow: usize,
}

impl Queue {
    /// Queues `rule` in `line` from `ready` on, and removes it from any other line.
    pub(crate) fn put(&mut self, rule: &RuleName, line: Line, pace: Pace, ready: Timestamp) {
        self.remove(rule);
        self.lines.entry(line.clone()).or_default().of(pace).insert((ready, rule.clone()));
        self.places.insert(rule.clone(), (line, pace, ready));
    }

    pub(crate) fn remove(&mut self, rule: &RuleName) {
        if let Some((line, pace, ready)) = self.places.remove(rule)
            && let Some(waiting) = self.lines.get_mut(&line)
        {
            waiting.of(pace).remove(&(ready, rule.clone()));
        }
    }

    /// Takes the next rule that is ready and has a free slot; `room` says how many runs a line may have at once.
    pub(crate) fn next(&mut self, now: Timestamp, room: impl Fn(&Line) -> usize) -> Option<(RuleName, Slot)> {
        let after = self.last.clone().map_or(Unbounded, Excluded);
        let until = self.last.clone().map_or(Unbounded, Included);
        let rest = self.last.is_some().then(|| self.lines.range((Unbounded, until)));
        let (line, pace) = self.lines.range((after, Unbounded)).chain(rest.into_iter().flatten()).find_map(
            |(line, waiting)| {
                let (ready, pace) = waiting.first(room(line))?;
                (ready <= now).then(|| (line.clone(), pace))
            },
        )?;
        let waiting = self.lines.get_mut(&line)?;
        let (_, rule) = waiting.of(pace).pop_first()?;
        waiting.running += 1;
        waiting.running_slow += usize::from(pace == Pace::Slow);
        self.places.remove(&rule);
        self.last = Some(line.clone());
        Some((rule, Slot { line, pace }))
    }

    /// The run that held `slot` has ended.
    pub(crate) fn ended(&mut self, slot: &Slot) {
        if let Some(waiting) = self.lines.get_mut(&slot.line) {
            waiting.running = waiting.running.saturating_sub(1);
            waiting.running_slow = waiting.running_slow.saturating_sub(usize::from(slot.pace == Pace::Slow));
        }
    }

    /// When the next rule becomes ready for which there is a free slot now.
    pub(crate) fn wakeup(&self, room: impl Fn(&Line) -> usize) -> Option<Timestamp> {
        let first = self.lines.iter().filter_map(|(line, waiting)| waiting.first(room(line)));
        first.map(|(ready, _)| ready).min()
    }

    /// When `rule` is ready, if it is waiting.
    pub(crate) fn ready_at(&self, rule: &RuleName) -> Option<Timestamp> {
        self.places.get(rule).map(|(_, _, ready)| *ready)
    }
}

impl Waiting {
    fn of(&mut self, pace: Pace) -> &mut BTreeSet<(Timestamp, RuleName)> {
        match pace {
            Pace::Quick => &mut self.quick,
            Pace::Slow => &mut self.slow,
        }
    }

    /// The next to be served, of those that are allowed to run.
    fn first(&self, room: usize) -> Option<(Timestamp, Pace)> {
        if self.running >= room {
            return None;
        }
        let quick = self.quick.first().map(|(ready, name)| (*ready, name, Pace::Quick));
        // Slow rules leave one slot free; a line with only one slot has none to spare.
        let spare = room == 1 || self.running_slow + 1 < room;
        let slow = self.slow.first().filter(|_| spare).map(|(ready, name)| (*ready, name, Pace::Slow));
        let first = [quick, slow].into_iter().flatten().min_by_key(|(ready, name, _)| (*ready, *name))?;
        Some((first.0, first.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str) -> Line {
        Line::Cluster(name.into())
    }

    fn queue(rules: &[(&str, Line, Pace, i64)]) -> Queue {
        let mut queue = Queue::default();
        for (name, line, pace, ready) in rules {
            queue.put(&RuleName((*name).into()), line.clone(), *pace, Timestamp(*ready));
        }
        queue
    }

    fn served(queue: &mut Queue, room: usize) -> Vec<String> {
        std::iter::from_fn(|| queue.next(Timestamp(100), |_| room)).map(|(rule, _)| rule.0).collect()
    }

    #[test]
    fn who_has_waited_longest_is_first_and_clusters_take_turns() {
        let mut queue = queue(&[
            ("a", cluster("x"), Pace::Quick, 3),
            ("b", cluster("x"), Pace::Quick, 1),
            ("c", cluster("y"), Pace::Quick, 9),
            ("later", cluster("y"), Pace::Quick, 101),
        ]);
        assert_eq!(served(&mut queue, 9), ["b", "c", "a"]);
        assert_eq!(queue.wakeup(|_| 9), Some(Timestamp(101)));
    }

    #[test]
    fn a_full_line_delays_no_other_not_even_in_priming() {
        let mut queue = queue(&[
            ("a", Line::Priming("hung".into()), Pace::Quick, 1),
            ("b", Line::Priming("hung".into()), Pace::Quick, 2),
            ("c", Line::Priming("well".into()), Pace::Quick, 3),
            ("d", cluster("hung"), Pace::Quick, 4),
        ]);
        assert_eq!(served(&mut queue, 1), ["d", "a", "c"]);
        assert_eq!(queue.wakeup(|_| 1), None);
    }

    #[test]
    fn slow_rules_leave_a_slot_to_quick_ones() {
        let mut queue = queue(&[
            ("s1", cluster("x"), Pace::Slow, 1),
            ("s2", cluster("x"), Pace::Slow, 2),
            ("s3", cluster("x"), Pace::Slow, 3),
        ]);
        let (first, slot) = queue.next(Timestamp(100), |_| 3).expect("room");
        assert_eq!((first.0.as_str(), served(&mut queue, 3)), ("s1", vec!["s2".to_owned()]));
        queue.put(&RuleName("q".into()), cluster("x"), Pace::Quick, Timestamp(50));
        assert_eq!(served(&mut queue, 3), ["q"]);
        queue.ended(&slot);
        assert_eq!(served(&mut queue, 3), ["s3"]);
    }

    #[test]
    fn a_line_with_one_slot_serves_slow_rules_as_well() {
        let mut queue = queue(&[("s", cluster("x"), Pace::Slow, 1)]);
        assert_eq!(served(&mut queue, 1), ["s"]);
    }
}
