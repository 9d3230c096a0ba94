use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::testing::Case;
use crate::wire::types::{Column, Dictionary, Groups as PageGroups, Rows, Values};
use crate::{Fault, Plan, Question, Row, json};

/// Writes down what it is called with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Diary {
    #[serde(default)]
    read: Option<String>,
}

#[crate::rule(name = "diary", summary = "Writes down what it is called with", state_version = 7)]
impl Rule for Diary {
    type State = Vec<String>;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        Ok(Plan::checks(Duration::ZERO, Duration(10)))
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![Question::hits(over).field("f")]
    }

    fn row(&self, row: &Row<'_>, diary: &mut Vec<String>, _out: &mut Signals) {
        let read = match self.read.as_deref() {
            Some("number") => row.number("f").map(|n| n.to_string()),
            Some("text") => row.text("f").map(str::to_owned),
            Some(other) => row.value(other).map(|v| v.to_string()),
            None => None,
        };
        diary.push(format!("row {}{}", row.time().0, read.map_or(String::new(), |read| format!("={read}"))));
    }

    fn check(&self, at: Timestamp, diary: &mut Vec<String>, out: &mut Signals) {
        diary.push(format!("check {}", at.0));
        out.push(Signal::event(crate::Labels::default(), at).summary(diary.join(" ")));
    }

    fn settle(&self, at: Timestamp, diary: &mut Vec<String>) {
        diary.push(format!("settle {}", at.0));
    }
}

fn page(times: &[i64], values: Values) -> Rows {
    let column = Column { field: "f".into(), is_mapped: true, values, present: vec![], offsets: vec![] };
    Rows { times: times.to_vec(), columns: vec![column], groups: none() }
}

fn none() -> PageGroups {
    PageGroups { rows: vec![], labels: vec![] }
}

fn numbers(times: &[i64]) -> Rows {
    page(times, Values::Integers(times.to_vec()))
}

fn start(params: &str, state: Option<&[u8]>, window: (i64, i64, i64)) -> Result<Run<Diary>, Problem> {
    let window =
        Window { start: Timestamp(window.0), settled: Timestamp(window.1), end: Timestamp(window.2) };
    let mut run = Run::start(Call { params, context: &Context::default(), state, window })?;
    assert_eq!(run.questions().map(|round| round.questions.len()), Some(1));
    Ok(run)
}

fn kept(state: &[u8]) -> Vec<String> {
    state::read(state).unwrap()
}

#[test]
fn a_check_sees_the_rows_before_it_and_the_snapshot_what_is_settled() {
    let mut run = start("{}", None, (5, 20, 30)).unwrap();
    run.answer(0, &numbers(&[5, 9, 10])).unwrap();
    run.answer(0, &numbers(&[19])).unwrap();
    let state = run.snapshot().unwrap();
    run.answer(0, &numbers(&[20, 29])).unwrap();
    let signals = run.finish();
    let expected = ["row 5", "row 9", "check 10", "row 10", "row 19", "check 20", "settle 20"];
    assert_eq!(kept(&state), expected);
    let checks: Vec<_> = signals.iter().map(|signal| signal.at.0).collect();
    assert_eq!(checks, [10, 20, 30], "not at the start, but at the end");
    assert!(signals[2].summary.ends_with("settle 20 row 20 row 29 check 30"));
}

#[test]
fn a_run_without_rows_checks_and_keeps_its_state() {
    let run = |state: Option<&[u8]>, window| {
        let mut run = start("{}", state, window).unwrap();
        (run.snapshot().unwrap(), run.finish().len())
    };
    let (first, _) = run(None, (0, 0, 20));
    assert_eq!(kept(&first), ["settle 0"]);
    let (second, _) = run(Some(&first), (0, 25, 25));
    assert_eq!(kept(&second), ["settle 0", "check 10", "check 20", "settle 25"]);
    let (third, signals) = run(Some(&second), (25, 25, 25));
    assert_eq!((kept(&third).len(), signals), (5, 0));
}

#[test]
fn an_answer_to_no_question_is_refused() {
    let mut run = start("{}", None, (5, 20, 30)).unwrap();
    assert!(matches!(run.answer(1, &numbers(&[5])), Err(Problem::Rows(_))));
}

#[test]
fn a_group_has_a_key_and_labels() {
    let words = Dictionary { codes: vec![1, 0, 0], ends: vec![1, 2], bytes: b"ab".to_vec() };
    let labels = Column {
        field: "host".into(),
        is_mapped: true,
        values: Values::Words(words),
        present: vec![0b011],
        offsets: vec![],
    };
    let groups = |rows: &[u32]| PageGroups { rows: rows.to_vec(), labels: vec![labels.clone()] };
    let rows = |rows: &[u32]| Rows { groups: groups(rows), ..numbers(&[1, 2, 3, 4]) };
    let grouped = rows(&[2, 1, 0, 1]);
    let page = Page::new(&grouped, 0).unwrap();
    let told: Vec<_> = Row::all(&page).map(|row| (row.key(), row.labels().0[0].clone())).collect();
    let of = |label: Option<&str>| (crate::Key::of([label]), label.map(str::to_owned));
    assert_eq!(told, [of(None), of(Some("a")), of(Some("b")), of(Some("a"))]);
    for (rows, says) in [
        (rows(&[0, 1]), "not one group per row"),
        (rows(&[0, 1, 2, 3]), "the labels of `host` are not one word per group"),
    ] {
        let Err(message) = Page::new(&rows, 0) else { panic!("{says}") };
        assert_eq!(message, says);
    }
}

#[test]
fn malformed_pages_are_refused_in_words() {
    let words = |codes: &[u32], ends: &[u32], bytes: &[u8]| {
        Values::Words(Dictionary { codes: codes.to_vec(), ends: ends.to_vec(), bytes: bytes.to_vec() })
    };
    for (values, says) in [
        (Values::Integers(vec![1]), "not one value per row"),
        (words(&[0, 2], &[1, 2], b"ab"), "a code without a word"),
        (words(&[0, 0], &[], b""), "a code without a word"),
        (words(&[0, 1], &[2, 1], b"ab"), "words overlap"),
        (words(&[0, 1], &[1, 2], "é".as_bytes()), "inside a character"),
        (words(&[0, 0], &[1], &[0xff]), "not UTF-8"),
    ] {
        let mut run = start("{}", None, (0, 20, 30)).unwrap();
        let Err(Problem::Rows(message)) = run.answer(0, &page(&[1, 2], values)) else { panic!("{says}") };
        assert!(message.starts_with("column `f`: ") && message.contains(says), "{message}");
    }
}

#[test]
fn a_wrong_type_or_an_unasked_field_fails_the_run_in_words() {
    for (read, says) in [
        ("text", "column `f` holds integers where the rule reads words: check the field's mapping"),
        ("g", "no column `g`: ask for the field in `ask`"),
    ] {
        let mut run = start(&json!({ "read": read }).to_string(), None, (0, 20, 30)).unwrap();
        assert_eq!(run.answer(0, &numbers(&[1])), Err(Problem::Rows(says.into())));
    }
}

#[test]
fn values_read_back_and_missing_ones_are_none() {
    let read = |read: &str, values, present: &[u8]| {
        let mut run = start(&json!({ "read": read }).to_string(), None, (0, 9, 9)).unwrap();
        let mut rows = page(&[1, 2], values);
        rows.columns[0].present = present.to_vec();
        run.answer(0, &rows).unwrap();
        kept(&run.snapshot().unwrap())[..2].join(" ")
    };
    assert_eq!(read("number", Values::Integers(vec![5, 6]), &[0b10]), "row 1 row 2=6");
    assert_eq!(read("number", Values::Numbers(vec![0.5, 1e300]), &[]), format!("row 1=0.5 row 2={}", 1e300));
    assert_eq!(read("f", Values::Booleans(vec![1, 0]), &[]), "row 1=true row 2=false");
    let empty = Values::Words(Dictionary { codes: vec![0, 0], ends: vec![], bytes: vec![] });
    assert_eq!(read("text", empty, &[0]), "row 1 row 2");
}

#[test]
fn what_cannot_be_read_is_refused() {
    assert!(matches!(start("{}", Some(&[9]), (0, 0, 1)), Err(Problem::State(_))));
    assert!(matches!(start("{\"rede\":1}", None, (0, 0, 1)), Err(Problem::Other(_))));
    assert!(matches!(start("{}", None, (0, 2, 1)), Err(Problem::Other(_))));
}

#[test]
fn a_rule_says_who_it_is() {
    let about = crate::export::about::<Diary>();
    assert_eq!((about.name.as_str(), about.state_version), ("diary", 7));
    assert_eq!(about.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(about.state_layout, crate::layout::layout::<Vec<String>>());
    let schema: serde_json::Value = serde_json::from_str(&about.params_schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["read"].is_object());
}

/// Counts the groups it sees.
#[derive(Deserialize, JsonSchema)]
struct Groups {}

#[crate::rule(name = "groups", summary = "Counts the groups it sees")]
impl Rule for Groups {
    type State = ();

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        Ok(Plan::rows(Duration::ZERO))
    }

    fn row(&self, row: &Row<'_>, (): &mut (), out: &mut Signals) {
        out.push(Signal::event(row.labels(), row.time()));
    }
}

#[test]
fn a_row_belongs_to_the_product_of_its_key_values_up_to_a_limit() {
    let count = |a: Vec<u32>, b: Vec<u32>| {
        let case = Case::new(json!({})).key(["a", "b"]).document(Duration::ZERO, json!({ "a": a, "b": b }));
        case.run::<Groups>().len()
    };
    assert_eq!(count(vec![1, 2], vec![3, 4, 5]), 6);
    assert_eq!(count(vec![1, 2], vec![]), 2);
    assert_eq!(count((0..8).collect(), (0..8).collect()), 64);
    assert_eq!(count((0..8).collect(), (0..9).collect()), 64);
}

/// Asks for documents of two spans, looks ahead once, and writes down what it is called with.
#[derive(Deserialize, JsonSchema)]
struct Spans {
    spans: Vec<(i64, i64)>,
    scouts: bool,
}

#[crate::rule(name = "spans", summary = "Asks for spans")]
impl Rule for Spans {
    type State = Vec<String>;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        Ok(Plan::checks(Duration::ZERO, Duration(10)))
    }

    fn ask_round(
        &self,
        round: usize,
        _over: Range,
        context: &Context,
        told: &mut Vec<String>,
    ) -> Vec<Question> {
        told.push(format!("round {round} of {}", context.key.len()));
        let spans = self.spans.iter().filter(|_| round < 1 + usize::from(self.scouts));
        spans.map(|span| Question::hits(Range::new(Timestamp(span.0), Timestamp(span.1)))).collect()
    }

    fn is_scouted(&self, round: usize) -> bool {
        self.scouts && round == 0
    }

    fn scout(&self, row: &Row<'_>, told: &mut Vec<String>) {
        told.push(format!("scout {}", row.time().0));
    }

    fn row(&self, row: &Row<'_>, told: &mut Vec<String>, _out: &mut Signals) {
        told.push(format!("row {}", row.time().0));
    }

    fn check(&self, at: Timestamp, told: &mut Vec<String>, _out: &mut Signals) {
        told.push(format!("check {}", at.0));
    }
}

#[test]
fn a_scouted_round_comes_before_all_rows_and_the_next_may_look_back() {
    let window = Window { start: Timestamp(20), settled: Timestamp(40), end: Timestamp(40) };
    let params = json!({ "spans": [[5, 40]], "scouts": true }).to_string();
    let context = Context::of_key(["host"]);
    let mut run =
        Run::<Spans>::start(Call { params: &params, context: &context, state: None, window }).unwrap();
    let times = |times: &[i64]| Rows { times: times.to_vec(), columns: vec![], groups: none() };
    assert!(run.questions().is_some_and(|round| round.is_scouting));
    run.answer(0, &times(&[20, 30])).unwrap();
    assert!(run.questions().is_some_and(|round| !round.is_scouting));
    run.answer(0, &times(&[5, 19, 20, 35])).unwrap();
    assert_eq!(run.questions(), None);
    let expected = [
        "round 0 of 1",
        "scout 20",
        "scout 30",
        "round 1 of 1",
        "row 5",
        "row 19",
        "row 20",
        "check 30",
        "row 35",
        "round 2 of 1",
        "check 40",
    ];
    assert_eq!(kept(&run.snapshot().unwrap()), expected);
}
