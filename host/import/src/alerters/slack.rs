//! Slack, which has its own product.
use super::alerter::{Alerter, Make};
use super::context::{Context, destination};
use crate::yaml::Yaml;

const SLACK: &[&str] = &[
    "slack_webhook_url",
    "slack_username_override",
    "slack_channel_override",
    "slack_emoji_override",
    "slack_icon_url_override",
    "slack_msg_color",
    "slack_parse_override",
    "slack_text_string",
    "slack_proxy",
    "slack_alert_fields",
    "slack_ignore_ssl_errors",
    "slack_title",
    "slack_title_link",
    "slack_timeout",
    "slack_attach_kibana_discover_url",
    "slack_kibana_discover_color",
    "slack_kibana_discover_title",
    "slack_attach_opensearch_discover_url",
    "slack_opensearch_discover_color",
    "slack_opensearch_discover_title",
    "slack_attach_jira_ticket_url",
    "slack_jira_ticket_color",
    "slack_jira_ticket_title",
    "slack_ca_certs",
    "slack_footer",
    "slack_footer_icon",
    "slack_image_url",
    "slack_thumb_url",
    "slack_author_name",
    "slack_author_link",
    "slack_author_icon",
    "slack_msg_pretext",
];

pub(super) const ALERTERS: &[Alerter] =
    &[Alerter { name: "slack", also: &[], options: SLACK, make: Make::Destinations(slack) }];

/// The product `slack`, which has its own message layout.
fn slack(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("slack");
    let options = &mut *context.options;
    let mut params = Vec::new();
    for (option, param) in [("slack_username_override", "username"), ("slack_icon_url_override", "icon_url")]
    {
        if let Some(text) = options.text(option) {
            params.push((param.to_string(), Yaml::Text(text)));
            options.carried(option, format!("the destination's `params.{param}`"));
        }
    }
    match options.text("slack_emoji_override") {
        Some(_) if options.has("slack_icon_url_override") => {
            options.dropped("slack_emoji_override", "ElastAlert uses `slack_icon_url_override` instead");
        }
        Some(text) if text.len() > 2 && text.starts_with(':') && text.ends_with(':') => {
            params.push(("icon_emoji".into(), Yaml::Text(text)));
            options.carried("slack_emoji_override", "the destination's `params.icon_emoji`");
        }
        Some(_) => options.dropped("slack_emoji_override", "not an emoji name between colons"),
        None => {}
    }
    options.dropped("slack_msg_color", "the colour follows the severity");
    options.dropped("slack_parse_override", "values are escaped, so a document cannot mention anyone");
    options.dropped("slack_title", "the title is the rule's `alert.title`");
    options
        .dropped("slack_title_link", "the link opens the documents in Kibana, if the cluster has `kibana:`");
    options.dropped("slack_alert_fields", "the fields shown are the rule's `key`");
    options.drop_all(
        &[
            "slack_text_string",
            "slack_msg_pretext",
            "slack_footer",
            "slack_footer_icon",
            "slack_image_url",
            "slack_thumb_url",
            "slack_author_name",
            "slack_author_link",
            "slack_author_icon",
        ],
        "the product `slack` has its own layout; set the destination's `params.blocks` for another",
    );
    options.drop_all(
        &["slack_attach_jira_ticket_url", "slack_jira_ticket_color", "slack_jira_ticket_title"],
        "no Jira ticket is created",
    );
    each(context, "slack_webhook_url", "SLACK_WEBHOOK_URL", "slack_channel_override", |url, channel| {
        let channel = channel.map(|channel| ("channel".to_string(), Yaml::text(channel)));
        let params = channel.into_iter().chain(params.clone()).collect();
        destination("slack", url, None, None, params, timeout.clone())
    })
}

/// A destination for every address and channel.
pub(super) fn each(
    context: &mut Context<'_>,
    url: &str,
    variable: &str,
    channel: &str,
    make: impl Fn(Yaml, Option<&str>) -> Yaml,
) -> Vec<Yaml> {
    let channels = context.options.texts(channel).unwrap_or_default();
    let channels: Vec<Option<&str>> = match channels.as_slice() {
        [] => vec![None],
        several => several.iter().map(|channel| Some(channel.as_str())).collect(),
    };
    context.options.carried(channel, "the destination's channel");
    let urls = context.secrets_of(url, variable);
    urls.into_iter()
        .flat_map(|url| channels.iter().map(|channel| make(url.clone(), *channel)).collect::<Vec<_>>())
        .collect()
}
