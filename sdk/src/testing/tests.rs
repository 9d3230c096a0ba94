//! What the harness itself must notice.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::{Answers, Expected, ORIGIN};
use super::{Case, Json, Native};
use crate::log::warn;
use crate::prelude::*;

/// Announces every third document that matches.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Third {
    /// Forgets what it has counted at the end of each window.
    #[serde(default)]
    forgets: bool,
    #[serde(default)]
    filter: Option<String>,
    #[serde(default)]
    fields: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Count(u32);

#[crate::rule(name = "third", summary = "Announces every third document")]
impl Rule for Third {
    type State = Count;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        Ok(Plan::rows(Duration::ZERO))
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        let question = self.fields.iter().fold(Question::hits(over).identified(), Question::field);
        vec![match &self.filter {
            Some(filter) => question.named_filter("hit", filter).named_only(),
            None => question,
        }]
    }

    fn row(&self, row: &Row<'_>, count: &mut Count, out: &mut Signals) {
        count.0 += 1;
        if count.0 == 3 {
            count.0 = 0;
            warn("the third");
            let summary =
                self.fields.iter().map(|field| format!("{:?}", row.value(field))).collect::<String>();
            out.push(Signal::event(row.labels(), row.time()).summary(summary).evidence(row.evidence()));
        }
    }

    fn settle(&self, _: Timestamp, count: &mut Count) {
        if self.forgets {
            count.0 = 0;
        }
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn case(params: Json) -> Case {
    Case::new(params).documents(secs(10), 6, secs(10), json!({ "n": "{n}", "text": "a b" })).until(secs(120))
}

#[test]
fn a_rule_that_is_no_fold_is_shown_the_smallest_cut() {
    case(json!({})).assert_fold::<Third>();
    let told = case(json!({ "forgets": true })).check_fold(&mut Native::<Third>::default()).unwrap_err();
    assert!(told.contains("the verdict depends on how time is cut\n  with windows that end at "), "{told}");
    assert!(told.contains("  missing: event at 30s (documents/00000002)"), "{told}");
    // One end is enough, and none of what else was drawn.
    let cut = told.lines().nth(1).unwrap();
    assert!(cut.matches(", ").count() == 1 && !cut.contains(';'), "{cut}");
    let fixed = Case { fixed_cuts: Some("it forgets".into()), ..case(json!({ "forgets": true })) };
    fixed.assert_fold::<Third>();
}

#[test]
fn filters_are_evaluated_on_the_documents() {
    let at = |filter: &str| -> Vec<u64> {
        let told = case(json!({ "filter": filter })).run::<Third>();
        told.iter().map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect()
    };
    assert_eq!(at("*:*"), [30, 60]);
    assert_eq!(at("n:[1 TO 3]"), [40]);
    assert_eq!(at("n:>0 AND NOT n:2"), [50]);
    assert_eq!(at("text:b"), [30, 60]);
    assert_eq!(at("text:c"), [0; 0]);
    assert_eq!(at("_id:00000005 OR n:<2"), [60]);
    let wrong = case(json!({ "filter": "n:[1" })).run_with(&mut Native::<Third>::default()).unwrap_err();
    assert!(wrong.contains("the filter `n:[1`"), "{wrong}");
}

#[test]
fn a_case_whose_fields_no_document_has_fails() {
    let check = |case: &Case| case.check_with(&mut Native::<Third>::default()).err().unwrap_or_default();
    let asked = case(json!({ "fields": ["usr.name"], "filter": "nn:1" }));
    let told = check(&asked);
    for part in [
        "no document of the case has the field `usr.name`, which the rule asks for: correct the name, or write \
         `missing: [usr.name]`",
        "no document of the case has the field `nn`, which the filter `nn:1` reads",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(check(&asked.missing(["usr.name", "nn"])), "");
    let told = check(&case(json!({})).key(["host"]));
    assert!(told.contains("the field `host`"), "{told}");
}

#[test]
fn signals_are_the_same_as_on_the_host() {
    // Late documents move the third: the same document is announced once, another one anew.
    let late = case(json!({})).lateness(secs(60)).late(secs(5), secs(65), json!({ "n": 9, "text": "" }));
    let at = |case: &Case| -> Vec<u64> {
        case.run::<Third>().iter().map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect()
    };
    assert_eq!(at(&late.clone().every(secs(60))), [30, 20, 50]);
    let outcome = late.every(secs(60)).outcome(&mut Native::<Third>::default()).unwrap();
    assert_eq!(outcome.signals.iter().map(|told| told.window_end.since(ORIGIN)).max(), Some(secs(120)));
    let shown = Expected { at: Some(secs(30)), ..Expected::default() };
    let case = case(json!({})).expect([shown]);
    let lines = case.blessed(&case.outcome(&mut Native::<Third>::default()).unwrap());
    assert_eq!(lines[&0], ["signals:", "  - { at: 30s }", "  - { at: 1m }"]);
}

#[test]
fn documents_of_one_instant_are_in_order_of_their_names() {
    let ids = ["b", "c", "a"].iter().fold(Case::new(json!({ "fields": ["_id"] })), |case, id| {
        case.document(secs(1), json!({ "_id": id, "_index": "x" }))
    });
    let told = ids.run::<Third>().remove(0);
    assert_eq!(told.summary, format!("{:?}", Some(Value::Word("c"))));
}

#[test]
fn dates_and_places_have_the_types_of_the_mapping() {
    let mapping = json!({ "seen": { "type": "date" }, "place": { "type": "geo_point" } });
    let fields = json!({ "seen": "2024-01-01T00:00:00Z", "place": { "lat": 1.5, "lon": 2.5 } });
    let case = Case::new(json!({ "fields": ["seen", "place"] })).mapping(mapping);
    let told = case.documents(secs(1), 3, secs(1), fields).run::<Third>().remove(0);
    assert!(told.summary.contains(&ORIGIN.0.to_string()) && told.summary.contains("1.5"), "{}", told.summary);
}

/// Asks for a sum of what matches, and for a search.
#[derive(Deserialize, JsonSchema)]
struct Sum {}

#[crate::rule(name = "sum", summary = "Sums up")]
impl Rule for Sum {
    type State = ();

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        Ok(Plan::checks(Duration::ZERO, secs(60)))
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        let metric = Metric::of_field("sum", "n", Calc::Sum).filter("n:>2");
        vec![Question::buckets(over, Some(secs(60))).metric(metric)]
    }

    fn row(&self, row: &Row<'_>, (): &mut (), out: &mut Signals) {
        out.push(Signal::event(row.labels(), row.time()).value(row.number("sum").unwrap_or(-1.0)));
    }
}

#[test]
fn a_metric_counts_what_its_filter_matches() {
    let told = case(json!({})).run::<Sum>();
    assert_eq!(told.iter().map(|signal| signal.value).collect::<Vec<_>>(), [Some(7.0), Some(5.0)]);
    let nothing = Case::new(json!({})).answer(secs(1), Answers::Search, json!({ "n": 1 }));
    assert!(nothing.run::<Sum>().is_empty() && nothing.stays_quiet());
}
