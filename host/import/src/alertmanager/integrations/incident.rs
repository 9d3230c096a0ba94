//! Incident management, mail, and anything else that takes a request.
use super::{Integration, base, http_auth, no_http_auth, or_default, plain, required, secret_url};
use crate::alerters::{
    Context, Destination, Webhook, addresses, basic, header, is_address, is_private, is_private_host,
    is_region, literal, mailbox, members,
};
use crate::mask::tokens;
use crate::node::{Data, Node};
use crate::yaml::Yaml;

pub(super) const INTEGRATIONS: &[Integration] = &[
    Integration {
        key: "email_configs",
        global: &[
            ("from", "smtp_from"),
            ("smarthost", "smtp_smarthost"),
            ("auth_username", "smtp_auth_username"),
            ("auth_password", "smtp_auth_password"),
            ("auth_password_file", "smtp_auth_password_file"),
            ("require_tls", "smtp_require_tls"),
        ],
        make: email,
    },
    Integration { key: "pagerduty_configs", global: &[("url", "pagerduty_url")], make: pagerduty },
    Integration {
        key: "opsgenie_configs",
        global: &[
            ("api_url", "opsgenie_api_url"),
            ("api_key", "opsgenie_api_key"),
            ("api_key_file", "opsgenie_api_key_file"),
        ],
        make: opsgenie,
    },
    Integration {
        key: "victorops_configs",
        global: &[
            ("api_url", "victorops_api_url"),
            ("api_key", "victorops_api_key"),
            ("api_key_file", "victorops_api_key_file"),
        ],
        make: victorops,
    },
    Integration { key: "sns_configs", global: &[], make: sns },
    Integration { key: "webhook_configs", global: &[], make: webhook },
];

fn email(context: &mut Context<'_>) -> Result<Destination, String> {
    // Alertmanager separates addresses by commas.
    let to = addresses(context, "to", "the destination's `to`");
    if to.is_empty() {
        return Err("`to` has no mail address".into());
    }
    let server = context.options.text("smarthost").ok_or("`smarthost` is missing, here and in `global`")?;
    let host = server.rsplit_once(':').map_or(server.as_str(), |(host, _)| host).to_string();
    let is_odd = |c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
    let port = server.rsplit_once(':').map(|(_, port)| port.parse::<u16>().ok().filter(|port| *port > 0));
    if tokens(&server).is_empty()
        && (host.is_empty() || host.contains(is_odd) || !matches!(port, Some(Some(_))))
    {
        return Err("`smarthost` is not a host with a port".into());
    }
    context.options.carried("smarthost", "the destination's `server`");
    let from = context.options.text("from").ok_or("`from` is missing, here and in `global`")?;
    let from = mailbox(&from).ok_or("`from` is not a mail address")?;
    context.options.carried("from", "the destination's `from`");
    let is_here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
    let encrypts = context.options.flag("require_tls") != Some(false);
    let tls = match (server.ends_with(":465"), encrypts, is_here) {
        (true, ..) => "implicit",
        (false, false, _) => "none",
        (false, true, _) => "starttls",
    };
    context.options.carried("require_tls", format!("`tls: {tls}`"));
    let mut endpoint = vec![("server".to_string(), Yaml::Text(server))];
    if tls != "starttls" {
        endpoint.push(("tls".into(), Yaml::text(tls)));
    }
    if let Some(user) = context.options.text("auth_username").filter(|user| !user.is_empty()) {
        context.options.carried("auth_username", "the destination's `auth`");
        let password = context.secret_or_file("auth_password", "SMTP_PASSWORD", None);
        endpoint.extend(password.map(|password| ("auth".to_string(), basic(&user, password))));
    }
    endpoint.push(("from".into(), Yaml::Text(from)));
    endpoint.push(("to".into(), Yaml::texts(to)));
    let grants = [("private_addresses", is_private_host(&host)), ("plain_text", tls == "none" && !is_here)];
    let grants = grants.into_iter().filter(|(_, is_needed)| *is_needed).map(|(grant, _)| grant);
    Ok(Destination::mail(endpoint, grants.collect()))
}

fn pagerduty(context: &mut Context<'_>) -> Result<Destination, String> {
    no_http_auth(context);
    let severity = context.one_of("severity", &["info", "warning", "error", "critical"]);
    let severity = or_default(context, "severity", severity, Yaml::text("error"));
    let mut template = |option: &str| match plain(context, option) {
        Some(Yaml::Text(text)) => Some(literal(&text)),
        _ => None,
    };
    let (class, component, group, source) =
        (template("class"), template("component"), template("group"), template("source"));
    let params = members([
        ("severity", severity),
        ("source", source),
        ("component", component),
        ("group", group),
        ("class", class),
    ]);
    context.options.dropped("details", "the details are the rule's own");
    let url = base(context, "url", "https://events.pagerduty.com");
    let is_old = context.options.node("service_key").or_else(|| context.options.node("service_key_file"));
    let option = if is_old.is_some() { "service_key" } else { "routing_key" };
    let key = secret_url(context, option, "PAGERDUTY_ROUTING_KEY")?;
    if is_old.is_some() {
        let what = "a key of the Events API v1: the variable needs the key of an integration of v2";
        context.options.changed("service_key", what);
        context.options.changed("service_key_file", what);
    }
    let auth = Yaml::map([("pointer", Yaml::text("/routing_key")), ("value", key)]);
    let made = Destination::new("pagerduty", Yaml::Text(url));
    Ok(made.auth(Some(Yaml::map([("body", auth)]))).params(params))
}

fn opsgenie(context: &mut Context<'_>) -> Result<Destination, String> {
    no_http_auth(context);
    let mut responders = Vec::new();
    if let Some(Node { data: Data::List(all), .. }) = context.options.node("responders") {
        for who in all.iter().take(50) {
            let of = |key: &str| who.get(key).and_then(Node::text).filter(|text| !text.contains("{{"));
            let kind =
                of("type").filter(|kind| ["team", "user", "escalation", "schedule"].contains(&kind.as_str()));
            let id = ["id", "name", "username"].into_iter().find_map(|key| Some((key, of(key)?)));
            if let (Some(kind), Some((key, id))) = (kind, id) {
                responders.push(Yaml::map([("type", Yaml::Text(kind)), (key, literal(&id))]));
            }
        }
        match responders.len() == all.len() {
            true => context.options.carried("responders", "`params.responders`"),
            false => {
                context.options.changed("responders", "`params.responders`, without those that are templates")
            }
        }
    }
    let tags: Vec<Yaml> = match plain(context, "tags") {
        Some(Yaml::Text(tags)) => tags.split(',').take(20).map(|tag| literal(tag.trim())).collect(),
        _ => Vec::new(),
    };
    let mut template = |option: &str| match plain(context, option) {
        Some(Yaml::Text(text)) => Some(literal(&text)),
        _ => None,
    };
    let (entity, source) = (template("entity"), template("source"));
    let priority = context.one_of("priority", &["P1", "P2", "P3", "P4", "P5"]);
    let params = members([
        ("priority", priority),
        ("responders", (!responders.is_empty()).then_some(Yaml::List(responders))),
        ("tags", (!tags.is_empty()).then_some(Yaml::List(tags))),
        ("entity", entity),
        ("source", source),
    ]);
    context.options.dropped("details", "the details are the labels");
    let url = base(context, "api_url", "https://api.opsgenie.com");
    let how = "`GenieKey {}`, with the key";
    let key = context.secret_or_file("api_key", "OPSGENIE_AUTHORIZATION", Some(how));
    let key = key.ok_or("`api_key` is missing, here and in `global`")?;
    Ok(Destination::new("opsgenie", Yaml::Text(url)).auth(Some(header("Authorization", key))).params(params))
}

fn victorops(context: &mut Context<'_>) -> Result<Destination, String> {
    let auth = http_auth(context, "VICTOROPS_TOKEN");
    let routing = required(context, "routing_key")?;
    let kind = context.one_of("message_type", &["INFO", "WARNING", "CRITICAL"]);
    let kind = or_default(context, "message_type", kind, Yaml::text("CRITICAL"));
    let host = context.options.text("api_url");
    let host =
        host.unwrap_or_else(|| "https://alert.victorops.com/integrations/generic/20131114/alert/".into());
    context.options.carried("api_url", "part of the URL in the variable");
    let how = format!("`{}/{{}}`, with the API key", host.trim_end_matches('/'));
    let url = context.secret_or_file("api_key", "VICTOROPS_URL", Some(&how));
    let url = url.ok_or("`api_key` is missing, here and in `global`")?;
    let params = members([("routing_key", Some(routing)), ("message_type", kind)]);
    Ok(Destination::new("splunk-on-call", url).auth(auth).params(params))
}

fn sns(context: &mut Context<'_>) -> Result<Destination, String> {
    no_http_auth(context);
    let topic = plain(context, "topic_arn");
    let phone = plain(context, "phone_number");
    let target = match (topic, phone) {
        (Some(topic), _) => ("topic".to_string(), topic),
        (None, Some(phone)) => ("phone".to_string(), phone),
        (None, None) => return Err("neither `topic_arn` nor `phone_number` says who is notified".into()),
    };
    if let Yaml::Text(text) = &target.1
        && tokens(text).is_empty()
        && !crate::alerters::is_sns_target(&target.0, text)
    {
        return Err(format!("`{text}` is not the ARN of a topic or a number with its country's code"));
    }
    let node = context.options.node("sigv4");
    let of = |key: &str| node.as_ref().and_then(|node| node.get(key)).and_then(Node::text);
    let region = of("region").or_else(|| match &target.1 {
        Yaml::Text(arn) => arn.split(':').nth(3).filter(|region| !region.is_empty()).map(String::from),
        _ => None,
    });
    let region = region.filter(|region| is_region(region)).unwrap_or_else(|| "us-east-1".into());
    let given = node
        .as_ref()
        .and_then(|node| Some((node.get("access_key")?.clone(), node.get("secret_key")?.clone())));
    let (id, key) = match &given {
        Some((id, key)) => {
            context.options.changed("sigv4", "the destination's `auth`: no profile and no role is read");
            (
                context.secrets.reference("SNS_ACCESS_KEY_ID", "access_key", id, None),
                context.secrets.reference("SNS_SECRET_ACCESS_KEY", "secret_key", key, None),
            )
        }
        None => {
            // Each profile and each role has a key of its own.
            let named = [("profile", of("profile")), ("role", of("role_arn"))];
            let named =
                named.into_iter().filter_map(|(kind, name)| Some(format!(", of the {kind} `{}`", name?)));
            let of: String = named.collect();
            let secrets = &mut *context.secrets;
            let what = format!("the id of an access key that may publish{of}");
            let (id_name, id) = secrets.of_file("AWS_ACCESS_KEY_ID", &of, &what);
            let what = format!("the access key of {id_name}");
            let (key_name, key) = secrets.of_file("AWS_SECRET_ACCESS_KEY", &of, &what);
            let what = format!("the variables {id_name} and {key_name}: no profile and no role is read");
            context.options.changed("sigv4", what);
            (id, key)
        }
    };
    let sigv4 = Yaml::map([
        ("region", Yaml::text(region.clone())),
        ("service", Yaml::text("sns")),
        ("access_key_id", id),
        ("secret_access_key", key),
    ]);
    let made = Destination::new("sns", Yaml::Text(format!("https://sns.{region}.amazonaws.com")));
    Ok(made.auth(Some(Yaml::map([("sigv4", sigv4)]))).params(vec![target]))
}

fn webhook(context: &mut Context<'_>) -> Result<Destination, String> {
    let auth = http_auth(context, "WEBHOOK_TOKEN");
    let written = context.options.text("url");
    let is_private = written.as_deref().is_some_and(is_private);
    let url = match written {
        // The path of such an address is often its key.
        Some(url) if is_address(&url) && has_path(&url) => context.secret("url", "WEBHOOK_URL"),
        Some(_) => context.address("url", "WEBHOOK_URL"),
        None => context.secret_or_file("url", "WEBHOOK_URL", None),
    };
    let url = url.ok_or("`url` is missing")?;
    let what =
        "the destination's address; the body is Watchbell's own message, so its receiver must read that";
    for option in ["url", "url_file"] {
        context.options.changed(option, what);
    }
    context.options.dropped("max_alerts", "a message is about one episode, or a group that it counts");
    let mut made = Webhook::json(url, Yaml::Null);
    made.body = None;
    made.auth = auth;
    let made = made.made();
    Ok(if is_private { made.in_private() } else { made })
}

/// Whether an address has more than a server.
fn has_path(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').is_some_and(|(_, path)| !path.is_empty())
}
