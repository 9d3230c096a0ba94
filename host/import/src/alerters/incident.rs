//! Incident management. A receiver that can resolve an incident is also notified of the end.
use serde_json::json;

use super::alerter::{Alerter, Make};
use super::context::{Context, Webhook, basic, constants, header, literal, members};
use crate::node::Node;
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
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
    Alerter {
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
    Alerter {
        name: "pagertree",
        also: &[],
        options: &["pagertree_integration_url", "pagertree_proxy"],
        make: Make::Destinations(pagertree),
    },
    Alerter {
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
    Alerter {
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

/// Whether the message reports an end.
pub(super) const OVER: &str = "cause in ['resolved', 'was']";

fn opsgenie(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("opsgenie");
    let people = |context: &mut Context<'_>, option: &str, name: &str, kind: &str| -> Vec<Yaml> {
        let names = context.options.texts(option).unwrap_or_default();
        context.options.carried(option, "in the destination's request, as `responders`");
        names.iter().map(|who| Yaml::map([(name, literal(who)), ("type", Yaml::text(kind))])).collect()
    };
    let mut responders = people(context, "opsgenie_recipients", "username", "user");
    responders.extend(people(context, "opsgenie_teams", "name", "team"));
    context.options.drop_all(
        &[
            "opsgenie_recipients_args",
            "opsgenie_teams_args",
            "opsgenie_default_receipients",
            "opsgenie_default_recipients",
            "opsgenie_default_teams",
        ],
        "recipients do not depend on the match: write a rule per team, or use `escalate`",
    );
    let tags: Vec<Yaml> = context
        .formatted_list("opsgenie_tags")
        .into_iter()
        .chain([Yaml::text("Watchbell"), Yaml::text("{{ rule }}")])
        .collect();
    let message = context.formatted("opsgenie_message");
    let subject =
        context.constant("opsgenie_subject").filter(|_| !context.options.has("opsgenie_subject_args"));
    if context.options.has("opsgenie_subject_args") {
        let why = "`alert.title` is the message: write it there";
        context.options.drop_all(&["opsgenie_subject", "opsgenie_subject_args"], why);
    }
    let details = context.options.node("opsgenie_details").map(|node| {
        let made = fields_or_texts(context, &node);
        context.told_fields("opsgenie_details");
        made
    });
    let body = members([
        ("message", Some(message.or(subject).unwrap_or_else(|| Yaml::text("{{ headline | cut(130) }}")))),
        ("alias", Some(context.formatted("opsgenie_alias").unwrap_or_else(|| Yaml::text("{{ episode }}")))),
        (
            "description",
            Some(context.formatted("opsgenie_description").unwrap_or_else(|| Yaml::text("{{ body }}"))),
        ),
        ("responders", (!responders.is_empty()).then_some(Yaml::List(responders))),
        ("user", context.constant("opsgenie_account")),
        ("entity", context.formatted("opsgenie_entity")),
        ("source", Some(context.formatted("opsgenie_source").unwrap_or_else(|| Yaml::text("Watchbell")))),
        ("tags", Some(Yaml::List(tags))),
        ("priority", context.formatted("opsgenie_priority")),
        ("details", details),
    ]);
    let url = match context.options.has("opsgenie_addr") {
        true => context.address("opsgenie_addr", "OPSGENIE_URL"),
        false => Some(Yaml::text("https://api.opsgenie.com/v2/alerts")),
    };
    let Some(url) = url else { return Vec::new() };
    let how = "`GenieKey {}`, with the key";
    let Some(key) = context.secret_as("opsgenie_key", "OPSGENIE_AUTHORIZATION", Some(how)) else {
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
fn fields_or_texts(context: &mut Context<'_>, node: &Node) -> Yaml {
    let value = |context: &mut Context<'_>, value: &Node| match value.get("field").and_then(Node::text) {
        Some(field) => context.field(&field),
        None => constants(value),
    };
    Yaml::Map(node.entries().iter().map(|entry| (entry.key.clone(), value(context, &entry.value))).collect())
}

/// The REST endpoint of Splunk On-Call.
fn victorops(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("victorops");
    context.needs(&["victorops_routing_key", "victorops_message_type"]);
    let kind = match context.constant("victorops_message_type") {
        Some(Yaml::Text(kind)) => Yaml::from(json!({ "$if": OVER, "$then": "RECOVERY", "$else": kind })),
        _ => Yaml::text("CRITICAL"),
    };
    let name = context.constant_or("victorops_entity_display_name", "{{ title }}");
    let body = Yaml::map([
        ("message_type", kind),
        ("entity_id", context.constant_or("victorops_entity_id", "{{ episode }}")),
        ("entity_display_name", name),
        ("monitoring_tool", Yaml::text("Watchbell")),
        ("state_message", Yaml::text("{{ body }}")),
    ]);
    let routing = context.options.text("victorops_routing_key").unwrap_or_default();
    let Yaml::Text(routing) = literal(&routing) else { return Vec::new() };
    context.options.carried("victorops_routing_key", "the end of the destination's path");
    let how = "`https://alert.victorops.com/integrations/generic/20131114/alert/{}`, with the API key";
    let Some(url) = context.secret_as("victorops_api_key", "VICTOROPS_URL", Some(how)) else {
        return Vec::new();
    };
    let webhook = Webhook::json(url, body).timeout(timeout).plain();
    vec![Webhook { path: Some(Yaml::Text(format!("/{routing}"))), ..webhook }.made()]
}

fn pagertree(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("pagertree");
    let body = json!({
        "event_type": { "$if": OVER, "$then": "resolve", "$else": "create" },
        "Id": "{{ episode }}",
        "Title": "{{ title }}",
        "Description": "{{ body }}",
    });
    let Some(url) = context.secret("pagertree_integration_url", "PAGERTREE_INTEGRATION_URL") else {
        return Vec::new();
    };
    vec![Webhook::json(url, Yaml::from(body)).timeout(timeout).plain().made()]
}

fn servicenow(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("servicenow");
    context.needs(&["servicenow_rest_url", "username"]);
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
        context.needs(&[option]);
        body.extend(context.constant(option).map(|value| (option.to_string(), value)));
    }
    for (option, name) in [("servicenow_impact", "impact"), ("servicenow_urgency", "urgency")] {
        body.extend(context.value(option).map(|value| (name.to_string(), value)));
    }
    for option in context.options.keys() {
        if let Some(name) = option.strip_prefix("servicenow_arg_") {
            body.extend(context.value(&option).map(|value| (name.to_string(), value)));
        }
    }
    let Some(url) = context.address("servicenow_rest_url", "SERVICENOW_REST_URL") else { return Vec::new() };
    let username = context.options.text("username").unwrap_or_default();
    context.options.carried("username", "the destination's `auth`");
    let Some(password) = context.secret("password", "SERVICENOW_PASSWORD") else { return Vec::new() };
    vec![Webhook::json(url, Yaml::Map(body)).auth(basic(&username, password)).timeout(timeout).plain().made()]
}

fn flashduty(context: &mut Context<'_>) -> Vec<Yaml> {
    let names = ["check", "service", "cluster", "resource", "metric", "group", "env", "app"];
    let mut labels = Vec::new();
    for name in names {
        labels.extend(context.constant(&format!("flashduty_{name}")).map(|value| (name.to_string(), value)));
    }
    labels.push(("information".into(), Yaml::text("{{ body }}")));
    let status = match context.constant_or("flashduty_event_status", "Info") {
        Yaml::Text(status) => Yaml::from(json!({ "$if": OVER, "$then": "Ok", "$else": status })),
        other => other,
    };
    let body = members([
        ("title_rule", Some(context.constant_or("flashduty_title", "ElastAlert Alert"))),
        ("event_status", Some(status)),
        ("alert_key", Some(context.constant_or("flashduty_alert_key", "{{ episode }}"))),
        ("description", Some(context.constant_or("flashduty_description", "{{ body }}"))),
        ("labels", Some(Yaml::Map(labels))),
    ]);
    if context.options.has("flashduty_url") {
        let Some(url) = context.secret("flashduty_url", "FLASHDUTY_URL") else { return Vec::new() };
        return vec![Webhook::json(url, Yaml::Map(body)).plain().made()];
    }
    let Some(key) = context.secret("flashduty_integration_key", "FLASHDUTY_INTEGRATION_KEY") else {
        return Vec::new();
    };
    let auth = Yaml::map([("query", Yaml::map([("name", Yaml::text("integration_key")), ("value", key)]))]);
    let url = Yaml::text("https://api.flashcat.cloud/event/push/alert/standard");
    vec![Webhook::json(url, Yaml::Map(body)).auth(auth).plain().made()]
}
