//! Listed texts as values of a field. One crate reads them for the query and for the rule that compares, so that both
//! agree. A value that the type cannot hold is not queried, because clusters reject such a request.
use serde_json::{Value, json};
use watchbell_contract::Timestamp;
use watchbell_values::Literal;

/// Clauses of one query. Servers accept 1,024, some of them across all queries of a request.
const CLAUSES_MAX: usize = 500;

/// Finds the documents in which `field`, of type `kind` (empty: unknown), has one of the texts; `None`: it can have
/// none.
///
/// For more than 500 ranges (dates, networks) one query asks for everything from the first to the last: the caller
/// compares the results anyway.
pub(crate) fn any_of<'a>(field: &str, kind: &str, texts: impl IntoIterator<Item = &'a str>) -> Option<Value> {
    let mut terms: Vec<Value> = vec![];
    let mut networks = vec![];
    let mut instants = vec![];
    for literal in texts.into_iter().filter_map(|text| Literal::read(kind, text)) {
        match literal {
            Literal::Word(text) => terms.push(text.into()),
            Literal::Whole(number) => terms.push(number.into()),
            Literal::Unsigned(number) => terms.push(number.into()),
            Literal::Number(number) => terms.push(number.into()),
            Literal::Boolean(truth) => terms.push(truth.into()),
            Literal::Addresses(address) if address.is_one() => terms.push(address.to_string().into()),
            Literal::Addresses(network) => networks.push(network),
            Literal::Instants(span) => instants.push((span.start, span.end)),
        }
    }
    let mut any = vec![];
    if !terms.is_empty() {
        any.push(json!({ "terms": { field: terms } }));
    }
    if networks.len() > CLAUSES_MAX {
        let first = networks.iter().map(|network| network.first()).min().unwrap_or_default();
        let last = networks.iter().map(|network| network.last()).max().unwrap_or_default();
        let [first, last] = [first, last].map(|at| std::net::Ipv6Addr::from(at).to_string());
        any.push(json!({ "range": { field: { "gte": first, "lte": last } } }));
    } else if !networks.is_empty() {
        let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
        any.push(json!({ "terms": { field: networks } }));
    }
    if instants.len() > CLAUSES_MAX {
        let start = instants.iter().map(|(start, _)| *start).min().unwrap_or_default();
        let end = instants.iter().map(|(_, end)| *end).max().unwrap_or_default();
        instants = vec![(start, end)];
    }
    any.extend(instants.into_iter().filter_map(|(start, end)| span(field, start, end)));
    match any.len() {
        0 => None,
        1 => any.pop(),
        _ => Some(json!({ "bool": { "should": any, "minimum_should_match": 1 } })),
    }
}

/// The texts that no field of that type can hold.
pub fn unheld<'a>(kind: &str, texts: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    texts.into_iter().filter(|text| Literal::read(kind, text).is_none()).collect()
}

/// From `start` (inclusive) to `end` (exclusive). Written as dates, because some servers reject negative milliseconds;
/// `None`: before the year 0 or after 9999, where there are no documents.
fn span(field: &str, start: i64, end: i64) -> Option<Value> {
    let date = |millis: i64| (YEAR_0..DATE_MAX).contains(&millis).then(|| Timestamp(millis).to_string());
    let bounds = json!({ "gte": date(start)?, "lt": date(end)?, "format": "strict_date_optional_time" });
    Some(json!({ "range": { field: bounds } }))
}

/// In milliseconds.
const YEAR_0: i64 = -62_167_219_200_000;
/// 9999-12-30T22:00:00Z: later times are not written as dates.
const DATE_MAX: i64 = 253_402_207_200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: &str, texts: &[&str]) -> Option<Value> {
        any_of("f", kind, texts.iter().copied())
    }

    #[test]
    fn each_type_is_asked_in_its_own_terms() {
        let terms = |values: Value| Some(json!({ "terms": { "f": values } }));
        assert_eq!(asked("keyword", &["0800", "73"]), terms(json!(["0800", "73"])));
        assert_eq!(asked("", &["x"]), terms(json!(["x"])));
        assert_eq!(asked("long", &["73", "unknown", "1.5", "1e3"]), terms(json!([73, 1_000])));
        assert_eq!(asked("float", &["0.1", "1e300"]), terms(json!([0.1])));
        assert_eq!(asked("unsigned_long", &["18446744073709551615", "-1"]), terms(json!([u64::MAX])));
        assert_eq!(asked("boolean", &["true", "no"]), terms(json!([true])));
        assert_eq!(asked("ip", &["::ffff:10.1.2.3", "-"]), terms(json!(["10.1.2.3"])));
        assert_eq!(asked("ip", &["10.1.2.9/16"]), terms(json!(["10.1.0.0/16"])));
        let (one, network) = (terms(json!(["10.1.2.3"])), terms(json!(["2001:db8::/32"])));
        let both = json!({ "bool": { "should": [one, network], "minimum_should_match": 1 } });
        assert_eq!(asked("ip", &["10.1.2.3", "2001:DB8::/32"]), Some(both));
        let day = json!({ "range": { "f": {
            "gte": "2024-01-01T00:00:00Z", "lt": "2024-01-02T00:00:00Z", "format": "strict_date_optional_time",
        } } });
        assert_eq!(asked("date", &["2024-01-01", "x"]), Some(day));
        let before = json!({ "range": { "f": {
            "gte": "1969-12-31T23:59:59.995Z", "lt": "1969-12-31T23:59:59.996Z", "format": "strict_date_optional_time",
        } } });
        assert_eq!(asked("date", &["-5"]), Some(before));
    }

    #[test]
    fn what_no_field_can_hold_is_not_asked_for() {
        for (kind, text) in [
            ("long", "x"),
            ("ip", "-"),
            ("date", "now"),
            ("date_nanos", "-5"),
            ("date", "99999999999999999"),
            ("boolean", ""),
        ] {
            assert_eq!(asked(kind, &[text]), None, "{kind} {text}");
        }
        assert_eq!(unheld("long", ["73", "x", "1.5"]), ["x", "1.5"]);
    }

    #[test]
    fn many_ranges_are_asked_as_one() {
        let networks: Vec<String> = (0..600).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256)).collect();
        let asked = any_of("f", "ip", networks.iter().map(String::as_str));
        let whole = json!({ "range": { "f": { "gte": "::ffff:10.0.0.0", "lte": "::ffff:10.2.87.255" } } });
        assert_eq!(asked, Some(whole));
        let days: Vec<String> = (1..=28).map(|day| format!("2024-01-{day:02}")).collect();
        let days: Vec<&str> = days.iter().map(String::as_str).cycle().take(600).collect();
        let whole = json!({ "range": { "f": {
            "gte": "2024-01-01T00:00:00Z", "lt": "2024-01-29T00:00:00Z", "format": "strict_date_optional_time",
        } } });
        assert_eq!(any_of("f", "date", days), Some(whole));
    }
}
