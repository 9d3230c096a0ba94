//! Whose turn it is: per cluster the rule that has waited longest, clusters in turn, so that neither a slow rule
//! nor a slow cluster holds up the rest. A rule waits at most once, so it runs at most once.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use watchbell_contract::Timestamp;

use crate::spec::RuleName;

/// Where a rule waits or runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Line {
    Cluster(String),
    Priming,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Over all clusters.
    pub(crate) live: usize,
    pub(crate) priming: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    lines: BTreeMap<Line, Waiting>,
    places: BTreeMap<RuleName, (Line, Timestamp)>,
    /// The line served last.
    last: Option<Line>,
    live: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the instant from which each is ready.
    rules: BTreeSet<(Timestamp, RuleName)>,
    running: usize,
}

impl Queue {
    /// Lets `rule` wait in `line` until `ready`, and nowhere else.
    pub(crate) fn put(&mut self, rule: &RuleName, line: Line, ready: Timestamp) {
        self.remove(rule);
        self.lines.entry(line.clone()).or_default().rules.insert((ready, rule.clone()));
        self.places.insert(rule.clone(), (line, ready));
    }

    pub(crate) fn remove(&mut self, rule: &RuleName) {
        if let Some((line, ready)) = self.places.remove(rule)
            && let Some(waiting) = self.lines.get_mut(&line)
        {
            waiting.rules.remove(&(ready, rule.clone()));
        }
    }

    /// Takes the next rule that is ready and for which there is room; `concurrency` is a cluster's.
    pub(crate) fn next(
        &mut self,
        now: Timestamp,
        limits: Limits,
        concurrency: impl Fn(&str) -> usize,
    ) -> Option<(RuleName, Line)> {
        let after = self.last.clone().map_or(Unbounded, Excluded);
        let until = self.last.clone().map_or(Unbounded, std::ops::Bound::Included);
        let rest = if self.last.is_some() { Some(self.lines.range((Unbounded, until))) } else { None };
        let line = self
            .lines
            .range((after, Unbounded))
            .chain(rest.into_iter().flatten())
            .find(|(line, waiting)| {
                let ready = waiting.rules.first().is_some_and(|(ready, _)| *ready <= now);
                ready && self.has_room(line, waiting, limits, &concurrency)
            })
            .map(|(line, _)| line.clone())?;
        let waiting = self.lines.get_mut(&line)?;
        let (_, rule) = waiting.rules.pop_first()?;
        waiting.running += 1;
        self.places.remove(&rule);
        if line != Line::Priming {
            self.live += 1;
        }
        self.last = Some(line.clone());
        Some((rule, line))
    }

    /// A run of `line` has ended.
    pub(crate) fn ended(&mut self, line: &Line) {
        if let Some(waiting) = self.lines.get_mut(line) {
            waiting.running = waiting.running.saturating_sub(1);
            if *line != Line::Priming {
                self.live = self.live.saturating_sub(1);
            }
        }
    }

    /// When the next rule becomes ready for which there is room now.
    pub(crate) fn wakeup(&self, limits: Limits, concurrency: impl Fn(&str) -> usize) -> Option<Timestamp> {
        self.lines
            .iter()
            .filter(|(line, waiting)| self.has_room(line, waiting, limits, &concurrency))
            .filter_map(|(_, waiting)| waiting.rules.first().map(|(ready, _)| *ready))
            .min()
    }

    /// When `rule` is ready, while it waits.
    pub(crate) fn ready_at(&self, rule: &RuleName) -> Option<Timestamp> {
        self.places.get(rule).map(|(_, ready)| *ready)
    }

    fn has_room(
        &self,
        line: &Line,
        waiting: &Waiting,
        limits: Limits,
        concurrency: &impl Fn(&str) -> usize,
    ) -> bool {
        match line {
            Line::Cluster(cluster) => self.live < limits.live && waiting.running < concurrency(cluster),
            Line::Priming => waiting.running < limits.priming,
        }
    }
}

#[cfg(test)]
mod tests {}
