//! Chat rooms and channels.
use super::alerter::{Alerter, Make};
use super::context::{Context, by_severity, is_address, members};
use super::destination::{Destination, Webhook};
use super::slack::each;
use crate::mask::tokens;
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

/// What a text may consist of to be a mention.
const MENTIONS: &[&str] = &["@"];

fn mattermost(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("mattermost");
    let params = members([
        ("username", context.plain("mattermost_username_override")),
        ("icon_url", context.plain("mattermost_icon_url_override")),
        ("icon_emoji", context.emoji("mattermost_emoji_override")),
        ("pretext", context.constant("mattermost_msg_pretext")),
        ("color", context.colour("mattermost_msg_color")),
        ("fields", context.fields("mattermost_msg_fields", true)),
        ("author_name", context.plain("mattermost_author_name")),
        ("author_link", context.plain("mattermost_author_link")),
        ("author_icon", context.plain("mattermost_author_icon")),
        ("image_url", context.plain("mattermost_image_url")),
        ("thumb_url", context.plain("mattermost_thumb_url")),
        ("footer", context.constant("mattermost_footer")),
        ("footer_icon", context.plain("mattermost_footer_icon")),
    ]);
    let options = &mut *context.options;
    options.dropped("mattermost_title", "the title is the rule's `alert.title`");
    options.dropped(
        "mattermost_title_link",
        "the link opens the documents in Kibana, if the cluster has `kibana:`",
    );
    each(
        context,
        "mattermost_webhook_url",
        "MATTERMOST_WEBHOOK_URL",
        "mattermost_channel_override",
        |url, channel| in_channel("mattermost", url, channel.map(String::from), &params, timeout.clone()),
    )
}

fn in_channel(
    product: &'static str,
    url: Yaml,
    channel: Option<String>,
    params: &[(String, Yaml)],
    timeout: Option<String>,
) -> Destination {
    let channel = channel.map(|channel| ("channel".to_string(), Yaml::Text(channel)));
    let params = channel.into_iter().chain(params.iter().cloned()).collect();
    Destination::new(product, url).params(params).timeout(timeout)
}

fn rocketchat(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("rocket_chat");
    let params = members([
        ("alias", context.plain("rocket_chat_username_override")),
        ("emoji", context.emoji("rocket_chat_emoji_override")),
        ("mention", context.mention("rocket_chat_text_string", MENTIONS)),
        ("color", context.colour("rocket_chat_msg_color")),
        ("fields", context.fields("rocket_chat_alert_fields", true)),
    ]);
    each(
        context,
        "rocket_chat_webhook_url",
        "ROCKET_CHAT_WEBHOOK_URL",
        "rocket_chat_channel_override",
        |url, channel| {
            let channel = channel.map(|channel| match channel.starts_with(['#', '@']) {
                true => channel.to_string(),
                // Rocket.Chat takes a name without `#` for the ID of a room.
                false => format!("#{channel}"),
            });
            in_channel("rocket-chat", url, channel, &params, timeout.clone())
        },
    )
}

fn discord(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("discord");
    context
        .options
        .drop_all(&["discord_http_proxy", "discord_https_proxy"], "destinations have no proxy setting");
    context.options.dropped("discord_emoji_title", "the title is the rule's `alert.title`: write it there");
    let color = context.options.text("discord_embed_color").and_then(|text| {
        let number = text.parse::<u32>().ok().filter(|number| *number <= 0x00FF_FFFF);
        match number {
            Some(number) => {
                context.options.carried("discord_embed_color", "`params.color`, until the episode is over");
                Some(Yaml::Text(format!("#{number:06x}")))
            }
            None => {
                let why = "not the number of a colour: the colour follows the severity";
                context.options.dropped("discord_embed_color", why);
                None
            }
        }
    });
    let params = members([
        ("color", color),
        ("footer", context.constant("discord_embed_footer")),
        ("footer_icon", context.plain("discord_embed_icon_url")),
    ]);
    let urls = context.secrets_of("discord_webhook_url", "DISCORD_WEBHOOK_URL");
    urls.into_iter()
        .map(|url| Destination::new("discord", url).params(params.clone()).timeout(timeout.clone()))
        .collect()
}

fn googlechat(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("googlechat");
    match context.options.text("googlechat_format").as_deref() {
        Some("card") => context.options.carried("googlechat_format", "messages are cards"),
        _ => context.options.changed("googlechat_format", "messages are cards"),
    }
    context.options.dropped("googlechat_header_title", "the title is the rule's `alert.title`");
    context.options.dropped(
        "googlechat_footer_kibanalink",
        "the link opens the documents in Kibana, if the cluster has `kibana:`",
    );
    let image = context.options.text("googlechat_header_image").and_then(|url| {
        if url.starts_with("https://") || !tokens(&url).is_empty() {
            return context.plain("googlechat_header_image");
        }
        context.options.dropped("googlechat_header_image", "Google Chat shows pictures of `https://` alone");
        None
    });
    let params = members([("subtitle", context.constant("googlechat_header_subtitle")), ("image", image)]);
    let urls = context.secrets_of("googlechat_webhook_url", "GOOGLECHAT_WEBHOOK_URL");
    urls.into_iter()
        .map(|url| Destination::new("google-chat", url).params(params.clone()).timeout(timeout.clone()))
        .collect()
}

fn hipchat(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("hipchat");
    if context.needs(&["hipchat_auth_token", "hipchat_room_id"]).is_none() {
        return Vec::new();
    }
    let domain = context.options.text("hipchat_domain").unwrap_or_else(|| "api.hipchat.com".into());
    context.options.carried("hipchat_domain", "in the destination's address");
    if !is_address(&domain) || domain.contains("://") {
        return context.refuse("hipchat_domain", "not the name of a host");
    }
    let Some(room) = context.options.text("hipchat_room_id") else { return Vec::new() };
    context.options.changed(
        "hipchat_room_id",
        "`params.room`; HipChat shut down in 2019: point the destination at a compatible server",
    );
    let Some(token) = context.secret("hipchat_auth_token", "HIPCHAT_AUTH_TOKEN") else { return Vec::new() };
    let notify = context.options.flag("hipchat_notify").filter(|notify| !notify);
    context.options.carried("hipchat_notify", "`params.notify`");
    context.options.changed("hipchat_message_format", "messages are HTML, in which values are escaped");
    let mentions = context.options.texts("hipchat_mentions").unwrap_or_default();
    let mentions: Vec<String> = mentions.iter().map(|name| format!("@{name}")).collect();
    context.options.carried("hipchat_mentions", "`params.mention`, in a message of its own");
    let colours = &["yellow", "green", "red", "purple", "gray", "random"];
    let params = members([
        ("room", Some(Yaml::Text(room.clone()))),
        ("from", context.plain("hipchat_from")),
        ("color", context.one_of("hipchat_message_color", colours)),
        ("notify", notify.map(|_| Yaml::List(Vec::new()))),
        ("mention", (!mentions.is_empty()).then(|| by_severity(&Yaml::Text(mentions.join(" "))))),
    ]);
    let made = Destination::new("hipchat", Yaml::Text(format!("https://{domain}")));
    let made = made.auth(Some(Yaml::map([("bearer", token)]))).params(params).timeout(timeout);
    vec![made.about(Some(&room))]
}

fn gitter(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("gitter");
    let body = Yaml::map([
        ("message", Yaml::text("{{ body }}")),
        ("level", context.constant_or("gitter_msg_level", "error")),
    ]);
    let urls = context.secrets_of("gitter_webhook_url", "GITTER_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}

fn matrixhookshot(context: &mut Context<'_>) -> Vec<Destination> {
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
