//! Receivers as destinations: a module per kind of product.
mod chat; // chat rooms, telephones
mod incident; // incident management, mail, webhooks

use std::collections::BTreeSet;

use super::account::{Account, entry, items};
use crate::alerters::{Context, Destination, by_severity, is_address};
use crate::names::{free, slug};
use crate::node::{Data, Entry, Node};
use crate::options::Options;
use crate::report::Fate;
use crate::secrets::Secrets;
use crate::texts::Terms;
use crate::yaml::Yaml;

/// A receiver with the destinations that it became.
pub(super) struct Receiver {
    pub(super) name: String,
    pub(super) destinations: Vec<(String, Yaml)>,
}

/// One kind of integration.
pub(super) struct Integration {
    /// The key of a receiver.
    key: &'static str,
    /// Options that `global` has under another name: here, there.
    global: &'static [(&'static str, &'static str)],
    /// The error says why there is no destination.
    make: fn(&mut Context<'_>) -> Result<Destination, String>,
}

pub(super) fn receivers(root: &Node, account: &mut Account<'_>, secrets: &mut Secrets) -> Vec<Receiver> {
    let nothing = Node { place: root.place.clone(), data: Data::Null };
    let global = entry(root, "global").map_or(&nothing, |entry| &entry.value);
    let mut made = Vec::new();
    let mut taken = BTreeSet::new();
    for node in items(entry(root, "receivers").map(|entry| &entry.value)) {
        let name = node.get("name").and_then(Node::text).unwrap_or_default();
        let base = slug(&name).unwrap_or_else(|| "receiver".into());
        let mut found: Vec<(String, Yaml)> = Vec::new();
        for entry in node.entries() {
            let known = [chat::INTEGRATIONS, incident::INTEGRATIONS].into_iter().flatten();
            let Some(integration) = known.into_iter().find(|known| known.key == entry.key) else {
                if let Some(kind) = entry.key.strip_suffix("_configs") {
                    let what = format!(
                        "`{kind}` is not converted: write the destination yourself (docs/receivers.md)"
                    );
                    account.told(&entry.place, Fate::Dropped, what);
                }
                continue;
            };
            for config in items(Some(&entry.value)) {
                let options = options(config, global, integration);
                if let Some(destination) = destination(entry, options, integration, account, secrets) {
                    found.push(destination);
                }
            }
        }
        let is_single = found.len() == 1;
        let named = found.into_iter().map(|(kind, value)| {
            let wanted = if is_single { base.clone() } else { format!("{base}-{kind}") };
            (free(&wanted, &mut taken), value)
        });
        let destinations: Vec<(String, Yaml)> = named.collect();
        if let Some(entry) = entry(node, "name") {
            match destinations.as_slice() {
                [] => account.told(&entry.place, Fate::Dropped, "a receiver that notifies nobody"),
                several => {
                    let names = several.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>();
                    account.told(
                        &entry.place,
                        Fate::Carried,
                        format!("`destinations`: {}", names.join(", ")),
                    );
                }
            }
        }
        made.push(Receiver { name, destinations });
    }
    made
}

/// The options of one integration; those that it lacks are `global`'s.
fn options(config: &Node, global: &Node, integration: &Integration) -> Options {
    let mut options = Options::new(config.place.file.clone());
    config.entries().iter().for_each(|entry| options.lay(entry, false));
    // Mail is not sent over HTTP.
    let http = (integration.key != "email_configs").then_some(&("http_config", "http_config"));
    let is_set = |name: &str| {
        let bare = name.strip_suffix("_file").unwrap_or(name);
        config.get(bare).is_some() || config.get(&format!("{bare}_file")).is_some()
    };
    for (here, there) in integration.global.iter().chain(http) {
        if let Some(found) = entry(global, there)
            && !is_set(here)
        {
            let inherited =
                Entry { key: (*here).to_string(), place: found.place.clone(), value: found.value.clone() };
            options.lay(&inherited, true);
        }
    }
    options
}

fn destination(
    entry: &Entry,
    mut options: Options,
    integration: &Integration,
    account: &mut Account<'_>,
    secrets: &mut Secrets,
) -> Option<(String, Yaml)> {
    let mut terms = Terms {
        kind: "any".into(),
        key: Vec::new(),
        time_field: "@timestamp".into(),
        fields: Vec::new(),
        include: Vec::new(),
        missing: String::new(),
        metric: None,
        watched: None,
        formatted: None,
        counted: false,
        differing: BTreeSet::new(),
        untold: BTreeSet::new(),
    };
    let mut context = Context { options: &mut options, terms: &mut terms, secrets };
    let made = (integration.make)(&mut context);
    match &made {
        Ok(_) => settle(&mut options, integration.key),
        Err(_) => {
            // What it would have carried is not written.
            options.findings.retain(|found| matches!(found.outcome.fate, Fate::Dropped | Fate::Failed));
            options.rest(|_| "its receiver was not converted".into());
        }
    }
    let is_faulty = !options.faults.is_empty();
    account.take(options);
    match made {
        Ok(_) if is_faulty => None,
        Ok(made) => Some(made.written(integration.key.trim_end_matches("_configs"))),
        Err(why) => {
            account.told(&entry.place, Fate::Failed, why);
            None
        }
    }
}

/// What no integration has a use for.
fn settle(options: &mut Options, key: &str) {
    const TEXTS: &[&str] = &[
        "title",
        "title_link",
        "text",
        "pretext",
        "fallback",
        "message",
        "description",
        "state_message",
        "content",
        "html",
        "headers",
        "subject",
        "summary",
        "short_fields",
        "fields",
        "note",
        "entity_display_name",
        "footer",
        "callback_id",
        "actions",
        "image_url",
        "thumb_url",
        "images",
        "links",
        "mrkdwn_in",
        "link_names",
        "color",
        "parse_mode",
        "attributes",
        "message_text",
        "url_title",
        "monospace",
    ];
    if let Some(sends) = options.flag("send_resolved") {
        match sends {
            true => options.carried("send_resolved", "whoever was notified is told the end"),
            false => options.changed("send_resolved", "whoever was notified is told the end all the same"),
        }
    }
    for option in TEXTS {
        if !options.is_settled(option) {
            options.dropped(
                option,
                "texts and looks are the rule's (`alert.title`, `alert.body`) and the receiver's",
            );
        }
    }
    let kind = key.trim_end_matches("_configs").to_string();
    options.rest(|option| format!("`{kind}` has no counterpart of `{option}`"));
}

/// `http_config` as `auth`; the rest of it is the host's.
fn http_auth(context: &mut Context<'_>, variable: &str) -> Option<Yaml> {
    let node = context.options.node("http_config")?;
    let secret = |context: &mut Context<'_>, node: &Node, key: &str| {
        if let Some(value) = node.get(key).filter(|value| value.text().is_some()) {
            return Some(context.secrets.reference(variable, key, value, None));
        }
        let path = node.get(&format!("{key}_file"))?.text().filter(|path| !path.is_empty())?;
        Some(Yaml::map([("file", Yaml::Text(path))]))
    };
    let mut auth = None;
    if let Some(basic) = node.get("basic_auth") {
        let username = basic.get("username").and_then(Node::text).unwrap_or_default();
        auth = secret(context, basic, "password")
            .filter(|_| !username.is_empty())
            .map(|password| crate::alerters::basic(&username, password));
    } else if let Some(authorization) = node.get("authorization") {
        let kind = authorization.get("type").and_then(Node::text).unwrap_or_else(|| "Bearer".into());
        if kind.eq_ignore_ascii_case("bearer") {
            auth = secret(context, authorization, "credentials").map(|token| Yaml::map([("bearer", token)]));
        }
    } else if node.get("bearer_token").or_else(|| node.get("bearer_token_file")).is_some() {
        auth = secret(context, &node, "bearer_token").map(|token| Yaml::map([("bearer", token)]));
    }
    let handled = ["basic_auth", "authorization", "bearer_token", "bearer_token_file"];
    let others: Vec<String> = node
        .entries()
        .iter()
        .filter(|entry| auth.is_none() || !handled.contains(&entry.key.as_str()))
        .map(|entry| format!("`{}`", entry.key))
        .collect();
    let without =
        format!("without {}: certificates are always verified, and there is no proxy", others.join(", "));
    match (&auth, others.is_empty()) {
        (Some(_), true) => context.options.carried("http_config", "the destination's `auth`"),
        (Some(_), false) => {
            context.options.changed("http_config", format!("the destination's `auth`, {without}"))
        }
        (None, _) => context.options.dropped("http_config", without),
    }
    auth
}

/// `http_config` of a product that has credentials of its own: a destination has no more than one `auth`.
fn no_http_auth(context: &mut Context<'_>) {
    let what = "the destination authenticates as its product asks for, and not otherwise; certificates are always verified, and there is no proxy";
    context.options.dropped("http_config", what);
}

/// A parameter by severity; where the option is absent, Alertmanager's default for all of them.
fn or_default(context: &mut Context<'_>, option: &str, made: Option<Yaml>, default: Yaml) -> Option<Yaml> {
    if context.options.node(option).is_some() {
        return made;
    }
    let shown = match &default {
        Yaml::Text(text) | Yaml::Number(text) => text.clone(),
        _ => String::new(),
    };
    context.options.absent(
        option,
        format!("where `{option}` is absent, it is `{shown}` for each severity, as in Alertmanager"),
    );
    Some(by_severity(&default))
}

/// A URL that is a secret, in the file or beside it.
fn secret_url(context: &mut Context<'_>, option: &str, variable: &str) -> Result<Yaml, String> {
    let found = context.secret_or_file(option, variable, None);
    found.ok_or_else(|| format!("`{option}` is missing, here and in `global`"))
}

/// A text without Go's templates, which are not converted.
fn plain(context: &mut Context<'_>, option: &str) -> Option<Yaml> {
    let text = context.options.text(option).filter(|text| !text.is_empty())?;
    if text.contains("{{") {
        context.options.dropped(option, "a template of Go, which is not converted");
        return None;
    }
    context.options.carried(option, "the destination's `params`");
    Some(Yaml::Text(text))
}

fn required(context: &mut Context<'_>, option: &str) -> Result<Yaml, String> {
    if context.options.node(option).is_none() {
        return Err(format!("`{option}` is missing, here and in `global`"));
    }
    plain(context, option).ok_or_else(|| format!("`{option}` is not a plain text"))
}

/// The address in an option, or the vendor's own, without its path: the receiver has that itself.
fn base(context: &mut Context<'_>, option: &str, default: &str) -> String {
    let Some(url) = context.options.text(option) else { return default.into() };
    if !is_address(&url) {
        context.options.dropped(option, format!("not an address: `{default}` is used"));
        return default.into();
    }
    context.options.carried(option, "the destination's address");
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| at + start);
    match start {
        0 => format!("http://{}", &url[..end]),
        _ => url[..end].to_string(),
    }
}
