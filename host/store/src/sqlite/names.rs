use watchbell_contract::{Cause, Severity};
use watchbell_pipeline::message::Wording;
use watchbell_pipeline::record::{Command, Ending, GapReason};

pub(crate) fn severity(name: &str) -> Option<Severity> {
    [Severity::Info, Severity::Warning, Severity::Critical].into_iter().find(|it| it.as_str() == name)
}

pub(crate) fn cause(name: &str) -> Option<Cause> {
    use Cause::{Acknowledged, Escalated, Event, Opened, Repeat, Resolved, Summary, Test, Was, Worse};
    let all = [Opened, Worse, Repeat, Escalated, Acknowledged, Resolved, Event, Was, Summary, Test];
    all.into_iter().find(|it| it.as_str() == name)
}

pub(crate) fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Cleared => "cleared",
        Ending::Lapsed => "lapsed",
        Ending::RuleEnded => "rule-ended",
        Ending::WithinLimit => "within-limit",
    }
}

pub(crate) fn ending(name: &str) -> Option<Ending> {
    let all = [Ending::Cleared, Ending::Lapsed, Ending::RuleEnded, Ending::WithinLimit];
    all.into_iter().find(|it| ending_name(*it) == name)
}

pub(crate) fn gap_reason_name(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Skipped => "skipped",
        GapReason::Poisoned => "poisoned",
        GapReason::Disabled => "disabled",
    }
}

pub(crate) fn gap_reason(name: &str) -> Option<GapReason> {
    let all = [GapReason::Skipped, GapReason::Poisoned, GapReason::Disabled];
    all.into_iter().find(|it| gap_reason_name(*it) == name)
}

pub(crate) fn wording_name(wording: Wording) -> &'static str {
    match wording {
        Wording::Rule => "rule",
        Wording::RuleEnded => "rule-ended",
        Wording::BeforeStore => "before-store",
        Wording::Acknowledged => "acknowledged",
        Wording::Unacknowledged => "unacknowledged",
        Wording::Gap => "gap",
        Wording::CannotRun => "cannot-run",
        Wording::Edited => "edited",
        Wording::Overflow => "overflow",
        Wording::Backlog => "backlog",
        Wording::Limited => "limited",
        Wording::Host => "host",
        Wording::Grouped => "grouped",
    }
}

pub(crate) fn wording(name: &str) -> Option<Wording> {
    use Wording::{
        Acknowledged, Backlog, BeforeStore, CannotRun, Edited, Gap, Grouped, Host, Limited, Overflow, Rule,
        RuleEnded, Unacknowledged,
    };
    let all = [
        Rule,
        RuleEnded,
        BeforeStore,
        Gap,
        CannotRun,
        Edited,
        Overflow,
        Backlog,
        Acknowledged,
        Unacknowledged,
        Limited,
        Host,
        Grouped,
    ];
    all.into_iter().find(|it| wording_name(*it) == name)
}

pub(crate) fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Acknowledge { .. } => "acknowledge",
        Command::Unacknowledge { .. } => "unacknowledge",
        Command::Resolve { .. } => "resolve",
        Command::Note { .. } => "note",
        Command::Retry { .. } => "retry",
        Command::Drop { .. } => "drop",
        Command::Silence(_) => "silence",
        Command::Unsilence { .. } => "unsilence",
        Command::Pause { .. } => "pause",
        Command::Unpause => "unpause",
    }
}
