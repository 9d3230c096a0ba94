//! Random stories over every step, hold and command: what is received is what the oracle expects, at the same second.
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use watchbell_contract::{Duration, Signal};
use watchbell_pipeline::matcher::Matcher;
use watchbell_pipeline::record::{Command, EpisodeRecord, SilenceSpec};

use crate::host::{Host, START, firing};
use crate::oracle;
use crate::story::{DESTINATIONS, Deed, LENGTH, Level, Second, Story, at, story};

/// The same 400 stories each time; `STORIES=20000` tells others.
fn config() -> ProptestConfig {
    let more = std::env::var("STORIES").ok().and_then(|count| count.parse().ok());
    let rng_seed = if more.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    ProptestConfig { failure_persistence: None, rng_seed, ..ProptestConfig::with_cases(more.unwrap_or(400)) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everyone_hears_what_is_due_and_nothing_else(story in story()) {
        let mut expected = oracle::heard(&story);
        let mut heard = heard(&story);
        // What is due at the very instant of an evaluation may be sent before or after it.
        let Level { worse, ends, .. } = story.level;
        let is_due = |cause: &str| matches!(cause, "repeat" | "escalated" | "opened");
        let is_judged = |second: Second| second == ends * 60 || worse.is_some_and(|worse| second == worse * 60);
        prop_assume!(!heard.iter().any(|(second, _, cause)| is_due(cause) && is_judged(*second)));
        expected.sort_unstable();
        heard.sort_unstable();
        prop_assert_eq!(heard, expected);
    }
}

fn heard(story: &Story) -> Vec<oracle::Heard> {
    let spec = story.spec();
    let levels = [("told", Some(story.level)), ("source", story.source)];
    let mut host = Host::new(move |run, _| {
        let mut found = Vec::new();
        for (key, level) in levels {
            found.extend(level.into_iter().flat_map(|level| signals(key, level)));
        }
        found.retain(|signal| run.window.start <= signal.at && signal.at <= run.window.end);
        found.sort_by_key(|signal| signal.at);
        found
    });
    host.destinations = DESTINATIONS.to_vec();
    host.holds = story.holds();
    host.deploy(&spec);
    let mut heard = Vec::new();
    let mut ids = BTreeSet::new();
    let mut deeds = story.deeds.iter().enumerate().peekable();
    let mut restarts = story.restarts.iter().peekable();
    for second in 0..LENGTH {
        host.until_instant(at(second));
        while let Some((number, (_, deed))) = deeds.next_if(|(_, (at, _))| *at == second) {
            obey(&mut host, number, second, *deed);
        }
        while restarts.next_if(|at| **at == second).is_some() {
            host.restart(&spec);
        }
        for (to, intent) in std::mem::take(&mut host.inbox) {
            let is_told = intent.labels[0].value.as_deref() == Some("told");
            if is_told {
                // One message has one id, and one ordinal tells it from others of its cause.
                assert!(ids.insert(intent.id.clone()), "twice: {intent:?}");
                let to = DESTINATIONS.into_iter().find(|name| *name == to.0).expect("a destination");
                heard.push((second, to, intent.cause.as_str()));
            }
        }
    }
    heard
}

fn obey(host: &mut Host, number: usize, second: Second, deed: Deed) {
    let id = format!("deed-{number}");
    let told = |host: &Host| host.open().into_iter().find(|it| is_told(it)).map(|episode| episode.id.clone());
    let command = match deed {
        Deed::Silence(lasts) => Some(Command::Silence(SilenceSpec {
            matchers: vec![Matcher::parse("key=told").expect("a condition")],
            from: at(second),
            until: at(second + lasts),
            reason: "a story".into(),
        })),
        // Silences are known by the command that made them.
        Deed::Unsilence => host.silences().first().map(|id| Command::Unsilence { silence: id.clone() }),
        Deed::Pause(lasts) => Some(Command::Pause { until: at(second + lasts), reason: "a story".into() }),
        Deed::Unpause => Some(Command::Unpause),
        Deed::Acknowledge => told(host).map(|episode| Command::Acknowledge { episode }),
        Deed::Unacknowledge => told(host).map(|episode| Command::Unacknowledge { episode }),
        Deed::Resolve => told(host).map(|episode| Command::Resolve { episode }),
    };
    if let Some(command) = command {
        host.command(&id, command);
    }
}

fn is_told(episode: &EpisodeRecord) -> bool {
    episode.labels[0].value.as_deref() == Some("told")
}

fn signals(key: &'static str, level: Level) -> impl Iterator<Item = Signal> {
    let minute = |minute: i64| START + Duration::from_mins(minute as u64);
    (level.opens..level.ends).map(move |now| {
        let is_worse = level.worse.is_some_and(|worse| worse <= now);
        // A level ends in the first window that ends after it.
        firing(
            key,
            minute(now),
            minute(level.ends) - Duration::from_secs(1),
            if is_worse { 60.0 } else { 1.0 },
        )
    })
}
