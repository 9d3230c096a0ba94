//! Rooms and channels.
use serde_json::json;

use super::kitchen::{Kitchen, Webhook, literal, members};
use super::recipe::{Make, Recipe};
use super::slack::each;
use crate::yaml::Yaml;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
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
    Recipe {
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
    Recipe {
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
    Recipe {
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
    Recipe {
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
    Recipe {
        name: "gitter",
        also: &[],
        options: &["gitter_webhook_url", "gitter_msg_level", "gitter_proxy"],
        make: Make::Destinations(gitter),
    },
    Recipe {
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

fn mattermost(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("mattermost");
    let title = kitchen.constant_or("mattermost_title", "{{ headline }}");
    let attachment = members([
        ("fallback", Some(Yaml::text("{{ headline }}"))),
        ("color", Some(kitchen.constant_or("mattermost_msg_color", "danger"))),
        ("title", Some(title)),
        ("pretext", kitchen.constant("mattermost_msg_pretext")),
        ("text", Some(Yaml::text("{{ body }}"))),
        ("title_link", kitchen.constant("mattermost_title_link")),
        ("footer", kitchen.constant("mattermost_footer")),
        ("footer_icon", kitchen.constant("mattermost_footer_icon")),
        ("image_url", kitchen.constant("mattermost_image_url")),
        ("thumb_url", kitchen.constant("mattermost_thumb_url")),
        ("author_name", kitchen.constant("mattermost_author_name")),
        ("author_link", kitchen.constant("mattermost_author_link")),
        ("author_icon", kitchen.constant("mattermost_author_icon")),
    ]);
    let body = members([
        ("username", kitchen.constant("mattermost_username_override")),
        ("icon_url", kitchen.constant("mattermost_icon_url_override")),
        ("icon_emoji", kitchen.constant("mattermost_emoji_override")),
        ("attachments", Some(Yaml::List(vec![Yaml::Map(attachment)]))),
    ]);
    kitchen.sheet.dropped("mattermost_msg_fields", "the fields of a message are in its text");
    each(
        kitchen,
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

fn rocketchat(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("rocket_chat");
    let attachment = members([
        ("color", Some(kitchen.constant_or("rocket_chat_msg_color", "danger"))),
        ("title", Some(Yaml::text("{{ headline }}"))),
        ("text", Some(Yaml::text("{{ body }}"))),
    ]);
    let body = members([
        ("username", kitchen.constant("rocket_chat_username_override")),
        ("emoji", kitchen.constant("rocket_chat_emoji_override")),
        ("text", kitchen.constant("rocket_chat_text_string")),
        ("attachments", Some(Yaml::List(vec![Yaml::Map(attachment)]))),
    ]);
    kitchen.sheet.dropped("rocket_chat_alert_fields", "the fields of a message are in its text");
    each(
        kitchen,
        "rocket_chat_webhook_url",
        "ROCKET_CHAT_WEBHOOK_URL",
        "rocket_chat_channel_override",
        |url, channel| with_channel(url, channel, &body, timeout.clone()),
    )
}

fn discord(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("discord");
    kitchen
        .sheet
        .drop_all(&["discord_http_proxy", "discord_https_proxy"], "a destination has no proxy of its own");
    let content = match kitchen.constant("discord_emoji_title") {
        Some(Yaml::Text(emoji)) => format!("{emoji} {{{{ headline }}}} {emoji}"),
        _ => "{{ headline }}".into(),
    };
    let footer = members([
        ("text", kitchen.constant("discord_embed_footer")),
        ("icon_url", kitchen.constant("discord_embed_icon_url")),
    ]);
    let embed = members([
        ("description", Some(Yaml::text("{{ body | cut(4096) }}"))),
        (
            "color",
            Some(kitchen.value("discord_embed_color").unwrap_or_else(|| Yaml::Number("16777215".into()))),
        ),
        ("footer", (!footer.is_empty()).then_some(Yaml::Map(footer))),
    ]);
    let body = Yaml::map([("content", Yaml::Text(content)), ("embeds", Yaml::List(vec![Yaml::Map(embed)]))]);
    let urls = kitchen.secrets_of("discord_webhook_url", "DISCORD_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}

fn googlechat(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("googlechat");
    let is_card = kitchen.sheet.text("googlechat_format").as_deref() == Some("card");
    kitchen.sheet.carried("googlechat_format", "in the destination's request");
    let body = if is_card {
        let header = members([
            ("title", kitchen.constant("googlechat_header_title")),
            ("subtitle", kitchen.constant("googlechat_header_subtitle")),
            ("imageUrl", kitchen.constant("googlechat_header_image")),
        ]);
        let text = Yaml::from(json!({ "widgets": [{ "textParagraph": { "text": "{{ body }}" } }] }));
        let mut sections = vec![text];
        if let Some(link) = kitchen.constant("googlechat_footer_kibanalink") {
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
    let urls = kitchen.secrets_of("googlechat_webhook_url", "GOOGLECHAT_WEBHOOK_URL");
    urls.into_iter()
        .map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).plain().made())
        .collect()
}

/// HipChat's API v2, "Send room notification".
fn hipchat(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("hipchat");
    kitchen.needs(&["hipchat_auth_token", "hipchat_room_id"]);
    let domain = kitchen.sheet.text("hipchat_domain").unwrap_or_else(|| "api.hipchat.com".into());
    kitchen.sheet.carried("hipchat_domain", "in the destination's address");
    let Some(room) = kitchen.sheet.text("hipchat_room_id") else { return Vec::new() };
    kitchen.sheet.changed(
        "hipchat_room_id",
        "in the destination's address; HipChat ended in 2019: point the destination at what took its place",
    );
    let url = Yaml::Text(format!("https://{domain}/v2/room/{room}/notification"));
    let Some(token) = kitchen.secret("hipchat_auth_token", "HIPCHAT_AUTH_TOKEN") else { return Vec::new() };
    let notify = kitchen.value("hipchat_notify").unwrap_or(Yaml::Bool(true));
    if kitchen.sheet.text("hipchat_message_format").as_deref() == Some("text") {
        kitchen.sheet.carried("hipchat_message_format", "in the destination's request");
    } else {
        kitchen.sheet.changed(
            "hipchat_message_format",
            "`text`: the texts are plain, and HTML would show as it is written",
        );
    }
    let mentions: String = kitchen
        .sheet
        .texts("hipchat_mentions")
        .unwrap_or_default()
        .iter()
        .map(|name| format!("@{name} "))
        .collect();
    kitchen.sheet.carried("hipchat_mentions", "before the message");
    let Yaml::Text(mentions) = literal(&mentions) else { return Vec::new() };
    let body = members([
        ("from", kitchen.constant("hipchat_from")),
        ("color", Some(kitchen.constant_or("hipchat_message_color", "red"))),
        ("message_format", Some(Yaml::text("text"))),
        ("message", Some(Yaml::Text(format!("{mentions}{{{{ body | cut(9000) }}}}")))),
        ("notify", Some(notify)),
    ]);
    let webhook = Webhook::json(url, Yaml::Map(body)).auth(Yaml::map([("bearer", token)]));
    vec![webhook.plain().timeout(timeout).made()]
}

fn gitter(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("gitter");
    let body = Yaml::map([
        ("message", Yaml::text("{{ body }}")),
        ("level", kitchen.constant_or("gitter_msg_level", "error")),
    ]);
    let urls = kitchen.secrets_of("gitter_webhook_url", "GITTER_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}

fn matrixhookshot(kitchen: &mut Kitchen<'_>) -> Vec<Yaml> {
    let timeout = kitchen.plumbing("matrixhookshot");
    let text = kitchen.constant_or("matrixhookshot_text", "{{ body }}");
    let body = Yaml::Map(members([
        ("text", Some(text)),
        ("username", kitchen.constant("matrixhookshot_username")),
        ("html", kitchen.constant("matrixhookshot_html")),
    ]));
    let urls = kitchen.secrets_of("matrixhookshot_webhook_url", "MATRIXHOOKSHOT_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}
