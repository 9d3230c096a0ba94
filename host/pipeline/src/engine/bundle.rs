use std::collections::BTreeSet;
use std::sync::Arc;

use watchbell_contract::{Duration, Range};

use crate::level;
use crate::order::Note;
use crate::priming;
use crate::record::{GapReason, RuleRecord};
use crate::schedule::Timetable;
use crate::spec::{DestinationSpec, RuleName, RuleSpec};
use crate::window::{self, Cut};

use super::Engine;
use super::rule::{Activity, Rule};

/// How long, and how many, rules that are off are kept.
const OFF_KEPT: Duration = Duration::from_hours(30 * 24);
const OFF_MAX: usize = 10_000;

impl Engine {
    /// How many rules the store or the bundle in force has, not counting disabled ones.
    pub fn known(&self) -> usize {
        self.known_names().count()
    }

    /// Which of them would end if `rules` were put in force: those that it does not name or disables.
    pub fn would_end(&self, rules: &[RuleSpec]) -> Vec<RuleName> {
        let staying: BTreeSet<&RuleName> =
            rules.iter().filter(|spec| spec.enabled).map(|spec| &spec.name).collect();
        self.known_names().filter(|name| !staying.contains(name)).cloned().collect()
    }

    fn known_names(&self) -> impl Iterator<Item = &RuleName> {
        let in_force = self.rules.values().filter(|rule| rule.spec.enabled).map(|rule| &rule.spec.name);
        in_force.chain(self.found.keys())
    }

    /// Replaces the rules in force as a whole. What keeps its meaning keeps its state.
    pub(super) fn take_bundle(
        &mut self,
        digest: String,
        rules: Vec<RuleSpec>,
        destinations: Vec<DestinationSpec>,
    ) {
        self.notifier.configure(destinations);
        let staying: BTreeSet<RuleName> =
            rules.iter().filter(|spec| spec.enabled).map(|spec| spec.name.clone()).collect();
        let known: Vec<RuleName> = self.rules.keys().chain(self.found.keys()).cloned().collect();
        for name in known.iter().filter(|name| !staying.contains(name)) {
            self.end_rule(name);
        }
        let clusters: BTreeSet<&str> = rules.iter().map(|spec| spec.cluster.as_str()).collect();
        self.clusters = clusters.len();
        self.notifier.put_texts_in_force(rules.iter());
        for spec in rules {
            self.take_rule(Arc::new(spec));
        }
        self.forget_off();
        if self.bundle.as_ref() != Some(&digest) {
            self.bundle = Some(digest.clone());
            self.ledger.draft.bundle = Some(digest);
        }
    }

    fn take_rule(&mut self, spec: Arc<RuleSpec>) {
        let name = spec.name.clone();
        let before = self.rules.remove(&name);
        let enabled = spec.enabled;
        let mut rule = match (before, self.found.remove(&name)) {
            (Some(rule), _) if rule.spec.enabled && enabled => self.change_rule(rule, spec),
            (_, Some((Some(record), open))) if enabled => {
                let rule = Rule::new(Arc::clone(&spec), record, open, self.now);
                self.change_rule(rule, spec)
            }
            _ => match enabled.then(|| self.off.remove(&name)).flatten() {
                Some(record) => self.return_rule(record, spec),
                None => self.new_rule(spec),
            },
        };
        // A run of an earlier rule of this name is still under way: its end is awaited, its result dropped.
        if let Some((id, _)) = self.underway.iter().find(|(_, underway)| underway.rule == name) {
            rule.activity = Activity::Running(*id);
        }
        let (spec, judged) = (Arc::clone(&rule.spec), rule.record.cursor);
        self.rules.insert(name.clone(), rule);
        self.notify(|notifier, context| notifier.take_rule(spec, judged, context));
        self.enqueue(&name);
    }

    fn new_rule(&mut self, spec: Arc<RuleSpec>) -> Rule {
        let cursor = window::first_cursor(Timetable::of(&spec.schedule).ok().as_ref(), &spec, self.now);
        let record = RuleRecord {
            rule: spec.name.clone(),
            meaning: spec.meaning.clone(),
            cursor,
            state: None,
            priming: None,
            told: Vec::new(),
            told_from: cursor,
            later: Default::default(),
            committed_at: None,
            last_run: None,
            failure: None,
            gap_told: false,
            off_since: None,
        };
        // Where a rule begins is kept at once, so that a crash before its first commit moves nothing.
        if spec.enabled {
            self.ledger.rule(&record);
        }
        Rule::new(spec, record, Default::default(), self.now)
    }

    /// A rule that was off is back: what it told is not told again, and what happened meanwhile is looked at as far as a
    /// new rule would look back.
    fn return_rule(&mut self, kept: RuleRecord, spec: Arc<RuleSpec>) -> Rule {
        let table = Timetable::of(&spec.schedule).ok();
        let cursor = kept.cursor.max(window::first_cursor(table.as_ref(), &spec, self.now));
        let over = Range { start: kept.cursor, end: cursor };
        let told_from = if over.is_empty() { kept.told_from } else { cursor };
        let record = RuleRecord { cursor, told_from, off_since: None, meaning: spec.meaning.clone(), ..kept };
        self.ledger.rule(&record);
        if !over.is_empty() {
            self.record_gap(&spec.name, over, GapReason::Disabled, "the rule was off".into());
        }
        // Its runs begin where the store says that it is.
        Rule { activity: Activity::Committing, ..Rule::new(spec, record, Default::default(), self.now) }
    }

    /// What is off for long, or one of too many, is not kept any longer.
    fn forget_off(&mut self) {
        let mut ages: Vec<_> =
            self.off.values().map(|record| (record.off_since, record.rule.clone())).collect();
        ages.sort();
        let too_many = ages.len().saturating_sub(OFF_MAX);
        for (index, (since, name)) in ages.into_iter().enumerate() {
            if index < too_many || since.is_none_or(|since| self.now.since(since) > OFF_KEPT) {
                self.off.remove(&name);
                self.ledger.rule_ended(&name);
            }
        }
    }

    fn change_rule(&mut self, mut rule: Rule, spec: Arc<RuleSpec>) -> Rule {
        let kept = rule.record.state.as_ref().map(|state| state.version);
        let lost = kept.filter(|version| *version != spec.state_version);
        if rule.record.meaning != spec.meaning || lost.is_some() {
            let reason = match lost {
                Some(version) => {
                    let wanted = spec.state_version;
                    format!("its state is of version {version}, and its module keeps version {wanted}")
                }
                None => "its manifest means something else now".into(),
            };
            self.ledger.note(Note::PrimesAnew { rule: spec.name.clone(), reason });
            rule.record.meaning = spec.meaning.clone();
            rule.record.state = None;
            rule.record.priming = None;
            rule.record.failure = None;
            let table = Timetable::of(&spec.schedule).ok();
            rule.record.priming = priming::needed(table.as_ref(), &spec, &rule.record);
            rule.cut = Cut::Whole;
            rule.retry = None;
            rule.primed.clear();
            self.abandon_run(&rule);
            self.ledger.rule(&rule.record);
        }
        let waited = rule.ended_at;
        let changed = Rule::new(spec, rule.record, rule.open, waited);
        Rule {
            committed: rule.committed,
            unwritten: rule.unwritten,
            activity: rule.activity,
            cut: rule.cut,
            retry: rule.retry,
            primed_from: rule.primed_from,
            primed: rule.primed,
            pace: rule.pace,
            ..changed
        }
    }

    /// The rule's file is gone, or the rule is disabled: its state is not kept, and who heard of it hears that.
    fn end_rule(&mut self, name: &RuleName) {
        self.queue.remove(name);
        let (record, mut open) = match (self.rules.remove(name), self.found.remove(name)) {
            (Some(rule), _) => {
                self.abandon_run(&rule);
                (rule.spec.enabled.then_some(rule.record), rule.open)
            }
            (None, Some((record, open))) => (record, open),
            (None, None) => return,
        };
        self.pass(name, level::end_all(&mut open));
        self.notify(|notifier, _| notifier.forget_rule(name));
        if let Some(record) = record {
            let record = RuleRecord {
                state: None,
                priming: None,
                later: Default::default(),
                failure: None,
                gap_told: false,
                off_since: Some(self.now),
                ..record
            };
            self.ledger.rule(&record);
            self.off.insert(name.clone(), record);
        }
    }

    /// Nobody waits for the rule's run any more; its slot stays taken until it ends.
    fn abandon_run(&mut self, rule: &Rule) {
        if let Activity::Running(id) = rule.activity
            && let Some(underway) = self.underway.get_mut(&id)
        {
            underway.abandoned = true;
        }
    }
}
