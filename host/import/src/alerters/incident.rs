//! What keeps incidents. Where a receiver has a word for the end, it is told of the end.
use serde_json::json;

use super::kitchen::{Kitchen, Webhook, basic, constants, header, literal, members};
use super::recipe::{Make, Recipe};
use crate::node::Node;
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
];

/// Whether the message tells of an end.
pub(super) const OVER: &str = "cause in ['resolved', 'was']";

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
    let url = match kitchen.sheet.has("opsgenie_addr") {
        true => kitchen.address("opsgenie_addr", "OPSGENIE_URL"),
        false => Some(Yaml::text("https://api.opsgenie.com/v2/alerts")),
    };
    let Some(url) = url else { return Vec::new() };
    let how = "`GenieKey {}`, with the key";
    let Some(key) = kitchen.secret_as("opsgenie_key", "OPSGENIE_AUTHORIZATION", Some(how)) else {
        return Vec::new();
    };
    vec![
        Webhook::json(url, Yaml::Map(body))
            .auth(header("Authorization", key))
            .timeout(timeout)
            .plain()
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
    let webhook = Webhook::json(url, body).timeout(timeout).plain();
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
    vec![Webhook::json(url, Yaml::from(body)).timeout(timeout).plain().made()]
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
    let Some(url) = kitchen.address("servicenow_rest_url", "SERVICENOW_REST_URL") else { return Vec::new() };
    let username = kitchen.sheet.text("username").unwrap_or_default();
    kitchen.sheet.carried("username", "the destination's `auth`");
    let Some(password) = kitchen.secret("password", "SERVICENOW_PASSWORD") else { return Vec::new() };
    vec![Webhook::json(url, Yaml::Map(body)).auth(basic(&username, password)).timeout(timeout).plain().made()]
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
        return vec![Webhook::json(url, Yaml::Map(body)).plain().made()];
    }
    let Some(key) = kitchen.secret("flashduty_integration_key", "FLASHDUTY_INTEGRATION_KEY") else {
        return Vec::new();
    };
    let auth = Yaml::map([("query", Yaml::map([("name", Yaml::text("integration_key")), ("value", key)]))]);
    let url = Yaml::text("https://api.flashcat.cloud/event/push/alert/standard");
    vec![Webhook::json(url, Yaml::Map(body)).auth(auth).plain().made()]
}
