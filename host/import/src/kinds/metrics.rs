//! Rules that look at aggregations over a stretch of time.
use super::counts::rise;
use super::maker::Maker;
use crate::duration::Span;
use crate::lucene;
use crate::node::{Data, Node};
use crate::yaml::Yaml;

pub(super) fn metric_aggregation(made: &mut Maker<'_>) {
    made.needs(&["metric_agg_key", "metric_agg_type"]);
    metric(made);
    if !made.sheet.has("max_threshold") && !made.sheet.has("min_threshold") {
        made.sheet.fault(
            "type",
            "`max_threshold` and `min_threshold` are both missing",
            "give one of them, as ElastAlert needs it too",
        );
    }
    made.number("max_threshold", "max_threshold");
    made.number("min_threshold", "min_threshold");
    stretch(made);
    made.number("min_doc_count", "min_doc_count");
    made.sheet.dropped("terms_size", "every key is judged, however many there are");
    made.sheet
        .dropped("metric_format_string", "a text formats the value itself: `{{ '%.2f' | format(value) }}`");
}

pub(super) fn spike_aggregation(made: &mut Maker<'_>) {
    made.needs(&["metric_agg_key", "metric_agg_type", "timeframe", "spike_height", "spike_type"]);
    metric(made);
    rise(made);
    made.span("timeframe", "timeframe");
    let timeframe = made.sheet.span("timeframe");
    if let Some((option, width)) = width(made) {
        if divides(&width, timeframe.as_ref()) {
            made.put("step", Yaml::Text(width.text));
            made.sheet.carried(option, "`params.step`: the width of one data point");
        } else {
            let message = format!("a data point of {} is no whole part of the timeframe", width.text);
            made.sheet.fault(option, message, "let the timeframe be a multiple of it");
        }
    }
    made.number("threshold_ref", "threshold_ref");
    made.number("threshold_cur", "threshold_cur");
    made.switch("alert_on_new_data", "alert_on_new_data");
    made.number("min_doc_count", "min_doc_count");
    made.sheet.dropped("terms_size", "every key is judged, however many there are");
    made.sheet.dropped("allow_buffer_time_overlap", OVERLAP);
}

pub(super) fn percentage_match(made: &mut Maker<'_>) {
    made.needs(&["match_bucket_filter"]);
    if let Some(node) = made.sheet.node("match_bucket_filter") {
        let queries = match &node.data {
            Data::List(items) => items.clone(),
            _ => vec![node],
        };
        match lucene::all(&queries) {
            Some(text) => {
                made.put("match", Yaml::Text(text.text));
                if text.exact {
                    made.sheet.carried("match_bucket_filter", "`params.match`, in Lucene syntax");
                } else {
                    made.sheet.changed(
                        "match_bucket_filter",
                        "`params.match`, in Lucene syntax: the same for keyword fields",
                    );
                }
            }
            None => made.sheet.fault(
                "match_bucket_filter",
                "Lucene syntax has no words for this query",
                "say it as `query_string: { query: \"…\" }`",
            ),
        }
    }
    if !made.sheet.has("max_percentage") && !made.sheet.has("min_percentage") {
        made.sheet.fault(
            "type",
            "`max_percentage` and `min_percentage` are both missing",
            "give one of them, as ElastAlert needs it too",
        );
    }
    made.number("max_percentage", "max_percentage");
    made.number("min_percentage", "min_percentage");
    stretch(made);
    made.number("min_denominator", "min_denominator");
    made.sheet.dropped(
        "percentage_format_string",
        "a text formats the value itself: `{{ '%.2f' | format(value) }}`",
    );
}

const OVERLAP: &str = "values lie on the grid: none is judged twice and none is left out";

/// Which metric, of which field.
fn metric(made: &mut Maker<'_>) {
    match made.sheet.text("metric_agg_type") {
        Some(kind)
            if matches!(kind.as_str(), "min" | "max" | "avg" | "sum" | "cardinality" | "value_count") =>
        {
            made.put("metric", Yaml::Text(kind));
            made.sheet.carried("metric_agg_type", "`params.metric`");
        }
        Some(kind) if kind == "percentiles" => {
            made.put("metric", Yaml::text("percentile"));
            made.sheet.carried("metric_agg_type", "`params.metric: percentile`");
            made.needs(&["percentile_range"]);
        }
        Some(other) => {
            let known = ["min", "max", "avg", "sum", "cardinality", "value_count", "percentiles"];
            let near = watchbell_manifest::nearest(&other, known.into_iter()).unwrap_or("avg");
            made.sheet.fault(
                "metric_agg_type",
                format!("there is no metric `{other}`"),
                format!("write for example `{near}`"),
            );
        }
        None => {}
    }
    match script(made.sheet.node("metric_agg_script").as_ref()) {
        Some(Some(_)) if made.sheet.text("metric_agg_type").is_some_and(|kind| kind != "avg") => {
            made.sheet.fault(
                "metric_agg_script",
                "of what a script gives only the average can be asked",
                "write `metric_agg_type: avg`, or keep what the script gives in a field of its own",
            );
            made.sheet.dropped("metric_agg_key", "the script stands in for the field, in ElastAlert too");
        }
        Some(Some(script)) => {
            made.put("script", Yaml::Text(script));
            made.sheet.carried("metric_agg_script", "`params.script`");
            made.sheet.dropped("metric_agg_key", "the script stands in for the field, in ElastAlert too");
        }
        Some(None) => made.sheet.fault(
            "metric_agg_script",
            "a script in another language or with parameters",
            "write it in Painless, as one text",
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

/// `params.timeframe`, what each value is made of, and `params.step`, how far apart values are.
fn stretch(made: &mut Maker<'_>) {
    made.sheet.dropped(
        "timeframe",
        "ElastAlert does not heed it for this type; `buffer_time` is what a value is made of",
    );
    let interval = made.sheet.span("bucket_interval");
    let width = width(made);
    if let Some(interval) = interval {
        made.put("timeframe", Yaml::Text(interval.text.clone()));
        made.put("step", Yaml::Text(interval.text));
        made.sheet
            .carried("bucket_interval", "`params.timeframe` and `params.step`: a value for each interval");
        if let Some((option, _)) = width {
            made.sheet.dropped(
                option,
                "each interval is judged once, when it is over; a run may cover any number of them",
            );
        }
    } else if let Some((option, width)) = width {
        made.put("timeframe", Yaml::Text(width.text.clone()));
        made.sheet.carried(option, "`params.timeframe`: what each value is made of");
        let every = made.sheet.span("run_every").filter(|_| option == "buffer_time");
        match every {
            Some(every) if every.text != width.text && is_whole(made) => {
                made.sheet.changed(
                    "run_every",
                    format!(
                        "a value for each {}: this metric cannot be made of several shorter ones",
                        width.text
                    ),
                );
            }
            Some(every) if every.text != width.text && divides(&every, Some(&width)) => {
                made.put("step", Yaml::Text(every.text.clone()));
                made.sheet.carried(
                    "run_every",
                    format!("`params.step: {}`: values overlap, as ElastAlert's do", every.text),
                );
            }
            _ => {}
        }
    }
    made.sheet.carried("sync_bucket_interval", "values always lie on the grid, and each is judged once");
    made.sheet.dropped("allow_buffer_time_overlap", OVERLAP);
}

/// Whether a value cannot be made of values of parts of its time.
fn is_whole(made: &mut Maker<'_>) -> bool {
    made.sheet.has("metric_agg_script")
        || matches!(made.sheet.text("metric_agg_type").as_deref(), Some("cardinality" | "percentiles"))
}

/// How much data one run of ElastAlert looks at, and the option that says it.
fn width(made: &mut Maker<'_>) -> Option<(&'static str, Span)> {
    let option =
        if made.sheet.flag("use_run_every_query_size") == Some(true) { "run_every" } else { "buffer_time" };
    let span = made.sheet.span(option);
    if made.sheet.has("use_run_every_query_size") {
        made.sheet.carried("use_run_every_query_size", format!("`{option}` is what a value is made of"));
    }
    if span.is_none() && made.sheet.node("bucket_interval").is_none() {
        let remedy =
            format!("write `{option}` into the rule, or put ElastAlert's config.yaml into the folder");
        made.sheet.fault(option, format!("`{option}` is missing, and says what a value is made of"), remedy);
    }
    span.map(|span| (option, span))
}

/// Whether `part` goes into `whole` a whole number of times, as far as can be known.
fn divides(part: &Span, whole: Option<&Span>) -> bool {
    match (part.millis, whole.and_then(|whole| whole.millis)) {
        (Some(0), _) => false,
        (Some(part), Some(whole)) => whole % part == 0,
        _ => true,
    }
}
