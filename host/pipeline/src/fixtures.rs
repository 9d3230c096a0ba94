//! A rule and an episode with defaults for everything, so that a test sets only what it is about.
use watchbell_contract::{Duration, Severity, Timestamp, Window};

use crate::action::{Purpose, Run, RunId};
use crate::record::{EpisodeId, EpisodeProgress, EpisodeRecord, LastSignal, Phase, SeenSignal};
use crate::spec::{DestinationName, RuleName, RuleSpec, Step};

/// Every minute, with 10 s delay and 2 minutes for late documents.
pub(crate) fn rule() -> RuleSpec {
    RuleSpec::every("rule", Duration::from_mins(1))
}

/// A live run over `window`, after `seen`.
pub(crate) fn run_after(seen: Vec<SeenSignal>, window: Window) -> Run {
    Run {
        id: RunId(1),
        rule: RuleName("rule".into()),
        purpose: Purpose::Live,
        window,
        grid: Duration::from_mins(1),
        judged: window.start,
        state: None,
        seen,
        attempt: 1,
        deadline: Duration::from_mins(1),
    }
}

/// Opened at 0 with severity `warning`, active, nobody notified.
pub(crate) fn episode(steps: &[Step]) -> EpisodeRecord {
    EpisodeRecord {
        id: EpisodeId("e".into()),
        rule: RuleName("rule".into()),
        labels: Vec::new(),
        phase: Phase::Active,
        severity: Severity::Warning,
        since: Timestamp(0),
        opened_at: Timestamp(0),
        until: Timestamp(60_000),
        last: LastSignal {
            at: Timestamp(0),
            value: None,
            threshold: None,
            summary: "summary".into(),
            details: "{}".into(),
            link: None,
        },
        steps: steps.iter().map(Step::id).collect(),
        repeat: None,
        early: Vec::new(),
        stepped_until: None,
        announced_at: None,
        notified: Vec::new(),
        ordinal: 0,
        progress: EpisodeProgress { followed: Severity::Warning, ..EpisodeProgress::default() },
    }
}

/// A step `minutes` after the episode opened.
pub(crate) fn step(minutes: u64, to: &str, unless_acknowledged: bool) -> Step {
    Step {
        after: Duration::from_mins(minutes),
        to: vec![DestinationName(to.into())],
        unless_acknowledged,
        severity: None,
        when: None,
    }
}
