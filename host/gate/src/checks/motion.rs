use std::collections::BTreeSet;

use crate::facts::Facts;
use crate::finding::{Code, Finding, count, few};
use crate::shard::CopyState;

pub(super) fn check(facts: &Facts, found: &mut Vec<Finding>) {
    let counted = |what: fn(&CopyState) -> bool| facts.copies.iter().filter(|copy| what(&copy.state)).count();
    let initializing = counted(|state| matches!(state, CopyState::Initializing { .. }));
    if initializing > 0 {
        let shards = count(initializing, "shard is", "shards are");
        found.push(Finding::wait(Code::Initializing, format!("{shards} initializing")));
    }
    let relocating = counted(|state| matches!(state, CopyState::Relocating { .. }));
    if relocating > 0 {
        let shards = count(relocating, "shard is", "shards are");
        found.push(Finding::wait(Code::Relocating, format!("{shards} relocating")));
    }
    tasks(facts, found);
    if !facts.snapshots.is_empty() {
        let what = format!("a snapshot is in progress: {}", few(&facts.snapshots));
        let help = "wait for it, or stop it: it will lack any shard that goes away meanwhile";
        found.push(Finding::wait(Code::Snapshot, what).with_help(help));
    }
    if !facts.restores.is_empty() {
        found.push(Finding::wait(
            Code::Restore,
            format!("a restore is in progress: {}", few(&facts.restores)),
        ));
    }
    resizes(facts, found);
}

fn tasks(facts: &Facts, found: &mut Vec<Finding>) {
    let waiting = facts.tasks.len().max(usize::try_from(facts.health.pending_tasks).unwrap_or(usize::MAX));
    if waiting > 0 {
        let mut what = count(waiting, "cluster task is pending", "cluster tasks are pending");
        if let Some(oldest) = facts.tasks.iter().max_by_key(|task| task.waiting_millis) {
            what.push_str(&format!(", the oldest for {} ms: {}", oldest.waiting_millis, oldest.source));
        }
        found.push(Finding::wait(Code::PendingTasks, what));
    }
}

/// A shrink, split or clone ends when the primaries of its target are started.
fn resizes(facts: &Facts, found: &mut Vec<Finding>) {
    let unfinished = facts.copies.iter().filter(|copy| copy.primary && !copy.is_active());
    let targets: BTreeSet<&str> = unfinished.map(|copy| copy.shard.index.as_str()).collect();
    for target in targets {
        if let Some(source) = facts.indices.get(target).and_then(|index| index.resize_source.as_ref()) {
            let what = format!("index `{target}` is being created from `{source}` (shrink, split or clone)");
            found.push(Finding::wait(Code::Resize, what));
        }
    }
}
