//! What each rule is measured at: as many keys as it promises to hold. A new rule is a new line.

/// A rule with parameters, and what its documents hold.
pub(crate) struct Subject {
    /// The plugin's folder, `rule-…`.
    pub(crate) plugin: &'static str,
    pub(crate) what: &'static str,
    /// A JSON object.
    pub(crate) params: &'static str,
    pub(crate) key: &'static [&'static str],
    pub(crate) fields: &'static [(&'static str, Fill)],
}

/// What a field holds: one of so many values, each in turn.
#[derive(Clone, Copy)]
pub(crate) enum Fill {
    Words(u64),
    Numbers(u64),
}

const MILLION: u64 = 1_000_000;

/// Without `rule-any`, for which a million rows are a million signals, and without `rule-query` and
/// `rule-cluster-health`, which get a row or two for a window.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject {
        plugin: "rule-frequency",
        what: "1,000 keys of a thousand events",
        params: r#"{ "num_events": 100000, "timeframe": "1h" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(1_000))],
    },
    Subject {
        plugin: "rule-frequency",
        what: "1,000,000 keys of an event",
        params: r#"{ "num_events": 100, "timeframe": "1h" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(MILLION))],
    },
    Subject {
        plugin: "rule-frequency",
        what: "500,000 keys of two events",
        params: r#"{ "num_events": 100, "timeframe": "1h" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(500_000))],
    },
    Subject {
        plugin: "rule-frequency",
        what: "1,000,000 keys, who then when",
        params: r#"{ "num_events": 100, "timeframe": "1h", "fetch": "who_then_when" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(MILLION))],
    },
    Subject {
        plugin: "rule-spike",
        what: "200,000 keys",
        params: r#"{ "timeframe": "1h", "height": 3, "direction": "up" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(200_000))],
    },
    Subject {
        plugin: "rule-new-term",
        what: "1,000,000 values",
        params: r#"{ "fields": ["user"], "window": "1h" }"#,
        key: &[],
        fields: &[("user", Fill::Words(MILLION))],
    },
    Subject {
        plugin: "rule-cardinality",
        what: "1,000,000 values of 10,000 keys, too many",
        params: r#"{ "field": "user", "timeframe": "1h", "max_cardinality": 1000 }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(10_000)), ("user", Fill::Words(MILLION))],
    },
    Subject {
        plugin: "rule-cardinality",
        what: "1,000,000 values of 1,000 keys, too few",
        params: r#"{ "field": "user", "timeframe": "1h", "min_cardinality": 10 }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(1_000)), ("user", Fill::Numbers(MILLION))],
    },
    Subject {
        plugin: "rule-flatline",
        what: "200,000 names",
        params: r#"{ "threshold": 2, "timeframe": "2h" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(200_000))],
    },
    Subject {
        plugin: "rule-change",
        what: "200,000 names",
        params: r#"{ "fields": ["state"], "timeframe": "1d" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(200_000)), ("state", Fill::Numbers(1))],
    },
    Subject {
        plugin: "rule-sequence",
        what: "200,000 names that wait, of 400,000",
        params: r#"{ "first": "a", "without": "b", "within": "1d" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(400_000))],
    },
    Subject {
        plugin: "rule-metric-aggregation",
        what: "200,000 keys, a step",
        params: r#"{ "metric": "avg", "field": "took", "max_threshold": 5, "timeframe": "10m" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(200_000))],
    },
    Subject {
        plugin: "rule-percentage-match",
        what: "200,000 keys, a step",
        params: r#"{ "match": "a", "max_percentage": 100, "timeframe": "10m" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(200_000))],
    },
    Subject {
        plugin: "rule-spike-aggregation",
        what: "100,000 keys",
        params: r#"{ "metric": "sum", "field": "took", "height": 1000, "direction": "up", "timeframe": "1h", "step": "10m" }"#,
        key: &["host"],
        fields: &[("host", Fill::Words(100_000))],
    },
    Subject {
        plugin: "rule-blacklist",
        what: "none of 1,000,000 values listed",
        params: r#"{ "field": "user", "values": ["nobody", "/^root/"] }"#,
        key: &[],
        fields: &[("user", Fill::Words(MILLION)), ("_type:user", Fill::Words(1))],
    },
    Subject {
        plugin: "rule-whitelist",
        what: "one value, listed",
        params: r#"{ "field": "user", "values": ["web-0000000.example.com"] }"#,
        key: &[],
        fields: &[("user", Fill::Words(1)), ("_type:user", Fill::Words(1))],
    },
];
