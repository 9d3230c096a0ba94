//! Generic HTTP receivers.
use super::alerter::{Alerter, Make};
use super::context::{Context, basic, constants, is_secret, members};
use super::destination::{Destination, Webhook};
use crate::mask::tokens;
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

fn post(context: &mut Context<'_>) -> Vec<Destination> {
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
            node.entries().iter().partition(|entry| is_secret(&entry.key) || has_secret(&entry.value));
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

fn post2(context: &mut Context<'_>) -> Vec<Destination> {
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

/// Whether a member of a tree is a secret by its name.
fn has_secret(node: &Node) -> bool {
    match &node.data {
        Data::List(items) => items.iter().any(has_secret),
        Data::Map(entries) => entries.iter().any(|entry| is_secret(&entry.key) || has_secret(&entry.value)),
        _ => false,
    }
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
) -> Vec<Destination> {
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

fn gelf(context: &mut Context<'_>) -> Vec<Destination> {
    if context.options.text("gelf_type").as_deref() == Some("tcp") {
        context.options.dropped("gelf_type", "there is no GELF over TCP: add a GELF HTTP input to Graylog");
        context.options.drop_all(&["gelf_host", "gelf_port"], "TCP is not supported");
        return Vec::new();
    }
    context.options.carried("gelf_type", "an HTTP request");
    context.options.drop_all(
        &["gelf_ca_cert", "gelf_http_ignore_ssl_errors"],
        "certificates are always verified against the system's authorities",
    );
    let timeout = context.plumbing("gelf");
    let (mut fields, mut odd) = (Vec::new(), Vec::new());
    for entry in context.options.node("gelf_payload").iter().flat_map(Node::entries) {
        // GELF has its own names for all but additional fields, which begin with an underscore.
        let name = format!("_{}", entry.key.trim_start_matches('_'));
        let is_name = name.len() > 1
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
            && name != "_id";
        match entry.value.text().filter(|_| is_name) {
            Some(field) => fields.push((name, context.field(&field))),
            None => odd.push(format!("`{}`", entry.key)),
        }
    }
    context.told_fields("gelf_payload");
    if !odd.is_empty() {
        let what = format!("without {}: GELF has no such additional field", odd.join(", "));
        context.options.changed("gelf_payload", what);
    }
    context.options.carried("gelf_version", "1.1, the only version in use");
    let level = context.level("gelf_log_level", 0, 7);
    let (headers, auth) = headers(context, "gelf_http_headers");
    if !headers.is_empty() {
        context
            .options
            .changed("gelf_http_headers", "`auth` alone: a message to `gelf` has no other headers");
    }
    let Some(url) = context.address("gelf_endpoint", "GELF_ENDPOINT") else { return Vec::new() };
    let (url, path) = match url {
        Yaml::Text(url) => input(&url),
        // The variable holds all of the address.
        secret => (secret, Some(Yaml::text(""))),
    };
    let params = members([
        ("path", path),
        ("level", level),
        ("fields", (!fields.is_empty()).then_some(Yaml::Map(fields))),
    ]);
    vec![Destination::new("gelf", url).auth(auth).params(params).timeout(timeout)]
}

/// The server of an input, and its path unless it is the usual one.
fn input(url: &str) -> (Yaml, Option<Yaml>) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let Some(at) = url[start..].find('/').map(|at| at + start) else {
        // The path of such an address is empty, and not `/gelf`.
        return (Yaml::text(url), Some(Yaml::text("")));
    };
    let (server, path) = url.split_at(at);
    let is_plain = path.split('/').skip(1).all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    });
    match (path, is_plain) {
        ("/gelf", _) => (Yaml::text(server), None),
        (path, true) => (Yaml::text(server), Some(Yaml::text(path))),
        (_, false) => (Yaml::text(url), Some(Yaml::text(""))),
    }
}

fn datadog(context: &mut Context<'_>) -> Vec<Destination> {
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

fn smseagle(context: &mut Context<'_>) -> Vec<Destination> {
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

/// The numbers of one destination.
const TWILIO_MAX: usize = 16;

fn twilio(context: &mut Context<'_>) -> Vec<Destination> {
    if context.needs(&["twilio_account_sid", "twilio_auth_token", "twilio_to_number"]).is_none() {
        return Vec::new();
    }
    let sid = |text: &str, prefix: &str| {
        !tokens(text).is_empty()
            || text.strip_prefix(prefix).is_some_and(|digits| {
                digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    };
    let Some(account) = context.options.text("twilio_account_sid") else { return Vec::new() };
    if !sid(&account, "AC") {
        return context
            .refuse("twilio_account_sid", "not the SID of an account: `AC` and 32 hexadecimal digits");
    }
    context.options.carried("twilio_account_sid", "`params.account` and `auth`");
    let mut numbers = Vec::new();
    for number in context.options.texts("twilio_to_number").unwrap_or_default() {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    let is_number = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or_default();
        !tokens(text).is_empty()
            || (7..=15).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.starts_with('0')
    };
    let odd: Vec<&str> = numbers.iter().filter(|number| !is_number(number)).map(String::as_str).collect();
    if !odd.is_empty() {
        let why = format!("not a number with a plus sign and the country's code: {}", odd.join(", "));
        return context.refuse("twilio_to_number", why);
    }
    match numbers.len() <= TWILIO_MAX {
        true => context.options.carried("twilio_to_number", "`params.to`"),
        false => {
            let what = format!("`params.to` of several destinations: one has at most {TWILIO_MAX} numbers");
            context.options.changed("twilio_to_number", what);
        }
    }
    let service = context.options.text("twilio_message_service_sid").filter(|service| sid(service, "MG"));
    let number = context.options.text("twilio_from_number").filter(|number| !number.is_empty());
    let with_service = context.options.flag("twilio_use_copilot") == Some(true) || number.is_none();
    context.options.carried("twilio_use_copilot", "`params.messaging_service`, or `params.from`");
    let sender = match (service, number) {
        (Some(service), _) if with_service => {
            context.options.dropped("twilio_from_number", "the messaging service chooses the sender");
            context.options.carried("twilio_message_service_sid", "`params.messaging_service`");
            ("messaging_service".to_string(), Yaml::Text(service))
        }
        (_, Some(number)) => {
            context.options.dropped("twilio_message_service_sid", "`twilio_use_copilot` does not ask for it");
            context.options.carried("twilio_from_number", "`params.from`");
            ("from".to_string(), Yaml::Text(number))
        }
        _ => {
            let why = "neither `twilio_from_number` nor the SID of a messaging service says who sends";
            return context.refuse("twilio_to_number", why);
        }
    };
    let Some(token) = context.secret("twilio_auth_token", "TWILIO_AUTH_TOKEN") else { return Vec::new() };
    let of = |numbers: &[String]| {
        let account_param = ("account".to_string(), Yaml::Text(account.clone()));
        let to = ("to".to_string(), Yaml::texts(numbers.iter().cloned()));
        let made = Destination::new("twilio", Yaml::text("https://api.twilio.com"));
        let auth = Some(basic(&account, token.clone()));
        made.auth(auth).params(vec![account_param, to, sender.clone()])
    };
    numbers.chunks(TWILIO_MAX).map(of).collect()
}
