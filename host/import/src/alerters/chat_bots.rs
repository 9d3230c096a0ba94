//! Bots of chat products, whose URL or header contains the key.
use serde_json::json;

use super::alerter::{Alerter, Make};
use super::context::{Context, Webhook, literal, members};
use crate::node::{Data, Node};
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
];

fn of(body: serde_json::Value) -> Yaml {
    Yaml::from(body)
}

fn telegram(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("telegram");
    let host = context.options.text("telegram_api_url").unwrap_or_else(|| "api.telegram.org".into());
    context.options.carried("telegram_api_url", "part of the URL in the variable");
    let how = format!("`https://{host}/bot{{}}`, with the bot's token");
    let url = context.secret_as("telegram_bot_token", "TELEGRAM_BOT_URL", Some(&how));
    context.needs(&["telegram_room_id"]);
    let room = context.constant("telegram_room_id");
    context.options.changed(
        "telegram_parse_mode",
        "none: the text is sent as is, because Telegram rejects a message with foreign markup",
    );
    let body = members([
        ("chat_id", room),
        ("message_thread_id", context.value("telegram_thread_id")),
        ("text", Some(Yaml::text("⚠ {{ headline | cut(300) }} ⚠\n{{ body | cut(3700) }}"))),
        ("disable_web_page_preview", Some(Yaml::Bool(true))),
    ]);
    let Some(url) = url else { return Vec::new() };
    let webhook = Webhook::json(url, Yaml::Map(body)).timeout(timeout).plain();
    vec![Webhook { path: Some(Yaml::text("/sendMessage")), ..webhook }.made()]
}

fn dingtalk(context: &mut Context<'_>) -> Vec<Yaml> {
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

fn lark(context: &mut Context<'_>) -> Vec<Yaml> {
    let how = "`https://open.feishu.cn/open-apis/bot/v2/hook/{}`, with the bot's id";
    let Some(url) = context.secret_as("lark_bot_id", "LARK_WEBHOOK_URL", Some(how)) else {
        return Vec::new();
    };
    let kind = context.constant_or("lark_msgtype", "text");
    let content = of(json!({ "title": "{{ headline }}", "text": "{{ body }}" }));
    vec![Webhook::json(url, Yaml::map([("msg_type", kind), ("content", content)])).plain().made()]
}

fn workwechat(context: &mut Context<'_>) -> Vec<Yaml> {
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

fn yzj(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("yzj");
    let Some(token) = context.secret("yzj_token", "YZJ_TOKEN") else { return Vec::new() };
    let host = context.options.text("yzj_custom_loc").unwrap_or_else(|| "www.yunzhijia.com".into());
    context.options.carried("yzj_custom_loc", "in the destination's address");
    let kind = context.value("yzj_type").unwrap_or(Yaml::Number("0".into()));
    let url = Yaml::Text(format!("https://{host}/gateway/robot/webhook/send"));
    let webhook =
        Webhook::json(url, of(json!({ "content": "{{ body }}" }))).auth(in_query("yzjtoken", token)).plain();
    vec![Webhook { query: vec![("yzjtype".into(), kind)], ..webhook.timeout(timeout) }.made()]
}

fn line(context: &mut Context<'_>) -> Vec<Yaml> {
    context.needs(&["line_to"]);
    let to = context.constant("line_to");
    let Some(token) = context.secret("line_channel_access_token", "LINE_CHANNEL_ACCESS_TOKEN") else {
        return Vec::new();
    };
    let messages = of(json!([{ "type": "text", "text": "{{ body | cut(4800) }}" }]));
    let body = Yaml::Map(members([("to", to), ("messages", Some(messages))]));
    let url = Yaml::text("https://api.line.me/v2/bot/message/push");
    vec![Webhook::json(url, body).auth(Yaml::map([("bearer", token)])).plain().made()]
}

fn webex(context: &mut Context<'_>) -> Vec<Yaml> {
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

fn chatwork(context: &mut Context<'_>) -> Vec<Yaml> {
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

fn power_automate(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("ms_power_automate");
    let summary = context.constant_or("ms_power_automate_alert_summary", "{{ headline }}");
    let size = context.constant_or("ms_power_automate_summary_text_size", "large");
    let heading = Yaml::map([
        ("type", Yaml::text("TextBlock")),
        ("text", summary),
        ("weight", Yaml::text("Bolder")),
        ("wrap", Yaml::Bool(true)),
        ("size", size),
    ]);
    let text = members([
        ("type", Some(Yaml::text("TextBlock"))),
        ("text", Some(Yaml::text("{{ body }}"))),
        ("spacing", Some(Yaml::text("Large"))),
        ("wrap", Some(Yaml::Bool(true))),
        ("size", context.constant("ms_power_automate_body_text_size")),
    ]);
    let mut blocks = vec![heading, Yaml::Map(text)];
    if let Some(facts) = context.options.node("ms_power_automate_alert_facts") {
        let facts = facts_of(context, &facts);
        context.told_fields("ms_power_automate_alert_facts");
        blocks.push(Yaml::map([("type", Yaml::text("FactSet")), ("facts", Yaml::List(facts))]));
    }
    let full = context.options.flag("ms_power_automate_teams_card_width_full") == Some(true);
    context.options.carried("ms_power_automate_teams_card_width_full", "in the destination's request");
    context.options.dropped(
        "ms_power_automate_webhook_url_from_field",
        "a destination has one address: a document cannot choose where messages go",
    );
    let content = members([
        // As a member name, `$schema` would be read as an operator of the request's template.
        ("type", Some(Yaml::text("AdaptiveCard"))),
        ("version", Some(Yaml::text("1.4"))),
        ("body", Some(Yaml::List(blocks))),
        ("msteams", full.then(|| Yaml::map([("width", Yaml::text("Full"))]))),
    ]);
    let attachment = Yaml::map([
        ("contentType", Yaml::text("application/vnd.microsoft.card.adaptive")),
        ("content", Yaml::Map(content)),
    ]);
    let body = Yaml::map([("type", Yaml::text("message")), ("attachments", Yaml::List(vec![attachment]))]);
    let urls = context.secrets_of("ms_power_automate_webhook_url", "MS_POWER_AUTOMATE_WEBHOOK_URL");
    urls.into_iter().map(|url| Webhook::json(url, body.clone()).timeout(timeout.clone()).made()).collect()
}

fn facts_of(context: &mut Context<'_>, facts: &Node) -> Vec<Yaml> {
    let Data::List(items) = &facts.data else { return Vec::new() };
    items
        .iter()
        .filter_map(|fact| {
            let name = literal(&fact.get("name")?.text()?);
            let value = context.field(&fact.get("value")?.text()?);
            Some(Yaml::map([("title", name), ("value", value)]))
        })
        .collect()
}
