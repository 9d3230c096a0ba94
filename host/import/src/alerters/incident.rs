//! Incident management. A receiver that can resolve an incident is also notified of the end.
use serde_json::json;

use super::alerter::{Alerter, Make};
use super::context::{Context, address, basic, header, holds_secret, is_address, literal, members};
use super::destination::{Destination, Webhook};
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

fn opsgenie(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("opsgenie");
    let teams = context.options.texts("opsgenie_teams").unwrap_or_default();
    let people = context.options.texts("opsgenie_recipients").unwrap_or_default();
    context.options.carried("opsgenie_teams", "`params.responders`");
    context.options.carried("opsgenie_recipients", "`params.responders`");
    let responder =
        |kind: &str, key: &str, who: &str| Yaml::map([("type", Yaml::text(kind)), (key, literal(who))]);
    let responders = people.iter().map(|who| responder("user", "username", who));
    let responders = responders.chain(teams.iter().map(|who| responder("team", "name", who)));
    let responders: Vec<Yaml> = responders.take(50).collect();
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
    let tags = match context.options.has("opsgenie_tags") {
        true => context.formatted_list("opsgenie_tags").into_iter().flatten().take(19).collect(),
        false => Vec::new(),
    };
    let tags =
        (!tags.is_empty()).then(|| Yaml::List(tags.into_iter().chain([Yaml::text("{{ rule }}")]).collect()));
    let options = &mut *context.options;
    options.drop_all(
        &["opsgenie_message", "opsgenie_subject", "opsgenie_subject_args"],
        "the message is the rule's `alert.title`: write it there",
    );
    options.dropped("opsgenie_description", "the description is the rule's `alert.body`: write it there");
    options.dropped("opsgenie_alias", "an alert is an episode: its alias is the episode's id");
    options.dropped("opsgenie_account", "the alert's user is `Watchbell`");
    let details = options.node("opsgenie_details").map(|node| {
        let made = details(context, &node);
        context.told_fields("opsgenie_details");
        made
    });
    let params = members([
        ("priority", context.one_of("opsgenie_priority", &["P1", "P2", "P3", "P4", "P5"])),
        ("responders", (!responders.is_empty()).then_some(Yaml::List(responders))),
        ("tags", tags),
        ("details", details),
        ("entity", context.formatted("opsgenie_entity")),
        ("source", context.formatted("opsgenie_source")),
    ]);
    let url = match context.options.has("opsgenie_addr") {
        true => context.address("opsgenie_addr", "OPSGENIE_URL"),
        false => Some(Yaml::text("https://api.opsgenie.com")),
    };
    let url = match url {
        // The receiver has the path of each request.
        Some(Yaml::Text(url)) => Yaml::text(url.strip_suffix("/v2/alerts").unwrap_or(&url)),
        Some(url) => url,
        None => return Vec::new(),
    };
    let how = "`GenieKey {}`, with the key";
    let Some(key) = context.secret_as("opsgenie_key", "OPSGENIE_AUTHORIZATION", Some(how)) else {
        return Vec::new();
    };
    let made = Destination::new("opsgenie", url).auth(Some(header("Authorization", key)));
    vec![made.params(params).timeout(timeout).about(teams.first().map(String::as_str))]
}

/// A map whose values are texts, or `{field: name}`.
fn details(context: &mut Context<'_>, node: &Node) -> Yaml {
    let mut made = Vec::new();
    for entry in node.entries() {
        let value = match (entry.value.get("field").and_then(Node::text), entry.value.text()) {
            (Some(field), _) => context.field(&field),
            (None, Some(text)) => literal(&text),
            (None, None) => continue,
        };
        made.push((entry.key.clone(), value));
    }
    Yaml::Map(made)
}

/// Splunk On-Call, by its REST endpoint.
fn victorops(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("victorops");
    if context.needs(&["victorops_api_key", "victorops_routing_key", "victorops_message_type"]).is_none() {
        return Vec::new();
    }
    context.options.dropped("victorops_entity_id", "an incident is an episode: its id is the episode's");
    let Some(routing) = context.plain("victorops_routing_key") else { return Vec::new() };
    let params = members([
        ("routing_key", Some(routing.clone())),
        ("message_type", context.one_of("victorops_message_type", &["INFO", "WARNING", "CRITICAL"])),
        ("entity_display_name", context.constant("victorops_entity_display_name")),
    ]);
    let how = "`https://alert.victorops.com/integrations/generic/20131114/alert/{}`, with the API key";
    let Some(url) = context.secret_as("victorops_api_key", "VICTOROPS_URL", Some(how)) else {
        return Vec::new();
    };
    let routing = match &routing {
        Yaml::Text(routing) => Some(routing.as_str()),
        _ => None,
    };
    vec![Destination::new("splunk-on-call", url).params(params).timeout(timeout).about(routing)]
}

fn pagertree(context: &mut Context<'_>) -> Vec<Destination> {
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

fn servicenow(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("servicenow");
    let mut fields = Vec::new();
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
        fields.extend(context.constant(option).map(|value| (option.to_string(), value)));
    }
    for option in context.options.keys() {
        if let Some(name) = option.strip_prefix("servicenow_arg_") {
            fields.extend(context.constant(&option).map(|value| (name.to_string(), value)));
        }
    }
    if context.needs(&["servicenow_rest_url", "username", "password"]).is_none() {
        return Vec::new();
    }
    let Some(written) = context.options.text("servicenow_rest_url") else { return Vec::new() };
    let Some((url, table)) = table(&written) else {
        let why = "not `https://INSTANCE/api/now/table/TABLE`: name the table's own address";
        return context.refuse("servicenow_rest_url", why);
    };
    context.options.carried("servicenow_rest_url", "the destination's address and `params.table`");
    let params = members([
        ("table", (table != "incident").then(|| Yaml::text(table))),
        ("fields", (!fields.is_empty()).then_some(Yaml::Map(fields))),
        ("impact", context.level("servicenow_impact", 1, 3)),
        ("urgency", context.level("servicenow_urgency", 1, 3)),
    ]);
    let username = context.options.text("username").unwrap_or_default();
    context.options.carried("username", "the destination's `auth`");
    let Some(password) = context.secret("password", "SERVICENOW_PASSWORD") else { return Vec::new() };
    let made = Destination::new("servicenow", address(url)).auth(Some(basic(&username, password)));
    vec![made.params(params).timeout(timeout)]
}

/// An instance and a table, of the address of a table.
fn table(url: &str) -> Option<(&str, &str)> {
    if holds_secret(url) {
        return None;
    }
    let (instance, rest) = url.split_once("/api/now/")?;
    let (version, table) = rest.trim_end_matches('/').split_once("table/")?;
    if !is_address(instance) {
        return None;
    }
    let is_version = version.is_empty() || version.starts_with('v') && version.ends_with('/');
    let is_table =
        !table.is_empty() && table.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    (is_version && is_table).then_some((instance, table))
}

fn flashduty(context: &mut Context<'_>) -> Vec<Destination> {
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

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_table_has_an_address() {
        assert_eq!(
            table("https://x.service-now.com/api/now/v1/table/incident"),
            Some(("https://x.service-now.com", "incident"))
        );
        assert_eq!(table("@@SN@@/api/now/table/u_ops/"), Some(("@@SN@@", "u_ops")));
        for url in ["https://x/api/now/table/", "https://x/api", "https://a:b@x/api/now/table/incident", "x"]
        {
            assert_eq!(table(url), None, "{url}");
        }
    }
}
