//! Generic HTTP receivers.
use super::alerter::{Alerter, Make};
use super::context::{Context, Webhook, constants, is_secret, members};
use crate::node::{Data, Node};
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
        name: "post",
        also: &[],
        options: &[
            "http_post_url",
            "http_post_proxy",
            "http_post_ca_certs",
            "http_post_ignore_ssl_errors",
            "http_post_timeout",
            "http_post_payload",
            "http_post_static_payload",
            "http_post_all_values",
            "http_post_headers",
        ],
        make: Make::Destinations(post),
    },
    Alerter {
        name: "post2",
        also: &[],
        options: &[
            "http_post2_url",
            "http_post2_proxy",
            "http_post2_ca_certs",
            "http_post2_ignore_ssl_errors",
            "http_post2_timeout",
            "http_post2_payload",
            "http_post2_raw_fields",
            "http_post2_all_values",
            "http_post2_headers",
        ],
        make: Make::Destinations(post2),
    },
    Alerter {
        name: "gelf",
        also: &[],
        options: &[
            "gelf_type",
            "gelf_endpoint",
            "gelf_host",
            "gelf_port",
            "gelf_payload",
            "gelf_version",
            "gelf_log_level",
            "gelf_http_headers",
            "gelf_ca_cert",
            "gelf_http_ignore_ssl_errors",
            "gelf_timeout",
        ],
        make: Make::Destinations(gelf),
    },
    Alerter {
        name: "datadog",
        also: &[],
        options: &["datadog_api_key", "datadog_app_key", "datadog_api_url"],
        make: Make::Destinations(datadog),
    },
    Alerter {
        name: "smseagle",
        also: &[],
        options: &[
            "smseagle_url",
            "smseagle_token",
            "smseagle_message_type",
            "smseagle_text",
            "smseagle_to",
            "smseagle_contacts",
            "smseagle_groups",
            "smseagle_duration",
            "smseagle_voice_id",
        ],
        make: Make::Destinations(smseagle),
    },
    Alerter {
        name: "twilio",
        also: &[],
        options: &[
            "twilio_account_sid",
            "twilio_auth_token",
            "twilio_to_number",
            "twilio_from_number",
            "twilio_message_service_sid",
            "twilio_use_copilot",
        ],
        make: Make::Destinations(twilio),
    },
];

fn post(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("http_post");
    let mut body = Vec::new();
    if let Some(node) = context.options.node("http_post_payload") {
        for entry in node.entries() {
            if let Some(field) = entry.value.text() {
                body.push((entry.key.clone(), context.field(&field)));
            }
        }
        context.told_fields("http_post_payload");
    }
    let all = context.options.flag("http_post_all_values").unwrap_or(body.is_empty());
    if let Some(node) = context.options.node("http_post_static_payload") {
        let (secret, plain): (Vec<_>, Vec<_>) =
            node.entries().iter().partition(|entry| is_secret(&entry.key));
        body.extend(plain.iter().map(|entry| (entry.key.clone(), constants(&entry.value))));
        if secret.is_empty() {
            context.options.carried("http_post_static_payload", "in the destination's request");
        } else {
            let names: Vec<String> = secret.iter().map(|entry| format!("`{}`", entry.key)).collect();
            let what = format!("in the destination's request, without {}: {NO_SECRET}", names.join(", "));
            context.options.changed("http_post_static_payload", what);
        }
    }
    request(context, "http_post", body, all, timeout)
}

fn post2(context: &mut Context<'_>) -> Vec<Yaml> {
    let timeout = context.plumbing("http_post2");
    let mut body = Vec::new();
    if let Some(node) = context.options.node("http_post2_payload") {
        match of_jinja(context, &node) {
            Ok(Yaml::Map(entries)) => {
                body = entries;
                context.told_fields("http_post2_payload");
            }
            Ok(_) => {
                context.options.dropped(
                    "http_post2_payload",
                    "the template writes JSON itself; write a map instead, which no value can break",
                );
                return Vec::new();
            }
            Err(why) => {
                context.options.dropped("http_post2_payload", why);
                return Vec::new();
            }
        }
    }
    let all = context.options.flag("http_post2_all_values").unwrap_or(false);
    if let Some(node) = context.options.node("http_post2_raw_fields") {
        for entry in node.entries() {
            if let Some(field) = entry.value.text() {
                body.push((entry.key.clone(), context.field(&field)));
            }
        }
        context.told_fields("http_post2_raw_fields");
    }
    request(context, "http_post2", body, all, timeout)
}

const NO_SECRET: &str = "a request body cannot hold secrets; use a header, as the destination's `auth`";

fn of_jinja(context: &mut Context<'_>, node: &Node) -> Result<Yaml, String> {
    Ok(match &node.data {
        Data::Text(text) => Yaml::Text(context.jinja(text)?),
        Data::List(items) => {
            Yaml::List(items.iter().map(|item| of_jinja(context, item)).collect::<Result<_, _>>()?)
        }
        Data::Map(entries) => {
            let member = |entry: &crate::node::Entry, context: &mut Context<'_>| {
                if entry.key.contains("{{") || entry.key.starts_with('$') {
                    return Err(format!(
                        "the key `{}` is a template; keys cannot be templates here",
                        entry.key
                    ));
                }
                if is_secret(&entry.key) {
                    return Err(format!("`{}`: {NO_SECRET}", entry.key));
                }
                Ok((entry.key.clone(), of_jinja(context, &entry.value)?))
            };
            Yaml::Map(entries.iter().map(|entry| member(entry, context)).collect::<Result<_, _>>()?)
        }
        _ => constants(node),
    })
}

/// What `post` and `post2` have in common.
fn request(
    context: &mut Context<'_>,
    prefix: &str,
    body: Vec<(String, Yaml)>,
    all: bool,
    timeout: Option<String>,
) -> Vec<Yaml> {
    let of = |name: &str| format!("{prefix}_{name}");
    let what = "the message's own fields: `details` holds what the rule reports, in place of the document";
    context.options.changed(&of("all_values"), what);
    let body = if all {
        let own = [
            ("rule", "{{ rule }}"),
            ("title", "{{ title }}"),
            ("body", "{{ body }}"),
            ("labels", "{{ label }}"),
            ("details", "{{ details }}"),
            ("at", "{{ at }}"),
        ];
        own.into_iter().map(|(name, text)| (name.to_string(), Yaml::text(text))).chain(body).collect()
    } else {
        body
    };
    let (headers, auth) = headers(context, &of("headers"));
    let variable = of("url").to_uppercase();
    let urls = context.secrets_of(&of("url"), &variable);
    let made = urls.into_iter().map(|url| {
        let webhook = Webhook::json(url, Yaml::Map(body.clone())).timeout(timeout.clone());
        Webhook { headers: headers.clone(), auth: auth.clone(), ..webhook }.made()
    });
    made.collect()
}

/// Headers of a request; one that holds a key becomes the destination's `auth`.
fn headers(context: &mut Context<'_>, option: &str) -> (Vec<(String, Yaml)>, Option<Yaml>) {
    let Some(node) = context.options.node(option) else { return (Vec::new(), None) };
    let (mut plain, mut auth, mut dropped) = (Vec::new(), None, Vec::new());
    for entry in node.entries() {
        let name = entry.key.to_lowercase();
        let secret = is_secret(&name) || name.contains("key");
        if secret && auth.is_none() {
            let variable = crate::secrets::snake(&format!("{option}_{}", entry.key));
            let value =
                context.secrets.reference(&variable, &format!("{option}.{}", entry.key), &entry.value, None);
            auth = Some(Yaml::map([(
                "header",
                Yaml::map([("name", Yaml::text(entry.key.clone())), ("value", value)]),
            )]));
        } else if secret {
            dropped.push(format!("`{}`", entry.key));
        } else if !matches!(name.as_str(), "content-type" | "accept" | "content-length") {
            plain.push((entry.key.clone(), constants(&entry.value)));
        }
    }
    if dropped.is_empty() {
        context
            .options
            .carried(option, "the destination's headers; a header with a key becomes its `auth`, a variable");
    } else {
        context.options.changed(
            option,
            format!(
                "the destination's headers and `auth`, without {}: a destination has one secret",
                dropped.join(", ")
            ),
        );
    }
    (plain, auth)
}

fn gelf(context: &mut Context<'_>) -> Vec<Yaml> {
    if context.options.text("gelf_type").as_deref() == Some("tcp") {
        context
            .options
            .dropped("gelf_type", "Watchbell delivers over HTTP only: add a GELF HTTP input to Graylog");
        context.options.drop_all(&["gelf_host", "gelf_port"], "TCP is not supported");
        return Vec::new();
    }
    context.options.carried("gelf_type", "an HTTP request");
    context.options.drop_all(
        &["gelf_ca_cert", "gelf_http_ignore_ssl_errors"],
        "certificates are always verified against the system's authorities",
    );
    let timeout = context.plumbing("gelf");
    let mut body = members([
        ("version", Some(context.constant_or("gelf_version", "1.1"))),
        ("host", Some(Yaml::text("watchbell"))),
        ("short_message", Some(Yaml::text("{{ headline }}"))),
        ("full_message", Some(Yaml::text("{{ body }}"))),
        ("level", Some(context.value("gelf_log_level").unwrap_or(Yaml::Number("5".into())))),
    ]);
    if let Some(node) = context.options.node("gelf_payload") {
        for entry in node.entries() {
            if let Some(field) = entry.value.text() {
                // GELF has its own names for all but additional fields, which begin with an underscore.
                body.push((format!("_{}", entry.key.trim_start_matches('_')), context.field(&field)));
            }
        }
        context.told_fields("gelf_payload");
    }
    let (headers, auth) = headers(context, "gelf_http_headers");
    let Some(url) = context.address("gelf_endpoint", "GELF_ENDPOINT") else { return Vec::new() };
    let webhook = Webhook::json(url, Yaml::Map(body)).timeout(timeout).plain();
    vec![Webhook { headers, auth, ..webhook }.made()]
}

fn datadog(context: &mut Context<'_>) -> Vec<Yaml> {
    let url = match context.options.has("datadog_api_url") {
        true => context.address("datadog_api_url", "DATADOG_API_URL"),
        false => Some(Yaml::text("https://api.datadoghq.com/api/v1/events")),
    };
    let Some(url) = url else { return Vec::new() };
    context.options.dropped("datadog_app_key", "Datadog accepts events with the API key alone");
    let Some(key) = context.secret("datadog_api_key", "DATADOG_API_KEY") else { return Vec::new() };
    let auth = Yaml::map([("header", Yaml::map([("name", Yaml::text("DD-API-KEY")), ("value", key)]))]);
    let body = Yaml::map([("title", Yaml::text("{{ headline }}")), ("text", Yaml::text("{{ body }}"))]);
    vec![Webhook::json(url, body).auth(auth).plain().made()]
}

fn smseagle(context: &mut Context<'_>) -> Vec<Yaml> {
    context.needs(&["smseagle_message_type"]);
    let kind = context.options.text("smseagle_message_type").unwrap_or_default();
    context.options.carried("smseagle_message_type", "the destination's path");
    let path = match kind.as_str() {
        "ring" => "/api/v2/calls/ring",
        "tts" => "/api/v2/calls/tts",
        "tts_adv" => "/api/v2/calls/tts_advanced",
        _ => "/api/v2/messages/sms",
    };
    let called = matches!(kind.as_str(), "ring" | "tts" | "tts_adv");
    let number = |value: &str| Yaml::Number(value.into());
    let duration = context.value("smseagle_duration").unwrap_or_else(|| number("10"));
    let voice = context.value("smseagle_voice_id").unwrap_or_else(|| number("1"));
    let body = members([
        ("text", Some(context.constant_or("smseagle_text", "{{ body }}"))),
        ("to", context.value("smseagle_to")),
        ("contacts", context.value("smseagle_contacts")),
        ("groups", context.value("smseagle_groups")),
        ("duration", called.then_some(duration)),
        ("voice_id", (kind == "tts_adv").then_some(voice)),
    ]);
    let Some(url) = context.address("smseagle_url", "SMSEAGLE_URL") else { return Vec::new() };
    let Some(token) = context.secret("smseagle_token", "SMSEAGLE_TOKEN") else { return Vec::new() };
    let auth = Yaml::map([("header", Yaml::map([("name", Yaml::text("access-token")), ("value", token)]))]);
    let webhook = Webhook::json(url, Yaml::Map(body)).auth(auth).plain();
    vec![Webhook { path: Some(Yaml::text(path)), ..webhook }.made()]
}

/// Twilio's API, "Create a Message".
fn twilio(context: &mut Context<'_>) -> Vec<Yaml> {
    context.needs(&["twilio_account_sid", "twilio_to_number"]);
    let account = context.options.text("twilio_account_sid").unwrap_or_default();
    context.options.carried("twilio_account_sid", "the destination's address and `auth`");
    context.options.carried("twilio_use_copilot", "if a messaging service is given, it is the sender");
    let form = members([
        ("To", context.constant("twilio_to_number")),
        ("From", context.constant("twilio_from_number")),
        ("MessagingServiceSid", context.constant("twilio_message_service_sid")),
        // ElastAlert sends the title alone.
        ("Body", Some(Yaml::text("{{ headline | cut(1500) }}"))),
    ]);
    let Some(token) = context.secret("twilio_auth_token", "TWILIO_AUTH_TOKEN") else { return Vec::new() };
    let auth =
        Yaml::map([("basic", Yaml::map([("username", Yaml::Text(account.clone())), ("password", token)]))]);
    let url = Yaml::Text(format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Messages.json"));
    vec![Webhook::form(url, Yaml::Map(form)).auth(auth).plain().made()]
}
