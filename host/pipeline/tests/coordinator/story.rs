//! A random story of one alert: what is found, what people do, what holds it, and when.
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use watchbell_contract::{Duration, Severity, Timestamp};
use watchbell_pipeline::active::{Active, Outside, Written};
use watchbell_pipeline::maintenance::{HoldsSpec, Inhibition, Maintenance, Span};
use watchbell_pipeline::matcher::Matcher;
use watchbell_pipeline::spec::{Comparison, DestinationName, RuleSpec, Step, Worse};

use crate::host::{START, rule};

/// Seconds after the start.
pub(crate) type Second = i64;

/// How long a story is told.
pub(crate) const LENGTH: Second = 4 * 3_600;

#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) steps: Vec<StoryStep>,
    /// In seconds; the last stays.
    pub(crate) repeat: Vec<Second>,
    pub(crate) repeats_max: Option<u32>,
    pub(crate) ack_for: Option<Second>,
    /// The level of the episode that is told: minutes of its beginning, of getting worse, and of its end.
    pub(crate) level: Level,
    /// An episode that mutes it.
    pub(crate) source: Option<Level>,
    /// Maintenance windows: seconds, half-open.
    pub(crate) maintenance: Vec<(Second, Second)>,
    pub(crate) deeds: Vec<(Second, Deed)>,
    /// When the host is killed and another takes over.
    pub(crate) restarts: Vec<Second>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    pub(crate) opens: i64,
    pub(crate) worse: Option<i64>,
    pub(crate) ends: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct StoryStep {
    /// In seconds.
    pub(crate) after: Second,
    pub(crate) to: Vec<&'static str>,
    pub(crate) unless: bool,
    pub(crate) critical: bool,
    /// Minutes of the day (UTC) within which it fires.
    pub(crate) when: Option<(i64, i64)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Acknowledge,
    Unacknowledge,
    Resolve,
    /// For so many seconds from then on.
    Silence(Second),
    /// Ends the silence that was made first among those in force.
    Unsilence,
    Pause(Second),
    Unpause,
}

pub(crate) const DESTINATIONS: [&str; 3] = ["chat", "mail", "sms"];

fn step() -> impl Strategy<Value = StoryStep> {
    let to =
        prop_oneof![Just(vec!["chat"]), Just(vec!["mail"]), Just(vec!["sms"]), Just(vec!["chat", "mail"]),];
    // The start lies at 22:13 UTC.
    let when = prop_oneof![
        4 => Just(None),
        1 => (0..24_i64, 1..23_i64).prop_map(|(from, long)| {
            Some((from * 60, (from + long) % 24 * 60))
        }),
    ];
    (1..90_i64, to, any::<bool>(), prop::bool::weighted(0.25), when).prop_map(
        |(after, to, unless, critical, when)| StoryStep {
            after: after * 60 + 20,
            to,
            unless,
            critical,
            when,
        },
    )
}

fn level() -> impl Strategy<Value = Level> {
    (1..30_i64, option::of(1..120_i64), 1..200_i64).prop_map(|(opens, worse, lasts)| {
        let ends = opens + lasts;
        let worse = worse.map(|later| opens + later).filter(|worse| *worse < ends);
        Level { opens, worse, ends }
    })
}

fn deed() -> impl Strategy<Value = (Second, Deed)> {
    let deed = prop_oneof![
        4 => Just(Deed::Acknowledge),
        2 => Just(Deed::Unacknowledge),
        1 => Just(Deed::Resolve),
        3 => (1..100_i64).prop_map(|minutes| Deed::Silence(minutes * 60)),
        1 => Just(Deed::Unsilence),
        2 => (1..50_i64).prop_map(|minutes| Deed::Pause(minutes * 60)),
        1 => Just(Deed::Unpause),
    ];
    (second(), deed)
}

/// No whole minute: rules are evaluated then, and what comes at the same instant may come before or after.
fn second() -> impl Strategy<Value = Second> {
    (0..LENGTH / 60, 1..10_i64).prop_map(|(minute, second)| minute * 60 + 30 + second)
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let first = step().prop_map(|step| StoryStep { after: 0, critical: false, ..step });
    let steps = (first, vec(step(), 0..4));
    let repeat = (vec((1..60_i64).prop_map(|minutes| minutes * 60 + 10), 0..4), option::of(1..5_u32));
    let maintenance = vec((second(), 1..80_i64), 0..3);
    let ack_for = option::of((1..90_i64).prop_map(|minutes| minutes * 60 + 5));
    let deeds = vec(deed(), 0..8);
    (steps, repeat, ack_for, level(), option::of(level()), maintenance, deeds, vec(second(), 0..4))
        .prop_map(|(steps, repeat, ack_for, level, source, maintenance, mut deeds, mut restarts)| {
            let mut steps: Vec<StoryStep> = std::iter::once(steps.0).chain(steps.1).collect();
            steps.sort_by_key(|step| step.after);
            // Two steps that only differ in `unless` are one step to an episode.
            let mut known: Vec<StoryStep> = Vec::new();
            steps.retain(|step| {
                let is_new = !known.iter().any(|it| step.is_same(it));
                known.push(step.clone());
                is_new
            });
            deeds.sort_by_key(|(at, _)| *at);
            deeds.dedup_by_key(|(at, _)| *at);
            restarts.sort_unstable();
            let maintenance = maintenance.into_iter().map(|(from, long)| (from, from + long * 60)).collect();
            let (repeat, repeats_max) = repeat;
            Story { steps, repeat, repeats_max, ack_for, level, source, maintenance, deeds, restarts }
        })
        .prop_filter("two levels change at once", |story| {
            let minutes = |level: Level| [Some(level.opens), level.worse, Some(level.ends)];
            let told: Vec<i64> = minutes(story.level).into_iter().flatten().collect();
            let source = story.source.map(minutes).into_iter().flatten().flatten();
            source.into_iter().all(|minute| !told.contains(&minute))
        })
}

pub(crate) fn at(second: Second) -> Timestamp {
    Timestamp(START.0 + second * 1_000)
}

/// Whether it is within these minutes of the day.
pub(crate) fn is_within((from, to): (i64, i64), second: Second) -> bool {
    let minute = at(second).0.rem_euclid(86_400_000) / 60_000;
    if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}

impl StoryStep {
    fn is_same(&self, other: &Self) -> bool {
        let parts = |it: &Self| (it.after, it.to.clone(), it.critical, it.when);
        parts(self) == parts(other)
    }
}

impl Story {
    pub(crate) fn spec(&self) -> RuleSpec {
        let steps = self.steps.iter().map(|step| Step {
            after: Duration::from_secs(step.after as u64),
            to: step.to.iter().map(|name| DestinationName((*name).into())).collect(),
            unless_acknowledged: step.unless,
            severity: step.critical.then_some(Severity::Critical),
            when: step.when.map(hours),
        });
        let mut rule = rule(steps.collect());
        rule.alert.repeat = self.repeat.iter().map(|span| Duration::from_secs(*span as u64)).collect();
        rule.alert.repeats_max = self.repeats_max;
        rule.alert.ack_for = self.ack_for.map(|span| Duration::from_secs(span as u64));
        rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
        rule
    }

    pub(crate) fn holds(&self) -> HoldsSpec {
        let matcher = |text: &str| vec![Matcher::parse(text).expect("a condition")];
        let windows = self.maintenance.iter().enumerate().map(|(number, (from, until))| Maintenance {
            name: format!("window-{number}"),
            matchers: matcher("key=told"),
            when: Span::Once { from: at(*from), until: at(*until) },
        });
        let inhibition = Inhibition {
            source: matcher("key=source"),
            target: matcher("key=told"),
            equal: vec!["zone".into()],
            wait: Duration::from_secs(15),
        };
        HoldsSpec { maintenance: windows.collect(), inhibitions: vec![inhibition], ..HoldsSpec::default() }
    }
}

fn hours((from, to): (i64, i64)) -> Active {
    let hours = [format!("{:02}:00-{:02}:00", from / 60, to / 60)];
    let written =
        Written { hours: &hours, days: &[], holidays: &[], timezone: "UTC", outside: Outside::Skip };
    Active::parse(written).expect("hours")
}
