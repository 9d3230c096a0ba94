//! Mail, through a mail server.
use super::alerter::{Alerter, Make};
use super::context::{Context, basic};
use super::destination::{Destination, is_private_host};
use crate::mask::{lone_token, tokens};
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[Alerter {
    name: "email",
    also: &[],
    options: &[
        "email",
        "email_from_field",
        "email_add_domain",
        "smtp_host",
        "smtp_port",
        "smtp_ssl",
        "smtp_auth_file",
        "smtp_user",
        "smtp_password",
        "smtp_cert_file",
        "smtp_key_file",
        "email_reply_to",
        "from_addr",
        "cc",
        "bcc",
        "email_format",
        "assets_dir",
        "email_image_keys",
        "email_image_values",
    ],
    make: Make::Destinations(email),
}];

/// The most recipients of a destination.
const RECIPIENTS_MAX: usize = 100;

fn email(context: &mut Context<'_>) -> Vec<Destination> {
    if context.needs(&["email"]).is_none() {
        return Vec::new();
    }
    let to = addresses(context, "email", "the destination's `to`");
    let cc = addresses(context, "cc", "the destination's `cc`");
    let bcc = addresses(context, "bcc", "the destination's `bcc`");
    let reply_to = addresses(context, "email_reply_to", "the destination's `reply_to`");
    context.options.drop_all(
        &["email_from_field", "email_add_domain"],
        "a document cannot choose who is notified: a rule's recipients are its destinations",
    );
    context.options.carried("email_format", "a mail has plain text and HTML");
    context.options.drop_all(
        &["assets_dir", "email_image_keys", "email_image_values"],
        "a mail has no pictures: nothing is loaded when it is opened",
    );
    context.options.drop_all(
        &["smtp_cert_file", "smtp_key_file"],
        "the mail server is given a name and a password, not a client certificate",
    );
    if to.is_empty() {
        return Vec::new();
    }
    if to.len() + cc.len() + bcc.len() > RECIPIENTS_MAX {
        let why = format!("more than {RECIPIENTS_MAX} recipients: let the mail server keep the list");
        return context.refuse("email", why);
    }
    let Some(server) = server(context) else { return Vec::new() };
    let auth = auth(context);
    let from = from(context, &to);
    let name = user(&to[0]).to_string();
    let mut endpoint = vec![("server".to_string(), Yaml::Text(server.address))];
    if server.tls != "starttls" {
        endpoint.push(("tls".into(), Yaml::text(server.tls)));
    }
    endpoint.extend(auth.map(|auth| ("auth".to_string(), auth)));
    endpoint.push(("from".into(), Yaml::Text(from)));
    for (key, list) in [("to", to), ("cc", cc), ("bcc", bcc), ("reply_to", reply_to)] {
        if !list.is_empty() {
            endpoint.push((key.to_string(), Yaml::texts(list)));
        }
    }
    let grants = is_private_host(&server.host).then_some("private_addresses").into_iter().collect();
    vec![Destination::mail(endpoint, grants).about(Some(&name))]
}

struct Server {
    host: String,
    /// With its port.
    address: String,
    tls: &'static str,
}

fn server(context: &mut Context<'_>) -> Option<Server> {
    let host = context.options.text("smtp_host").unwrap_or_else(|| "localhost".into());
    let host = host.trim().to_string();
    let is_odd = |c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if tokens(&host).is_empty() && (host.is_empty() || host.contains(is_odd)) {
        context.options.dropped("smtp_host", "not the name of a host");
        return None;
    }
    let port = context.options.text("smtp_port");
    let number = port.as_deref().and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
    if port.as_deref().is_some_and(|port| number.is_none() && tokens(port).is_empty()) {
        context.options.dropped("smtp_port", "not a port");
        return None;
    }
    let implicit = context.options.flag("smtp_ssl") == Some(true) || number == Some(465);
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|at| at.is_loopback());
    let (tls, default) = match (implicit, is_here) {
        (true, _) => ("implicit", "465"),
        (false, true) => ("none", "25"),
        (false, false) => ("starttls", "25"),
    };
    context.options.carried("smtp_port", "the port of the destination's `server`");
    context.options.carried("smtp_ssl", format!("`tls: {tls}`"));
    if tls == "starttls" {
        context.options.changed(
            "smtp_host",
            "the destination's `server`: one that does not offer STARTTLS gets no mail unless you write `tls: none`",
        );
    } else {
        context.options.carried("smtp_host", "the destination's `server`");
    }
    let port = port.unwrap_or_else(|| default.into());
    Some(Server { address: format!("{host}:{port}"), host, tls })
}

fn auth(context: &mut Context<'_>) -> Option<Yaml> {
    if let Some(file) = context.options.text("smtp_auth_file") {
        context.options.drop_all(&["smtp_user", "smtp_password"], "ElastAlert uses `smtp_auth_file` instead");
        return Some(of_file(context, "smtp_auth_file", &file, "SMTP"));
    }
    let user = context.options.text("smtp_user")?;
    context.options.carried("smtp_user", "the destination's `auth`");
    let password = context.secret("smtp_password", "SMTP_PASSWORD")?;
    Some(basic(&user, password))
}

/// The `user` and the `password` in a file, which is not read.
pub(crate) fn of_file(context: &mut Context<'_>, option: &str, file: &str, prefix: &str) -> Yaml {
    let what = format!("the `password` in `{file}`");
    let (variable, password) = context.secrets.of_file(&format!("{prefix}_PASSWORD"), file, &what);
    let user = variable.replace("PASSWORD", "USER");
    context.options.changed(
        option,
        format!(
            "the destination's `auth`: the token {user} and the variable {variable}, because the file is not read"
        ),
    );
    basic(&format!("@@{user}@@"), password)
}

/// ElastAlert's default, `ElastAlert`, is not an address: mail servers complete it.
fn from(context: &mut Context<'_>, to: &[String]) -> String {
    let written = context.options.text("from_addr");
    if let Some(from) = written.as_deref().and_then(mailbox) {
        context.options.carried("from_addr", "the destination's `from`");
        return from;
    }
    let domain = to.iter().find_map(|to| {
        let (_, domain) = to.trim_end_matches('>').rsplit_once('@')?;
        (tokens(to).is_empty()).then(|| domain.to_string())
    });
    let from = domain.map_or_else(|| "@@MAIL_FROM@@".into(), |domain| format!("watchbell@{domain}"));
    let what = format!("not an address: mails come from `{}`", from.replace("@@", ""));
    match written {
        Some(_) => context.options.changed("from_addr", what),
        None => context
            .options
            .changed("email", format!("`from_addr` is missing, and ElastAlert's default is {what}")),
    }
    from
}

/// What comes before the `@` of an address.
pub(crate) fn user(address: &str) -> &str {
    let bare = address.rsplit_once('<').map_or(address, |(_, bare)| bare);
    match lone_token(bare) {
        Some(_) => bare,
        None => bare.split('@').next().unwrap_or(bare),
    }
}

/// The mail addresses of an option; others are dropped by name.
pub(crate) fn addresses(context: &mut Context<'_>, option: &str, what: &str) -> Vec<String> {
    let texts = context.options.texts(option).unwrap_or_default();
    // ElastAlert passes a list on as it is, so people also separate addresses by commas.
    let texts = texts.iter().flat_map(|text| match tokens(text).is_empty() && !text.contains('<') {
        true => text.split([',', ';']).map(str::trim).filter(|text| !text.is_empty()).collect(),
        false => vec![text.trim()],
    });
    let (mut made, mut odd) = (Vec::new(), Vec::new());
    for text in texts {
        match mailbox(text) {
            Some(mailbox) if !made.contains(&mailbox) => made.push(mailbox),
            Some(_) => {}
            None => odd.push(format!("`{text}`")),
        }
    }
    match odd.is_empty() {
        true => context.options.carried(option, what),
        false if made.is_empty() => {
            context.options.dropped(option, format!("not a mail address: {}", odd.join(", ")));
        }
        false => {
            let without = format!("{what}, without {}: not a mail address", odd.join(", "));
            context.options.changed(option, without);
        }
    }
    made
}

/// `ann@example.com` or `Ann Example <ann@example.com>`; a name that needs quotes is left out.
pub(crate) fn mailbox(text: &str) -> Option<String> {
    let text = text.trim();
    if !tokens(text).is_empty() {
        return Some(text.to_string());
    }
    let (name, bare) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, bare)) => (name.trim(), bare.trim()),
        None => ("", text),
    };
    let (user, domain) = bare.split_once('@')?;
    let is_of_user = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let is_user = !user.is_empty()
        && user.len() <= 64
        && user.chars().all(is_of_user)
        && !user.starts_with('.')
        && !user.ends_with('.')
        && !user.contains("..");
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !is_user || domain.len() > 250 || !domain.split('.').all(is_label) {
        return None;
    }
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || " -_".contains(c));
    Some(if is_name { format!("{name} <{bare}>") } else { bare.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_the_manifest_accepts() {
        for (text, expected) in [
            ("ann@example.com", Some("ann@example.com")),
            (" Ann Example <ann+x@example.com> ", Some("Ann Example <ann+x@example.com>")),
            ("\"Ann, ops\" <ann@example.com>", Some("ann@example.com")),
            ("root@localhost", Some("root@localhost")),
            ("@@WHO@@", Some("@@WHO@@")),
            ("root", None),
            ("a@b@c", None),
            ("a b@example.com", None),
            ("a@-x.com", None),
            ("ä@example.com", None),
            ("a@example..com", None),
            ("a@b.com\nBcc: c@d.com", None),
        ] {
            assert_eq!(mailbox(text).as_deref(), expected, "{text}");
        }
        assert_eq!([user("ann@x"), user("Ann <ann@x>"), user("@@WHO@@")], ["ann", "ann", "@@WHO@@"]);
    }
}
