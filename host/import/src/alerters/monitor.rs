//! What gathers alerts of many monitors, and is told of their ends.
use serde_json::json;

use super::incident::OVER;
use super::kitchen::{Kitchen, Webhook, address, basic, constants, header, holds_secret, literal, members};
use super::recipe::{Make, Recipe};
use crate::node::Node;
use crate::yaml::Yaml;

pub(super) const RECIPES: &[Recipe] = &[
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
];

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
    let urls = match hosts.iter().any(|host| holds_secret(host)) {
        true => kitchen.secrets_of("alertmanager_hosts", "ALERTMANAGER_URL"),
        false => hosts.iter().map(|host| address(host)).collect(),
    };
    kitchen.sheet.settle("alertmanager_hosts", "the destinations' addresses");
    let body = Yaml::List(vec![Yaml::Map(alert)]);
    let made = urls.into_iter().map(|url| {
        let webhook = Webhook::json(url, body.clone()).timeout(timeout.clone()).plain();
        Webhook { path: Some(Yaml::text("/api/v2/alerts")), auth: auth.clone(), ..webhook }.made()
    });
    made.collect()
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
    let Some(url) = kitchen.address("alerta_api_url", "ALERTA_API_URL") else { return Vec::new() };
    let auth = kitchen
        .sheet
        .has("alerta_api_key")
        .then(|| kitchen.secret_as("alerta_api_key", "ALERTA_AUTHORIZATION", Some("`Key {}`, with the key")));
    let webhook = Webhook::json(url, Yaml::Map(body)).plain();
    let auth = auth.flatten().map(|key| header("Authorization", key));
    vec![Webhook { path: Some(Yaml::text("/alert")), auth, ..webhook }.made()]
}
