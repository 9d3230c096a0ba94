//! PagerDuty, by its Events API v2.
use super::alerter::{Alerter, Make};
use super::context::{Context, by_severity, members};
use super::destination::Destination;
use crate::node::Node;
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[Alerter {
    name: "pagerduty",
    also: &[],
    options: &[
        "pagerduty_service_key",
        "pagerduty_client_name",
        "pagerduty_event_type",
        "pagerduty_incident_key",
        "pagerduty_incident_key_args",
        "pagerduty_proxy",
        "pagerduty_ca_certs",
        "pagerduty_ignore_ssl_errors",
        "pagerduty_api_version",
        "pagerduty_v2_payload_class",
        "pagerduty_v2_payload_class_args",
        "pagerduty_v2_payload_component",
        "pagerduty_v2_payload_component_args",
        "pagerduty_v2_payload_group",
        "pagerduty_v2_payload_group_args",
        "pagerduty_v2_payload_severity",
        "pagerduty_v2_payload_source",
        "pagerduty_v2_payload_source_args",
        "pagerduty_v2_payload_custom_details",
        "pagerduty_v2_payload_include_all_info",
    ],
    make: Make::Destinations(pagerduty),
}];

fn pagerduty(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("pagerduty");
    let options = &mut *context.options;
    match options.text("pagerduty_event_type").as_deref() {
        None | Some("trigger") => options
            .carried("pagerduty_event_type", "an episode triggers an incident, and resolves it at its end"),
        Some(_) => options.dropped(
            "pagerduty_event_type",
            "an episode triggers its incident and resolves it at its end: no rule is needed for that",
        ),
    }
    options.drop_all(
        &["pagerduty_incident_key", "pagerduty_incident_key_args"],
        "an incident is an episode: its key is the episode's id",
    );
    options.dropped("pagerduty_client_name", "the client is `Watchbell`");
    match options.text("pagerduty_api_version").as_deref() {
        Some("v2") => options.carried("pagerduty_api_version", "the Events API v2"),
        _ => options.changed(
            "pagerduty_api_version",
            "the Events API v2: the service needs an integration of that kind, whose key goes into the variable",
        ),
    }
    options.dropped("pagerduty_v2_payload_include_all_info", "the details are those that the rule reports");
    let details = options.node("pagerduty_v2_payload_custom_details").map(|node| {
        let named: Vec<(String, String)> = node
            .entries()
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), Node::text(&entry.value)?)))
            .collect();
        let made = named.into_iter().map(|(name, field)| (name, context.field(&field))).collect();
        context.told_fields("pagerduty_v2_payload_custom_details");
        Yaml::Map(made)
    });
    let severities = &["info", "warning", "error", "critical"];
    let mut text = |name: &str| {
        let option = format!("pagerduty_v2_payload_{name}");
        context.formatted_with(&option, &format!("{option}_args"))
    };
    let (source, component, group, class) = (text("source"), text("component"), text("group"), text("class"));
    let option = "pagerduty_v2_payload_severity";
    let is_v2 = context.options.text("pagerduty_api_version").as_deref() == Some("v2");
    let severity = match context.options.node(option) {
        None if is_v2 => {
            let what = "absent, so it is `critical` for each severity, as in ElastAlert";
            context.options.absent(option, what);
            Some(by_severity(&Yaml::text("critical")))
        }
        _ => context.one_of(option, severities),
    };
    let params = members([
        ("severity", severity),
        ("source", source),
        ("component", component),
        ("group", group),
        ("class", class),
        ("details", details),
    ]);
    if !is_v2 {
        context.options.changed(
            "pagerduty_service_key",
            "the key of the service's integration of the kind Events API v2: one of v1 may not be accepted",
        );
    }
    let Some(key) = context.secret("pagerduty_service_key", "PAGERDUTY_SERVICE_KEY") else {
        return Vec::new();
    };
    let auth = Yaml::map([("pointer", Yaml::text("/routing_key")), ("value", key)]);
    let made = Destination::new("pagerduty", Yaml::text("https://events.pagerduty.com"));
    vec![made.auth(Some(Yaml::map([("body", auth)]))).params(params).timeout(timeout)]
}
