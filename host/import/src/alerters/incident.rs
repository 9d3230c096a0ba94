//! What keeps incidents. Where a receiver has a word for the end, it is told of the end.
use serde_json::json;

use super::kitchen::{Kitchen, Webhook, address, constants, literal, members};
use super::{Make, Recipe};
use crate::tree::{Data, Node};
use crate::yaml::Yaml;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "opsgenie",
        also: &[],
        options: &[
            "opsgenie_key",
            "opsgenie_account",
            "opsgenie_addr",
            "opsgenie_recipients",
            "opsgenie_recipients_args",
            "opsgenie_default_receipients",
            "opsgenie_default_recipients",
            "opsgenie_teams",
            "opsgenie_teams_args",
            "opsgenie_default_teams",
            "opsgenie_tags",
            "opsgenie_description",
            "opsgenie_message",
            "opsgenie_alias",
            "opsgenie_subject",
            "opsgenie_subject_args",
            "opsgenie_priority",
            "opsgenie_proxy",
            "opsgenie_source",
            "opsgenie_entity",
            "opsgenie_details",
        ],
        make: Make::Destinations(opsgenie),
    },
    Recipe {
        name: "alertmanager",
        also: &[],
        options: &[
            "alertmanager_hosts",
            "alertmanager_api_version",
            "alertmanager_alertname",
            "alertmanager_labels",
            "alertmanager_annotations",
            "alertmanager_fields",
            "alertmanager_alert_subject_labelname",
            "alertmanager_alert_text_labelname",
            "alertmanager_proxy",
            "alertmanager_ca_certs",
            "alertmanager_ignore_ssl_errors",
            "alertmanager_timeout",
            "alertmanager_basic_auth_login",
            "alertmanager_basic_auth_password",
            "alertmanager_resolve_time",
        ],
        make: Make::Destinations(alertmanager),
    },
    Recipe {
        name: "alerta",
        also: &[],
        options: &[
            "alerta_api_url",
            "alerta_api_key",
            "alerta_use_qk_as_resource",
            "alerta_use_match_timestamp",
            "alerta_api_skip_ssl",
            "alerta_severity",
            "alerta_timeout",
            "alerta_type",
            "alerta_resource",
            "alerta_service",
            "alerta_origin",
            "alerta_environment",
            "alerta_group",
            "alerta_correlate",
            "alerta_tags",
            "alerta_event",
            "alerta_text",
            "alerta_value",
            "alerta_attributes_keys",
            "alerta_attributes_values",
        ],
        make: Make::Destinations(alerta),
    },
    Recipe {
        name: "victorops",
        also: &[],
        options: &[
            "victorops_api_key",
            "victorops_routing_key",
            "victorops_message_type",
            "victorops_entity_id",
            "victorops_entity_display_name",
            "victorops_proxy",
        ],
        make: Make::Destinations(victorops),
    },
    Recipe {
        name: "pagertree",
        also: &[],
        options: &["pagertree_integration_url", "pagertree_proxy"],
        make: Make::Destinations(pagertree),
    },
    Recipe {
        name: "servicenow",
        also: &[],
        options: &[
            "servicenow_rest_url",
            "username",
            "password",
            "short_description",
            "comments",
            "assignment_group",
            "subcategory",
            "cmdb_ci",
            "caller_id",
            "servicenow_proxy",
            "servicenow_impact",
            "servicenow_urgency",
        ],
        make: Make::Destinations(servicenow),
    },
    Recipe {
        name: "flashduty",
        also: &[],
        options: &[
            "flashduty_integration_key",
            "flashduty_url",
            "flashduty_title",
            "flashduty_alert_key",
            "flashduty_description",
            "flashduty_event_status",
            "flashduty_check",
            "flashduty_service",
            "flashduty_cluster",
            "flashduty_resource",
            "flashduty_metric",
            "flashduty_group",
            "flashduty_env",
            "flashduty_app",
        ],
        make: Make::Destinations(flashduty),
    },
    Recipe {
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
    Recipe {
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

const OVER: &str = "cause in ['resolved', 'was']";

fn header(name: &str, value: Yaml) -> Yaml {
    Yaml::map([("header", Yaml::map([("name", Yaml::text(name)), ("value", value)]))])
}

fn opsgenie(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("opsgenie");
    let people = |kitchen: &mut Kitchen<'_>, option: &str, name: &str, kind: &str| -> Vec<Yaml> {
        let names = kitchen.sheet.texts(option).unwrap_or_default();
        kitchen.sheet.carried(option, "in the destination's request, as `responders`");
        names.iter().map(|who| Yaml::map([(name, literal(who)), ("type", Yaml::text(kind))])).collect()
    };
    let mut responders = people(kitchen, "opsgenie_recipients", "username", "user");
    responders.extend(people(kitchen, "opsgenie_teams", "name", "team"));
    kitchen.sheet.drop_all(
        &[
            "opsgenie_recipients_args",
            "opsgenie_teams_args",
            "opsgenie_default_receipients",
            "opsgenie_default_recipients",
            "opsgenie_default_teams",
        ],
        "who is told does not depend on the match: a rule for each team, or `escalate`",
    );
    let tags: Vec<Yaml> = kitchen
        .formatted_list("opsgenie_tags")
        .into_iter()
        .chain([Yaml::text("Watchbell"), Yaml::text("{{ rule }}")])
        .collect();
    let message = kitchen.formatted("opsgenie_message");
    let subject =
        kitchen.constant("opsgenie_subject").filter(|_| !kitchen.sheet.has("opsgenie_subject_args"));
    if kitchen.sheet.has("opsgenie_subject_args") {
        let why = "`alert.title` is the message: write it there";
        kitchen.sheet.drop_all(&["opsgenie_subject", "opsgenie_subject_args"], why);
    }
    let details = kitchen.sheet.node("opsgenie_details").map(|node| {
        let made = fields_or_texts(kitchen, &node);
        kitchen.told_fields("opsgenie_details");
        made
    });
    let body = members([
        ("message", Some(message.or(subject).unwrap_or_else(|| Yaml::text("{{ headline | cut(130) }}")))),
        ("alias", Some(kitchen.formatted("opsgenie_alias").unwrap_or_else(|| Yaml::text("{{ episode }}")))),
        (
            "description",
            Some(kitchen.formatted("opsgenie_description").unwrap_or_else(|| Yaml::text("{{ body }}"))),
        ),
        ("responders", (!responders.is_empty()).then_some(Yaml::List(responders))),
        ("user", kitchen.constant("opsgenie_account")),
        ("entity", kitchen.formatted("opsgenie_entity")),
        ("source", Some(kitchen.formatted("opsgenie_source").unwrap_or_else(|| Yaml::text("Watchbell")))),
        ("tags", Some(Yaml::List(tags))),
        ("priority", kitchen.formatted("opsgenie_priority")),
        ("details", details),
    ]);
    let url =
        kitchen.sheet.text("opsgenie_addr").unwrap_or_else(|| "https://api.opsgenie.com/v2/alerts".into());
    kitchen.sheet.carried("opsgenie_addr", "the destination's address");
    let how = "`GenieKey {}`, with the key";
    let Some(key) = kitchen.secret_as("opsgenie_key", "OPSGENIE_AUTHORIZATION", Some(how)) else {
        return Vec::new();
    };
    vec![
        Webhook::json(address(&url), Yaml::Map(body))
            .auth(header("Authorization", key))
            .timeout(timeout)
            .made(),
    ]
}

/// A map whose values are texts, or `{field: name}`.
fn fields_or_texts(kitchen: &mut Kitchen<'_>, node: &Node) -> Yaml {
    let value = |kitchen: &mut Kitchen<'_>, value: &Node| match value.get("field").and_then(Node::text) {
        Some(field) => kitchen.field(&field),
        None => constants(value),
    };
    Yaml::Map(node.entries().iter().map(|entry| (entry.key.clone(), value(kitchen, &entry.value))).collect())
}

fn alertmanager(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("alertmanager");
    let mut labels = Vec::new();
    for entry in kitchen.sheet.node("alertmanager_labels").iter().flat_map(Node::entries) {
        let Some(text) = entry.value.text() else { continue };
        let value = match kitchen.jinja(&text) {
            Ok(text) => Yaml::Text(text),
            Err(_) => literal(&text),
        };
        labels.push((entry.key.clone(), value));
    }
    kitchen.told_fields("alertmanager_labels");
    for entry in kitchen.sheet.node("alertmanager_fields").iter().flat_map(Node::entries) {
        if let Some(field) = entry.value.text() {
            labels.push((entry.key.clone(), kitchen.field(&field)));
        }
    }
    kitchen.told_fields("alertmanager_fields");
    let name = kitchen.constant_or("alertmanager_alertname", "{{ rule }}");
    labels
        .extend([("alertname".to_string(), name), ("elastalert_rule".to_string(), Yaml::text("{{ rule }}"))]);
    let mut annotations = Vec::new();
    if let Some(node) = kitchen.sheet.node("alertmanager_annotations") {
        annotations.extend(node.entries().iter().map(|entry| (entry.key.clone(), constants(&entry.value))));
        kitchen.sheet.carried("alertmanager_annotations", "in the destination's request");
    }
    for (option, default, text) in [
        ("alertmanager_alert_subject_labelname", "summary", "{{ title }}"),
        ("alertmanager_alert_text_labelname", "description", "{{ body }}"),
    ] {
        let name = kitchen.sheet.text(option).unwrap_or_else(|| default.into());
        kitchen.sheet.carried(option, "in the destination's request");
        annotations.push((name, Yaml::text(text)));
    }
    let ends = json!({ "$if": OVER, "$then": "{{ at }}" });
    let alert = members([
        ("labels", Some(Yaml::Map(labels))),
        ("annotations", Some(Yaml::Map(annotations))),
        ("endsAt", Some(Yaml::from(ends))),
    ]);
    kitchen.sheet.changed("alertmanager_resolve_time", "an episode's end is told when it ends");
    if kitchen.sheet.text("alertmanager_api_version").as_deref() == Some("v2") {
        kitchen.sheet.carried("alertmanager_api_version", "in the destination's address");
    } else {
        kitchen.sheet.changed("alertmanager_api_version", "v2: Alertmanager has had no other since 0.27");
    }
    let auth = match kitchen.sheet.text("alertmanager_basic_auth_login") {
        Some(login) => {
            kitchen.sheet.carried("alertmanager_basic_auth_login", "the destination's `auth`");
            let password = kitchen.secret("alertmanager_basic_auth_password", "ALERTMANAGER_PASSWORD");
            password.map(|password| basic(&login, password))
        }
        None => None,
    };
    kitchen.needs(&["alertmanager_hosts"]);
    let hosts = kitchen.sheet.texts("alertmanager_hosts").unwrap_or_default();
    kitchen.sheet.carried("alertmanager_hosts", "the destinations' addresses");
    let body = Yaml::List(vec![Yaml::Map(alert)]);
    let made = hosts.iter().map(|host| {
        let webhook = Webhook::json(address(host), body.clone()).timeout(timeout.clone());
        Webhook { path: Some(Yaml::text("/api/v2/alerts")), auth: auth.clone(), ..webhook }.made()
    });
    made.collect()
}

fn basic(username: &str, password: Yaml) -> Yaml {
    Yaml::map([("basic", Yaml::map([("username", Yaml::text(username)), ("password", password)]))])
}

fn alerta(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    kitchen.sheet.dropped("alerta_api_skip_ssl", "certificates are always checked");
    kitchen.sheet.carried("alerta_use_match_timestamp", "`createTime` is always the match's time");
    let key = kitchen
        .terms
        .key
        .first()
        .cloned()
        .filter(|_| kitchen.sheet.flag("alerta_use_qk_as_resource") == Some(true));
    let resource = match key {
        Some(key) => Some(kitchen.field(&key)),
        None => kitchen.formatted("alerta_resource"),
    };
    kitchen.sheet.carried("alerta_use_qk_as_resource", "in the destination's request");
    let names = kitchen.sheet.texts("alerta_attributes_keys").unwrap_or_default();
    kitchen.sheet.carried("alerta_attributes_keys", "in the destination's request");
    let values = kitchen.formatted_list("alerta_attributes_values");
    let attributes: Vec<(String, Yaml)> = names.into_iter().zip(values).collect();
    let lists = [("alerta_service", "service"), ("alerta_tags", "tags"), ("alerta_correlate", "correlate")];
    let lists: Vec<(String, Yaml)> = lists
        .into_iter()
        .filter(|(option, _)| kitchen.sheet.has(option))
        .map(|(option, name)| (name.to_string(), option))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(name, option)| (name, Yaml::List(kitchen.formatted_list(option))))
        .collect();
    let severity = kitchen.constant_or("alerta_severity", "warning");
    let severity = match severity {
        Yaml::Text(text) => Yaml::from(json!({ "$if": OVER, "$then": "normal", "$else": text })),
        other => other,
    };
    let mut body = members([
        ("resource", Some(resource.unwrap_or_else(|| Yaml::text("watchbell")))),
        ("event", Some(kitchen.formatted("alerta_event").unwrap_or_else(|| Yaml::text("{{ rule }}")))),
        (
            "environment",
            Some(kitchen.formatted("alerta_environment").unwrap_or_else(|| Yaml::text("Production"))),
        ),
        ("severity", Some(severity)),
        ("group", kitchen.formatted("alerta_group")),
        ("origin", Some(kitchen.formatted("alerta_origin").unwrap_or_else(|| Yaml::text("watchbell")))),
        ("text", Some(kitchen.formatted("alerta_text").unwrap_or_else(|| Yaml::text("{{ body }}")))),
        ("value", kitchen.formatted("alerta_value")),
        ("type", Some(kitchen.constant_or("alerta_type", "elastalert"))),
        ("timeout", kitchen.value("alerta_timeout")),
        ("createTime", Some(Yaml::text("{{ at }}"))),
        ("attributes", (!attributes.is_empty()).then_some(Yaml::Map(attributes))),
    ]);
    body.extend(lists);
    kitchen.needs(&["alerta_api_url"]);
    let Some(url) = kitchen.sheet.text("alerta_api_url") else { return Vec::new() };
    kitchen.sheet.carried("alerta_api_url", "the destination's address");
    let auth = kitchen
        .sheet
        .has("alerta_api_key")
        .then(|| kitchen.secret_as("alerta_api_key", "ALERTA_AUTHORIZATION", Some("`Key {}`, with the key")));
    let webhook = Webhook::json(address(&url), Yaml::Map(body));
    let auth = auth.flatten().map(|key| header("Authorization", key));
    vec![Webhook { path: Some(Yaml::text("/alert")), auth, ..webhook }.made()]
}

/// The REST endpoint of Splunk On-Call.
fn victorops(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("victorops");
    kitchen.needs(&["victorops_routing_key", "victorops_message_type"]);
    let kind = match kitchen.constant("victorops_message_type") {
        Some(Yaml::Text(kind)) => Yaml::from(json!({ "$if": OVER, "$then": "RECOVERY", "$else": kind })),
        _ => Yaml::text("CRITICAL"),
    };
    let name = kitchen.constant_or("victorops_entity_display_name", "{{ title }}");
    let body = Yaml::map([
        ("message_type", kind),
        ("entity_id", kitchen.constant_or("victorops_entity_id", "{{ episode }}")),
        ("entity_display_name", name),
        ("monitoring_tool", Yaml::text("Watchbell")),
        ("state_message", Yaml::text("{{ body }}")),
    ]);
    let routing = kitchen.sheet.text("victorops_routing_key").unwrap_or_default();
    let Yaml::Text(routing) = literal(&routing) else { return Vec::new() };
    kitchen.sheet.carried("victorops_routing_key", "the end of the destination's path");
    let how = "`https://alert.victorops.com/integrations/generic/20131114/alert/{}`, with the API key";
    let Some(url) = kitchen.secret_as("victorops_api_key", "VICTOROPS_URL", Some(how)) else {
        return Vec::new();
    };
    let webhook = Webhook::json(url, body).timeout(timeout);
    vec![Webhook { path: Some(Yaml::Text(format!("/{routing}"))), ..webhook }.made()]
}

fn pagertree(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("pagertree");
    let body = json!({
        "event_type": { "$if": OVER, "$then": "resolve", "$else": "create" },
        "Id": "{{ episode }}",
        "Title": "{{ title }}",
        "Description": "{{ body }}",
    });
    let Some(url) = kitchen.secret("pagertree_integration_url", "PAGERTREE_INTEGRATION_URL") else {
        return Vec::new();
    };
    vec![Webhook::json(url, Yaml::from(body)).timeout(timeout).made()]
}

fn servicenow(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("servicenow");
    kitchen.needs(&["servicenow_rest_url", "username"]);
    let mut body = vec![("description".to_string(), Yaml::text("{{ body }}"))];
    for option in [
        "short_description",
        "comments",
        "assignment_group",
        "category",
        "subcategory",
        "cmdb_ci",
        "caller_id",
    ] {
        kitchen.needs(&[option]);
        body.extend(kitchen.constant(option).map(|value| (option.to_string(), value)));
    }
    for (option, name) in [("servicenow_impact", "impact"), ("servicenow_urgency", "urgency")] {
        body.extend(kitchen.value(option).map(|value| (name.to_string(), value)));
    }
    for option in kitchen.sheet.keys() {
        if let Some(name) = option.strip_prefix("servicenow_arg_") {
            body.extend(kitchen.value(&option).map(|value| (name.to_string(), value)));
        }
    }
    let url = kitchen.sheet.text("servicenow_rest_url").unwrap_or_default();
    let username = kitchen.sheet.text("username").unwrap_or_default();
    kitchen.sheet.carried("servicenow_rest_url", "the destination's address");
    kitchen.sheet.carried("username", "the destination's `auth`");
    let Some(password) = kitchen.secret("password", "SERVICENOW_PASSWORD") else { return Vec::new() };
    vec![
        Webhook::json(address(&url), Yaml::Map(body))
            .auth(basic(&username, password))
            .timeout(timeout)
            .made(),
    ]
}

fn flashduty(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let names = ["check", "service", "cluster", "resource", "metric", "group", "env", "app"];
    let mut labels = Vec::new();
    for name in names {
        labels.extend(kitchen.constant(&format!("flashduty_{name}")).map(|value| (name.to_string(), value)));
    }
    labels.push(("information".into(), Yaml::text("{{ body }}")));
    let status = match kitchen.constant_or("flashduty_event_status", "Info") {
        Yaml::Text(status) => Yaml::from(json!({ "$if": OVER, "$then": "Ok", "$else": status })),
        other => other,
    };
    let body = members([
        ("title_rule", Some(kitchen.constant_or("flashduty_title", "ElastAlert Alert"))),
        ("event_status", Some(status)),
        ("alert_key", Some(kitchen.constant_or("flashduty_alert_key", "{{ episode }}"))),
        ("description", Some(kitchen.constant_or("flashduty_description", "{{ body }}"))),
        ("labels", Some(Yaml::Map(labels))),
    ]);
    if kitchen.sheet.has("flashduty_url") {
        let Some(url) = kitchen.secret("flashduty_url", "FLASHDUTY_URL") else { return Vec::new() };
        return vec![Webhook::json(url, Yaml::Map(body)).made()];
    }
    let Some(key) = kitchen.secret("flashduty_integration_key", "FLASHDUTY_INTEGRATION_KEY") else {
        return Vec::new();
    };
    let auth = Yaml::map([("query", Yaml::map([("name", Yaml::text("integration_key")), ("value", key)]))]);
    let url = Yaml::text("https://api.flashcat.cloud/event/push/alert/standard");
    vec![Webhook::json(url, Yaml::Map(body)).auth(auth).made()]
}

fn iris(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    if kitchen.sheet.text("iris_type").is_some_and(|kind| kind.contains("case")) {
        kitchen.sheet.dropped(
            "iris_type",
            "a case takes several requests that depend on each other; an alert takes one",
        );
        return Vec::new();
    }
    kitchen.sheet.carried("iris_type", "an alert");
    kitchen.sheet.dropped("iris_case_template_id", "it is for cases");
    kitchen.sheet.dropped("iris_ignore_ssl_errors", "certificates are always checked");
    kitchen.sheet.dropped("iris_ca_cert", "the system's authorities are trusted: add it there");
    kitchen.sheet.carried("iris_overwrite_timestamp", "the time is always the match's");
    let number = |value: &str| Yaml::Number(value.into());
    let context = kitchen.sheet.node("iris_alert_context").map(|node| {
        let fields: Vec<(String, String)> = node
            .entries()
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), entry.value.text()?)))
            .collect();
        let made = fields.into_iter().map(|(name, field)| (name, kitchen.field(&field))).collect();
        kitchen.told_fields("iris_alert_context");
        Yaml::Map(made)
    });
    let iocs = kitchen.sheet.node("iris_iocs").map(|node| {
        let items = match node.data {
            Data::List(items) => items,
            _ => Vec::new(),
        };
        let made = items.iter().map(|item| ioc(kitchen, item)).collect();
        kitchen.told_fields("iris_iocs");
        Yaml::List(made)
    });
    let body = members([
        ("alert_title", Some(Yaml::text("{{ headline }}"))),
        ("alert_description", Some(kitchen.constant_or("iris_description", "{{ body }}"))),
        ("alert_source", Some(kitchen.constant_or("iris_alert_source", "Watchbell"))),
        ("alert_source_ref", Some(Yaml::text("{{ episode }}"))),
        ("alert_source_event_time", Some(Yaml::text("{{ at }}"))),
        ("alert_source_link", kitchen.constant("iris_alert_source_link")),
        ("alert_severity_id", Some(kitchen.value("iris_alert_severity_id").unwrap_or_else(|| number("1")))),
        ("alert_status_id", Some(kitchen.value("iris_alert_status_id").unwrap_or_else(|| number("2")))),
        ("alert_note", kitchen.constant("iris_alert_note")),
        ("alert_tags", kitchen.constant("iris_alert_tags")),
        ("alert_customer_id", Some(kitchen.value("iris_customer_id").unwrap_or_else(|| number("1")))),
        ("alert_context", context),
        ("alert_iocs", iocs),
    ]);
    kitchen.needs(&["iris_host"]);
    let host = kitchen.sheet.text("iris_host").unwrap_or_default();
    kitchen.sheet.carried("iris_host", "the destination's address");
    let Some(token) = kitchen.secret("iris_api_token", "IRIS_API_TOKEN") else { return Vec::new() };
    let url = Yaml::Text(format!("https://{}", host.trim_end_matches('/')));
    let webhook = Webhook::json(url, Yaml::Map(body)).auth(Yaml::map([("bearer", token)]));
    vec![Webhook { path: Some(Yaml::text("/alerts/add")), ..webhook }.made()]
}

fn ioc(kitchen: &mut Kitchen<'_>, item: &Node) -> Yaml {
    let member = |entry: &crate::tree::Entry, kitchen: &mut Kitchen<'_>| match (
        entry.key.as_str(),
        entry.value.text(),
    ) {
        ("ioc_value", Some(field)) => kitchen.field(&field),
        _ => constants(&entry.value),
    };
    Yaml::Map(item.entries().iter().map(|entry| (entry.key.clone(), member(entry, kitchen))).collect())
}

/// TheHive's API, "Create alert".
fn thehive(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    kitchen.needs(&["hive_connection", "hive_alert_config"]);
    let Some(connection) = kitchen.sheet.node("hive_connection") else { return Vec::new() };
    let Some(config) = kitchen.sheet.node("hive_alert_config") else { return Vec::new() };
    let mut body = vec![
        ("title".to_string(), Yaml::text("{{ title }}")),
        ("description".to_string(), Yaml::text("{{ body }}")),
        ("sourceRef".to_string(), Yaml::text("{{ episode }}")),
        ("date".to_string(), Yaml::text("{{ at_ms }}")),
    ];
    let mut left = Vec::new();
    for entry in config.entries() {
        let value = match entry.key.as_str() {
            "title" | "description" | "type" | "source"
                if config.get(&format!("{}_args", entry.key)).is_none() =>
            {
                constants(&entry.value)
            }
            "severity" | "tlp" | "pap" | "status" | "follow" | "caseTemplate" | "flag" => {
                constants(&entry.value)
            }
            "tags" => constants(&entry.value),
            name => {
                left.push(format!("`{name}`"));
                continue;
            }
        };
        body.retain(|(name, _)| *name != entry.key);
        body.push((entry.key.clone(), value));
    }
    if left.is_empty() {
        kitchen.sheet.carried("hive_alert_config", "in the destination's request");
    } else {
        let what = format!(
            "in the destination's request, without {}, for which TheHive's form has no template here",
            left.join(", ")
        );
        kitchen.sheet.changed("hive_alert_config", what);
    }
    if let Some(Node { data: Data::List(items), .. }) = kitchen.sheet.node("hive_observable_data_mapping") {
        let artifacts: Vec<Yaml> = items.iter().filter_map(|item| observable(kitchen, item)).collect();
        kitchen.told_fields("hive_observable_data_mapping");
        body.push(("artifacts".into(), Yaml::List(artifacts)));
    }
    kitchen.sheet.dropped("severity_scale", "the severity is a number from 1 to 4");
    kitchen.sheet.dropped("hive_proxies", "a destination has no proxy of its own");
    let of = |name: &str| connection.get(name).and_then(Node::text);
    let host = of("hive_host").unwrap_or_else(|| "http://localhost".into());
    let port = of("hive_port").unwrap_or_else(|| "9000".into());
    let Some(key) = connection.get("hive_apikey").filter(|node| node.text().is_some()) else {
        kitchen.sheet.fault(
            "hive_connection",
            "`hive_apikey` is missing",
            "write it into the rule: ElastAlert needs it too",
        );
        return Vec::new();
    };
    let token = kitchen.secrets.reference("HIVE_APIKEY", "hive_apikey", key, None);
    kitchen.sheet.changed("hive_connection", "the destination's address; the key is a variable, certificates are always checked, there is no proxy");
    let url = address(&format!("{}:{port}", host.trim_end_matches('/')));
    let webhook = Webhook::json(url, Yaml::Map(body)).auth(Yaml::map([("bearer", token)]));
    vec![Webhook { path: Some(Yaml::text("/api/alert")), ..webhook }.made()]
}

fn observable(kitchen: &mut Kitchen<'_>, item: &Node) -> Option<Yaml> {
    let named = |name: &str| item.get(name).map(constants);
    let (kind, field) = item.entries().iter().find_map(|entry| {
        let other = !matches!(entry.key.as_str(), "tlp" | "message" | "tags");
        other.then(|| entry.value.text().map(|field| (entry.key.clone(), field)))?
    })?;
    Some(Yaml::Map(members([
        ("dataType", Some(Yaml::Text(kind))),
        ("data", Some(kitchen.field(&field))),
        ("tlp", Some(named("tlp").unwrap_or_else(|| Yaml::Number("2".into())))),
        ("message", named("message")),
        ("tags", Some(named("tags").unwrap_or_else(|| Yaml::List(Vec::new())))),
    ])))
}
