//! Microsoft Teams, by a workflow or a connector.
use super::alerter::{Alerter, Make};
use super::context::{Context, members};
use super::destination::Destination;
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
        name: "ms_power_automate",
        also: &["ms_powerautomate"],
        options: &[
            "ms_power_automate_webhook_url",
            "ms_power_automate_webhook_url_from_field",
            "ms_power_automate_proxy",
            "ms_power_automate_alert_summary",
            "ms_power_automate_summary_text_size",
            "ms_power_automate_body_text_size",
            "ms_power_automate_ca_certs",
            "ms_power_automate_ignore_ssl_errors",
            "ms_power_automate_alert_facts",
            "ms_power_automate_kibana_discover_color",
            "ms_power_automate_kibana_discover_attach_url",
            "ms_power_automate_kibana_discover_title",
            "ms_power_automate_opensearch_discover_color",
            "ms_power_automate_opensearch_discover_attach_url",
            "ms_power_automate_opensearch_discover_title",
            "ms_power_automate_teams_card_width_full",
        ],
        make: Make::Destinations(power_automate),
    },
    Alerter {
        name: "ms_teams",
        also: &[],
        options: &[
            "ms_teams_webhook_url",
            "ms_teams_alert_summary",
            "ms_teams_theme_color",
            "ms_teams_proxy",
            "ms_teams_alert_fixed_width",
            "ms_teams_alert_facts",
            "ms_teams_attach_kibana_discover_url",
            "ms_teams_kibana_discover_title",
            "ms_teams_ca_certs",
            "ms_teams_ignore_ssl_errors",
        ],
        make: Make::Destinations(teams),
    },
];

const SIZES: [&str; 5] = ["small", "default", "medium", "large", "extraLarge"];

fn power_automate(context: &mut Context<'_>) -> Vec<Destination> {
    let options = &mut *context.options;
    options.dropped("ms_power_automate_body_text_size", "the text of a card has Teams' own size");
    options.dropped(
        "ms_power_automate_webhook_url_from_field",
        "a destination has one address: a document cannot choose where messages go",
    );
    let size = options.text("ms_power_automate_summary_text_size").and_then(|text| {
        let known = SIZES.iter().find(|size| size.eq_ignore_ascii_case(&text));
        match known {
            Some(size) => {
                options.carried("ms_power_automate_summary_text_size", "`params.title_size`");
                Some(Yaml::text(*size))
            }
            None => {
                options.dropped("ms_power_automate_summary_text_size", "not a size of Adaptive Cards");
                None
            }
        }
    });
    let full = options.flag("ms_power_automate_teams_card_width_full").map(Yaml::Bool);
    options.carried("ms_power_automate_teams_card_width_full", "`params.full_width`");
    made(context, "ms_power_automate", vec![("title_size", size), ("full_width", full)])
}

fn teams(context: &mut Context<'_>) -> Vec<Destination> {
    let options = &mut *context.options;
    options.dropped("ms_teams_theme_color", "the colour follows the severity");
    options.dropped("ms_teams_alert_fixed_width", "write the text in backquotes: `alert.body` is Markdown");
    options.changed(
        "ms_teams_webhook_url",
        "connectors (`webhook.office.com`) work as long as Microsoft keeps them; the variable may hold the URL of a workflow",
    );
    made(context, "ms_teams", Vec::new())
}

fn made(context: &mut Context<'_>, prefix: &str, params: Vec<(&str, Option<Yaml>)>) -> Vec<Destination> {
    let timeout = context.plumbing(prefix);
    let of = |name: &str| format!("{prefix}_{name}");
    context.options.dropped(&of("alert_summary"), "the title is the rule's `alert.title`");
    let facts = members([("facts", context.fields(&of("alert_facts"), false))]);
    let params = params.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
    let params: Vec<(String, Yaml)> = facts.into_iter().chain(params).collect();
    let option = of("webhook_url");
    let urls = context.secrets_of(&option, &option.to_uppercase());
    urls.into_iter()
        .map(|url| Destination::new("teams", url).params(params.clone()).timeout(timeout.clone()))
        .collect()
}
