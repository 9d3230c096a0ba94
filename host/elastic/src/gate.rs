//! What prevents a node from being replaced, as rows: the same facts, explanations and judgement as `upgrade-gate`.
use serde_json::{Value, json};
use tokio::time::Instant;
use watchbell_contract::{Range, Rows};
use watchbell_gate::{Allowed, Explained, Facts, Finding, Group, Judged, Own, Stand, check, judge};

use crate::{
    admin::{self, FactsFault},
    error::ErrorKind,
    session::Session,
    value_column::column,
};

/// Explanations per answer: a rule asks repeatedly, and the elected master computes each. Further shards are rows with
/// the standing `unknown`.
const EXPLAINED_MAX: usize = 1_000;

pub(crate) async fn ask(session: &Session, over: Range, deadline: Instant) -> Result<Rows, ErrorKind> {
    let facts = admin::facts(session, deadline).await.map_err(|fault| match fault {
        FactsFault::Ask(cause) => cause.of_the_host(),
        FactsFault::Unreadable(fault) => ErrorKind::Malformed { reason: fault.to_string() },
    })?;
    if let Some(doubt) = facts.doubts.first() {
        return Err(ErrorKind::PartialView { reason: doubt.clone() });
    }
    let groups = facts.unassigned();
    let asked = &groups[..groups.len().min(EXPLAINED_MAX)];
    let mut explained = admin::explanations(session, asked, deadline, |_| {}).await;
    let beyond = format!("not explained: only the first {EXPLAINED_MAX} unassigned shards are");
    explained.resize(groups.len(), Explained::Failed(beyond));
    Ok(rows(&facts, &groups, &explained, over))
}

fn rows(facts: &Facts, groups: &[Group], explained: &[Explained], over: Range) -> Rows {
    let allowed = Allowed::default();
    let judged = groups.iter().zip(explained).map(|(group, one)| judge(group, one, facts, &allowed));
    let of_shards = judged.flat_map(|one| shard(&one));
    let of_cluster = check(facts, None, Own::default()).into_iter().filter_map(|finding| cluster(&finding));
    let found: Vec<Value> = of_shards.chain(of_cluster).collect();
    let columns =
        watchbell_views::GATE.iter().map(|field| column(field, found.iter().map(|row| row.get(*field))));
    Rows { columns: columns.collect(), times: vec![over.end.0.saturating_sub(1); found.len()] }
}

fn shard(judged: &Judged) -> Vec<Value> {
    let rows = judged.rows.iter().map(|row| {
        json!({
            "index": judged.group.shard.index,
            "shard": judged.group.shard.number,
            "prirep": if judged.group.primary { "p" } else { "r" },
            "unassigned.reason": judged.group.reason,
            "node": row.node,
            "decider": row.decider,
            "verdict": row.verdict.word(),
            "standing": judged.standing.word(),
            "what": row.sentence,
        })
    });
    rows.collect()
}

/// In the terms used for shards. Notes are not rows.
fn cluster(finding: &Finding) -> Option<Value> {
    let standing = match finding.stand {
        Stand::Note => return None,
        Stand::Wait => "waiting",
        Stand::Unknown => "unknown",
        Stand::Stop => "refused",
    };
    Some(json!({ "standing": standing, "code": finding.code.word(), "what": finding.what }))
}
