//! `check --online`: is the cluster reachable, do the indices exist, can the fields be read as the rules need them?
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Call, Question, Window};
use watchbell_elastic::{FieldInfo, Role};
use watchbell_manifest::{Bundle, Fields, ShownOf};
use watchbell_pipeline::spec::{RuleName, RuleSpec};
use watchbell_sandbox::RunError;

use super::{Failure, listed};
use crate::bind::{Deployment, LiveRule};
use crate::{chain, clock};

/// The time limit for all responses together.
const ANSWERS_MAX: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) struct Found {
    /// In words, each naming its file and rule.
    pub(crate) warnings: Vec<String>,
    /// In words, each naming its rule.
    pub(crate) faults: Vec<String>,
    /// Of the fields that texts show, those that the mappings of a rule's indices have.
    pub(crate) fields: BTreeMap<RuleName, Fields>,
}

pub(crate) fn check(bundle: &Bundle, deployment: &Deployment) -> Result<Found, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut found = Found { warnings: Vec::new(), faults: Vec::new(), fields: BTreeMap::new() };
        let shown = shown(bundle);
        let deadline = tokio::time::Instant::from_std(clock::monotonic() + ANSWERS_MAX);
        for rule in &bundle.rules {
            let Some(live) = deployment.rules.get(&rule.spec.name) else { continue };
            let place = format!("{}: rule `{}`", rule.source.display(), rule.spec.name);
            let questions = match questions(live, &rule.spec) {
                Ok(questions) => questions,
                Err(error) => {
                    found.faults.push(format!("{place}: {}", chain(&error)));
                    continue;
                }
            };
            match live.cluster.inspect(&live.target, &live.context.key, &questions, &shown, deadline).await {
                Ok(inspection) => {
                    if !inspection.fields.is_empty() {
                        found.fields.insert(rule.spec.name.clone(), known(&inspection.fields));
                    }
                    let of_lists = |info: &FieldInfo| listed::remarks(&rule.params, &live.context.key, info);
                    let lists = inspection.fields.iter().flat_map(of_lists);
                    let remarks = inspection.fields.iter().flat_map(remarks).chain(lists);
                    found.warnings.extend(remarks.map(|message| format!("{place}: {message}")));
                    let refused = inspection.refused.into_iter();
                    found.faults.extend(refused.map(|message| format!("{place}: {message}")));
                }
                Err(error) => found.faults.push(chain(&error)),
            }
        }
        Ok(found)
    })
}

/// The document fields that any text shows: one request serves all rules with a pattern.
fn shown(bundle: &Bundle) -> Vec<&str> {
    let of_rules = bundle.rules.iter().flat_map(|rule| &rule.shown);
    let of_destinations = bundle.environment.destinations.values().flat_map(|to| &to.shown);
    let documents = of_rules.chain(of_destinations).filter(|shown| shown.of == ShownOf::Document);
    documents.map(|shown| shown.field.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Those of them that exist.
fn known(fields: &[FieldInfo]) -> Fields {
    let mut known = Fields::default();
    fields.iter().filter(|info| !info.types.is_empty()).for_each(|info| known.add(&*info.name));
    known
}

/// The rule's first questions, over the end of its history, as a new rule would ask them.
fn questions(rule: &LiveRule, spec: &RuleSpec) -> Result<Vec<Question>, RunError> {
    let end = clock::wall().floor(spec.grid);
    let start = end - spec.history.max(spec.grid);
    let window = Window { start, settled: start, end };
    let params = rule.params_of(spec.grid);
    let call = Call { params: &params, context: &rule.context, state: None, window };
    rule.module.start(&call, &rule.limits)?.questions()
}

fn remarks(info: &FieldInfo) -> Vec<String> {
    let field = &info.name;
    let missing = match info.role {
        Role::Key => format!("no document has the field `{field}`: all documents fall into one group"),
        Role::Time | Role::Asked => format!("no document has the field `{field}`"),
        Role::Filter => format!("no document has the field `{field}`, which a filter names"),
        // Shown fields are also compared with the documents of the tests.
        Role::Shown => return Vec::new(),
    };
    if info.types.is_empty() {
        return vec![missing];
    }
    if info.role == Role::Filter {
        return Vec::new();
    }
    let mut remarks = Vec::new();
    if let Some(max) = info.ignore_above {
        remarks.push(match info.role {
            Role::Key => format!(
                "`{field}` has `ignore_above: {max}`: longer values are missing and fall into one group"
            ),
            _ => format!("`{field}` has `ignore_above: {max}`: longer values are missing"),
        });
    }
    let slow = "is a `text` field, which is slow to read";
    match (&info.differs, info.text, &info.keyword) {
        (Some(types), ..) => remarks.push(format!(
            "`{field}` is {types}: buckets query each type separately, and cannot compute distinct counts, percentiles or scripts over all of them"
        )),
        (None, true, Some(keyword)) => remarks.push(format!("`{field}` {slow}: use `{keyword}`")),
        (None, true, None) => remarks.push(format!("`{field}` {slow}, and not every index has a keyword field for it")),
        (None, false, _) => {}
    }
    remarks
}
