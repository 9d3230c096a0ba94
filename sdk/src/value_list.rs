//! List parameters: plain values and regular expressions.
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use regex_lite::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use watchbell_values::{Literal, Precision, expression};

use crate::{Fault, Listed, Question, Row, Value};

/// A list of values. An entry `/like this/` is a regular expression that a value's text must match as a whole; any other
/// is the value itself, interpreted by the field's type: `10.1.0.0/16` matches the addresses of a field of type `ip`, and
/// is a plain string for a `keyword`. An entry that the type cannot hold matches nothing. Case-sensitive.
///
/// Expressions are those of the `regex-lite` crate: Perl's, without look-around and back-references; `\d`, `\w`, `\s` and
/// `(?i)` are ASCII-only.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// let list: ValueList = serde_json::from_str(r#"["10.1.0.0/16", "/10\\.2\\..*/"]"#).unwrap();
/// assert!(list.faults("/addresses").is_empty()); // in `plan`
///
/// fn ask(list: &ValueList, over: Range) -> Vec<Question> {
///     vec![list.ask(Question::hits(over), "source.ip")]
/// }
///
/// fn row(list: &ValueList, row: &Row<'_>, out: &mut Signals) {
///     for (address, is_listed) in list.compare(row, "source.ip") {
///         if is_listed {
///             out.push(Signal::event(row.labels(), row.time()).summary(format!("{address} is listed")));
///         }
///     }
/// }
/// ```
#[derive(Debug, Default)]
pub struct ValueList {
    plain: BTreeSet<Box<str>>,
    patterns: Vec<Regex>,
    /// Entries that are not expressions, by their position in the list.
    faults: Vec<(usize, String)>,
    /// The plain entries as read by each field type seen so far.
    typed: RefCell<HashMap<Box<str>, Rc<Typed>>>,
    /// Cached results of the expressions for recent values: most fields have few distinct values.
    known: RefCell<HashMap<Box<str>, bool>>,
}

/// The default of `index.max_terms_count`: how many terms a cluster accepts in one request.
const TERMS_MAX: usize = 65_536;
const KNOWN_MAX: usize = 10_000;
const KNOWN_BYTES_MAX: usize = 256;

impl ValueList {
    /// The faults of the list, as the parameter at `path` (`/values`).
    pub fn faults(&self, path: &str) -> Vec<Fault> {
        if self.plain.is_empty() && self.patterns.is_empty() && self.faults.is_empty() {
            return Fault::new(path, "must list at least one value").into();
        }
        self.faults
            .iter()
            .map(|(place, reason)| Fault::new(format!("{path}/{place}"), reason.clone()))
            .collect()
    }

    /// Adds to a question the field, and what is needed to compare its values with the list.
    pub fn ask(&self, question: Question, field: &str) -> Question {
        question.field(field).type_of(field)
    }

    /// The values of a row whose question was made by [`ask`](Self::ask), each with whether it is on the list.
    pub fn compare<'p>(&self, row: &Row<'p>, field: &str) -> impl Iterator<Item = (Value<'p>, bool)> {
        let typed = row.type_of(field).map(|kind| self.typed(kind));
        row.values(field).map(move |value| (value, self.holds(typed.as_deref(), value)))
    }

    fn typed(&self, kind: &str) -> Rc<Typed> {
        if let Some(known) = self.typed.borrow().get(kind) {
            return Rc::clone(known);
        }
        let typed = Rc::new(Typed::new(kind, self.plain.iter().map(|text| &**text)));
        self.typed.borrow_mut().insert(kind.into(), Rc::clone(&typed));
        typed
    }

    /// `typed`: the list as read by the field's type; `None`: no mapping has the field, so the values' own types
    /// decide.
    fn holds(&self, typed: Option<&Typed>, value: Value<'_>) -> bool {
        let listed = match (typed, value) {
            (Some(typed), value) => typed.holds(value).unwrap_or_else(|| self.is_plain(value)),
            (None, Value::Integer(_)) => self.typed("long").holds(value) == Some(true),
            (None, Value::Number(_)) => self.typed("double").holds(value) == Some(true),
            (None, value) => self.is_plain(value),
        };
        listed || !self.patterns.is_empty() && self.is_matched(value)
    }

    fn is_plain(&self, value: Value<'_>) -> bool {
        match value {
            Value::Word(text) => self.plain.contains(text),
            other => self.plain.contains(other.to_string().as_str()),
        }
    }

    fn is_matched(&self, value: Value<'_>) -> bool {
        match value {
            Value::Word(text) => self.is_matched_text(text),
            other => self.is_matched_text(&other.to_string()),
        }
    }

    fn is_matched_text(&self, text: &str) -> bool {
        if let Some(known) = self.known.borrow().get(text) {
            return *known;
        }
        let is_matched = self.patterns.iter().any(|pattern| pattern.is_match(text));
        if text.len() <= KNOWN_BYTES_MAX {
            let mut known = self.known.borrow_mut();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(text.into(), is_matched);
        }
        is_matched
    }

    /// Restricts `question` to documents that have one of the values in `field`, if the cluster can evaluate that:
    /// not with expressions, whose syntax differs there, nor with more than 65,536 values.
    pub fn narrow(&self, question: Question, field: &str) -> Question {
        if !self.patterns.is_empty() || self.plain.len() > TERMS_MAX {
            return question;
        }
        question.only(field, self.plain.iter().map(|value| Some(value.to_string())).collect())
    }
}

/// The plain entries of a list, as read by one field type.
#[derive(Debug, Default)]
struct Typed {
    /// Everything except words, which are compared as listed.
    has_words: bool,
    integers: HashSet<i64>,
    /// Compared by their bits.
    numbers: HashSet<u64>,
    booleans: [bool; 2],
    /// First and last address; sorted, none within another.
    addresses: Vec<(u128, u128)>,
    /// Half-open ranges in milliseconds; sorted, none within another.
    instants: Vec<(i64, i64)>,
}

impl Typed {
    fn new<'a>(kind: &str, entries: impl Iterator<Item = &'a str>) -> Self {
        let mut typed = Self::default();
        // `-0.0` and `0.0` are the same number.
        let bits = |number: f64| (number + 0.0).to_bits();
        for literal in entries.filter_map(|entry| Literal::read(kind, entry)) {
            match literal {
                Literal::Word(_) => {
                    typed.has_words = true;
                    break;
                }
                Literal::Whole(number) => {
                    typed.integers.insert(number);
                    typed.numbers.insert(bits(number as f64));
                }
                Literal::Unsigned(number) => drop(typed.numbers.insert(bits(number as f64))),
                Literal::Number(number) => {
                    typed.numbers.insert(bits(number));
                    // If indices disagree, one column contains several precisions, each shown as it is.
                    let kept = Precision::of(kind).map(|precision| precision.kept(number));
                    typed.numbers.extend(kept.map(bits));
                }
                Literal::Boolean(truth) => typed.booleans[usize::from(truth)] = true,
                Literal::Addresses(range) => typed.addresses.push((range.first(), range.last())),
                Literal::Instants(range) => typed.instants.push((range.start, range.end - 1)),
            }
        }
        outermost(&mut typed.addresses);
        outermost(&mut typed.instants);
        typed
    }

    /// `None`: values are compared as words.
    fn holds(&self, value: Value<'_>) -> Option<bool> {
        match value {
            _ if self.has_words => None,
            Value::Integer(number) => {
                Some(self.integers.contains(&number) || is_within(&self.instants, number))
            }
            Value::Number(number) => Some(self.numbers.contains(&(number + 0.0).to_bits())),
            Value::Boolean(truth) => Some(self.booleans[usize::from(truth)]),
            Value::Word(text) => match Literal::read("ip", text) {
                Some(Literal::Addresses(address)) => Some(is_within(&self.addresses, address.first())),
                _ => Some(false),
            },
            Value::Point(_) => Some(false),
        }
    }
}

/// Sorts ranges and drops those contained in others.
fn outermost<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable_by_key(|(first, last)| (*first, std::cmp::Reverse(*last)));
    let mut reached: Option<T> = None;
    ranges.retain(|(_, last)| {
        let is_new = reached.is_none_or(|reached| *last > reached);
        reached = reached.max(Some(*last));
        is_new
    });
}

/// In sorted ranges, none within another, only the last one that begins at or before a value can contain it, because it
/// also reaches farthest.
fn is_within<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= value);
    after.checked_sub(1).is_some_and(|at| value <= ranges[at].1)
}

impl<'de> Deserialize<'de> for ValueList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Self::default();
        for (place, entry) in Vec::<Listed>::deserialize(deserializer)?.into_iter().enumerate() {
            let text = entry.into_text();
            match expression(&text) {
                None => {
                    list.plain.insert(text.into());
                }
                Some(expression) => match Regex::new(&format!("^(?:{expression})$")) {
                    Ok(pattern) => list.patterns.push(pattern),
                    Err(error) => {
                        let reason = format!("`{text}` is not a valid regular expression: {error}");
                        list.faults.push((place, reason));
                    }
                },
            }
        }
        Ok(list)
    }
}

impl JsonSchema for ValueList {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ValueList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array", "minItems": 1,
            "items": { "type": ["string", "number", "boolean"], "examples": ["value", "/web-[0-9]+/"] },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Range, Timestamp, json};

    fn list(entries: serde_json::Value) -> ValueList {
        serde_json::from_value(entries).unwrap()
    }

    fn asked(list: &ValueList) -> Question {
        list.narrow(Question::hits(Range::new(Timestamp(0), Timestamp(1))), "f")
    }

    #[test]
    fn values_are_compared_as_texts_and_expressions_as_a_whole() {
        let list = list(json!(["bad", 404, 0.5, true, "/web-\\d+/", "/a|ab/", "//", "/usr", "+1"]));
        assert_eq!(list.faults("/values"), []);
        let words = ["bad", "404", "web-17", "a", "ab", "//", "/usr", "+1", "true"];
        let others = ["Bad", "web-", "web-17x", "abc", "xweb-1", "", "usr", "1", "/web-\\d+/"];
        let holds = |value: Value<'_>| list.holds(None, value);
        for _ in 0..2 {
            words.iter().for_each(|word| assert!(holds(Value::Word(word)), "{word}"));
            others.iter().for_each(|word| assert!(!holds(Value::Word(word)), "{word}"));
        }
        assert!(holds(Value::Integer(404)) && !holds(Value::Integer(405)));
        assert!(holds(Value::Number(404.0)) && holds(Value::Number(0.5)));
        assert!(holds(Value::Boolean(true)) && !holds(Value::Boolean(false)));
    }

    /// Whether the list contains a value of a field of that type.
    fn holds(kind: &str, entries: serde_json::Value, value: Value<'_>) -> bool {
        let list = list(entries);
        let typed = list.typed(kind);
        list.holds(Some(&typed), value)
    }

    #[test]
    fn entries_are_what_they_are_to_the_type_of_the_field() {
        use Value::{Boolean, Integer, Number, Word};
        assert!(holds("ip", json!(["10.1.0.0/16", "-"]), Word("10.1.2.3")));
        assert!(!holds("ip", json!(["10.1.0.0/16", "10.1.5.0/24"]), Word("10.2.0.0")));
        assert!(holds("ip", json!(["10.0.0.0/8", "10.1.0.0/16", "10.3.0.1"]), Word("10.2.0.0")));
        assert!(holds("ip", json!(["2001:DB8:0:0:0:0:0:1"]), Word("2001:db8::1")));
        assert!(holds("ip", json!(["::ffff:10.1.2.3"]), Word("10.1.2.3")));
        assert!(holds("ip", json!(["/10\\..*/"]), Word("10.1.2.3")));
        assert!(!holds("keyword", json!(["10.1.0.0/16"]), Word("10.1.2.3")));
        assert!(holds("keyword", json!(["0800"]), Word("0800")));
        assert!(!holds("keyword", json!(["0800"]), Word("800")));
        assert!(holds("long", json!([73, "unknown"]), Integer(73)));
        assert!(!holds("long", json!([1.5, "unknown"]), Integer(1)));
        assert!(
            holds("float", json!([0.1]), Number(0.1)) && holds("half_float", json!(["0.10"]), Number(0.1))
        );
        assert!(holds("float", json!([0.1]), Number(0.1_f32.into())));
        assert!(holds("double", json!([3]), Number(3.0)) && holds("scaled_float", json!([0.3]), Number(0.3)));
        assert!(holds("boolean", json!([true, "no"]), Boolean(true)));
        assert!(!holds("boolean", json!([true, "no"]), Boolean(false)));
        let new_year = Integer(1_704_067_200_000);
        assert!(holds("date", json!(["2024-01-01T00:00:00Z"]), new_year));
        assert!(holds("date", json!(["2024-01-01"]), Integer(1_704_067_200_001)));
        assert!(!holds("date", json!(["2024-01-02", "now"]), new_year));
        assert!(holds("date_nanos", json!([1_704_067_200_000_i64]), new_year));
        assert!(holds("unsigned_long", json!([9_007_199_254_740_991_u64]), Number(9_007_199_254_740_991.0)));
    }

    #[test]
    fn plain_values_are_asked_for_and_nothing_else_is() {
        let many: Vec<_> = (0..2_000).map(|n| n.to_string()).collect();
        assert_eq!(asked(&list(json!(many))).only[0].values.len(), 2_000);
        assert_eq!(asked(&list(json!(["a", "/b/"]))).only, []);
        let too_many: Vec<_> = (0..=TERMS_MAX).map(|n| n.to_string()).collect();
        assert_eq!(asked(&list(json!(too_many))).only, []);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        let faults = list(json!(["ok", "/(/", "/[z-a]/"])).faults("/values");
        assert_eq!(
            faults.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(),
            ["/values/1", "/values/2"]
        );
        assert!(
            faults[0].message.starts_with("`/(/` is not a valid regular expression: "),
            "{}",
            faults[0].message
        );
        assert_eq!(list(json!([])).faults("/values")[0].message, "must list at least one value");
        assert!(serde_json::from_value::<ValueList>(json!([["a"]])).is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let list = list(json!(["/x.*/"]));
        for n in 0..25_000 {
            assert!(
                list.holds(None, Value::Word(&format!("x{n}")))
                    && !list.holds(None, Value::Word(&n.to_string()))
            );
        }
        assert!(!list.holds(None, Value::Word(&"long".repeat(100))));
        assert!(list.known.borrow().len() <= KNOWN_MAX);
    }
}
