//! From look to look until there is a verdict. Takes facts with their times, returns the next step.
use std::collections::BTreeSet;

use watchbell_contract::{Duration, Timestamp};

use crate::change::{Change, Own};
use crate::checks::check;
use crate::decider::Allowed;
use crate::facts::{Facts, Status};
use crate::finding::{Code, Finding, Stand, count, few};
use crate::judge::{Explained, Judged, Standing, judge};
use crate::news::news;
use crate::node::NodeId;
use crate::shard::Group;

/// How many permanent errors in a row, and looks with unexplained shards, are tolerated.
const FAILURES_MAX: u32 = 3;

/// What the gate is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The node to be replaced, by name or id.
    pub node: Option<String>,
    /// How long a verdict may take. There is at least one look.
    pub wait: Duration,
    /// How long unassigned shards must stay the same before they are explained.
    pub stable: Duration,
    /// The time between two looks.
    pub poll: Duration,
    pub allowed: Allowed,
}

/// The next step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Look at the cluster at this time or later.
    Look(Timestamp),
    /// Fetch the explanation of each of these groups, and return them in the same order.
    Explain(Vec<Group>),
    /// Write these settings, all at once.
    Write(Change),
    /// Tell the caller that it is their turn, and come back.
    Tell(String),
    Done(Box<Verdict>),
}

/// Why there are no facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub message: String,
    pub kind: TroubleKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// The cluster is busy or has no master: retried until the time is over.
    Passing,
    /// Nothing listens at its address. Temporary, if it has responded before.
    Unreachable,
    /// Retrying is useless: no access, not a search server.
    Lasting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Safe,
    NotSafe,
    CouldNotTell,
    /// Time ran out before the cluster settled.
    TimedOut,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    /// From the last look; `None` if there was none.
    pub cluster: Option<String>,
    pub status: Option<Status>,
    pub node: Option<String>,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// What was explained; empty if nothing had to be.
    pub shards: Vec<Judged>,
    pub took: Duration,
}

/// What is being waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub waits_for: Vec<String>,
    /// Since when it waits for this kind of thing.
    pub since: Option<Timestamp>,
    /// The last change in the cluster, and when it was seen.
    pub changed: Option<(Timestamp, String)>,
}

impl Progress {
    /// Keeps the changes between two looks that an operator would follow.
    pub(crate) fn compare(&mut self, now: Timestamp, before: &Facts, facts: &Facts) {
        if let Some(news) = news(before, facts) {
            self.changed = Some((now, news));
        }
    }
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    ask: Ask,
    own: Own,
    began: Timestamp,
    node: Option<NodeId>,
    phase: Phase,
    last: Option<Facts>,
    trouble: Option<Trouble>,
    lasting: u32,
    unexplained: u32,
    /// Since when nodes and unassigned copies have been the same.
    unchanged_since: Timestamp,
    explain_after: Timestamp,
    judged: Vec<Judged>,
    progress: Progress,
    waits_for: BTreeSet<Code>,
}

#[derive(Debug)]
enum Phase {
    Watching {
        next: Timestamp,
    },
    /// Waiting for explanations of the copies of this look.
    Asking(Box<Facts>, Vec<Group>),
    /// Waiting for a look that confirms the explained one.
    Confirming(Box<Facts>, Vec<Judged>),
    Done(Box<Verdict>),
}

impl Gate {
    pub fn new(ask: Ask, own: Own, now: Timestamp) -> Self {
        Self {
            ask,
            own,
            began: now,
            node: None,
            phase: Phase::Watching { next: now },
            last: None,
            trouble: None,
            lasting: 0,
            unexplained: 0,
            unchanged_since: now,
            explain_after: now,
            judged: Vec::new(),
            progress: Progress::default(),
            waits_for: BTreeSet::new(),
        }
    }

    /// The next step; the same until it is done.
    pub fn step(&mut self, now: Timestamp) -> Step {
        if let Phase::Watching { .. } = self.phase
            && now.since(self.began) >= self.ask.wait
            && (self.last.is_some() || self.trouble.is_some())
        {
            self.time_is_over(now);
        }
        match &self.phase {
            Phase::Watching { next } => {
                // Uses the remaining time to its end.
                let end = self.began + self.ask.wait;
                Step::Look((*next).min(if now < end { end } else { *next }))
            }
            Phase::Asking(_, groups) => Step::Explain(groups.clone()),
            Phase::Confirming(..) => Step::Look(now),
            Phase::Done(verdict) => Step::Done(verdict.clone()),
        }
    }

    /// Takes the result of a look.
    pub fn look(&mut self, now: Timestamp, looked: Result<Facts, Trouble>) {
        if matches!(self.phase, Phase::Done(_)) {
            return;
        }
        let facts = match looked {
            Ok(facts) => facts,
            Err(trouble) => return self.failed(now, trouble),
        };
        (self.trouble, self.lasting) = (None, 0);
        self.compare(now, &facts);
        let confirming = std::mem::replace(&mut self.phase, Phase::Watching { next: now + self.ask.poll });
        self.last = Some(facts.clone());
        if !self.find_node(now, &facts) {
            return;
        }
        match confirming {
            Phase::Confirming(asked, judged) if facts.confirms(&asked) => self.decide(now, &facts, judged),
            _ => self.watch(now, facts),
        }
    }

    /// Takes the requested explanations.
    pub fn explained(&mut self, now: Timestamp, answers: &[Explained]) {
        let Phase::Asking(facts, groups) = std::mem::replace(&mut self.phase, Phase::Watching { next: now })
        else {
            return;
        };
        let nothing = Explained::Failed("there was no response".into());
        let answers = answers.iter().chain(std::iter::repeat(&nothing));
        let judged =
            groups.iter().zip(answers).map(|(group, one)| judge(group, one, &facts, &self.ask.allowed));
        self.phase = Phase::Confirming(facts.clone(), judged.collect());
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The last facts, for use after the verdict.
    pub fn facts(&self) -> Option<&Facts> {
        self.last.as_ref()
    }

    pub(crate) fn interrupted(&mut self, now: Timestamp) {
        if !matches!(self.phase, Phase::Done(_)) {
            let finding = Finding::unknown(Code::Doubt, "interrupted", "run it again");
            self.finish(now, Outcome::CouldNotTell, vec![finding]);
        }
    }

    fn failed(&mut self, now: Timestamp, trouble: Trouble) {
        let lasting = match trouble.kind {
            TroubleKind::Passing => false,
            TroubleKind::Unreachable => self.last.is_none(),
            TroubleKind::Lasting => true,
        };
        self.lasting = if lasting { self.lasting + 1 } else { 0 };
        self.progress.waits_for = vec![format!("a response: {}", trouble.message)];
        self.progress.since = self.progress.since.filter(|_| self.trouble.is_some()).or(Some(now));
        self.waits_for.clear();
        self.trouble = Some(trouble);
        // The explained copies may have changed by the time the cluster responds.
        self.phase = Phase::Watching { next: now + self.ask.poll };
        if self.lasting >= FAILURES_MAX {
            self.finish(now, Outcome::CouldNotTell, Vec::new());
        }
    }

    fn compare(&mut self, now: Timestamp, facts: &Facts) {
        let Some(before) = &self.last else {
            self.unchanged_since = now;
            return;
        };
        self.progress.compare(now, before, facts);
        let nodes = |facts: &Facts| -> Vec<_> {
            facts.nodes.values().map(|node| (node.id.clone(), node.ephemeral.clone())).collect()
        };
        if before.unassigned() != facts.unassigned() || nodes(before) != nodes(facts) {
            self.unchanged_since = now;
            self.explain_after = now;
        }
    }

    /// Whether the requested node is there, if there is one.
    fn find_node(&mut self, now: Timestamp, facts: &Facts) -> bool {
        let Some(name) = &self.ask.node else { return true };
        let same_name = facts.nodes.values().filter(|node| node.name == *name).count();
        let found = match &self.node {
            Some(id) => facts.nodes.get(id),
            None => facts.node(name),
        };
        let what = match found {
            Some(node) if same_name < 2 => {
                self.node = Some(node.id.clone());
                return true;
            }
            Some(_) => format!("{same_name} nodes are named `{name}`: use the id"),
            None if self.node.is_some() => format!("node {name} has left the cluster"),
            // No nodes are known yet.
            None if !facts.doubts.is_empty() => {
                self.watch(now, facts.clone());
                return false;
            }
            None => {
                let names: Vec<&str> = facts.nodes.values().map(|node| node.name.as_str()).collect();
                format!("there is no node `{name}`; there are {}", few(&names))
            }
        };
        let finding = Finding::unknown(Code::Doubt, what, "name a node of the cluster with `--node`");
        self.finish(now, Outcome::CouldNotTell, vec![finding]);
        false
    }

    fn watch(&mut self, now: Timestamp, facts: Facts) {
        let findings = check(&facts, self.node.as_ref(), self.own);
        let unassigned = facts.unassigned();
        let is_stable = now.since(self.unchanged_since) >= self.ask.stable;
        let any = |stand| findings.iter().any(|finding| finding.stand == stand);
        if any(Stand::Unknown) {
            return self.keep_waiting(now, &findings, &facts);
        }
        let at_once = |finding: &Finding| finding.stand == Stand::Stop && !finding.code.passes();
        if findings.iter().any(at_once) {
            return self.finish(now, Outcome::NotSafe, findings);
        }
        if any(Stand::Wait) {
            return self.keep_waiting(now, &findings, &facts);
        }
        if unassigned.is_empty() {
            return match any(Stand::Stop) {
                false => self.finish(now, Outcome::Safe, findings),
                true if is_stable => self.finish(now, Outcome::NotSafe, findings),
                true => self.keep_waiting(now, &findings, &facts),
            };
        }
        if is_stable && now >= self.explain_after {
            self.progress.waits_for = vec![format!(
                "explanations of {}",
                count(unassigned.len(), "unassigned shard", "unassigned shards")
            )];
            self.phase = Phase::Asking(Box::new(facts), unassigned);
            return;
        }
        self.keep_waiting(now, &findings, &facts);
    }

    /// Whether these are still the facts that the explanations are about.
    fn decide(&mut self, now: Timestamp, facts: &Facts, judged: Vec<Judged>) {
        self.judged = judged;
        let mut findings = check(facts, self.node.as_ref(), self.own);
        findings.extend(of_shards(&self.judged));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.stand));
        let any = |stand| findings.iter().any(|finding| finding.stand == stand);
        let unexplained = self.judged.iter().any(|one| matches!(one.standing, Standing::Unknown(_)));
        self.unexplained = if unexplained { self.unexplained + 1 } else { 0 };
        if any(Stand::Wait) {
            self.explain_after = now + self.ask.stable;
            return self.keep_waiting(now, &findings, facts);
        }
        if any(Stand::Stop) {
            return self.finish(now, Outcome::NotSafe, findings);
        }
        if any(Stand::Unknown) {
            return match self.unexplained >= FAILURES_MAX {
                true => self.finish(now, Outcome::CouldNotTell, findings),
                false => self.keep_waiting(now, &findings, facts),
            };
        }
        self.finish(now, Outcome::Safe, findings);
    }

    fn keep_waiting(&mut self, now: Timestamp, findings: &[Finding], facts: &Facts) {
        let blocks = |finding: &&Finding| finding.stand > Stand::Note;
        let codes: BTreeSet<Code> = findings.iter().filter(blocks).map(|finding| finding.code).collect();
        if codes != self.waits_for || self.progress.since.is_none() {
            self.progress.since = Some(now);
            self.waits_for = codes;
        }
        let told = findings.iter().filter(blocks).map(|finding| finding.what.clone());
        self.progress.waits_for = told.collect();
        let unassigned = facts.unassigned().iter().map(|group| group.copies as usize).sum::<usize>();
        if self.progress.waits_for.is_empty() && unassigned > 0 {
            let shards = count(unassigned, "unassigned shard", "unassigned shards");
            self.progress.waits_for = vec![format!("{shards} to stay the same for {}", self.ask.stable)];
        }
    }

    fn time_is_over(&mut self, now: Timestamp) {
        let Some(facts) = self.last.clone().filter(|_| self.trouble.is_none()) else {
            return self.finish(now, Outcome::CouldNotTell, Vec::new());
        };
        let mut findings = check(&facts, self.node.as_ref(), self.own);
        // Earlier explanations may be outdated; that the shards are unassigned is not.
        let unassigned = facts.unassigned();
        if !unassigned.is_empty() {
            let groups: Vec<String> = unassigned.iter().map(ToString::to_string).collect();
            findings.push(Finding::wait(Code::Allocating, format!("unassigned: {}", few(&groups))));
        }
        let unknown = findings.iter().any(|finding| finding.stand == Stand::Unknown) || self.unexplained > 0;
        let outcome = if unknown { Outcome::CouldNotTell } else { Outcome::TimedOut };
        self.finish(now, outcome, findings);
    }

    fn finish(&mut self, now: Timestamp, outcome: Outcome, mut findings: Vec<Finding>) {
        if let Some(trouble) = &self.trouble {
            let help = "check address, credentials and privileges (`monitor` of the cluster)";
            findings.push(Finding::unknown(Code::Doubt, trouble.message.clone(), help));
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.stand));
        let name = |id: &NodeId| self.last.as_ref().map(|facts| facts.name(id).to_owned());
        self.phase = Phase::Done(Box::new(Verdict {
            outcome,
            cluster: self.last.as_ref().map(|facts| facts.cluster.clone()),
            status: self.last.as_ref().map(|facts| facts.health.status),
            node: self.node.as_ref().and_then(name).or_else(|| self.ask.node.clone()),
            findings,
            shards: self.judged.clone(),
            took: now.since(self.began),
        }));
    }
}

/// The sum of the verdicts on single shards.
fn of_shards(judged: &[Judged]) -> Vec<Finding> {
    let mut found = Vec::new();
    let named = |groups: &[&Judged]| {
        let groups: Vec<String> = groups.iter().map(|one| one.group.to_string()).collect();
        few(&groups)
    };
    let with =
        |what: fn(&Judged) -> bool| -> Vec<&Judged> { judged.iter().filter(|one| what(one)).collect() };
    let primaries = with(|one| one.group.primary && matches!(one.standing, Standing::Refused { .. }));
    let replicas = with(|one| !one.group.primary && matches!(one.standing, Standing::Refused { .. }));
    for (code, what, groups) in [
        (Code::UnassignedPrimary, "unassigned primaries, which are never acceptable", primaries),
        (Code::Unassigned, "unassigned for other reasons than the allowed ones", replicas),
    ] {
        if let Some(Judged { standing: Standing::Refused { why, help }, .. }) = groups.first() {
            found.push(Finding::stop(code, format!("{what}: {} ({why})", named(&groups)), help.clone()));
        }
    }
    let unknown = with(|one| matches!(one.standing, Standing::Unknown(_)));
    if let Some(Judged { standing: Standing::Unknown(why), .. }) = unknown.first() {
        let what = format!("no explanation: {} ({why})", named(&unknown));
        found.push(Finding::unknown(
            Code::Unexplained,
            what,
            "see `GET _cluster/allocation/explain` for the shard",
        ));
    }
    let waiting = with(|one| matches!(one.standing, Standing::Waiting(_)));
    if let Some(Judged { standing: Standing::Waiting(why), .. }) = waiting.first() {
        found
            .push(Finding::wait(Code::Allocating, format!("not allocated yet: {} ({why})", named(&waiting))));
    }
    found
}

impl Outcome {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Safe => 0,
            Self::NotSafe => 1,
            Self::CouldNotTell => 2,
            Self::TimedOut => 3,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::NotSafe => "not-safe",
            Self::CouldNotTell => "could-not-tell",
            Self::TimedOut => "timed-out",
        }
    }
}

impl Code {
    /// Whether the cluster may recover from it by itself, once shards and nodes are where they belong.
    fn passes(self) -> bool {
        matches!(
            self,
            Self::OnlyCopy | Self::Disk | Self::Quorum | Self::LastMaster | Self::LastDataNode | Self::Resize
        )
    }
}
