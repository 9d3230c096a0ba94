mod episode; // one episode

use anyhow::anyhow;
use watchbell_pipeline::spec::RuleName;
use watchbell_store::Read;
use watchbell_view::{
    DeliveryView, Ending, EpisodeView, Explanation, Fate, GapReason, MessageCause, Phase, RuleView, Severity,
    Source,
};

use super::args::Explain;
use super::status::{Answer, HostOrStore};
use super::{Colour, Failure, json, paint, plain, print};
use crate::stored::{self, About};
use crate::{clock, explained};

pub(crate) fn explain(args: &Explain) -> Result<(), Failure> {
    let known = HostOrStore::find(&args.status)?;
    let may_be_episode = explained::is_id(&args.subject);
    let explanation = match known.ask::<Explanation>(&format!("explain/{}", args.subject))? {
        Answer::Given(explanation) => explanation,
        Answer::Missing if may_be_episode => return episode::explain(args, &known),
        Answer::Missing => return Err(unknown_to_host(args, &known)),
        Answer::Silent => match from_store(args, &known)? {
            Some(explanation) => explanation,
            None if may_be_episode => return episode::explain(args, &known),
            None => return Err(unknown(args, &known, &known.reader()?)?),
        },
    };
    if args.status.json {
        return json(&explanation);
    }
    print(&story(&explanation))
}

/// `None` if no rule has this name.
fn from_store(args: &Explain, known: &HostOrStore) -> Result<Option<Explanation>, Failure> {
    let reader = known.reader()?;
    let rule = &RuleName(args.subject.clone());
    let enabled =
        known.bundle.as_ref().and_then(|bundle| bundle.rule(&args.subject)).map(|it| it.spec.enabled);
    let source = match (enabled, &known.bundle) {
        (None, Some(_)) => Source::Ended,
        _ => Source::Store,
    };
    let environment = args.status.place.environment.clone();
    let history = stored::history(&reader, rule)?;
    let about = About { environment, rule, enabled, source, now: clock::wall() };
    Ok(stored::explanation(&reader, about, &history)?)
}

/// Neither the host nor its store has it.
fn unknown_to_host(args: &Explain, known: &HostOrStore) -> Failure {
    let has_manifest = known.bundle.as_ref().is_some_and(|bundle| bundle.rule(&args.subject).is_some());
    let hint = if has_manifest {
        "its manifest is there: SIGHUP lets the host read it"
    } else {
        "`watchbell status` lists the rules"
    };
    Failure::Faults(anyhow!("the host does not know a rule `{}`\n\nhint: {hint}", args.subject))
}

fn unknown(args: &Explain, known: &HostOrStore, reader: &dyn Read) -> Result<Failure, Failure> {
    let names: Vec<String> = match &known.bundle {
        Some(bundle) => bundle.rules.iter().map(|rule| rule.spec.name.0.clone()).collect(),
        None => reader.rules()?.into_iter().map(|stored| stored.record.rule.0).collect(),
    };
    Ok(Failure::Faults(anyhow!(
        "no rule `{}` in environment `{}`\n\nhint: there are {}",
        args.subject,
        args.status.place.environment,
        names.join(", ")
    )))
}

fn story(explanation: &Explanation) -> String {
    let head = |title: &str| format!("\n{}\n", paint(title, Colour::Bold));
    let mut text = format!("{}\n", paint(&format!("rule {}", plain(&explanation.rule.name)), Colour::Bold));
    text.push_str(&evaluation(&explanation.rule));
    text.push_str(&head("why"));
    match explanation.source {
        Source::Host => {}
        Source::Store => text.push_str("  no host answers; this comes from the store\n"),
        Source::Ended => {
            text.push_str("  its manifest is gone; this is what the store still holds about it\n")
        }
    }
    for decision in &explanation.decisions {
        text.push_str(&format!("  {}\n", plain(&decision.message)));
    }
    text.push_str(&head("episodes, newest first"));
    if explanation.episodes.is_empty() {
        text.push_str("  none: the rule has emitted no level yet\n");
    }
    for episode in &explanation.episodes {
        text.push_str(&format!("  {}\n", plain(&episode_line(episode))));
    }
    text.push_str(&head("deliveries, newest first"));
    if explanation.deliveries.is_empty() {
        text.push_str("  none\n");
    }
    for delivery in &explanation.deliveries {
        text.push_str(&format!("  {}\n", plain(&delivery_line(delivery))));
    }
    if !explanation.gaps.is_empty() {
        text.push_str(&head("slices of time that were not evaluated"));
        for gap in &explanation.gaps {
            let reason = gap_reason(gap.reason);
            text.push_str(&format!("  {}..{}  {reason}: {}\n", gap.start, gap.end, plain(&gap.message)));
        }
    }
    text
}

fn evaluation(rule: &RuleView) -> String {
    let time = |at: Option<watchbell_view::Time>, none: &str| at.map_or(none.to_owned(), |at| at.to_string());
    let mut text = format!(
        "  evaluated until {}, {} open episodes, next due {}\n",
        time(rule.evaluated_until, "never"),
        rule.open_episodes,
        time(rule.next_due, "unknown"),
    );
    if let Some(after) = rule.evaluates_after {
        text.push_str(&format!(
            "  a document is evaluated {:.1} to {:.1} s after it is searchable\n",
            after.soonest_seconds, after.latest_seconds
        ));
    }
    if let Some(overflow) = rule.overflow {
        let least = if overflow.exact { "" } else { "at least " };
        let keys = overflow.keys;
        text.push_str(&format!(
            "  one of them stands for {least}{keys} keys beyond its limit (`limits.episodes`)\n"
        ));
    }
    for warning in &rule.warnings {
        text.push_str(&format!("  warning: {}\n", plain(warning)));
    }
    if let Some(run) = &rule.last_run {
        text.push_str(&format!(
            "  last run: {}..{}, {} rows, {} signals, {} ms\n",
            run.window_start, run.window_end, run.rows, run.signals, run.took_ms
        ));
    }
    if let Some(error) = &rule.last_error {
        text.push_str(&format!("  failed {} times in a row: {}\n", rule.failures_in_a_row, plain(error)));
    }
    text
}

fn episode_line(episode: &EpisodeView) -> String {
    let label = |(name, value): (&String, &Option<String>)| {
        format!("{name}={}", value.as_deref().unwrap_or("(missing)"))
    };
    let labels: Vec<String> = episode.labels.iter().map(label).collect();
    let notified: Vec<&str> = episode.notified.iter().map(|it| it.destination.as_str()).collect();
    format!(
        "{} {} [{}] since {}: {}; notified: {}; {}",
        episode.id,
        severity(episode.severity),
        labels.join(", "),
        episode.since,
        phase(&episode.phase),
        if notified.is_empty() { "nobody".to_owned() } else { notified.join(", ") },
        episode.summary,
    )
}

pub(super) fn phase(phase: &Phase) -> String {
    match phase {
        Phase::Pending => "pending: not yet announced".to_owned(),
        Phase::Active => "active".to_owned(),
        Phase::Acknowledged { acknowledged_at, acknowledged_by } => {
            format!("acknowledged by {acknowledged_by} at {acknowledged_at}")
        }
        Phase::ResolvedByHand { resolved_at, resolved_by } => {
            format!("resolved by {resolved_by} at {resolved_at}, quiet until its level ends")
        }
        Phase::Resolved { resolved_at, ending } => {
            let why = match ending {
                Ending::Cleared => "the rule cleared it",
                Ending::Lapsed => "its level lapsed",
                Ending::RuleEnded => "the rule ended",
                Ending::WithinLimit => "no key is beyond the limit any more",
            };
            format!("resolved at {resolved_at} ({why})")
        }
    }
}

fn delivery_line(delivery: &DeliveryView) -> String {
    let attempts = delivery.attempts;
    let fate = match &delivery.fate {
        Fate::Owed { due, last_error: Some(error) } => {
            format!("owed: attempt {attempts} failed ({error}), next at {due}")
        }
        Fate::Owed { due, last_error: None } => format!("owed: due {due}"),
        Fate::UnderWay => format!("under way: attempt {attempts}"),
        Fate::Delivered { delivered_at, .. } => {
            let repeated = if delivery.maybe_repeated { ", possibly more than once" } else { "" };
            format!("delivered at {delivered_at}, attempt {attempts}{repeated}")
        }
        Fate::Dead { dead_at, last_error } => {
            format!("dead letter at {dead_at} after {attempts} attempts: {last_error}")
        }
        Fate::Merged { merged_at, into } => format!("merged at {merged_at} into {into}"),
    };
    format!("{} {} to {}: {fate}", delivery.id, cause(delivery.cause), delivery.destination)
}

fn cause(cause: MessageCause) -> &'static str {
    match cause {
        MessageCause::Opened => "opened",
        MessageCause::Worse => "worse",
        MessageCause::Repeat => "repeat",
        MessageCause::Escalated => "escalated",
        MessageCause::Acknowledged => "acknowledged",
        MessageCause::Resolved => "resolved",
        MessageCause::Event => "event",
        MessageCause::Was => "was",
        MessageCause::Summary => "summary",
        MessageCause::Test => "test",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn gap_reason(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Skipped => "skipped",
        GapReason::Poisoned => "poisoned",
        GapReason::Disabled => "disabled",
    }
}
