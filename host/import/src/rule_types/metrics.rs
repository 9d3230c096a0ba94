//! Rule types over aggregations.
use super::counts::rise;
use super::maker::Maker;
use crate::duration::Span;
use crate::lucene;
use crate::node::{Data, Node};
use crate::yaml::Yaml;

pub(super) fn metric_aggregation(made: &mut Maker<'_>) {
    made.needs(&["metric_agg_key", "metric_agg_type"]);
    metric(made);
    if !made.options.has("max_threshold") && !made.options.has("min_threshold") {
        made.options.fault(
            "type",
            "`max_threshold` and `min_threshold` are both missing",
            "set one of them; ElastAlert requires it too",
        );
    }
    made.number("max_threshold", "max_threshold");
    made.number("min_threshold", "min_threshold");
    stretch(made);
    made.number("min_doc_count", "min_doc_count");
    made.options.dropped("terms_size", "every key is evaluated, however many there are");
    made.options.changed(
        "metric_format_string",
        "only in texts that name `metric_agg_value_formatted`; elsewhere write `{{ '%.2f' | format(value) }}`",
    );
}

pub(super) fn spike_aggregation(made: &mut Maker<'_>) {
    made.needs(&["metric_agg_key", "metric_agg_type", "timeframe", "spike_height", "spike_type"]);
    metric(made);
    rise(made);
    made.span("timeframe", "timeframe");
    let timeframe = made.options.span("timeframe");
    if let Some((option, width)) = width(made) {
        if divides(&width, timeframe.as_ref()) {
            made.put("step", Yaml::Text(width.text));
            made.options.carried(option, "`params.step`: the width of one data point");
        } else {
            let message = format!("a data point of {} does not divide the timeframe", width.text);
            made.options.fault(option, message, "make the timeframe a multiple of it");
        }
    }
    made.number("threshold_ref", "threshold_ref");
    made.number("threshold_cur", "threshold_cur");
    made.switch("alert_on_new_data", "alert_on_new_data");
    made.number("min_doc_count", "min_doc_count");
    made.options.dropped("terms_size", "every key is evaluated, however many there are");
    made.options.dropped("allow_buffer_time_overlap", OVERLAP);
}

pub(super) fn percentage_match(made: &mut Maker<'_>) {
    made.needs(&["match_bucket_filter"]);
    if let Some(node) = made.options.node("match_bucket_filter") {
        let queries = match &node.data {
            Data::List(items) => items.clone(),
            _ => vec![node],
        };
        match lucene::all(&queries) {
            Some(text) => {
                made.put("match", Yaml::Text(text.text));
                if text.exact {
                    made.options.carried("match_bucket_filter", "`params.match`, in Lucene syntax");
                } else {
                    made.options.changed(
                        "match_bucket_filter",
                        "`params.match`, in Lucene syntax: the same for keyword fields",
                    );
                }
            }
            None => made.options.fault(
                "match_bucket_filter",
                "this query cannot be written in Lucene syntax",
                "write it as `query_string: { query: \"…\" }`",
            ),
        }
    }
    if !made.options.has("max_percentage") && !made.options.has("min_percentage") {
        made.options.fault(
            "type",
            "`max_percentage` and `min_percentage` are both missing",
            "set one of them; ElastAlert requires it too",
        );
    }
    made.number("max_percentage", "max_percentage");
    made.number("min_percentage", "min_percentage");
    stretch(made);
    made.number("min_denominator", "min_denominator");
    made.options.changed(
        "percentage_format_string",
        "only in texts that name `percentage_formatted`; elsewhere write `{{ '%.2f' | format(value) }}`",
    );
}

const OVERLAP: &str = "values lie on the grid: none is evaluated twice and none is skipped";

/// Which metric, of which field.
fn metric(made: &mut Maker<'_>) {
    match made.options.text("metric_agg_type") {
        Some(kind)
            if matches!(kind.as_str(), "min" | "max" | "avg" | "sum" | "cardinality" | "value_count") =>
        {
            made.put("metric", Yaml::Text(kind));
            made.options.carried("metric_agg_type", "`params.metric`");
        }
        Some(kind) if kind == "percentiles" => {
            made.put("metric", Yaml::text("percentile"));
            made.options.carried("metric_agg_type", "`params.metric: percentile`");
            made.needs(&["percentile_range"]);
        }
        Some(other) => {
            let known = ["min", "max", "avg", "sum", "cardinality", "value_count", "percentiles"];
            let near = watchbell_manifest::nearest(&other, known).unwrap_or("avg");
            made.options.fault(
                "metric_agg_type",
                format!("there is no metric `{other}`"),
                format!("write, for example, `{near}`"),
            );
        }
        None => {}
    }
    match script(made.options.node("metric_agg_script").as_ref()) {
        Some(Some(_)) if made.options.text("metric_agg_type").is_some_and(|kind| kind != "avg") => {
            made.options.fault(
                "metric_agg_script",
                "only the average of a script is supported",
                "write `metric_agg_type: avg`, or store the script's result in a field",
            );
            made.options.dropped("metric_agg_key", "the script replaces the field, in ElastAlert too");
        }
        Some(Some(script)) => {
            made.put("script", Yaml::Text(script));
            made.options.carried(
                "metric_agg_script",
                "`params.script`; add `allow: [scripts]` to the cluster in the environment",
            );
            made.options.dropped("metric_agg_key", "the script replaces the field, in ElastAlert too");
        }
        Some(None) => made.options.fault(
            "metric_agg_script",
            "the script is in another language or has parameters",
            "write it in Painless, as a single string",
        ),
        None => made.text("metric_agg_key", "field"),
    }
    made.number("percentile_range", "percentile");
}

/// `Some(None)`: more than a text says.
fn script(node: Option<&Node>) -> Option<Option<String>> {
    let node = node?;
    if let Some(text) = node.text() {
        return Some(Some(text));
    }
    let inner = node.get("script").unwrap_or(node);
    let only = |entry: &crate::node::Entry| {
        matches!(entry.key.as_str(), "source" | "inline")
            || entry.key == "lang" && entry.value.text().as_deref() == Some("painless")
    };
    if !inner.entries().iter().all(only) {
        return Some(None);
    }
    Some(inner.text().or_else(|| inner.get("source").or_else(|| inner.get("inline"))?.text()))
}

/// `params.timeframe`, the time that each value covers, and `params.step`, the time between values.
fn stretch(made: &mut Maker<'_>) {
    made.options.dropped("timeframe", "ElastAlert ignores it for this type; a value covers `buffer_time`");
    let interval = made.options.span("bucket_interval");
    let width = width(made);
    if let Some(interval) = interval {
        made.put("timeframe", Yaml::Text(interval.text.clone()));
        made.put("step", Yaml::Text(interval.text));
        made.options
            .carried("bucket_interval", "`params.timeframe` and `params.step`: one value per interval");
        if let Some((option, _)) = width {
            made.options
                .dropped(option, "each interval is evaluated once, when it is over; a run may cover several");
        }
    } else if let Some((option, width)) = width {
        made.put("timeframe", Yaml::Text(width.text.clone()));
        made.options.carried(option, "`params.timeframe`: the time that each value covers");
        let every = made.options.span("run_every").filter(|_| option == "buffer_time");
        match every {
            Some(every) if every.text != width.text && is_whole(made) => {
                made.options.changed(
                    "run_every",
                    format!(
                        "one value per {}: this metric cannot be combined from shorter intervals",
                        width.text
                    ),
                );
            }
            Some(every) if every.text != width.text && divides(&every, Some(&width)) => {
                made.put("step", Yaml::Text(every.text.clone()));
                made.options.carried(
                    "run_every",
                    format!("`params.step: {}`: values overlap, as in ElastAlert", every.text),
                );
            }
            _ => {}
        }
    }
    made.options.carried("sync_bucket_interval", "values always lie on the grid, and each is evaluated once");
    made.options.dropped("allow_buffer_time_overlap", OVERLAP);
}

/// Whether values of shorter intervals cannot be combined into one.
fn is_whole(made: &mut Maker<'_>) -> bool {
    made.options.has("metric_agg_script")
        || matches!(made.options.text("metric_agg_type").as_deref(), Some("cardinality" | "percentiles"))
}

/// How much data one run of ElastAlert covers, and the option that sets it.
fn width(made: &mut Maker<'_>) -> Option<(&'static str, Span)> {
    let option =
        if made.options.flag("use_run_every_query_size") == Some(true) { "run_every" } else { "buffer_time" };
    let span = made.options.span(option);
    if made.options.has("use_run_every_query_size") {
        made.options
            .carried("use_run_every_query_size", format!("`{option}` is the time that a value covers"));
    }
    if span.is_none() && made.options.node("bucket_interval").is_none() {
        let remedy = format!("set `{option}` in the rule, or add ElastAlert's config.yaml to the folder");
        made.options.fault(
            option,
            format!("`{option}` is missing: it is the time that a value covers"),
            remedy,
        );
    }
    span.map(|span| (option, span))
}

/// Whether `part` divides `whole`, as far as is known.
fn divides(part: &Span, whole: Option<&Span>) -> bool {
    match (part.millis, whole.and_then(|whole| whole.millis)) {
        (Some(0), _) => false,
        (Some(part), Some(whole)) => whole % part == 0,
        _ => true,
    }
}
