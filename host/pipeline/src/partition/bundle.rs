use std::collections::BTreeSet;
use std::sync::Arc;

use watchbell_contract::{Duration, Range, Timestamp};

use crate::action::Note;
use crate::level::{self, Open};
use crate::record::{GapReason, RuleRecord};
use crate::schedule::Timetable;
use crate::spec::{RuleName, RuleSpec};
use crate::window;

use super::rule::{Activity, Rule};
use super::{Context, Partition};

/// How long, and how many, disabled or removed rules are kept.
const OFF_KEPT: Duration = Duration::from_hours(30 * 24);
const OFF_MAX: usize = 10_000;

impl Partition {
    /// Replaces the rules in force as a whole. A rule whose meaning is unchanged keeps its state.
    pub(crate) fn take_bundle(
        &mut self,
        generation: u64,
        rules: Vec<Arc<RuleSpec>>,
        context: &mut Context<'_>,
    ) {
        self.draft.generation = generation;
        let staying: BTreeSet<&RuleName> =
            rules.iter().filter(|spec| spec.enabled).map(|spec| &spec.name).collect();
        let known: BTreeSet<RuleName> = self.rules.keys().chain(self.found.keys()).cloned().collect();
        for name in known.iter().filter(|name| !staying.contains(name)) {
            self.end_rule(name, context);
        }
        for spec in rules {
            self.take_rule(spec, context);
        }
        self.forget_off(context.now);
    }

    /// The names of its rules, when another host owns it now.
    pub(crate) fn into_names(self) -> impl Iterator<Item = RuleName> {
        self.rules.keys().cloned().collect::<Vec<_>>().into_iter()
    }

    fn take_rule(&mut self, spec: Arc<RuleSpec>, context: &mut Context<'_>) {
        let name = spec.name.clone();
        let before = self.rules.remove(&name);
        let enabled = spec.enabled;
        let mut rule = match (before, self.found.remove(&name)) {
            (Some(rule), _) if rule.spec.enabled && enabled => self.change_rule(rule, spec),
            (_, Some((Some(record), open))) if enabled => {
                let rule = Rule::new(Arc::clone(&spec), record, open, context.now);
                self.change_rule(rule, spec)
            }
            _ => match enabled.then(|| self.off.remove(&name)).flatten() {
                Some(record) => self.return_rule(record, spec, context.now),
                None => self.new_rule(spec, context.now),
            },
        };
        // A run of an earlier rule of this name is still in progress: wait for it to end, and drop its result.
        if let Some((id, _)) = self.underway.iter().find(|(_, underway)| underway.rule == name) {
            rule.activity = Activity::Running(*id);
        }
        self.rules.insert(name.clone(), rule);
        self.enqueue(&name, context);
    }

    fn new_rule(&mut self, spec: Arc<RuleSpec>, now: Timestamp) -> Rule {
        let cursor = window::first_cursor(Timetable::of(&spec.schedule).ok().as_ref(), &spec, now);
        let record = RuleRecord {
            rule: spec.name.clone(),
            meaning: spec.meaning.clone(),
            cursor,
            state: None,
            priming: None,
            seen: Vec::new(),
            final_before: cursor,
            later: Default::default(),
            overflow: Default::default(),
            committed_at: None,
            last_run: None,
            failure: None,
            gap_announced: false,
            off_since: None,
        };
        // A rule's starting point is stored at once, so that a crash before its first commit does not move it.
        if spec.enabled {
            self.draft.rule(&record);
        }
        Rule::new(spec, record, Open::new(), now)
    }

    /// A disabled or removed rule is back: what it announced is not announced again, and the time in between is
    /// evaluated as far back as for a new rule.
    fn return_rule(&mut self, kept: RuleRecord, spec: Arc<RuleSpec>, now: Timestamp) -> Rule {
        let table = Timetable::of(&spec.schedule).ok();
        let cursor = kept.cursor.max(window::cursor_back(table.as_ref(), &spec, now));
        let over = Range { start: kept.cursor, end: cursor };
        let final_before = if over.is_empty() { kept.final_before } else { cursor };
        let record =
            RuleRecord { cursor, final_before, off_since: None, meaning: spec.meaning.clone(), ..kept };
        self.draft.rule(&record);
        if !over.is_empty() {
            self.draft.gap(now, &spec.name, over, GapReason::Disabled, "the rule was off".into());
        }
        // Its first run waits until the store has its starting point.
        Rule { activity: Activity::Committing, ..Rule::new(spec, record, Open::new(), now) }
    }

    /// Forgets rules that have been off for long, or of which there are too many.
    fn forget_off(&mut self, now: Timestamp) {
        let mut ages: Vec<_> =
            self.off.values().map(|record| (record.off_since, record.rule.clone())).collect();
        ages.sort();
        let too_many = ages.len().saturating_sub(OFF_MAX);
        for (index, (since, name)) in ages.into_iter().enumerate() {
            if index < too_many || since.is_none_or(|since| now.since(since) > OFF_KEPT) {
                self.off.remove(&name);
                self.draft.rule_ended(&name);
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
                    format!("its state has version {version}, but its module uses version {wanted}")
                }
                None => "the meaning of its manifest has changed".into(),
            };
            self.draft.note(Note::PrimesAnew { rule: spec.name.clone(), reason });
            self.abandon_run(&rule);
            rule.mean(&spec);
            self.draft.rule(&rule.record);
        }
        rule.follow(spec)
    }

    /// The rule's file was removed, or the rule was disabled: its state is dropped, and its levels end.
    fn end_rule(&mut self, name: &RuleName, context: &mut Context<'_>) {
        context.queue.remove(name);
        let (judged, record, mut open) = match (self.rules.remove(name), self.found.remove(name)) {
            (Some(rule), _) => {
                self.abandon_run(&rule);
                (rule.record.cursor, rule.spec.enabled.then_some(rule.record), rule.open)
            }
            // A rule whose record is gone will not be evaluated any further.
            (None, Some((None, open))) => (context.now, None, open),
            (None, Some((Some(record), open))) => (record.cursor, Some(record), open),
            (None, None) => return,
        };
        self.draft.pass(name, judged, level::end_all(&mut open));
        if let Some(record) = record {
            let record = RuleRecord {
                state: None,
                priming: None,
                later: Default::default(),
                overflow: Default::default(),
                failure: None,
                gap_announced: false,
                off_since: Some(context.now),
                ..record
            };
            self.draft.rule(&record);
            self.off.insert(name.clone(), record);
        }
    }

    /// The result of the rule's run is no longer needed; the run keeps its slot until it ends.
    fn abandon_run(&mut self, rule: &Rule) {
        if let Activity::Running(id) = rule.activity
            && let Some(underway) = self.underway.get_mut(&id)
        {
            underway.abandoned = true;
        }
    }
}
