//! Slack, by an incoming webhook.
use super::alerter::{Alerter, Make};
use super::context::Context;
use super::destination::Destination;
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

/// What a text may consist of to be a mention.
const MENTIONS: &[&str] = &["<!", "<@", "@"];

fn slack(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("slack");
    let mut params = Vec::new();
    params.extend(context.plain("slack_username_override").map(|name| ("username".to_string(), name)));
    let icon = context.plain("slack_icon_url_override").map(|url| ("icon_url".to_string(), url));
    if icon.is_some() {
        context.options.dropped("slack_emoji_override", "ElastAlert uses `slack_icon_url_override` instead");
    } else {
        params.extend(context.emoji("slack_emoji_override").map(|emoji| ("icon_emoji".to_string(), emoji)));
    }
    params.extend(icon);
    params.extend(mention(context));
    let options = &mut *context.options;
    options.dropped("slack_msg_color", "the colour follows the severity, and is green at the end");
    options.dropped("slack_parse_override", "values are escaped, so a document cannot mention anyone");
    options.dropped("slack_title", "the title is the rule's `alert.title`");
    options
        .dropped("slack_title_link", "the link opens the documents in Kibana, if the cluster has `kibana:`");
    options.dropped("slack_alert_fields", "the fields shown are the rule's `key`");
    options.drop_all(
        &[
            "slack_msg_pretext",
            "slack_footer",
            "slack_footer_icon",
            "slack_image_url",
            "slack_thumb_url",
            "slack_author_name",
            "slack_author_link",
            "slack_author_icon",
        ],
        "the receiver `slack` has its own layout; set the destination's `params.blocks` for another",
    );
    options.drop_all(
        &["slack_attach_jira_ticket_url", "slack_jira_ticket_color", "slack_jira_ticket_title"],
        "an issue is another destination's: its link is not known here",
    );
    each(context, "slack_webhook_url", "SLACK_WEBHOOK_URL", "slack_channel_override", |url, channel| {
        let channel = channel.map(|channel| ("channel".to_string(), Yaml::text(channel)));
        let params = channel.into_iter().chain(params.clone()).collect();
        Destination::new("slack", url).params(params).timeout(timeout.clone())
    })
}

/// `<!channel>` as `slack_text_string` or `slack_msg_pretext`; Slack also takes `@channel` there.
fn mention(context: &mut Context<'_>) -> Option<(String, Yaml)> {
    let mention = context.mention("slack_text_string", MENTIONS)?;
    let written = |value: Yaml| match value {
        Yaml::Text(text) => {
            let words = text.split_whitespace().map(|word| match word {
                "@here" | "@channel" | "@everyone" => format!("<!{}>", &word[1..]),
                word => word.to_string(),
            });
            Yaml::Text(words.collect::<Vec<_>>().join(" "))
        }
        other => other,
    };
    let mention = match mention {
        Yaml::Map(entries) => {
            Yaml::Map(entries.into_iter().map(|(severity, value)| (severity, written(value))).collect())
        }
        other => other,
    };
    Some(("mention".to_string(), mention))
}

/// A destination for every address and channel.
pub(super) fn each(
    context: &mut Context<'_>,
    url: &str,
    variable: &str,
    channel: &str,
    make: impl Fn(Yaml, Option<&str>) -> Destination,
) -> Vec<Destination> {
    let channels = context.options.texts(channel).unwrap_or_default();
    let channels: Vec<Option<&str>> = match channels.as_slice() {
        [] => vec![None],
        several => several.iter().map(|channel| Some(channel.as_str())).collect(),
    };
    context.options.carried(channel, "the destination's channel");
    let urls = context.secrets_of(url, variable);
    urls.into_iter()
        .flat_map(|url| {
            channels.iter().map(|channel| make(url.clone(), *channel).about(*channel)).collect::<Vec<_>>()
        })
        .collect()
}
