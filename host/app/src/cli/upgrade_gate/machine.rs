//! The verdict as JSON. Members are added, never renamed.
use serde_json::{Value, json};
use watchbell_gate::{Candidate, Finding, Judged, Order, Outcome, Standing, Verdict};

pub(super) fn verdict(verdict: &Verdict) -> Value {
    json!({
        "outcome": verdict.outcome.word(),
        "exit_code": verdict.outcome.exit_code(),
        "cluster": verdict.cluster,
        "status": verdict.status.map(watchbell_gate::Status::word),
        "node": verdict.node,
        "took_ms": verdict.took.millis(),
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "shards": verdict.shards.iter().map(shard).collect::<Vec<_>>(),
    })
}

/// Says that it is the caller's turn; the verdict is a separate document.
pub(super) fn ready(text: &str) -> Value {
    json!({ "outcome": "ready", "what": text })
}

pub(super) fn order(order: &Order, outcome: Outcome, objections: &[Finding]) -> Value {
    json!({
        "outcome": outcome.word(),
        "exit_code": outcome.exit_code(),
        "target": order.target.to_string(),
        "uniform": order.uniform,
        "done": order.is_done(),
        "next": order.next().map(|next| &next.name),
        "nodes": order.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "findings": objections.iter().map(finding).collect::<Vec<_>>(),
    })
}

pub(super) fn put_back(outcome: Outcome, undone: &[String]) -> Value {
    json!({ "outcome": outcome.word(), "exit_code": outcome.exit_code(), "undone": undone })
}

fn candidate(candidate: &Candidate) -> Value {
    json!({
        "node": candidate.name,
        "version": candidate.version.to_string(),
        "zone": candidate.zone,
        "reasons": candidate.reasons,
        "hindrances": candidate.hindrances.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code.word(),
        "stand": finding.stand.word(),
        "what": finding.what,
        "help": finding.help,
    })
}

fn shard(judged: &Judged) -> Value {
    let why = match &judged.standing {
        Standing::Accepted => None,
        Standing::Waiting(why) | Standing::Refused { why, .. } | Standing::Unknown(why) => Some(why),
    };
    let rows = judged.rows.iter().map(|row| {
        json!({
            "node": row.node,
            "decider": row.decider,
            "verdict": row.verdict.word(),
            "explanation": row.sentence,
        })
    });
    json!({
        "index": judged.group.shard.index,
        "shard": judged.group.shard.number,
        "primary": judged.group.primary,
        "copies": judged.group.copies,
        "reason": judged.group.reason,
        "standing": judged.standing.word(),
        "why": why,
        "rows": rows.collect::<Vec<_>>(),
    })
}
