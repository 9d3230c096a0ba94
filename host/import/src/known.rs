//! Every option of ElastAlert and ElastAlert2, and what it belongs to.
use watchbell_manifest::nearest;

use crate::alerters;

/// Options of every rule and of the configuration that are in no other list.
const COMMON: &[&str] = &[
    "name",
    "type",
    "index",
    "filter",
    "alert",
    "description",
    "owner",
    "priority",
    "category",
    "is_enabled",
    "import",
    "query_key",
    "timestamp_field",
    "timestamp_type",
    "timestamp_format",
    "timestamp_format_expr",
    "timestamp_to_datetime_format_expr",
    "query_timezone",
    "run_every",
    "buffer_time",
    "query_delay",
    "timeframe",
    "realert",
    "realert_key",
    "exponential_realert",
    "aggregation",
    "aggregate_by_match_time",
    "aggregation_key",
    "aggregation_alert_time_compared_with_timestamp_field",
    "summary_table_fields",
    "summary_table_type",
    "summary_table_max_rows",
    "summary_prefix",
    "summary_suffix",
    "include",
    "include_fields",
    "_source_enabled",
    "include_rule_params_in_matches",
    "include_rule_params_in_first_match_only",
    "include_match_in_root",
    "top_count_keys",
    "top_count_number",
    "raw_count_keys",
    "scan_entire_timeframe",
    "limit_execution",
    "limit_execution_coverage",
    "match_enhancements",
    "run_enhancements_first",
    "max_query_size",
    "max_scrolling_count",
    "max_scrolling",
    "scroll_keepalive",
    "use_strftime_index",
    "search_extra_index",
    "alert_subject",
    "alert_subject_args",
    "alert_subject_max_len",
    "alert_text",
    "alert_text_args",
    "alert_text_kw",
    "alert_text_type",
    "alert_missing_value",
    "jinja_root_name",
    "jinja_template_path",
    "jinja_filters",
    "use_local_time",
    "custom_pretty_ts_format",
    "add_metadata_alert",
    "doc_type",
    "use_ssl",
    "verify_certs",
    "ca_certs",
    "client_cert",
    "client_key",
    "es_host",
    "es_hosts",
    "es_port",
    "es_username",
    "es_password",
    "es_bearer",
    "es_api_key",
    "es_url_prefix",
    "es_conn_timeout",
    "es_send_get_body_as",
    "aws_region",
    "profile",
    "boto_profile",
    "ssl_show_warn",
    "es_version",
    "generate_kibana_discover_url",
    "shorten_kibana_discover_url",
    "kibana_discover_app_url",
    "kibana_discover_version",
    "kibana_discover_index_pattern_id",
    "kibana_discover_columns",
    "kibana_discover_from_timedelta",
    "kibana_discover_to_timedelta",
    "kibana_discover_security_tenant",
    "kibana_url",
    "kibana_username",
    "kibana_password",
    "kibana_verify_certs",
    "kibana_adapter",
    "generate_opensearch_discover_url",
    "shorten_opensearch_discover_url",
    "opensearch_discover_app_url",
    "opensearch_discover_version",
    "opensearch_discover_index_pattern_id",
    "opensearch_discover_columns",
    "opensearch_discover_from_timedelta",
    "opensearch_discover_to_timedelta",
    "opensearch_discover_security_tenant",
    "opensearch_url",
    "opensearch_username",
    "opensearch_password",
    "opensearch_verify_certs",
    "use_kibana_dashboard",
    "generate_kibana_link",
    "use_kibana4_dashboard",
    "kibana4_start_timedelta",
    "kibana4_end_timedelta",
    "kibana_dashboard",
    "metadata_fields",
];

/// Options of the ElastAlert process itself.
pub(crate) const PROCESS: &[(&str, &str)] = &[
    ("rules_folder", "rules are the files below `--rules`"),
    ("scan_subdirectories", "subfolders of `--rules` are always read"),
    ("rules_loader", "rules are files"),
    ("writeback_index", "state is kept in a SQLite store, not in an index"),
    ("writeback_alias", "state is kept in a SQLite store, not in an index"),
    (
        "alert_time_limit",
        "a destination's `retry.deadline` limits how long delivery is retried; one day by default",
    ),
    ("old_query_limit", "windows are contiguous: missed ones are caught up"),
    ("max_threads", "there is no thread pool to size; a cluster's `concurrency` limits its requests"),
    ("misfire_grace_time", "a late run still covers its window"),
    ("max_aggregation", "a group's message names ten keys and counts the others"),
    ("disable_rules_on_error", "failing rules are never disabled"),
    ("skip_invalid", "`watchbell check` reports every error before deployment"),
    ("show_disabled_rules", "`watchbell status` shows them"),
    ("notify_alert", "problems are shown by `watchbell status`, `/readyz` and `/metrics`"),
    ("notify_email", "problems are shown by `watchbell status`, `/readyz` and `/metrics`"),
    ("notify_all_errors", "problems are shown by `watchbell status`, `/readyz` and `/metrics`"),
    ("replace_dots_in_field_names", "nothing is written to an index"),
    ("string_multi_field_name", "fields are given by their full names"),
    ("statsd_host", "metrics are at `/metrics`, for Prometheus"),
    ("statsd_instance_tag", "metrics are at `/metrics`, for Prometheus"),
    ("logging", "the host logs to standard error, one JSON object per line"),
];

/// The options of each rule type.
pub(crate) const TYPES: &[(&str, &[&str])] = &[
    ("any", &[]),
    ("blacklist", &["compare_key", "blacklist", "filter_by_list"]),
    ("whitelist", &["compare_key", "whitelist", "ignore_null", "filter_by_list"]),
    ("change", &["compare_key", "ignore_null"]),
    (
        "frequency",
        &[
            "num_events",
            "attach_related",
            "use_count_query",
            "use_terms_query",
            "terms_size",
            "min_doc_count",
        ],
    ),
    (
        "spike",
        &[
            "spike_height",
            "spike_type",
            "threshold_ref",
            "threshold_cur",
            "alert_on_new_data",
            "field_value",
            "use_count_query",
            "use_terms_query",
            "terms_size",
        ],
    ),
    ("flatline", &["threshold", "forget_keys", "use_count_query", "use_terms_query", "terms_size"]),
    (
        "new_term",
        &[
            "fields",
            "terms_window_size",
            "window_step_size",
            "alert_on_missing_field",
            "use_terms_query",
            "terms_size",
            "use_keyword_postfix",
        ],
    ),
    ("cardinality", &["cardinality_field", "max_cardinality", "min_cardinality"]),
    (
        "metric_aggregation",
        &[
            "metric_agg_key",
            "metric_agg_type",
            "metric_agg_script",
            "percentile_range",
            "max_threshold",
            "min_threshold",
            "min_doc_count",
            "use_run_every_query_size",
            "allow_buffer_time_overlap",
            "bucket_interval",
            "sync_bucket_interval",
            "metric_format_string",
            "terms_size",
        ],
    ),
    (
        "spike_aggregation",
        &[
            "metric_agg_key",
            "metric_agg_type",
            "metric_agg_script",
            "percentile_range",
            "spike_height",
            "spike_type",
            "threshold_ref",
            "threshold_cur",
            "alert_on_new_data",
            "min_doc_count",
            "use_run_every_query_size",
            "allow_buffer_time_overlap",
            "terms_size",
        ],
    ),
    (
        "percentage_match",
        &[
            "match_bucket_filter",
            "min_percentage",
            "max_percentage",
            "min_denominator",
            "percentage_format_string",
            "use_run_every_query_size",
            "allow_buffer_time_overlap",
            "bucket_interval",
            "sync_bucket_interval",
        ],
    ),
];

/// Why an option that no module handled is dropped: it belongs elsewhere, or it is unknown.
pub(crate) fn explain(key: &str, kind: &str, alerts: &[String]) -> String {
    if let Some((_, why)) = PROCESS.iter().find(|(name, _)| *name == key) {
        return format!("not needed: {why}");
    }
    let mut owners: Vec<String> = TYPES
        .iter()
        .filter(|(_, options)| options.contains(&key))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    owners.truncate(3);
    if !owners.is_empty() {
        return format!("has no effect on a rule of type `{kind}`: it belongs to {}", owners.join(", "));
    }
    if let Some(owner) = alerters::owner(key) {
        return if alerts.iter().any(|alert| alert == owner) {
            format!("not sent: a message to `{owner}` has no such field")
        } else {
            format!("has no effect: it belongs to `{owner}`, which the rule does not name under `alert`")
        };
    }
    if COMMON.contains(&key) {
        return format!("has no effect on a rule of type `{kind}`");
    }
    match nearest(key, all()) {
        Some(near) => format!("ElastAlert has no such option and ignores it; did you mean `{near}`?"),
        None => "ElastAlert has no such option and ignores it, unless a text, a custom rule or a custom alerter reads it".into(),
    }
}

fn all() -> impl Iterator<Item = &'static str> {
    let types = TYPES.iter().flat_map(|(_, options)| options.iter().copied());
    COMMON
        .iter()
        .copied()
        .chain(PROCESS.iter().map(|(name, _)| *name))
        .chain(types)
        .chain(alerters::options())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mistyped_is_recognised() {
        let of = |key| explain(key, "frequency", &["slack".into()]);
        assert!(of("aggregration").ends_with("did you mean `aggregation`?"));
        assert!(of("slack_webook_url").ends_with("did you mean `slack_webhook_url`?"));
        assert!(of("spike_height").contains("it belongs to `spike`"));
        assert!(of("opsgenie_key").contains("it belongs to `opsgenie`"));
        assert!(of("something_of_ours").contains("no such option"));
        assert!(of("writeback_index").starts_with("not needed"));
    }

    #[test]
    fn no_option_is_listed_twice() {
        let mut names: Vec<&str> = COMMON
            .iter()
            .copied()
            .chain(PROCESS.iter().map(|(name, _)| *name))
            .chain(alerters::options())
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
