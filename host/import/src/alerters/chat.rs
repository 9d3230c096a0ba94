//! Chat rooms and channels.
use serde_json::json;

use super::alerter::{Alerter, Make};
use super::context::{Context, Webhook, literal, members};
use super::slack::each;
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
        name: "mattermost",
        also: &[],
        options: &[
            "mattermost_webhook_url",
            "mattermost_proxy",
            "mattermost_ignore_ssl_errors",
            "mattermost_username_override",
            "mattermost_channel_override",
            "mattermost_emoji_override",
            "mattermost_icon_url_override",
            "mattermost_msg_pretext",
            "mattermost_msg_color",
            "mattermost_msg_fields",
            "mattermost_title",
            "mattermost_title_link",
            "mattermost_footer",
            "mattermost_footer_icon",
            "mattermost_image_url",
            "mattermost_thumb_url",
            "mattermost_author_name",
            "mattermost_author_link",
            "mattermost_author_icon",
            "mattermost_attach_kibana_discover_url",
            "mattermost_kibana_discover_color",
            "mattermost_kibana_discover_title",
            "mattermost_attach_opensearch_discover_url",
            "mattermost_opensearch_discover_color",
            "mattermost_opensearch_discover_title",
        ],
        make: Make::Destinations(mattermost),
    },
    Alerter {
        name: "rocketchat",
        also: &[],
        options: &[
            "rocket_chat_webhook_url",
            "rocket_chat_username_override",
            "rocket_chat_channel_override",
            "rocket_chat_emoji_override",
            "rocket_chat_msg_color",
            "rocket_chat_text_string",
            "rocket_chat_proxy",
            "rocket_chat_alert_fields",
            "rocket_chat_attach_kibana_discover_url",
            "rocket_chat_kibana_discover_color",
            "rocket_chat_kibana_discover_title",
            "rocket_chat_attach_opensearch_discover_url",
            "rocket_chat_opensearch_discover_color",
            "rocket_chat_opensearch_discover_title",
            "rocket_chat_ca_certs",
            "rocket_chat_ignore_ssl_errors",
            "rocket_chat_timeout",
        ],
        make: Make::Destinations(rocketchat),
    },
    Alerter {
        name: "discord",
        also: &[],
        options: &[
            "discord_webhook_url",
            "discord_emoji_title",
            "discord_http_proxy",
            "discord_https_proxy",
            "discord_proxy",
            "discord_proxy_login",
            "discord_proxy_password",
            "discord_embed_color",
            "discord_embed_footer",
            "discord_embed_icon_url",
        ],
        make: Make::Destinations(discord),
    },
    Alerter {
        name: "googlechat",
        also: &[],
        options: &[
            "googlechat_webhook_url",
            "googlechat_format",
            "googlechat_header_title",
            "googlechat_header_subtitle",
            "googlechat_header_image",
            "googlechat_footer_kibanalink",
            "googlechat_proxy",
        ],
        make: Make::Destinations(googlechat),
    },
    Alerter {
        name: "hipchat",
        also: &[],
        options: &[
            "hipchat_auth_token",
            "hipchat_room_id",
            "hipchat_domain",
            "hipchat_ignore_ssl_errors",
            "hipchat_notify",
            "hipchat_from",
            "hipchat_message_format",
            "hipchat_message_color",
            "hipchat_proxy",
            "hipchat_mentions",
        ],
        make: Make::Destinations(hipchat),
    },
    Alerter {
        name: "gitter",
        also: &[],
        options: &["gitter_webhook_url", "gitter_msg_level", "gitter_proxy"],
        make: Make::Destinations(gitter),
    },
    Alerter {
        name: "matrixhookshot",
        also: &[],
        options: &[
            "matrixhookshot_webhook_url",
            "matrixhookshot_proxy",
            "matrixhookshot_username",
            "matrixhookshot_text",
            "matrixhookshot_html",
            "matrixhookshot_ignore_ssl_errors",
            "matrixhookshot_timeout",
            "matrixhookshot_ca_certs",
        ],
        make: Make::Destinations(matrixhookshot),
    },
];

fn mattermost(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("mattermost");
    let title = context.constant_or("mattermost_title", "{{ headline }}");
    let attachment = members([
        ("fallback", Some(Yaml::text("{{ headline }}"))),
        ("color", Some(context.constant_or("mattermost_msg_color", "danger"))),
        ("title", Some(title)),
        ("pretext", context.constant("mattermost_msg_pretext")),
        ("text", Some(Yaml::text("{{ body }}"))),
        ("title_link", context.constant("mattermost_title_link")),
        ("footer", context.constant("mattermost_footer")),
        ("footer_icon", context.constant("mattermost_footer_icon")),
        ("image_url", context.constant("mattermost_image_url")),
        ("thumb_url", context.constant("mattermost_thumb_url")),
        ("author_name", context.constant("mattermost_author_name")),
        ("author_link", context.constant("mattermost_author_link")),
        ("author_icon", context.constant("mattermost_author_icon")),
    ]);
    let body = members([
        ("username", context.constant("mattermost_username_override")),
        ("icon_url", context.constant("mattermost_icon_url_override")),
        ("icon_emoji", context.constant("mattermost_emoji_override")),
        ("attachments", Some(Yaml::List(vec![Yaml::Map(attachment)]))),
    ]);
    context.options.dropped("mattermost_msg_fields", "the message's text shows its fields");
    each(
        context,
        "mattermost_webhook_url",
        "MATTERMOST_WEBHOOK_URL",
        "mattermost_channel_override",
        |url, channel| with_channel(url, channel, &body, timeout.clone()),
    )
}

fn with_channel(url: Yaml, channel: Option<&str>, body: &[(String, Yaml)], timeout: Option<String>) -> Yaml {
    let channel = channel.map(|channel| ("channel".to_string(), literal(channel)));
    let body = channel.into_iter().chain(body.iter().cloned()).collect();
    Webhook::json(url, Yaml::Map(body)).timeout(timeout).made()
}

fn rocketchat(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("rocket_chat");
    let attachment = members([
        ("color", Some(context.constant_or("rocket_chat_msg_color", "danger"))),
        ("title", Some(Yaml::text("{{ headline }}"))),
        ("text", Some(Yaml::text("{{ body }}"))),
    ]);
    let body = members([
        ("username", context.constant("rocket_chat_username_override")),
        ("emoji", context.constant("rocket_chat_emoji_override")),
        ("text", context.constant("rocket_chat_text_string")),
        ("attachments", Some(Yaml::List(vec![Yaml::Map(attachment)]))),
    ]);
    context.options.dropped("rocket_chat_alert_fields", "the message's text shows its fields");
    each(
        context,
        "rocket_chat_webhook_url",
        "ROCKET_CHAT_WEBHOOK_URL",
        "rocket_chat_channel_override",
        |url, channel| with_channel(url, channel, &body, timeout.clone()),
    )
}

fn discord(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("discord");
    context
        .options
        .drop_all(&["discord_http_proxy", "discord_https_proxy"], "destinations have no proxy setting");
    let content = match context.constant("discord_emoji_title") {
        Some(Yaml::Text(emoji)) => format!("{emoji} {{{{ headline }}}} {emoji}"),
        _ => "{{ headline }}".into(),
    };
    let footer = members([
        ("text", context.constant("discord_embed_footer")),
        ("icon_url", context.constant("discord_embed_icon_url")),
    ]);
    let embed = members([
        ("description", Some(Yaml::text("{{ body | cut(4096) }}"))),
        (
            "color",
            Some(context.value("discord_embed_color").unwrap_or_else(|| Yaml::Number("16777215".into()))),
        ),
        ("footer", (!footer.is_empty()).then_some(Yaml::Map(footer))),
    ]);
    let body = Yaml::map([("content", Yaml::Text(content)), ("embeds", Yaml::List(vec![Yaml::Map(embed)]))]);
    let urls = context.secrets_of("discord_webhook_url", "DISCORD_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}

fn googlechat(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("googlechat");
    let is_card = context.options.text("googlechat_format").as_deref() == Some("card");
    context.options.carried("googlechat_format", "in the destination's request");
    let body = if is_card {
        let header = members([
            ("title", context.constant("googlechat_header_title")),
            ("subtitle", context.constant("googlechat_header_subtitle")),
            ("imageUrl", context.constant("googlechat_header_image")),
        ]);
        let text = Yaml::from(json!({ "widgets": [{ "textParagraph": { "text": "{{ body }}" } }] }));
        let mut sections = vec![text];
        if let Some(link) = context.constant("googlechat_footer_kibanalink") {
            let click = Yaml::map([("openLink", Yaml::map([("url", link)]))]);
            let button = Yaml::map([(
                "textButton",
                Yaml::map([("text", Yaml::text("VISIT KIBANA")), ("onClick", click)]),
            )]);
            let widget = Yaml::map([("buttons", Yaml::List(vec![button]))]);
            sections.push(Yaml::map([("widgets", Yaml::List(vec![widget]))]));
        }
        let card = members([
            ("header", (!header.is_empty()).then_some(Yaml::Map(header))),
            ("sections", Some(Yaml::List(sections))),
        ]);
        Yaml::map([("cards", Yaml::List(vec![Yaml::Map(card)]))])
    } else {
        Yaml::from(json!({ "text": "{{ body }}" }))
    };
    let urls = context.secrets_of("googlechat_webhook_url", "GOOGLECHAT_WEBHOOK_URL");
    urls.into_iter()
        .map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).plain().made())
        .collect()
}

/// HipChat's API v2, "Send room notification".
fn hipchat(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("hipchat");
    context.needs(&["hipchat_auth_token", "hipchat_room_id"]);
    let domain = context.options.text("hipchat_domain").unwrap_or_else(|| "api.hipchat.com".into());
    context.options.carried("hipchat_domain", "in the destination's address");
    let Some(room) = context.options.text("hipchat_room_id") else { return Vec::new() };
    context.options.changed(
        "hipchat_room_id",
        "in the destination's address; HipChat shut down in 2019: point the destination at its replacement",
    );
    let url = Yaml::Text(format!("https://{domain}/v2/room/{room}/notification"));
    let Some(token) = context.secret("hipchat_auth_token", "HIPCHAT_AUTH_TOKEN") else { return Vec::new() };
    let notify = context.value("hipchat_notify").unwrap_or(Yaml::Bool(true));
    if context.options.text("hipchat_message_format").as_deref() == Some("text") {
        context.options.carried("hipchat_message_format", "in the destination's request");
    } else {
        context.options.changed(
            "hipchat_message_format",
            "`text`: messages are plain text, so HTML would show as written",
        );
    }
    let mentions: String = context
        .options
        .texts("hipchat_mentions")
        .unwrap_or_default()
        .iter()
        .map(|name| format!("@{name} "))
        .collect();
    context.options.carried("hipchat_mentions", "before the message");
    let Yaml::Text(mentions) = literal(&mentions) else { return Vec::new() };
    let body = members([
        ("from", context.constant("hipchat_from")),
        ("color", Some(context.constant_or("hipchat_message_color", "red"))),
        ("message_format", Some(Yaml::text("text"))),
        ("message", Some(Yaml::Text(format!("{mentions}{{{{ body | cut(9000) }}}}")))),
        ("notify", Some(notify)),
    ]);
    let webhook = Webhook::json(url, Yaml::Map(body)).auth(Yaml::map([("bearer", token)]));
    vec![webhook.plain().timeout(timeout).made()]
}

fn gitter(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("gitter");
    let body = Yaml::map([
        ("message", Yaml::text("{{ body }}")),
        ("level", context.constant_or("gitter_msg_level", "error")),
    ]);
    let urls = context.secrets_of("gitter_webhook_url", "GITTER_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}

fn matrixhookshot(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("matrixhookshot");
    let text = context.constant_or("matrixhookshot_text", "{{ body }}");
    let body = Yaml::Map(members([
        ("text", Some(text)),
        ("username", context.constant("matrixhookshot_username")),
        ("html", context.constant("matrixhookshot_html")),
    ]));
    let urls = context.secrets_of("matrixhookshot_webhook_url", "MATRIXHOOKSHOT_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}
