//! Drains a node before it leaves: exclude it, wait until it holds no shards, tell the caller, wait until it has left,
//! and remove the exclusion.
use watchbell_contract::Timestamp;

use crate::change::{Author, Change, Leftovers, Own};
use crate::checks::check;
use crate::facts::Facts;
use crate::finding::{Code, Finding, Stand, count, few};
use crate::judge::Explained;
use crate::node::NodeId;
use crate::procedure::Procedure;
use crate::undoing::Undoing;
use crate::wait::{Ask, Outcome, Progress, Step, Trouble, TroubleKind, Verdict};

/// A drain of one node.
#[derive(Debug)]
pub struct Drain {
    ask: Ask,
    author: Author,
    /// Whether to end once the node is empty, and leave the exclusion to a later call.
    until_ready: bool,
    began: Timestamp,
    node: Option<(NodeId, String)>,
    phase: Phase,
    last: Option<Facts>,
    trouble: Option<Trouble>,
    /// How many copies the node held, and since when.
    held: (usize, Timestamp),
    progress: Progress,
}

#[derive(Debug)]
enum Phase {
    /// Asks whether it may be drained.
    Asking {
        next: Timestamp,
    },
    Excluding(Change),
    Emptying {
        next: Timestamp,
    },
    Ready,
    Leaving {
        next: Timestamp,
    },
    Undoing(Undoing),
}

impl Drain {
    /// - `ask.node` names the node.
    /// - `until_ready`: end when it is empty; the exclusion stays until a later call removes it.
    pub fn new(ask: Ask, author: Author, until_ready: bool, now: Timestamp) -> Self {
        Self {
            ask,
            author,
            until_ready,
            began: now,
            node: None,
            phase: Phase::Asking { next: now },
            last: None,
            trouble: None,
            held: (usize::MAX, now),
            progress: Progress::default(),
        }
    }

    fn own() -> Own {
        Own { drain: true, restart: false }
    }

    /// Whether the node may be drained; `Err` ends the drain before anything is written.
    fn begin(&mut self, now: Timestamp, facts: &Facts) -> Result<(), (Outcome, Vec<Finding>)> {
        let name = self.ask.node.clone().unwrap_or_default();
        let leftovers = Leftovers::of(&facts.settings);
        let Some(node) = facts.node(&name) else {
            let names: Vec<&str> = facts.nodes.values().map(|node| node.name.as_str()).collect();
            let what = format!("there is no node `{name}`; there are {}", few(&names));
            let help = "name a node of the cluster; `--put-back` ends a drain whose node has left";
            return Err((Outcome::CouldNotTell, vec![Finding::unknown(Code::Doubt, what, help)]));
        };
        let resumed = leftovers.drain().is_some_and(|mark| mark.node_id == node.id.0);
        let own = Own { drain: resumed, restart: false };
        let mut found = check(facts, Some(&node.id), own);
        // Draining helps against these.
        found.retain(|finding| !matches!(finding.code, Code::OnlyCopy | Code::NoReplicas));
        if let Some(worst) = found.first().filter(|worst| worst.stand > Stand::Wait) {
            let outcome = if worst.stand == Stand::Stop { Outcome::NotSafe } else { Outcome::CouldNotTell };
            return Err((outcome, found));
        }
        self.node = Some((node.id.clone(), node.name.clone()));
        self.phase = match resumed {
            true => Phase::Emptying { next: now },
            false => Phase::Excluding(Change::exclude(&facts.settings, node, &self.author)),
        };
        Ok(())
    }

    fn emptying(&mut self, now: Timestamp, facts: &Facts) {
        if !self.holds(now, facts) {
            return;
        }
        let Some((id, name)) = self.node.clone() else { return };
        let held = facts.copies_on(&id).count();
        if held != self.held.0 {
            self.held = (held, now);
        }
        let found = check(facts, Some(&id), Self::own());
        if held > 0 || !facts.nodes.contains_key(&id) {
            if !facts.nodes.contains_key(&id) {
                let what = format!("{name} left the cluster before it was empty");
                let help = "bring it back, or restore its shards";
                return self.undo(now, Outcome::NotSafe, vec![Finding::stop(Code::OnlyCopy, what, help)]);
            }
            let moving =
                facts.copies_on(&id).any(|copy| !copy.is_active() || copy.recovery.is_some() || moves(copy));
            let idle = !moving && facts.health.initializing == 0 && facts.health.relocating == 0;
            if idle && now.since(self.held.1) >= self.ask.stable {
                let shards: Vec<String> = facts.copies_on(&id).map(|copy| copy.shard.to_string()).collect();
                let what = format!("{} stay on {name}: {}", count(held, "shard", "shards"), few(&shards));
                let help = "see `GET _cluster/allocation/explain` for one of them with `current_node`: a filter, a full disk or awareness keeps it there";
                return self.undo(now, Outcome::NotSafe, vec![Finding::stop(Code::Stranded, what, help)]);
            }
            let told = format!("{name} to be empty: {} left", count(held, "shard", "shards"));
            return self.waits_for(now, vec![told]);
        }
        match found.first().map(|worst| worst.stand) {
            Some(Stand::Stop) => self.undo(now, Outcome::NotSafe, found),
            Some(stand) if stand > Stand::Note => {
                let told = found.iter().filter(|finding| finding.stand > Stand::Note);
                let told = told.map(|finding| finding.what.clone()).collect();
                self.waits_for(now, told);
            }
            _ => self.phase = Phase::Ready,
        }
    }

    /// Whether the exclusion is still this call's; if not, there is nothing to undo.
    fn holds(&mut self, now: Timestamp, facts: &Facts) -> bool {
        let Some((id, name)) = &self.node else { return false };
        let leftovers = Leftovers::of(&facts.settings);
        let mark = leftovers.drain();
        if mark.is_some_and(|mark| mark.node_id == id.0) {
            return true;
        }
        let what = match mark {
            Some(mark) => format!("another call now drains {}", mark.node),
            None => format!("someone ended the drain of {name}"),
        };
        let help = "find out who else changes the cluster, then run it again";
        self.done(now, Outcome::NotSafe, vec![Finding::stop(Code::Leftover, what, help)]);
        false
    }

    fn leaving(&mut self, now: Timestamp, facts: &Facts) {
        if !self.holds(now, facts) {
            return;
        }
        let Some((id, name)) = self.node.clone() else { return };
        if facts.nodes.contains_key(&id) {
            return self.waits_for(now, vec![format!("{name} to leave the cluster")]);
        }
        self.undo(now, Outcome::Safe, Vec::new());
    }

    fn waits_for(&mut self, now: Timestamp, what: Vec<String>) {
        if self.progress.since.is_none() {
            self.progress.since = Some(now);
        }
        self.progress.waits_for = what;
        let next = now + self.ask.poll;
        match &mut self.phase {
            Phase::Emptying { next: at } | Phase::Leaving { next: at } | Phase::Asking { next: at } => {
                *at = next
            }
            _ => {}
        }
    }

    /// Undoes what was written, whatever the outcome.
    fn undo(&mut self, now: Timestamp, outcome: Outcome, findings: Vec<Finding>) {
        let verdict = self.verdict(now, outcome, findings);
        self.phase = Phase::Undoing(Undoing::of_drain(verdict, now, self.ask.poll));
    }

    fn done(&mut self, now: Timestamp, outcome: Outcome, findings: Vec<Finding>) {
        let verdict = self.verdict(now, outcome, findings);
        self.phase = Phase::Undoing(Undoing::none(verdict));
    }

    fn verdict(&self, now: Timestamp, outcome: Outcome, mut findings: Vec<Finding>) -> Verdict {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.stand));
        Verdict {
            outcome,
            cluster: self.last.as_ref().map(|facts| facts.cluster.clone()),
            status: self.last.as_ref().map(|facts| facts.health.status),
            node: self.node.as_ref().map(|(_, name)| name.clone()).or_else(|| self.ask.node.clone()),
            findings,
            shards: Vec::new(),
            took: now.since(self.began),
        }
    }

    fn time_is_over(&mut self, now: Timestamp) {
        let waited = self.progress.waits_for.iter();
        let mut findings: Vec<Finding> =
            waited.map(|what| Finding::wait(Code::Relocating, format!("waited for {what}"))).collect();
        let outcome = match &self.trouble {
            Some(trouble) => {
                let help = "check address, credentials and privileges (`manage` of the cluster)";
                findings.push(Finding::unknown(Code::Doubt, trouble.message.clone(), help));
                Outcome::CouldNotTell
            }
            None => Outcome::TimedOut,
        };
        match self.phase {
            Phase::Asking { .. } => self.done(now, outcome, findings),
            _ => self.undo(now, outcome, findings),
        }
    }
}

/// Whether a copy is moving.
fn moves(copy: &crate::shard::Copy) -> bool {
    matches!(copy.state, crate::shard::CopyState::Relocating { .. })
}

impl Procedure for Drain {
    fn step(&mut self, now: Timestamp) -> Step {
        let waits =
            matches!(self.phase, Phase::Asking { .. } | Phase::Emptying { .. } | Phase::Leaving { .. });
        let looked = self.last.is_some() || self.trouble.is_some();
        if waits && looked && now.since(self.began) >= self.ask.wait {
            self.time_is_over(now);
        }
        match &mut self.phase {
            Phase::Asking { next } | Phase::Emptying { next } | Phase::Leaving { next } => Step::Look(*next),
            Phase::Excluding(change) => Step::Write(change.clone()),
            Phase::Ready => {
                let name = self.node.as_ref().map_or("the node", |(_, name)| name.as_str());
                Step::Tell(format!("{name} holds no shards: terminate it now"))
            }
            Phase::Undoing(undoing) => undoing.step(),
        }
    }

    fn look(&mut self, now: Timestamp, looked: Result<Facts, Trouble>) {
        if let Phase::Undoing(undoing) = &mut self.phase {
            return undoing.look(now, looked);
        }
        let facts = match looked {
            Ok(facts) => facts,
            Err(trouble) => {
                let lasting =
                    trouble.kind != TroubleKind::Passing && matches!(self.phase, Phase::Asking { .. });
                self.waits_for(now, vec![format!("a response: {}", trouble.message)]);
                self.trouble = Some(trouble);
                if lasting {
                    self.time_is_over(now);
                }
                return;
            }
        };
        self.trouble = None;
        if let Some(last) = &self.last {
            self.progress.compare(now, last, &facts);
        }
        self.last = Some(facts.clone());
        if !facts.doubts.is_empty() {
            return self.waits_for(now, facts.doubts);
        }
        match self.phase {
            Phase::Asking { .. } => {
                if let Err((outcome, findings)) = self.begin(now, &facts) {
                    self.done(now, outcome, findings);
                }
            }
            Phase::Emptying { .. } => self.emptying(now, &facts),
            Phase::Leaving { .. } => self.leaving(now, &facts),
            Phase::Excluding(_) | Phase::Ready | Phase::Undoing(_) => {}
        }
    }

    fn explained(&mut self, _: Timestamp, _: &[Explained]) {}

    fn written(&mut self, now: Timestamp, written: Result<(), Trouble>) {
        match (&mut self.phase, written) {
            (Phase::Undoing(undoing), written) => undoing.written(now, written),
            (Phase::Excluding(_), Ok(())) => {
                self.held = (usize::MAX, now);
                self.phase = Phase::Emptying { next: now };
            }
            // It may have been written all the same.
            (Phase::Excluding(_), Err(trouble)) => {
                self.undo(now, Outcome::CouldNotTell, vec![Finding::not_written(trouble.message)]);
            }
            _ => {}
        }
    }

    fn told(&mut self, now: Timestamp) {
        if matches!(self.phase, Phase::Ready) {
            match self.until_ready {
                true => self.done(now, Outcome::Safe, Vec::new()),
                false => self.phase = Phase::Leaving { next: now },
            }
        }
    }

    fn interrupt(&mut self, now: Timestamp) {
        let finding = Finding::unknown(Code::Leftover, "interrupted", "run it again to continue");
        match self.phase {
            Phase::Asking { .. } => self.done(now, Outcome::CouldNotTell, vec![finding]),
            Phase::Undoing(_) => {}
            _ => self.undo(now, Outcome::CouldNotTell, vec![finding]),
        }
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}
