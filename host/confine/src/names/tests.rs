use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_pattern_covers_what_lies_within_it() {
    for (pattern, asked, covered) in [
        ("logs-*", "logs-web", true),
        ("logs-*", "logs-web-*", true),
        ("logs-*", "logs*", false),
        ("logs-*", "*", false),
        ("*", "anything-*", true),
        ("logs", "logs", true),
        ("logs", "logs-1", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c", false),
        ("a*a", "a", false),
    ] {
        assert_eq!(covers(pattern, asked), covered, "{pattern} {asked}");
    }
}

#[test]
fn an_expression_is_allowed_if_all_that_it_can_reach_is() {
    for (allowed, asked, reached_beyond) in [
        (&["logs*"][..], &["logs:secret"][..], Some("logs:secret")),
        (&["logs*"], &["logs-a", "logs:secret"], Some("logs:secret")),
        (&["*"], &["logs:secret"], Some("logs:secret")),
        (&["*"], &["*:x"], Some("*:x")),
        (&["logs:*"], &["*:x"], Some("*:x")),
        (&["logs:*"], &["lo*:x"], Some("lo*:x")),
        (&["logs:*"], &["logs:secret", "logs:_all"], None),
        (&["l*:a*"], &["lo*:ab*"], None),
        (&["logs:*"], &["logs"], Some("logs")),
        (&["logs*"], &["<logs-{now/d}>"], None),
        (&["logs*"], &["<logs-{now/d{yyyy.MM.dd|+12:00}}>"], None),
        (&["logs*"], &["<lo{now/d{'gs'}}>"], Some("<lo{now/d{'gs'}}>")),
        (&["logs-2026*"], &["<logs-{now/d}>"], Some("<logs-{now/d}>")),
        (&["logs*"], &[r"<\logs{now}>"], None),
        (&["logs*"], &[r"<logs\{now}>"], Some(r"<logs\{now}>")),
        (&["logs*"], &["<logs:{now}>"], Some("<logs:{now}>")),
        (&["c:logs*"], &["c:<logs-{now/d}>"], None),
        (&["logs*"], &["logs*", "-logs-secret", "-<logs-{now/d}>"], None),
        (&["logs*"], &["-secret"], Some("-secret")),
        (&["logs*", "c:*"], &["logs*", "-c:x"], Some("-c:x")),
        (&["logs*", "c:*"], &["logs*", "c:a*", "-c:x", "c:-y"], None),
        (&["c:*"], &["c:-y"], Some("c:-y")),
        (&["logs*"], &["_all"], Some("_all")),
        (&["logs*"], &["*"], Some("*")),
        (&["*"], &["_all"], None),
        (&["logs*"], &[], Some("_all")),
        (&["*"], &[], None),
        (&["logs*"], &["logs-a::failures"], Some("logs-a::failures")),
        (&["logs*::failures"], &["logs-a::failures"], None),
        (&["logs*"], &["logs%2fa"], None),
        (&["logs*"], &["logs-a,secret"], Some("logs-a,secret")),
        (&["-logs*"], &["-logs"], Some("-logs")),
        (&[], &["a"], Some("a")),
    ] {
        let (allowed, asked) = (texts(allowed), texts(asked));
        assert_eq!(beyond(&asked, &allowed).first().copied(), reached_beyond, "{allowed:?} {asked:?}");
    }
}

#[test]
fn what_is_no_index_expression_is_told() {
    for (name, why) in [
        ("", "it is empty"),
        ("-", "it is empty"),
        ("c:", "it is empty"),
        (":x", "its remote cluster is empty"),
        ("logs a", "it contains an illegal character"),
        ("logs\u{7}", "it contains an illegal character"),
        ("a/../b", "it contains an illegal character"),
        ("a:b:c", "it contains an illegal character"),
        (".", "it consists of dots"),
        ("..", "it consists of dots"),
        ("_cluster", "index names do not begin with `_` or `+`"),
        ("+logs", "index names do not begin with `_` or `+`"),
        ("<logs-{now/d}", "its date math does not end in `>`"),
        ("<logs-{now/d>", "its date math does not close a `{`"),
        ("<logs-}>", "its date math closes a `}` that it did not open"),
        ("<_x{now}>", "index names do not begin with `_` or `+`"),
    ] {
        assert_eq!(fault_of_name(name), Some(why), "{name}");
    }
    for name in [
        "logs",
        // An alias may have capitals.
        "Logs",
        ".kibana",
        "_all",
        "*",
        "-logs-*",
        "East:logs",
        "*:logs",
        "<logs-{now/d}>",
        "-<logs-{now/d{yyyy|+12:00}}>",
        "c:<logs-{now-1d/d}>",
        "logs::data",
    ] {
        assert_eq!(fault_of_name(name), None, "{name}");
    }
}

#[test]
fn a_pattern_that_seems_to_exclude_or_to_list_is_refused() {
    for (pattern, why) in [
        ("-logs-secret", "it excludes, but patterns only allow: list what is allowed"),
        ("logs*,metrics*", "it contains a comma: write a list"),
        ("<logs-{now/d}>", "it is date math: write a `*` for the date"),
        ("_all", "it is a name of all indices: write `*`"),
        ("_logs*", "index names do not begin with `_` or `+`"),
    ] {
        assert_eq!(fault_of_pattern(pattern), Some(why), "{pattern}");
    }
    for pattern in ["*", "logs*", "Logs*", "*:logs*", ".ds-*"] {
        assert_eq!(fault_of_pattern(pattern), None, "{pattern}");
    }
}

/// A cluster and its remote ones, by name; the local one has none. A date becomes `now`.
struct Model(BTreeMap<String, BTreeSet<String>>);

/// A name of a cluster's index.
type Found = (String, String);

impl Model {
    fn new() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self(BTreeMap::from([
            (String::new(), names(&["a", "ab", "abc", "b", "ba", "a-now", "now", "a-secret"])),
            ("a".into(), names(&["a", "b", "secret"])),
            ("ab".into(), names(&["a", "ab", "now"])),
            ("b".into(), names(&["a", "c"])),
        ]))
    }

    /// What an expression reaches, as the most generous of servers reads it: an exclusion with nothing before it is
    /// everything else.
    fn reached(&self, names: &[String]) -> BTreeSet<Found> {
        let mut found = BTreeSet::new();
        let mut begun = BTreeSet::new();
        if names.is_empty() {
            return self.named("", "*");
        }
        for name in names {
            let (name, is_excluded) = match name.strip_prefix('-') {
                Some(name) => (name, true),
                None => (name.as_str(), false),
            };
            let (cluster, name) = match name.split_once(':') {
                Some((cluster, name)) if !cluster.starts_with('<') => (Some(cluster), name),
                _ => (None, name),
            };
            let (name, is_excluded) = match name.strip_prefix('-') {
                Some(name) if cluster.is_some() => (name, true),
                _ => (name, is_excluded),
            };
            let dated = name.replace(['<', '>'], "").replace("{now/d}", "now").replace("{now{'a'}}", "a");
            let name = if dated == "_all" { "*" } else { dated.as_str() };
            let clusters = self.0.keys().filter(|known| match cluster {
                Some(pattern) => !known.is_empty() && matches(pattern, known),
                None => known.is_empty(),
            });
            for cluster in clusters {
                let named = self.named(cluster, name);
                if !is_excluded {
                    found.extend(named);
                } else {
                    if !begun.contains(cluster) {
                        found.extend(self.named(cluster, "*"));
                    }
                    found.retain(|found| !named.contains(found));
                }
                begun.insert(cluster.clone());
            }
        }
        found
    }

    fn named(&self, cluster: &str, pattern: &str) -> BTreeSet<Found> {
        let names = self.0[cluster].iter().filter(|name| matches(pattern, name));
        names.map(|name| (cluster.to_owned(), name.clone())).collect()
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            matches(&pattern[1..], name)
                || name.chars().next().is_some_and(|c| matches(pattern, &name[c.len_utf8()..]))
        }
        (Some(p), Some(n)) if p == n => matches(&pattern[p.len_utf8()..], &name[n.len_utf8()..]),
        _ => false,
    }
}

fn is_allowed(allowed: &[String], (cluster, name): &Found) -> bool {
    allowed.iter().any(|pattern| match pattern.split_once(':') {
        Some((of, pattern)) => !cluster.is_empty() && matches(of, cluster) && matches(pattern, name),
        None => cluster.is_empty() && matches(pattern, name),
    })
}

fn expression() -> impl Strategy<Value = String> {
    let name = "[ab*]{1,3}|a-secret|now|<[ab*]{0,2}-?\\{now/d\\}>|<[ab]?\\{now\\{'a'\\}\\}>|_all|secret";
    let cluster = prop_oneof![3 => Just(String::new()), 1 => "[ab*]{1,2}:"];
    let mark = || prop_oneof![4 => Just(""), 1 => Just("-")];
    (mark(), cluster, mark(), name).prop_map(|(out, cluster, inner, name)| {
        let inner = if cluster.is_empty() { "" } else { inner };
        format!("{out}{cluster}{inner}{name}")
    })
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[ab*]{1,3}", 1 => "[ab*]{1,2}:[ab*]{1,3}", 1 => Just("*".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn whatever_is_reached_is_allowed_or_refused(
        allowed in prop::collection::vec(pattern(), 0..4),
        names in prop::collection::vec(expression(), 0..5),
    ) {
        prop_assume!(names.iter().all(|name| fault_of_name(name).is_none()));
        if beyond(&names, &allowed).is_empty() {
            for found in Model::new().reached(&names) {
                prop_assert!(is_allowed(&allowed, &found), "{found:?} of {names:?} with {allowed:?}");
            }
        }
    }

    #[test]
    fn no_text_panics(name in ".{0,20}", pattern in ".{0,8}") {
        _ = fault_of_name(&name);
        _ = beyond(&[name], &[pattern]);
    }
}

/// A property that refuses everything would hold as well.
#[test]
fn the_model_is_reached_by_what_is_allowed() {
    let names = texts(&["a*", "-a-secret", "b:*", "<a-{now/d}>"]);
    assert!(beyond(&names, &texts(&["a*", "b:*"])).is_empty());
    assert_eq!(beyond(&texts(&["c", "a", "d"]), &texts(&["a*"])), ["c", "d"]);
    let found = Model::new().reached(&names);
    let expected = [("", "a"), ("", "a-now"), ("", "ab"), ("", "abc"), ("b", "a"), ("b", "c")];
    assert_eq!(found, expected.map(|(cluster, name)| (cluster.to_owned(), name.to_owned())).into());
}
