use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draw::{Case, MINUTE};

/// A match of theirs, or a signal of ours.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) at: i64,
    pub(crate) key: Option<String>,
    pub(crate) is_clear: bool,
}

pub(crate) enum Verdict {
    Same,
    /// A difference that docs/elastalert.md names.
    Meant(&'static str),
    Differs(String),
}

type Instants = BTreeSet<(Option<String>, i64)>;

pub(crate) fn of_elastalert(line: &str) -> Vec<Found> {
    let answer: Value = serde_json::from_str(line).expect("a line of JSON");
    let one = |found: &Value| Found {
        at: found["at"].as_i64().expect("a time"),
        key: found["key"].as_str().map(str::to_owned),
        is_clear: false,
    };
    answer["matches"].as_array().expect("matches").iter().map(one).collect()
}

pub(crate) fn of_watchbell(signal: &Value) -> Found {
    Found {
        at: millis(signal["at"].as_str().expect("a time")),
        key: signal["labels"]["user"].as_str().map(str::to_owned),
        is_clear: signal["kind"] == "clear",
    }
}

/// `1m10s510ms`, or `-30s`.
fn millis(text: &str) -> i64 {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut sum = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).expect("a unit");
        let number: i64 = rest[..digits].parse().expect("a number");
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let scale = match &rest[digits..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => MINUTE,
            "h" => 60 * MINUTE,
            "d" => 24 * 60 * MINUTE,
            other => panic!("unknown unit `{other}` in `{text}`"),
        };
        sum += number * scale;
        rest = &rest[unit..];
    }
    sign * sum
}

pub(crate) fn compare(case: &Case, theirs: &[Found], ours: &[Found]) -> Verdict {
    match case.kind {
        "frequency" => frequency(case, theirs, ours),
        "flatline" => levels(case, theirs, ours),
        "cardinality" => first_of_each(theirs, ours),
        "spike" => spike(case, theirs, ours),
        "spike_aggregation" => spike_of_points(case, theirs, ours),
        _ => each(theirs, ours),
    }
}

fn instants(found: &[Found]) -> Vec<(Option<String>, i64)> {
    let firing = found.iter().filter(|found| !found.is_clear);
    let mut all: Vec<_> = firing.map(|found| (found.key.clone(), found.at)).collect();
    all.sort();
    all
}

/// Every match is a signal, and every signal a match.
fn each(theirs: &[Found], ours: &[Found]) -> Verdict {
    let (theirs, ours) = (instants(theirs), instants(ours));
    if theirs == ours { Verdict::Same } else { differ(&theirs, &ours) }
}

/// Beside the matches a level that goes on is told again where its count grew: at the last millisecond before a point of
/// the grid, while it holds.
fn frequency(case: &Case, theirs: &[Found], ours: &[Found]) -> Verdict {
    let theirs: Instants = instants(theirs).into_iter().collect();
    let grew = |(key, at): &(Option<String>, i64)| {
        let holds = (key.clone(), at - case.timeframe())..(key.clone(), *at);
        (at + 1) % (case.timeframe() / 10) == 0 && theirs.range(holds).next().is_some()
    };
    let ours: Instants =
        instants(ours).into_iter().filter(|one| theirs.contains(one) || !grew(one)).collect();
    if theirs == ours {
        return Verdict::Same;
    }
    differ(&theirs.into_iter().collect::<Vec<_>>(), &ours.into_iter().collect::<Vec<_>>())
}

/// A level that they tell at every run is told by us when it begins, now and then, and when it ends.
fn levels(case: &Case, theirs: &[Found], ours: &[Found]) -> Verdict {
    let ticks = instants(theirs).into_iter().filter(|(_, at)| at % MINUTE == 0);
    let theirs: Instants = ticks.collect();
    let mut by_key: BTreeMap<Option<String>, Vec<&Found>> = BTreeMap::new();
    for found in ours {
        by_key.entry(found.key.clone()).or_default().push(found);
    }
    let mut held = Instants::new();
    for (key, signals) in &mut by_key {
        signals.sort_by_key(|signal| signal.at);
        let last = case.documents.last().map_or(0, |(at, _)| *at) + 2 * MINUTE;
        let ticks = (0..).map(|n| n * MINUTE).take_while(|tick| *tick <= last);
        for tick in ticks {
            let now = signals.iter().rfind(|signal| signal.at <= tick);
            if now.is_some_and(|signal| !signal.is_clear) {
                held.insert((key.clone(), tick));
            }
        }
    }
    let last = held.iter().map(|(_, at)| *at).max().unwrap_or(0);
    let theirs: Instants = theirs.into_iter().filter(|(_, at)| *at <= last).collect();
    if theirs == held {
        return Verdict::Same;
    }
    let first = case.documents.first().map_or(0, |(at, _)| *at);
    if theirs.is_subset(&held) && held.difference(&theirs).all(|(_, at)| *at < first + case.timeframe()) {
        return Verdict::Meant("the past was read, so nothing waits a timeframe from the first document");
    }
    differ(&theirs.into_iter().collect::<Vec<_>>(), &held.into_iter().collect::<Vec<_>>())
}

/// When each key is told of first: how often a level is told again is another matter.
fn first_of_each(theirs: &[Found], ours: &[Found]) -> Verdict {
    let first = |found: &[Found]| {
        let mut first: BTreeMap<Option<String>, i64> = BTreeMap::new();
        for (key, at) in instants(found) {
            first.entry(key).or_insert(at);
        }
        first
    };
    let (theirs, ours) = (first(theirs), first(ours));
    if theirs == ours {
        return Verdict::Same;
    }
    differ(&theirs.into_iter().collect::<Vec<_>>(), &ours.into_iter().collect::<Vec<_>>())
}

/// The first spike. Both compare the same windows, but for when they begin to, and for how far back theirs reach.
fn spike(case: &Case, theirs: &[Found], ours: &[Found]) -> Verdict {
    let first = |found: &[Found]| found.iter().filter(|found| !found.is_clear).map(|found| found.at).min();
    let (theirs, ours) = (first(theirs), first(ours));
    if theirs == ours {
        return Verdict::Same;
    }
    let timeframe = case.timeframe();
    let times: Vec<i64> = case.documents.iter().map(|(at, _)| *at).collect();
    let (Some(earlier), Some(begin)) = (theirs.into_iter().chain(ours).min(), times.first()) else {
        return Verdict::Same;
    };
    if ours == Some(earlier) && earlier < begin + 2 * timeframe {
        return Verdict::Meant("the past was read, so nothing waits two timeframes from the first document");
    }
    // Their reference is cut to a timeframe before what left the current window last: a document, or the end of a run.
    let left = times.iter().copied().filter(|at| earlier - at >= timeframe);
    let last_run = (earlier - timeframe).div_euclid(MINUTE) * MINUTE;
    let newest = left.clone().max().unwrap_or(last_run).max(last_run);
    let theirs_hold = left.clone().filter(|at| newest - at < timeframe).count();
    let ours_hold = left.filter(|at| earlier - at < 2 * timeframe).count();
    if theirs_hold != ours_hold {
        return Verdict::Meant("their reference window reaches back up to a run further");
    }
    let current = times.iter().filter(|at| (0..timeframe).contains(&(earlier - *at))).count();
    let is_between = !times.contains(&earlier) && earlier % MINUTE != 0;
    if ours == Some(earlier) && is_between && case.is_spike(current, ours_hold) {
        return Verdict::Meant("we look on a grid as well, where no document comes and no run ends");
    }
    Verdict::Differs(format!(
        "they at {theirs:?}, we at {ours:?}; at {earlier} {current} against {ours_hold}"
    ))
}

/// The first spike of numbers that each run gives one of; theirs is the first point at the end of the first run.
fn spike_of_points(case: &Case, theirs: &[Found], ours: &[Found]) -> Verdict {
    let waited = MINUTE + 2 * case.timeframe();
    if ours.iter().any(|found| !found.is_clear && found.at < waited) {
        return Verdict::Meant("the past was read, so nothing waits two timeframes from the first run");
    }
    first_of_each(theirs, ours)
}

fn differ(theirs: &[(Option<String>, i64)], ours: &[(Option<String>, i64)]) -> Verdict {
    let lacking: Vec<_> = theirs.iter().filter(|one| !ours.contains(one)).take(8).collect();
    let beside: Vec<_> = ours.iter().filter(|one| !theirs.contains(one)).take(8).collect();
    Verdict::Differs(format!("they alone: {lacking:?}; we alone: {beside:?}"))
}

#[test]
fn offsets_are_read() {
    assert_eq!(millis("1m10s510ms"), 70_510);
    assert_eq!(millis("-1h30s"), -3_630_000);
}
