//! Alert aggregators, which are also notified when an episode ends.
use serde_json::json;

use super::alerter::{Alerter, Make};
use super::context::{
    Context, NO_ADDRESS, address, basic, header, holds_secret, is_address, literal, members,
};
use super::destination::{Destination, Webhook};
use super::incident::OVER;
use crate::node::Node;
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
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
    Alerter {
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

fn alertmanager(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("alertmanager");
    let mut labels = Vec::new();
    for entry in context.options.node("alertmanager_labels").iter().flat_map(Node::entries) {
        let Some(text) = entry.value.text() else { continue };
        let value = match context.jinja(&text) {
            Ok(text) => Yaml::Text(text),
            Err(_) => literal(&text),
        };
        labels.push((entry.key.clone(), value));
    }
    context.told_fields("alertmanager_labels");
    for entry in context.options.node("alertmanager_fields").iter().flat_map(Node::entries) {
        if let Some(field) = entry.value.text() {
            labels.push((entry.key.clone(), context.field(&field)));
        }
    }
    context.told_fields("alertmanager_fields");
    // ElastAlert's own label, by which people route and silence.
    labels.push(("elastalert_rule".to_string(), Yaml::text("{{ rule }}")));
    let mut annotations = Vec::new();
    for entry in context.options.node("alertmanager_annotations").iter().flat_map(Node::entries) {
        annotations.extend(entry.value.text().map(|text| (entry.key.clone(), literal(&text))));
    }
    context.options.carried("alertmanager_annotations", "`params.annotations`");
    for (option, default, text) in [
        ("alertmanager_alert_subject_labelname", "summary", "{{ title }}"),
        ("alertmanager_alert_text_labelname", "description", "{{ body }}"),
    ] {
        let name = context.options.text(option).unwrap_or_else(|| default.into());
        context.options.carried(option, "an annotation");
        if name != default {
            annotations.push((name, Yaml::text(text)));
        }
    }
    for list in [&mut labels, &mut annotations] {
        let odd: Vec<String> =
            list.iter().filter(|(name, _)| !is_label(name)).map(|(name, _)| format!("`{name}`")).collect();
        list.retain(|(name, _)| is_label(name));
        if !odd.is_empty() {
            let what = format!("without {}: not the name of a label", odd.join(", "));
            ["alertmanager_labels", "alertmanager_fields", "alertmanager_annotations"]
                .iter()
                .for_each(|option| context.options.changed(option, what.clone()));
        }
    }
    let resolve = context.options.span("alertmanager_resolve_time").and_then(|span| span.millis);
    let minutes = resolve.map(|millis| millis.div_ceil(60_000).clamp(1, 10_080));
    context.options.changed(
        "alertmanager_resolve_time",
        "`params.event_minutes`, for what has no end; an episode's alert ends with the episode",
    );
    if context.options.text("alertmanager_api_version").as_deref() == Some("v2") {
        context.options.carried("alertmanager_api_version", "v2");
    } else {
        context.options.changed("alertmanager_api_version", "v2: the only version since Alertmanager 0.27");
    }
    let params = members([
        ("alertname", context.constant("alertmanager_alertname")),
        ("labels", Some(Yaml::Map(labels))),
        ("annotations", (!annotations.is_empty()).then_some(Yaml::Map(annotations))),
        ("event_minutes", minutes.map(|minutes| Yaml::Number(minutes.to_string()))),
    ]);
    let auth = match context.options.text("alertmanager_basic_auth_login") {
        Some(login) => {
            context.options.carried("alertmanager_basic_auth_login", "the destination's `auth`");
            let password = context.secret("alertmanager_basic_auth_password", "ALERTMANAGER_PASSWORD");
            password.map(|password| basic(&login, password))
        }
        None => None,
    };
    context.needs(&["alertmanager_hosts"]);
    let hosts = context.options.texts("alertmanager_hosts").unwrap_or_default();
    if let Some(odd) = hosts.iter().find(|host| !holds_secret(host) && !is_address(host)) {
        let why = format!("`{odd}` is {NO_ADDRESS}");
        return context.refuse("alertmanager_hosts", why);
    }
    let urls: Vec<Yaml> = match hosts.iter().any(|host| holds_secret(host)) {
        true => context.secrets_of("alertmanager_hosts", "ALERTMANAGER_URL"),
        false => hosts.iter().map(|host| address(host)).collect(),
    };
    context.options.settle("alertmanager_hosts", "the destinations' addresses");
    let is_cluster = urls.len() > 1;
    let made = urls.into_iter().map(|url| {
        // Each member of a cluster is a destination of its own.
        let host = match &url {
            Yaml::Text(url) if is_cluster => url.split("://").nth(1).map(String::from),
            _ => None,
        };
        let made = Destination::new("alertmanager", url).auth(auth.clone());
        made.params(params.clone()).timeout(timeout.clone()).about(host.as_deref())
    });
    made.collect()
}

/// The name of a label or an annotation, as Alertmanager takes it.
fn is_label(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn alerta(context: &mut Context<'_>) -> Vec<Destination> {
    context.options.dropped("alerta_api_skip_ssl", "certificates are always verified");
    context.options.carried("alerta_use_match_timestamp", "`createTime` is always the match's time");
    let key = context
        .terms
        .key
        .first()
        .cloned()
        .filter(|_| context.options.flag("alerta_use_qk_as_resource") == Some(true));
    let resource = match key {
        Some(key) => Some(context.field(&key)),
        None => context.formatted("alerta_resource"),
    };
    context.options.carried("alerta_use_qk_as_resource", "in the destination's request");
    let names = context.options.texts("alerta_attributes_keys").unwrap_or_default();
    context.options.carried("alerta_attributes_keys", "in the destination's request");
    let values = context.formatted_list("alerta_attributes_values");
    let attributes: Vec<(String, Yaml)> =
        names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect();
    let lists = [("alerta_service", "service"), ("alerta_tags", "tags"), ("alerta_correlate", "correlate")];
    let lists: Vec<(String, Yaml)> = lists
        .into_iter()
        .filter(|(option, _)| context.options.has(option))
        .map(|(option, name)| (name.to_string(), option))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(name, option)| {
            (name, Yaml::List(context.formatted_list(option).into_iter().flatten().collect()))
        })
        .collect();
    let severity = context.constant_or("alerta_severity", "warning");
    let severity = match severity {
        Yaml::Text(text) => Yaml::from(json!({ "$if": OVER, "$then": "normal", "$else": text })),
        other => other,
    };
    let mut body = members([
        ("resource", Some(resource.unwrap_or_else(|| Yaml::text("watchbell")))),
        ("event", Some(context.formatted("alerta_event").unwrap_or_else(|| Yaml::text("{{ rule }}")))),
        (
            "environment",
            Some(context.formatted("alerta_environment").unwrap_or_else(|| Yaml::text("Production"))),
        ),
        ("severity", Some(severity)),
        ("group", context.formatted("alerta_group")),
        ("origin", Some(context.formatted("alerta_origin").unwrap_or_else(|| Yaml::text("watchbell")))),
        ("text", Some(context.formatted("alerta_text").unwrap_or_else(|| Yaml::text("{{ body }}")))),
        ("value", context.formatted("alerta_value")),
        ("type", Some(context.constant_or("alerta_type", "elastalert"))),
        ("timeout", context.value("alerta_timeout")),
        ("createTime", Some(Yaml::text("{{ at }}"))),
        ("attributes", (!attributes.is_empty()).then_some(Yaml::Map(attributes))),
    ]);
    body.extend(lists);
    let Some(url) = context.address("alerta_api_url", "ALERTA_API_URL") else { return Vec::new() };
    let auth = context
        .options
        .has("alerta_api_key")
        .then(|| context.secret_as("alerta_api_key", "ALERTA_AUTHORIZATION", Some("`Key {}`, with the key")));
    let webhook = Webhook::json(url, Yaml::Map(body)).plain();
    let auth = auth.flatten().map(|key| header("Authorization", key));
    vec![Webhook { path: Some(Yaml::text("/alert")), auth, ..webhook }.made()]
}
