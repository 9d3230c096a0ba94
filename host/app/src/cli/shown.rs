//! What texts show that no document has: compared with the documents of tests, and with mappings where a cluster was
//! asked.
use std::collections::BTreeMap;
use std::path::Path;

use watchbell_manifest::{BoundRule, Bundle, Fields, KnownDocuments, TestFile, load_tests, unknown};
use watchbell_pipeline::spec::RuleName;

use crate::testing::documents;

/// Warnings in words; `mapped` holds what the mappings of a rule's indices have of the fields that texts show.
pub(crate) fn warnings(bundle: &Bundle, rules: &Path, mapped: &BTreeMap<RuleName, Fields>) -> Vec<String> {
    // `watchbell test` names what is wrong with a test file; then there is nothing here to compare with.
    let tests = load_tests(rules).unwrap_or_default();
    let known = |rule: &BoundRule| documents_of(rule, &tests, mapped.get(&rule.spec.name));
    unknown(bundle, &known).iter().map(ToString::to_string).collect()
}

/// `None`: neither a test nor a mapping says what its documents have.
fn documents_of(rule: &BoundRule, tests: &[TestFile], mapped: Option<&Fields>) -> Option<KnownDocuments> {
    let of_rule = tests.iter().filter(|file| file.rule == rule.spec.name.0).flat_map(|file| &file.tests);
    let mut known = KnownDocuments { mappings: mapped.is_some(), ..KnownDocuments::default() };
    for test in of_rule.filter(|test| !test.documents.is_empty()) {
        documents::fields(test, &mut known.fields).ok()?;
        known.tests = true;
    }
    if !known.tests && !known.mappings {
        return None;
    }
    mapped.into_iter().for_each(|fields| known.fields.extend(fields));
    let named = rule.spec.key.iter().chain([&rule.target.time_field]);
    named.for_each(|name| known.fields.add(name.as_str()));
    Some(known)
}
