//! Rule types over events.
use super::maker::Maker;
use crate::node::{Data, Node};
use crate::options::as_yaml;
use crate::yaml::Yaml;

/// `blacklist` and `whitelist`.
pub(super) fn listed(made: &mut Maker<'_>, list: &str, files: &dyn Fn(&str) -> Option<String>) {
    made.needs(&["compare_key", list]);
    match made.options.texts("compare_key").as_deref() {
        Some([field]) => {
            made.put("field", Yaml::text(field.clone()));
            made.options.carried("compare_key", "`params.field`");
        }
        Some(_) => made.options.fault(
            "compare_key",
            "a list of values applies to one field",
            "write a rule for each field",
        ),
        None => {}
    }
    let mut values = Vec::new();
    let mut read = Vec::new();
    for value in made.options.texts(list).unwrap_or_default() {
        let Some(path) = value.strip_prefix("!file").map(str::trim) else {
            values.push(value);
            continue;
        };
        match files(path) {
            Some(text) => {
                values
                    .extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string));
                read.push(format!("`{path}`"));
            }
            None => made.options.fault(
                list,
                format!("the list `{path}` cannot be read"),
                "put the file where the rule expects it, or list its lines in the rule",
            ),
        }
    }
    let what = match read.as_slice() {
        [] => "`params.values`".to_string(),
        read => format!("`params.values`, with the lines of {}", read.join(", ")),
    };
    let regexes =
        values.iter().any(|value| value.len() > 1 && value.starts_with('/') && value.ends_with('/'));
    made.put("values", Yaml::texts(values));
    match regexes {
        true => made.options.changed(
            list,
            format!(
                "{what}; entries between slashes are patterns, as ElastAlert documents but does not implement"
            ),
        ),
        false => made.options.carried(list, what),
    }
    if list == "whitelist" {
        made.switch("ignore_null", "ignore_null");
    }
    made.options.dropped("filter_by_list", "how documents are found does not affect which are reported");
}

pub(super) fn change(made: &mut Maker<'_>, key: &[String]) {
    made.needs(&["compare_key"]);
    if key.is_empty() {
        made.options.fault(
            "query_key",
            "`query_key` is missing",
            "a rule of type `change` requires it, in ElastAlert too",
        );
    }
    if let Some(fields) = made.options.texts("compare_key") {
        made.put("fields", Yaml::texts(fields));
        made.options.carried("compare_key", "`params.fields`");
    }
    made.switch("ignore_null", "ignore_null");
    made.span("timeframe", "timeframe");
}

pub(super) fn frequency(made: &mut Maker<'_>) {
    made.needs(&["num_events", "timeframe"]);
    made.number("num_events", "num_events");
    made.span("timeframe", "timeframe");
    let documents = "not needed: a text can show up to ten `documents`";
    made.options.changed("attach_related", documents);
    counted(made, "who_then_when");
}

pub(super) fn spike(made: &mut Maker<'_>) {
    made.needs(&["timeframe", "spike_height", "spike_type"]);
    made.span("timeframe", "timeframe");
    rise(made);
    made.number("threshold_ref", "threshold_ref");
    made.number("threshold_cur", "threshold_cur");
    made.switch("alert_on_new_data", "alert_on_new_data");
    made.text("field_value", "field");
    counted(made, "buckets");
}

/// `spike_height` and `spike_type`.
pub(super) fn rise(made: &mut Maker<'_>) {
    let height = made.options.number("spike_height");
    if let Some(Yaml::Number(text)) = &height
        && text.parse::<f64>().is_ok_and(|height| height <= 1.0)
    {
        made.options.fault(
            "spike_height",
            "`spike_height` must be greater than 1: steady traffic has a ratio of 1",
            "raise it",
        );
        return;
    }
    if let Some(height) = height {
        made.put("height", height);
        made.options.carried("spike_height", "`params.height`");
    }
    match made.options.text("spike_type") {
        Some(direction)
            if matches!(direction.as_str(), "up" | "down" | "both")
                || crate::mask::lone_token(&direction).is_some() =>
        {
            made.put("direction", Yaml::Text(direction));
            made.options.carried("spike_type", "`params.direction`");
        }
        Some(other) => made.options.fault(
            "spike_type",
            format!("`{other}` is not a direction"),
            "write up, down or both",
        ),
        None => {}
    }
}

pub(super) fn flatline(made: &mut Maker<'_>, key: &[String]) {
    made.needs(&["threshold", "timeframe"]);
    let threshold = made.options.number("threshold");
    if let Some(Yaml::Number(text)) = &threshold
        && text.parse::<f64>().is_ok_and(|threshold| threshold <= 0.0)
    {
        made.options.fault(
            "threshold",
            "fewer than no events cannot be: ElastAlert never alerts either",
            "write `threshold: 1` to hear of it when nothing arrives",
        );
    } else {
        made.number("threshold", "threshold");
    }
    made.span("timeframe", "timeframe");
    if key.is_empty() && made.options.switch("forget_keys") == Some(Yaml::Bool(true)) {
        made.options.changed(
            "forget_keys",
            "left out: without `query_key` there is no key to forget, and silence is reported once, not at each run",
        );
    } else {
        made.switch("forget_keys", "forget_keys");
    }
    counted(made, "buckets");
}

/// How to avoid reading every document, in ElastAlert and here.
fn counted(made: &mut Maker<'_>, fetch: &str) {
    let mut buckets = false;
    for option in ["use_count_query", "use_terms_query"] {
        match made.options.flag(option) {
            Some(true) => {
                buckets = true;
                made.options.changed(
                    option,
                    format!("`params.fetch: {fetch}`: the cluster counts, and late documents are not lost"),
                );
            }
            Some(false) => made.options.carried(option, "same as the default"),
            None => {}
        }
    }
    if buckets {
        made.put("fetch", Yaml::text(fetch));
    }
    made.options.drop_all(&["terms_size", "min_doc_count"], "every key is counted, however many there are");
}

pub(super) fn new_term(made: &mut Maker<'_>, key: &mut Vec<String>) {
    match made.options.node("fields").map(|node| node.data) {
        Some(Data::List(items)) if !items.is_empty() && items.iter().all(is_field) => {
            made.put("fields", Yaml::List(items.iter().map(as_yaml).collect()));
            made.options.carried("fields", "`params.fields`");
        }
        Some(Data::Text(field)) => {
            made.put("fields", Yaml::texts([field]));
            made.options.carried("fields", "`params.fields`");
        }
        Some(_) => made.options.fault(
            "fields",
            "`fields` must be a field, or a list of fields or lists of fields",
            "write `fields: [ip_address]`",
        ),
        None if key.is_empty() => {
            made.options.fault("fields", "`fields` is missing", "name the fields whose new values to report")
        }
        None => {
            // ElastAlert uses `query_key` for both: a composite of several fields.
            let fields = match key.as_slice() {
                [one] => Yaml::text(one.clone()),
                several => Yaml::texts(several.to_vec()),
            };
            made.put("fields", Yaml::List(vec![fields]));
            made.options.carried("query_key", "`params.fields` too");
        }
    }
    match made.options.span("terms_window_size") {
        Some(span) if span.millis.is_some_and(|millis| millis > WINDOW_MAX) => {
            made.put("window", Yaml::text("400d"));
            made.options.changed("terms_window_size", "`params.window: 400d`, which is the longest window");
        }
        _ => made.span("terms_window_size", "window"),
    }
    made.switch("alert_on_missing_field", "alert_on_missing_field");
    made.options.dropped("window_step_size", "history is read once, in windows that the host chooses");
    made.options.drop_all(&["use_terms_query", "terms_size"], "every value is seen, however many there are");
    made.options.dropped("use_keyword_postfix", "fields are queried by the names given in `fields`");
}

/// The most history that a rule reads, in milliseconds: 400 days.
const WINDOW_MAX: u64 = 400 * 24 * 60 * 60 * 1000;

fn is_field(node: &Node) -> bool {
    match &node.data {
        Data::List(items) => !items.is_empty() && items.iter().all(|item| matches!(item.data, Data::Text(_))),
        data => matches!(data, Data::Text(_)),
    }
}

pub(super) fn cardinality(made: &mut Maker<'_>) {
    made.needs(&["cardinality_field", "timeframe"]);
    if !made.options.has("max_cardinality") && !made.options.has("min_cardinality") {
        made.options.fault(
            "type",
            "`max_cardinality` and `min_cardinality` are both missing",
            "set one of them; ElastAlert requires it too",
        );
    }
    made.text("cardinality_field", "field");
    made.span("timeframe", "timeframe");
    made.number("max_cardinality", "max_cardinality");
    made.number("min_cardinality", "min_cardinality");
}
