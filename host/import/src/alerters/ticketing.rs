//! Ticketing systems: alerts with observables.
use super::alerter::{Alerter, Make};
use super::context::{
    Context, NO_ADDRESS, address, by_severity, constants, holds_secret, is_address, literal, members,
};
use super::destination::{Destination, Webhook};
use crate::node::{Data, Entry, Node};
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
        name: "iris",
        also: &[],
        options: &[
            "iris_host",
            "iris_api_token",
            "iris_customer_id",
            "iris_ca_cert",
            "iris_ignore_ssl_errors",
            "iris_description",
            "iris_overwrite_timestamp",
            "iris_type",
            "iris_case_template_id",
            "iris_alert_note",
            "iris_alert_source",
            "iris_alert_tags",
            "iris_alert_status_id",
            "iris_alert_source_link",
            "iris_alert_severity_id",
            "iris_alert_context",
            "iris_iocs",
        ],
        make: Make::Destinations(iris),
    },
    Alerter {
        name: "hivealerter",
        also: &["thehive"],
        options: &[
            "hive_connection",
            "hive_alert_config",
            "hive_observable_data_mapping",
            "hive_proxies",
            "severity_scale",
        ],
        make: Make::Destinations(thehive),
    },
];

fn iris(context: &mut Context<'_>) -> Vec<Destination> {
    if context.options.text("iris_type").is_some_and(|kind| kind.contains("case")) {
        context.options.dropped("iris_type", "a case takes several dependent requests; an alert takes one");
        return Vec::new();
    }
    context.options.carried("iris_type", "an alert");
    context.options.dropped("iris_case_template_id", "applies to cases only");
    context.options.dropped("iris_ignore_ssl_errors", "certificates are always verified");
    context.options.dropped("iris_ca_cert", "the system's certificate authorities are trusted: add it there");
    context.options.carried("iris_overwrite_timestamp", "the time is always that of the match");
    let number = |value: &str| Yaml::Number(value.into());
    let alert_context = context.options.node("iris_alert_context").map(|node| {
        let fields: Vec<(String, String)> = node
            .entries()
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), entry.value.text()?)))
            .collect();
        let made = fields.into_iter().map(|(name, field)| (name, context.field(&field))).collect();
        context.told_fields("iris_alert_context");
        Yaml::Map(made)
    });
    let iocs = context.options.node("iris_iocs").map(|node| {
        let items = match node.data {
            Data::List(items) => items,
            _ => Vec::new(),
        };
        let made = items.iter().map(|item| ioc(context, item)).collect();
        context.told_fields("iris_iocs");
        Yaml::List(made)
    });
    let body = members([
        ("alert_title", Some(Yaml::text("{{ headline }}"))),
        ("alert_description", Some(context.constant_or("iris_description", "{{ body }}"))),
        ("alert_source", Some(context.constant_or("iris_alert_source", "Watchbell"))),
        ("alert_source_ref", Some(Yaml::text("{{ episode }}"))),
        ("alert_source_event_time", Some(Yaml::text("{{ at }}"))),
        ("alert_source_link", context.constant("iris_alert_source_link")),
        ("alert_severity_id", Some(context.value("iris_alert_severity_id").unwrap_or_else(|| number("1")))),
        ("alert_status_id", Some(context.value("iris_alert_status_id").unwrap_or_else(|| number("2")))),
        ("alert_note", context.constant("iris_alert_note")),
        ("alert_tags", context.constant("iris_alert_tags")),
        ("alert_customer_id", Some(context.value("iris_customer_id").unwrap_or_else(|| number("1")))),
        ("alert_context", alert_context),
        ("alert_iocs", iocs),
    ]);
    context.needs(&["iris_host"]);
    let host = context.options.text("iris_host").unwrap_or_default();
    context.options.carried("iris_host", "the destination's address");
    if !is_address(&host) || host.contains("://") {
        return context.refuse("iris_host", "not the name of a host");
    }
    let Some(token) = context.secret("iris_api_token", "IRIS_API_TOKEN") else { return Vec::new() };
    let url = Yaml::Text(format!("https://{}", host.trim_end_matches('/')));
    let webhook = Webhook::json(url, Yaml::Map(body)).auth(Yaml::map([("bearer", token)]));
    vec![Webhook { path: Some(Yaml::text("/alerts/add")), ..webhook }.made()]
}

fn ioc(context: &mut Context<'_>, item: &Node) -> Yaml {
    let member = |entry: &crate::node::Entry, context: &mut Context<'_>| match (
        entry.key.as_str(),
        entry.value.text(),
    ) {
        ("ioc_value", Some(field)) => context.field(&field),
        _ => constants(&entry.value),
    };
    Yaml::Map(item.entries().iter().map(|entry| (entry.key.clone(), member(entry, context))).collect())
}

fn thehive(context: &mut Context<'_>) -> Vec<Destination> {
    context.needs(&["hive_connection", "hive_alert_config"]);
    let Some(connection) = context.options.node("hive_connection") else { return Vec::new() };
    let Some(config) = context.options.node("hive_alert_config") else { return Vec::new() };
    let (mut params, mut left) = (Vec::new(), Vec::new());
    for entry in config.entries() {
        match parameter(context, &config, entry) {
            Some(param) => params.push(param),
            None if entry.key.ends_with("_args") => {}
            None => left.push(format!("`{}`", entry.key)),
        }
    }
    if left.is_empty() {
        context.told_fields("hive_alert_config");
    } else {
        context.terms.untold.clear();
        let what = format!(
            "the destination's `params`, without {}: an alert's text is the rule's, and TheHive's other members have \
             no parameter",
            left.join(", ")
        );
        context.options.changed("hive_alert_config", what);
    }
    if let Some(Node { data: Data::List(items), .. }) = context.options.node("hive_observable_data_mapping") {
        let artifacts: Vec<Yaml> =
            items.iter().filter_map(|item| observable(context, item)).take(50).collect();
        context.told_fields("hive_observable_data_mapping");
        params.push(("observables".into(), Yaml::List(artifacts)));
    }
    context.options.dropped("severity_scale", "the severity is a number from 1 to 4");
    context.options.dropped("hive_proxies", "destinations have no proxy setting");
    let of = |name: &str| connection.get(name).and_then(Node::text);
    let host = of("hive_host").unwrap_or_else(|| "http://localhost".into());
    let port = of("hive_port").unwrap_or_else(|| "9000".into());
    if holds_secret(&host) {
        return context.refuse("hive_connection", "`hive_host` holds a password: write the server alone");
    }
    let Some(key) = connection.get("hive_apikey").filter(|node| node.text().is_some()) else {
        context.options.fault(
            "hive_connection",
            "`hive_apikey` is missing",
            "add it to the rule: ElastAlert requires it too",
        );
        return Vec::new();
    };
    if !is_address(&format!("{}:{port}", host.trim_end_matches('/'))) {
        return context.refuse("hive_connection", NO_ADDRESS);
    }
    let token = context.secrets.reference("HIVE_APIKEY", "hive_apikey", key, None);
    context.options.changed("hive_connection", "the destination's address, with the API of TheHive 5; the key is a variable, certificates are always verified, and there is no proxy");
    let url = address(&format!("{}:{port}", host.trim_end_matches('/')));
    let made = Destination::new("thehive", url).auth(Some(Yaml::map([("bearer", token)])));
    vec![made.params(params)]
}

/// A member of `hive_alert_config` as a parameter; `None`: there is none for it.
fn parameter(context: &mut Context<'_>, config: &Node, entry: &Entry) -> Option<(String, Yaml)> {
    let number = |least: i64, most: i64| {
        let number = entry.value.text()?.parse::<i64>().ok()?;
        (least..=most).contains(&number).then(|| Yaml::Number(number.to_string()))
    };
    let value = match entry.key.as_str() {
        "title" => {
            let text = entry.value.text()?;
            match config.get("title_args").map(|node| &node.data) {
                Some(Data::List(names)) => {
                    let names: Vec<String> = names.iter().map(Node::text).collect::<Option<_>>()?;
                    Yaml::Text(context.filled(&text, &names).ok()?)
                }
                _ => literal(&text),
            }
        }
        "type" | "source" | "status" => Yaml::Text(entry.value.text().filter(|text| !text.is_empty())?),
        "severity" => by_severity(&number(1, 4)?),
        "tlp" => number(0, 4)?,
        "pap" => number(0, 3)?,
        "follow" => Yaml::Bool(entry.value.data == Data::Bool(true)),
        "tags" => match &entry.value.data {
            Data::List(items) => {
                Yaml::List(items.iter().filter_map(|item| tag(context, item)).take(100).collect())
            }
            _ => return None,
        },
        "customFields" => custom_fields(context, &entry.value)?,
        _ => return None,
    };
    let name = if entry.key == "customFields" { "custom_fields" } else { &entry.key };
    Some((name.to_string(), value))
}

/// A tag is the value of a field, if there is one of its name.
fn tag(context: &mut Context<'_>, item: &Node) -> Option<Yaml> {
    let text = item.text()?;
    let is_field = context.terms.key.contains(&text) || context.terms.include.contains(&text);
    Some(if is_field { context.field(&text) } else { literal(&text) })
}

/// The bytes of the name of a custom field.
const NAME_MAX: usize = 200;

fn custom_fields(context: &mut Context<'_>, node: &Node) -> Option<Yaml> {
    let Data::List(items) = &node.data else { return None };
    let mut made = Vec::new();
    for item in items {
        let name = item.get("name")?.text().filter(|name| name.len() <= NAME_MAX)?;
        let value = item.get("value")?;
        let text = value
            .text()
            .filter(|text| context.terms.key.contains(text) || context.terms.include.contains(text));
        made.push((name, text.map_or_else(|| constants(value), |text| context.field(&text))));
    }
    Some(Yaml::Map(made))
}

fn observable(context: &mut Context<'_>, item: &Node) -> Option<Yaml> {
    let (kind, field) = item.entries().iter().find_map(|entry| {
        let other = !matches!(entry.key.as_str(), "tlp" | "message" | "tags");
        other.then(|| entry.value.text().map(|field| (entry.key.clone(), field)))?
    })?;
    let texts = |node: &Node| match &node.data {
        Data::List(items) => Some(Yaml::texts(items.iter().filter_map(Node::text))),
        _ => None,
    };
    Some(Yaml::Map(members([
        ("dataType", Some(Yaml::Text(kind))),
        ("data", Some(context.field(&field))),
        ("message", item.get("message").and_then(Node::text).map(|text| literal(&text))),
        ("tags", item.get("tags").and_then(texts)),
    ])))
}
