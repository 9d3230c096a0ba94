//! Limits allocation while a node restarts in place: ask the gate, limit allocation, tell the caller, wait until the
//! node is back, enable allocation again, and wait until the cluster has recovered.
use watchbell_contract::Timestamp;

use crate::change::{Author, Change, ENABLE, Leftovers, Own};
use crate::facts::Facts;
use crate::finding::{Code, Finding};
use crate::judge::Explained;
use crate::node::NodeId;
use crate::procedure::Procedure;
use crate::undoing::Undoing;
use crate::wait::{Ask, Gate, Outcome, Progress, Step, Trouble, Verdict};

/// A restart of one node in place.
#[derive(Debug)]
pub struct Restart {
    ask: Ask,
    author: Author,
    until_ready: bool,
    began: Timestamp,
    /// Id, name, and the process to be restarted.
    node: Option<(NodeId, String, Option<String>)>,
    phase: Phase,
    last: Option<Facts>,
    trouble: Option<Trouble>,
    progress: Progress,
}

#[derive(Debug)]
enum Phase {
    /// Asks whether it may go down.
    Before(Box<Gate>),
    Limiting(Change),
    Ready,
    Restarting {
        next: Timestamp,
    },
    Undoing(Undoing),
    /// Allocation is enabled again; the cluster recovers.
    After(Box<Gate>),
}

impl Restart {
    /// - `ask.node` names the node.
    /// - `until_ready`: end when it may be restarted; allocation stays limited until a later call.
    pub fn new(ask: Ask, author: Author, until_ready: bool, now: Timestamp) -> Self {
        let gate = Gate::new(ask.clone(), Own { drain: false, restart: true }, now);
        Self {
            ask,
            author,
            until_ready,
            began: now,
            node: None,
            phase: Phase::Before(Box::new(gate)),
            last: None,
            trouble: None,
            progress: Progress::default(),
        }
    }

    /// The gate's verdict: a refusal ends the restart before anything is written.
    fn begin(&mut self, verdict: Verdict) {
        let (Outcome::Safe, Phase::Before(gate)) = (verdict.outcome, &self.phase) else {
            self.phase = Phase::Undoing(Undoing::none(verdict));
            return;
        };
        let facts = gate.facts().cloned();
        let node = facts.as_ref().and_then(|facts| facts.node(self.ask.node.as_deref()?)).cloned();
        let (Some(facts), Some(node)) = (facts, node) else {
            self.phase = Phase::Undoing(Undoing::none(Verdict { outcome: Outcome::CouldNotTell, ..verdict }));
            return;
        };
        let leftovers = Leftovers::of(&facts.settings);
        let mark = leftovers.restart();
        let enabled = facts.settings.get(ENABLE).unwrap_or("all");
        let refusal = match mark {
            Some(mark) if mark.node_id != node.id.0 => {
                Some(format!("an earlier call limits allocation for {}", mark.node))
            }
            None if enabled != "all" => {
                Some(format!("allocation is already limited to `{enabled}`, but not by this program"))
            }
            _ => None,
        };
        if let Some(what) = refusal {
            let help =
                "`watchbell upgrade-gate --put-back`, or reset `cluster.routing.allocation.enable` yourself";
            let findings = vec![Finding::stop(Code::AllocationDisabled, what, help)];
            let verdict = Verdict { outcome: Outcome::NotSafe, findings, ..verdict };
            self.phase = Phase::Undoing(Undoing::none(verdict));
            return;
        }
        let process = mark.map_or_else(|| node.ephemeral.clone(), |mark| mark.ephemeral.clone());
        self.node = Some((node.id.clone(), node.name.clone(), process));
        self.last = Some(facts.clone());
        self.phase = match mark {
            Some(_) => Phase::Ready,
            None => Phase::Limiting(Change::limit(&facts.settings, &node, &self.author)),
        };
    }

    fn restarting(&mut self, now: Timestamp, facts: &Facts) {
        let Some((id, name, process)) = self.node.clone() else { return };
        if Leftovers::of(&facts.settings).restart().is_none_or(|mark| mark.node_id != id.0) {
            let what = format!("someone enabled allocation before {name} was back");
            let help = "find out who else changes the cluster, then run it again";
            let finding = Finding::stop(Code::Leftover, what, help);
            let verdict = self.verdict(now, Outcome::NotSafe, vec![finding]);
            self.phase = Phase::Undoing(Undoing::none(verdict));
            return;
        }
        let told = match facts.nodes.get(&id) {
            Some(node) if node.ephemeral != process && node.ephemeral.is_some() => {
                let verdict = self.verdict(now, Outcome::Safe, Vec::new());
                self.phase = Phase::Undoing(Undoing::of_restart(verdict, now, self.ask.poll));
                return;
            }
            Some(_) => format!("{name} to be restarted"),
            None => format!("{name} to come back"),
        };
        self.waits_for(now, told);
    }

    fn waits_for(&mut self, now: Timestamp, what: String) {
        let waits_for = vec![what];
        if self.progress.waits_for != waits_for {
            self.progress.since = Some(now);
        }
        self.progress.waits_for = waits_for;
        self.phase = Phase::Restarting { next: now + self.ask.poll };
    }

    fn verdict(&self, now: Timestamp, outcome: Outcome, findings: Vec<Finding>) -> Verdict {
        Verdict {
            outcome,
            cluster: self.last.as_ref().map(|facts| facts.cluster.clone()),
            status: self.last.as_ref().map(|facts| facts.health.status),
            node: self.node.as_ref().map(|(_, name, _)| name.clone()).or_else(|| self.ask.node.clone()),
            findings,
            shards: Vec::new(),
            took: now.since(self.began),
        }
    }

    fn undo(&mut self, now: Timestamp, outcome: Outcome, findings: Vec<Finding>) {
        let verdict = self.verdict(now, outcome, findings);
        self.phase = Phase::Undoing(Undoing::of_restart(verdict, now, self.ask.poll));
    }

    fn time_is_over(&mut self, now: Timestamp) {
        let name = self.node.as_ref().map_or("the node", |(_, name, _)| name.as_str());
        let what = format!("{name} was not restarted in time");
        let (outcome, finding) = match &self.trouble {
            Some(trouble) => {
                let help = "check address, credentials and privileges (`manage` of the cluster)";
                (Outcome::CouldNotTell, Finding::unknown(Code::Doubt, trouble.message.clone(), help))
            }
            None => (Outcome::TimedOut, Finding::wait(Code::NoMaster, what)),
        };
        self.undo(now, outcome, vec![finding]);
    }
}

impl Procedure for Restart {
    fn step(&mut self, now: Timestamp) -> Step {
        if let Phase::Restarting { .. } = self.phase
            && now.since(self.began) >= self.ask.wait
        {
            self.time_is_over(now);
        }
        if let Phase::Before(gate) = &mut self.phase {
            match gate.step(now) {
                Step::Done(verdict) => self.begin(*verdict),
                step => return step,
            }
        }
        if let Phase::Undoing(undoing) = &self.phase
            && let Step::Done(verdict) = undoing.step()
            && undoing.is_real()
            && verdict.outcome == Outcome::Safe
        {
            // The node is back: what it holds is recovered before any other node may go.
            let left = Ask { node: None, wait: self.left(now), ..self.ask.clone() };
            self.phase = Phase::After(Box::new(Gate::new(left, Own::default(), now)));
        }
        match &mut self.phase {
            Phase::Before(gate) => gate.step(now),
            Phase::After(gate) => match gate.step(now) {
                Step::Done(verdict) => {
                    let node = self.node.as_ref().map(|(_, name, _)| name.clone());
                    Step::Done(Box::new(Verdict { node, took: now.since(self.began), ..*verdict }))
                }
                step => step,
            },
            Phase::Limiting(change) => Step::Write(change.clone()),
            Phase::Ready => {
                let name = self.node.as_ref().map_or("the node", |(_, name, _)| name.as_str());
                Step::Tell(format!("allocation is held back: restart {name} now"))
            }
            Phase::Restarting { next } => Step::Look(*next),
            Phase::Undoing(undoing) => undoing.step(),
        }
    }

    fn look(&mut self, now: Timestamp, looked: Result<Facts, Trouble>) {
        match &mut self.phase {
            Phase::Before(gate) | Phase::After(gate) => return gate.look(now, looked),
            Phase::Undoing(undoing) => return undoing.look(now, looked),
            Phase::Limiting(_) | Phase::Ready | Phase::Restarting { .. } => {}
        }
        match looked {
            Err(trouble) => {
                self.waits_for(now, format!("a response: {}", trouble.message));
                self.trouble = Some(trouble);
            }
            Ok(facts) => {
                self.trouble = None;
                if let Some(last) = &self.last {
                    self.progress.compare(now, last, &facts);
                }
                self.last = Some(facts.clone());
                self.restarting(now, &facts);
            }
        }
    }

    fn explained(&mut self, now: Timestamp, answers: &[Explained]) {
        if let Phase::Before(gate) | Phase::After(gate) = &mut self.phase {
            gate.explained(now, answers);
        }
    }

    fn written(&mut self, now: Timestamp, written: Result<(), Trouble>) {
        match (&mut self.phase, written) {
            (Phase::Undoing(undoing), written) => undoing.written(now, written),
            (Phase::Limiting(_), Ok(())) => self.phase = Phase::Ready,
            // It may have been written all the same.
            (Phase::Limiting(_), Err(trouble)) => {
                self.undo(now, Outcome::CouldNotTell, vec![Finding::not_written(trouble.message)]);
            }
            _ => {}
        }
    }

    fn told(&mut self, now: Timestamp) {
        if matches!(self.phase, Phase::Ready) {
            self.phase = match self.until_ready {
                true => Phase::Undoing(Undoing::none(self.verdict(now, Outcome::Safe, Vec::new()))),
                false => Phase::Restarting { next: now },
            };
        }
    }

    fn interrupt(&mut self, now: Timestamp) {
        let finding = || vec![Finding::unknown(Code::Leftover, "interrupted", "run it again to continue")];
        match &mut self.phase {
            Phase::Before(gate) | Phase::After(gate) => gate.interrupt(now),
            Phase::Undoing(_) => {}
            Phase::Limiting(_) | Phase::Ready | Phase::Restarting { .. } => {
                self.undo(now, Outcome::CouldNotTell, finding());
            }
        }
    }

    fn progress(&self) -> &Progress {
        match &self.phase {
            Phase::Before(gate) | Phase::After(gate) => gate.progress(),
            _ => &self.progress,
        }
    }
}

impl Restart {
    fn left(&self, now: Timestamp) -> watchbell_contract::Duration {
        let end = self.began + self.ask.wait;
        // The node is back: there is always time to look.
        end.since(now).max(self.ask.stable.saturating_mul(2))
    }
}
