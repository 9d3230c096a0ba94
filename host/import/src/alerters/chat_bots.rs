//! Bots of chat products, whose URL or header contains the key.
use serde_json::json;

use super::alerter::{Alerter, Make};
use super::context::{Context, is_address, members};
use super::destination::{Destination, Webhook};
use crate::mask::{lone_token, tokens};
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
        name: "telegram",
        also: &[],
        options: &[
            "telegram_bot_token",
            "telegram_room_id",
            "telegram_api_url",
            "telegram_proxy",
            "telegram_proxy_login",
            "telegram_proxy_pass",
            "telegram_parse_mode",
            "telegram_thread_id",
        ],
        make: Make::Destinations(telegram),
    },
    Alerter {
        name: "dingtalk",
        also: &[],
        options: &[
            "dingtalk_access_token",
            "dingtalk_sign",
            "dingtalk_msgtype",
            "dingtalk_single_title",
            "dingtalk_single_url",
            "dingtalk_btn_orientation",
            "dingtalk_btns",
            "dingtalk_proxy",
            "dingtalk_proxy_login",
            "dingtalk_proxy_pass",
        ],
        make: Make::Destinations(dingtalk),
    },
    Alerter {
        name: "lark",
        also: &[],
        options: &["lark_bot_id", "lark_msgtype"],
        make: Make::Destinations(lark),
    },
    Alerter {
        name: "workwechat",
        also: &[],
        options: &["work_wechat_bot_id", "work_wechat_msgtype"],
        make: Make::Destinations(workwechat),
    },
    Alerter {
        name: "yzj",
        also: &[],
        options: &["yzj_token", "yzj_type", "yzj_proxy", "yzj_custom_loc"],
        make: Make::Destinations(yzj),
    },
    Alerter {
        name: "line",
        also: &[],
        options: &["line_channel_access_token", "line_to"],
        make: Make::Destinations(line),
    },
    Alerter {
        name: "linenotify",
        also: &[],
        options: &["linenotify_access_token"],
        make: Make::Destinations(linenotify),
    },
    Alerter {
        name: "webex_webhook",
        also: &["webex_incoming"],
        options: &[
            "webex_webhook_id",
            "webex_webhook_msgtype",
            "webex_incoming_webhook_id",
            "webex_incoming_msgtype",
        ],
        make: Make::Destinations(webex),
    },
    Alerter {
        name: "chatwork",
        also: &[],
        options: &[
            "chatwork_apikey",
            "chatwork_room_id",
            "chatwork_proxy",
            "chatwork_proxy_login",
            "chatwork_proxy_pass",
        ],
        make: Make::Destinations(chatwork),
    },
];

fn of(body: serde_json::Value) -> Yaml {
    Yaml::from(body)
}

fn telegram(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("telegram");
    if context.needs(&["telegram_bot_token", "telegram_room_id"]).is_none() {
        return Vec::new();
    }
    let Some(room) = context.options.text("telegram_room_id") else { return Vec::new() };
    let digits = room.strip_prefix('-').unwrap_or(&room);
    let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = room.strip_prefix('@').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    if !is_id && !is_name && tokens(&room).is_empty() {
        return context.refuse("telegram_room_id", "not a chat: its ID, or `@name` of a public group");
    }
    context.options.carried("telegram_room_id", "`params.chat`");
    let topic = context.options.text("telegram_thread_id");
    let topic = topic.filter(|topic| topic.parse::<i64>().is_ok() || lone_token(topic).is_some());
    match topic {
        Some(_) => context.options.carried("telegram_thread_id", "`params.topic`"),
        None => context.options.dropped("telegram_thread_id", "not the ID of a topic, which is a number"),
    }
    let host = context.options.text("telegram_api_url").unwrap_or_else(|| "api.telegram.org".into());
    context.options.carried("telegram_api_url", "part of the URL in the variable");
    context.options.changed("telegram_parse_mode", "HTML, in which values are escaped");
    let how = format!("`https://{host}/bot{{}}`, with the bot's token");
    let Some(url) = context.secret_as("telegram_bot_token", "TELEGRAM_BOT_URL", Some(&how)) else {
        return Vec::new();
    };
    let topic = topic.map(|topic| match lone_token(&topic) {
        Some(_) => Yaml::Token(topic),
        None => Yaml::Number(topic),
    });
    let params = members([("chat", Some(Yaml::Text(room.clone()))), ("topic", topic)]);
    vec![Destination::new("telegram", url).params(params).timeout(timeout).about(Some(&room))]
}

fn dingtalk(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("dingtalk");
    if context.options.node("dingtalk_sign").is_some() {
        context.options.dropped("dingtalk_sign", "each request would need a timestamped signature: let the bot identify its callers by keyword or address instead");
    }
    let kind = context.options.text("dingtalk_msgtype").unwrap_or_else(|| "text".into());
    context.options.carried("dingtalk_msgtype", "in the destination's request");
    let title_and_text = |more: Vec<(String, Yaml)>| {
        let base = [
            ("title".to_string(), Yaml::text("{{ headline }}")),
            ("text".to_string(), Yaml::text("{{ body }}")),
        ];
        Yaml::Map(base.into_iter().chain(more).collect())
    };
    let (kind, name, inner) = match kind.as_str() {
        "markdown" => ("markdown", "markdown", title_and_text(vec![])),
        "single_action_card" => {
            let more = members([
                ("singleTitle", Some(context.constant_or("dingtalk_single_title", "elastalert"))),
                ("singleURL", context.constant("dingtalk_single_url")),
            ]);
            ("actionCard", "actionCard", title_and_text(more))
        }
        "action_card" => {
            let more = members([
                ("btnOrientation", context.constant("dingtalk_btn_orientation")),
                ("btns", context.value("dingtalk_btns")),
            ]);
            ("actionCard", "actionCard", title_and_text(more))
        }
        _ => ("text", "text", of(json!({ "content": "{{ body }}" }))),
    };
    let Some(token) = context.secret("dingtalk_access_token", "DINGTALK_ACCESS_TOKEN") else {
        return Vec::new();
    };
    let body = Yaml::map([("msgtype", Yaml::text(kind)), (name, inner)]);
    let url = Yaml::text("https://oapi.dingtalk.com/robot/send");
    let webhook = Webhook::json(url, body).auth(in_query("access_token", token)).timeout(timeout);
    vec![webhook.plain_unless(kind != "text").made()]
}

fn in_query(name: &str, value: Yaml) -> Yaml {
    Yaml::map([("query", Yaml::map([("name", Yaml::text(name)), ("value", value)]))])
}

fn lark(context: &mut Context<'_>) -> Vec<Destination> {
    let how = "`https://open.feishu.cn/open-apis/bot/v2/hook/{}`, with the bot's id";
    let Some(url) = context.secret_as("lark_bot_id", "LARK_WEBHOOK_URL", Some(how)) else {
        return Vec::new();
    };
    let kind = context.constant_or("lark_msgtype", "text");
    let content = of(json!({ "title": "{{ headline }}", "text": "{{ body }}" }));
    vec![Webhook::json(url, Yaml::map([("msg_type", kind), ("content", content)])).plain().made()]
}

fn workwechat(context: &mut Context<'_>) -> Vec<Destination> {
    let Some(key) = context.secret("work_wechat_bot_id", "WORK_WECHAT_BOT_KEY") else { return Vec::new() };
    let kind = match context.options.text("work_wechat_msgtype").as_deref() {
        Some("markdown") => "markdown",
        _ => "text",
    };
    context.options.carried("work_wechat_msgtype", "in the destination's request");
    let body = Yaml::map([("msgtype", Yaml::text(kind)), (kind, of(json!({ "content": "{{ body }}" })))]);
    let url = Yaml::text("https://qyapi.weixin.qq.com/cgi-bin/webhook/send");
    vec![Webhook::json(url, body).auth(in_query("key", key)).plain_unless(kind == "markdown").made()]
}

fn yzj(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("yzj");
    let Some(token) = context.secret("yzj_token", "YZJ_TOKEN") else { return Vec::new() };
    let host = context.options.text("yzj_custom_loc").unwrap_or_else(|| "www.yunzhijia.com".into());
    context.options.carried("yzj_custom_loc", "in the destination's address");
    if !is_address(&host) || host.contains("://") {
        return context.refuse("yzj_custom_loc", "not the name of a host");
    }
    let kind = context.constant("yzj_type").unwrap_or(Yaml::Number("0".into()));
    let url = Yaml::Text(format!("https://{host}/gateway/robot/webhook/send"));
    let webhook =
        Webhook::json(url, of(json!({ "content": "{{ body }}" }))).auth(in_query("yzjtoken", token)).plain();
    vec![Webhook { query: vec![("yzjtype".into(), kind)], ..webhook.timeout(timeout) }.made()]
}

fn line(context: &mut Context<'_>) -> Vec<Destination> {
    if context.needs(&["line_channel_access_token", "line_to"]).is_none() {
        return Vec::new();
    }
    let Some(to) = context.options.text("line_to") else { return Vec::new() };
    let is_id = to.len() == 33
        && to.starts_with(['U', 'C', 'R'])
        && to[1..].bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_id && tokens(&to).is_empty() {
        return context.refuse("line_to", "not the ID of a user, group or room: `U…`, `C…` or `R…`");
    }
    context.options.carried("line_to", "`params.to`");
    let Some(token) = context.secret("line_channel_access_token", "LINE_CHANNEL_ACCESS_TOKEN") else {
        return Vec::new();
    };
    vec![of_line(token, &to)]
}

/// LINE Notify ended in March 2025. Its tokens are worth nothing to its successor.
fn linenotify(context: &mut Context<'_>) -> Vec<Destination> {
    context.options.changed(
        "linenotify_access_token",
        "LINE Notify ended in March 2025: the destination uses the Messaging API, which needs the token of a channel \
         (the variable LINE_CHANNEL_ACCESS_TOKEN) and whom to notify (the token LINE_TO)",
    );
    let what = "the access token of a channel of LINE's Messaging API";
    vec![of_line(context.secrets.new_reference("LINE_CHANNEL_ACCESS_TOKEN", what), "@@LINE_TO@@")]
}

fn of_line(token: Yaml, to: &str) -> Destination {
    let made = Destination::new("line", Yaml::text("https://api.line.me"));
    made.auth(Some(Yaml::map([("bearer", token)]))).params(vec![("to".into(), Yaml::text(to))])
}

fn webex(context: &mut Context<'_>) -> Vec<Destination> {
    let prefix =
        if context.options.has("webex_incoming_webhook_id") { "webex_incoming" } else { "webex_webhook" };
    let (id, kind) = match prefix {
        "webex_incoming" => ("webex_incoming_webhook_id", "webex_incoming_msgtype"),
        _ => ("webex_webhook_id", "webex_webhook_msgtype"),
    };
    let how = "`https://webexapis.com/v1/webhooks/incoming/{}`, with the webhook's id";
    let Some(url) = context.secret_as(id, "WEBEX_WEBHOOK_URL", Some(how)) else { return Vec::new() };
    let markdown = context.options.text(kind).as_deref() == Some("markdown");
    context.options.carried(kind, "in the destination's request");
    let name = if markdown { "markdown" } else { "text" };
    let webhook = Webhook::json(url, Yaml::map([(name, Yaml::text("{{ body }}"))]));
    vec![webhook.plain_unless(markdown).made()]
}

fn chatwork(context: &mut Context<'_>) -> Vec<Destination> {
    let timeout = context.plumbing("chatwork");
    context.needs(&["chatwork_room_id"]);
    let room = context.options.text("chatwork_room_id").unwrap_or_default();
    context.options.carried("chatwork_room_id", "in the destination's address");
    let Some(key) = context.secret("chatwork_apikey", "CHATWORK_APIKEY") else { return Vec::new() };
    let header =
        Yaml::map([("header", Yaml::map([("name", Yaml::text("X-ChatWorkToken")), ("value", key)]))]);
    let url = Yaml::Text(format!("https://api.chatwork.com/v2/rooms/{room}/messages"));
    let form = Yaml::map([
        ("self_unread", Yaml::Number("0".into())),
        ("body", Yaml::text("{{ body | cut(2000) }}")),
    ]);
    vec![Webhook::form(url, form).auth(header).timeout(timeout).plain().made()]
}
