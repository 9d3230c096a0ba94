//! Turns one rule's options into a manifest.
use std::collections::BTreeSet;

use crate::hours;
use crate::mask::{lone_token, tokens};
use crate::node::{Data, Node};
use crate::options::Options;
use crate::pace::pace;
use crate::receivers::{alerts, destinations};
use crate::rule_types::rule_type;
use crate::surroundings::Surroundings;
use crate::texts::python::of_value;
use crate::texts::{Markup, Terms, alert};
use crate::yaml::Yaml;

/// The result.
pub(crate) struct Made {
    pub(crate) entries: Vec<(String, Yaml)>,
    /// Destinations, each with its alerter. They are not named yet.
    pub(crate) destinations: Vec<(String, Yaml)>,
    pub(crate) alerts: Vec<String>,
}

pub(crate) fn rule(options: &mut Options, around: &mut Surroundings<'_>) -> Made {
    // Without an alerter ElastAlert refuses a rule; the operator may name a destination for it.
    let has_alerter = options.node("alert").is_some() || around.fallback.is_none();
    let alerts = if has_alerter { alerts(options) } else { Vec::new() };
    let names: Vec<String> = alerts.iter().map(|(name, _)| name.clone()).collect();
    let mut key = options.texts("query_key").unwrap_or_default();
    key.retain(|field| !field.is_empty());
    if key.len() > 16 {
        options.fault("query_key", "more than 16 fields", "name fewer");
    }
    let index = index(options);
    let mut schedule = schedule(options);
    schedule.extend(around.begin.map(|begin| ("begin", Yaml::text(begin))));
    let filter = crate::filter::filter(options, &around.filters);
    let rule_type = rule_type(options, &mut key, around.files);
    options.carried("query_key", "`key`: one episode per value");
    let module = rule_type.as_ref().map(|it| it.module.clone()).unwrap_or_default();
    let mut terms = terms(options, &module, &key);
    let html = options.text("email_format").as_deref() == Some("html");
    let file = options.text("jinja_template_path").and_then(|path| (around.files)(&path));
    let texts = alert(options, &mut terms, &around.name, file.as_deref(), Markup::of(&names, html));
    if file.is_none() {
        options.settle("jinja_template_path", "file not found: `alert_text` is used as the template");
    }
    let faults = options.faults.len();
    let destinations = destinations(options, &mut terms, around, &alerts);
    if !terms.differing.is_empty() {
        let differing: Vec<String> = std::mem::take(&mut terms.differing).into_iter().collect();
        options.changed("alert", format!("in its request, {}", differing.join("; ")));
    }
    let to_nobody = destinations.is_empty() && around.fallback.is_none();
    // An alerter's own faults are already reported.
    if to_nobody && options.faults.len() == faults && options.node("alert").is_some() {
        let message = "none of its alerters can be carried over, so it would notify nobody";
        let remedy = "pass `--destination NAME` for such rules, or add another alerter under `alert`";
        options.fault("alert", message, remedy);
    }
    let pace = pace(options, &module, &key);
    left_behind(options);

    let text = |text: &str| Yaml::text(text);
    let mut entries = vec![("name".to_string(), text(&around.slug))];
    let mut put =
        |name: &str, value: Option<Yaml>| entries.extend(value.map(|value| (name.to_string(), value)));
    put("description", description(options, around, texts.title.as_deref()));
    put("owner", owner(options));
    if options.flag("is_enabled") == Some(false) {
        put("enabled", Some(Yaml::Bool(false)));
    }
    options.carried("is_enabled", "`enabled`");
    put("use", Some(Yaml::Text(module)));
    put("index", index);
    put("time_field", Some(terms.time_field.clone()).filter(|field| field != "@timestamp").map(Yaml::Text));
    options.carried("timestamp_field", "`time_field`");
    put("filter", filter);
    for (name, value) in schedule {
        put(name, Some(value));
    }
    put("key", (!key.is_empty()).then(|| Yaml::texts(key)));
    let mut params = rule_type.map(|it| it.params).unwrap_or_default();
    if !terms.fields.is_empty() {
        params.push(("fields".into(), Yaml::texts(terms.fields)));
    }
    put("params", (!params.is_empty()).then_some(Yaml::Map(params)));
    put("severity", severity(options));
    let told = [
        ("title", texts.title.map(Yaml::Text)),
        ("body", texts.body.map(Yaml::Text)),
        ("group", pace.group),
        ("repeat", pace.repeat),
    ];
    let told: Vec<(String, Yaml)> =
        told.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect();
    put("alert", Some(Yaml::Map(told)));
    Made { entries, destinations, alerts: names }
}

fn index(options: &mut Options) -> Option<Yaml> {
    let Some(index) = options.text("index") else {
        if !options.has("index") {
            options.fault("index", "`index` is missing", "name the index; ElastAlert requires it too");
        }
        return None;
    };
    let strftime = options.flag("use_strftime_index") == Some(true);
    options.carried("use_strftime_index", "written into `index`");
    options.dropped("search_extra_index", "every matching index is searched, within the window's time range");
    if index.contains('%') && !strftime {
        options.fault(
            "index",
            "an index name cannot contain `%`: did you mean to set `use_strftime_index: true`?",
            "add it to the rule; without it ElastAlert asks for an index of this very name and finds nothing",
        );
        return None;
    }
    let made = if strftime { without_dates(&index) } else { index.clone() };
    if made.is_empty()
        || made.contains(['/', '\\', '?', '"', '|', ' ', '#']) && !made.contains('<') && !made.contains(", ")
    {
        options.fault(
            "index",
            "an index name is not empty and cannot contain `/ \\ ? \" | #` or spaces",
            "correct it: no such index can exist",
        );
        return None;
    }
    match made == index {
        true if tokens(&made).is_empty() && made.chars().any(char::is_uppercase) => {
            options.carried("index", "`index`; with capitals it can only be the name of an alias")
        }
        true => options.carried("index", "`index`"),
        false => options.changed(
            "index",
            format!("`{made}`: every matching index is searched, within the window's time range"),
        ),
    }
    Some(match lone_token(&made) {
        Some(_) => Yaml::Token(made),
        None => Yaml::Text(made),
    })
}

/// `logs-%Y.%m.%d` as `logs-*`.
fn without_dates(index: &str) -> String {
    let Some(first) = index.find('%') else { return index.to_string() };
    let Some(last) = index.rfind('%') else { return index.to_string() };
    let rest: String = index[last + 1..].chars().skip(1).collect();
    format!("{}*{}", &index[..first], rest.trim_start_matches('*'))
}

/// `every` or `cron`, `active`, `delay` and `lateness`.
fn schedule(options: &mut Options) -> Vec<(&'static str, Yaml)> {
    let mut made = Vec::new();
    let every = options.span("run_every");
    let limit = options.text("limit_execution");
    let active = limit.as_deref().and_then(hours::active);
    match limit.filter(|_| active.is_none()) {
        Some(cron) => {
            made.push(("cron", Yaml::Text(cron)));
            options.changed(
                "limit_execution",
                "`cron`, in UTC: the rule is evaluated up to these times, and each run covers everything since the previous one",
            );
            options.dropped("run_every", "`limit_execution` says when the rule runs");
            options.dropped(
                "limit_execution_coverage",
                "the time between two runs is covered; `catch_up: latest` would skip it",
            );
        }
        None => {
            // How often a rule runs affects how soon it notifies, not what it finds.
            let every = every
                .filter(|every| every.millis != Some(0))
                .map_or_else(|| "1m".to_string(), |every| every.text);
            options.carried("run_every", format!("`every: {every}`"));
            made.push(("every", Yaml::Text(every)));
            if let Some(active) = active {
                options.changed(
                    "limit_execution",
                    "`active`, in UTC: the rule is evaluated at all hours, but episodes open only in these",
                );
                options.dropped(
                    "limit_execution_coverage",
                    "outside `active`, a level waits and an event is skipped unless `outside: later`",
                );
                made.push(("active", active));
            }
        }
    }
    if let Some(delay) = options.span("query_delay") {
        options.carried("query_delay", format!("`delay: {}`", delay.text));
        made.push(("delay", Yaml::Text(delay.text)));
    }
    let aggregates = options.text("type").is_some_and(|kind| {
        matches!(kind.as_str(), "metric_aggregation" | "spike_aggregation" | "percentage_match")
    });
    if let Some(buffer) = options.span("buffer_time").filter(|_| !aggregates) {
        options.changed(
            "buffer_time",
            format!("`lateness: {}`: documents that arrive this late still count", buffer.text),
        );
        made.push(("lateness", Yaml::Text(buffer.text)));
    }
    made
}

fn terms(options: &mut Options, kind: &str, key: &[String]) -> Terms {
    let include = options.texts("include").unwrap_or_default();
    let metric = match (options.text("metric_agg_key"), options.text("metric_agg_type")) {
        (Some(key), Some(how)) => Some(format!("metric_{key}_{how}")),
        _ => None,
    };
    let format =
        ["metric_format_string", "percentage_format_string"].iter().find_map(|key| options.text(key));
    let watched = match kind {
        "blacklist" | "whitelist" => options.texts("compare_key"),
        "new_term" => options.node("fields").and_then(|node| match node.data {
            Data::List(items) => items.iter().map(Node::text).collect(),
            _ => Some(vec![node.text()?]),
        }),
        _ => None,
    };
    let watched = watched.filter(|fields| fields.len() == 1).and_then(|mut fields| fields.pop());
    let time_field = options.text("timestamp_field").unwrap_or_else(|| "@timestamp".into());
    let is_on = |options: &mut Options, option: &str| options.flag(option) == Some(true);
    let counted = is_on(options, "use_count_query") || is_on(options, "use_terms_query");
    Terms {
        kind: kind.to_string(),
        key: key.to_vec(),
        time_field,
        fields: Vec::new(),
        include,
        missing: options.text("alert_missing_value").unwrap_or_else(|| "<MISSING VALUE>".into()),
        metric,
        formatted: format.and_then(|format| of_value(&format, "value")),
        watched,
        counted: counted && kind != "new_term",
        untold: BTreeSet::new(),
        differing: BTreeSet::new(),
    }
}

fn description(options: &mut Options, around: &Surroundings<'_>, title: Option<&str>) -> Option<Yaml> {
    let written = options.text("description").filter(|text| !text.is_empty());
    options.carried("description", "`description`");
    let own_name = (around.name != around.slug && title != Some(&around.name)).then(|| around.name.clone());
    written.or(own_name).map(Yaml::Text)
}

fn owner(options: &mut Options) -> Option<Yaml> {
    let owner = options.text("owner").filter(|text| !text.is_empty());
    options.carried("owner", "`owner`");
    owner.map(Yaml::Text)
}

fn severity(options: &mut Options) -> Option<Yaml> {
    let priority = options.text("priority")?;
    let Ok(number) = priority.parse::<i64>() else {
        options.dropped("priority", "not a number: set `severity` to `info`, `warning` or `critical`");
        return None;
    };
    let severity = match number {
        ..=1 => "critical",
        2 => "warning",
        _ => "info",
    };
    options.changed("priority", format!("`severity: {severity}`; the number has no meaning in ElastAlert: 1 becomes critical, 2 (the default) warning, anything higher info"));
    Some(Yaml::text(severity))
}

/// Options without an equivalent, and why.
fn left_behind(options: &mut Options) {
    options.drop_all(&["include_fields", "_source_enabled"], "only the fields that the rule needs are read");
    options.drop_all(
        &[
            "include_rule_params_in_matches",
            "include_rule_params_in_first_match_only",
            "include_match_in_root",
            "add_metadata_alert",
            "metadata_fields",
        ],
        "nothing is written to an index",
    );
    options.drop_all(
        &["top_count_keys", "top_count_number", "raw_count_keys"],
        "the message links to the documents in Kibana, which counts them",
    );
    options.drop_all(
        &["match_enhancements", "run_enhancements_first"],
        "Python code does not run here; use a filter or a rule plugin instead",
    );
    options.drop_all(
        &["max_query_size", "max_scrolling_count", "max_scrolling", "scroll_keepalive"],
        "every document is read, however many there are",
    );
    options.dropped("scan_entire_timeframe", "history is kept as state, and read again if it is lost");
    options.dropped("doc_type", "Elasticsearch no longer has mapping types");
    options.dropped("category", "has no equivalent; write it into `description`");
    match options.text("timestamp_type").as_deref() {
        Some("iso") => options.carried("timestamp_type", "as the field's mapping defines"),
        Some(_) => options.dropped(
            "timestamp_type",
            "the field must be mapped as `date`, in any format: the mapping defines how it is parsed",
        ),
        None => {}
    }
    options.drop_all(
        &["timestamp_format", "timestamp_format_expr", "timestamp_to_datetime_format_expr"],
        "the field's mapping defines how it is parsed",
    );
    options.dropped("query_timezone", "time ranges are in UTC");
}
