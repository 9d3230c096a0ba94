//! A mail server, and who gets the mails.
use std::path::Path;

use lettre::Address;
use lettre::message::Mailbox;
use url::Host;
use watchbell_contract::Duration;

use crate::bind::doc::Doc;
use crate::bind::refs::{beside, is_this_machine, readable, secret};
use crate::limits::RECIPIENTS_MAX;
use crate::options::Options;
use crate::{MailEndpoint, MailGrants, MailTls, raw};

/// `None` if something of it is invalid.
pub(super) fn endpoint(
    doc: &mut Doc<'_>,
    at: &str,
    raw: raw::MailEndpoint,
    home: &Path,
    options: &Options<'_>,
) -> Option<MailEndpoint> {
    let tls = match raw.tls {
        raw::MailTls::StartTls => MailTls::StartTls,
        raw::MailTls::Implicit => MailTls::Implicit,
        raw::MailTls::None => MailTls::None,
    };
    let server = server(&raw.server, tls.port());
    if server.is_none() {
        let message = format!("`{}` is not a host with a port: `{}`", name(at, "server"), raw.server);
        doc.fault(&format!("{at}/server"), message)
            .hint("write for example `smtp.example.com:587`")
            .push(doc);
    }
    let grants =
        MailGrants { private_addresses: raw.grants.private_addresses, plain_text: raw.grants.plain_text };
    if let Some((host, _)) = &server
        && tls == MailTls::None
        && !grants.plain_text
        && !is_this_machine(host)
    {
        doc.fault(&format!("{at}/tls"), format!("mails to `{host}` would not be encrypted"))
            .hint("write `tls: starttls` or `tls: implicit`, or allow it: `grants: { plain_text: true }`")
            .push(doc);
    }
    let from = mailbox(doc, &format!("{at}/from"), &raw.from);
    let mut all = |key: &str, named| mailboxes(doc, &format!("{at}/{key}"), named);
    let (to, cc, bcc) = (all("to", raw.to), all("cc", raw.cc), all("bcc", raw.bcc));
    let reply_to = all("reply_to", raw.reply_to);
    let recipients = to.len() + cc.len() + bcc.len();
    if recipients > RECIPIENTS_MAX {
        let message = format!("`{}` and its copies are {recipients} recipients", name(at, "to"));
        doc.fault(&format!("{at}/to"), format!("{message}, more than {RECIPIENTS_MAX}"))
            .hint("let the mail server keep the list, and write its address here")
            .push(doc);
    }
    let ca = raw.ca.map(|path| beside(home, &path));
    if let Some(path) = &ca {
        readable(doc, &format!("{at}/ca"), path, options);
    }
    let credentials = raw.auth.map(|auth| {
        let password = secret(doc, &format!("{at}/auth/basic/password"), auth.basic.password, home, options);
        (auth.basic.username, password)
    });
    let timeout = doc.positive(&format!("{at}/timeout"), raw.timeout, Duration::from_secs(30));
    let (host, port) = server?;
    Some(MailEndpoint {
        host,
        port,
        tls,
        credentials,
        from: from?,
        to,
        cc,
        bcc,
        reply_to,
        ca,
        grants,
        timeout,
    })
}

fn name(at: &str, key: &str) -> String {
    crate::schema::path(&format!("{at}/{key}"))
}

/// `HOST`, `HOST:PORT` or `[IPv6]:PORT`.
fn server(text: &str, port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, digits.parse().ok()?),
        _ => (text, port),
    };
    let host = match Host::parse(host).ok()? {
        Host::Domain(domain) => domain,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    (port != 0).then_some((host, port))
}

/// The valid ones.
fn mailboxes(doc: &mut Doc<'_>, at: &str, named: raw::OneOrMore) -> Vec<Mailbox> {
    match named {
        raw::OneOrMore::One(text) => mailbox(doc, at, &text).into_iter().collect(),
        raw::OneOrMore::More(texts) => texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| mailbox(doc, &format!("{at}/{index}"), text))
            .collect(),
    }
}

fn mailbox(doc: &mut Doc<'_>, at: &str, text: &str) -> Option<Mailbox> {
    let why = match parse(text) {
        Ok(mailbox) => return Some(mailbox),
        Err(why) => why,
    };
    let name = crate::schema::path(at);
    doc.fault(at, format!("`{name}` {why}: `{text}`"))
        .hint("write `ann@example.com`, or `Ann Example <ann@example.com>`")
        .push(doc);
    None
}

/// An address that every server understands: a local part in ASCII, and the domain as DNS knows it.
fn parse(text: &str) -> Result<Mailbox, &'static str> {
    const INVALID: &str = "is not a mail address";
    if text.chars().any(char::is_control) {
        return Err("contains a line break or another control character");
    }
    let parsed: Mailbox = text.parse().map_err(|_| INVALID)?;
    let (user, domain) = (parsed.email.user(), parsed.email.domain());
    if !user.is_ascii() {
        return Err("has characters before the `@` that many servers do not accept");
    }
    if user.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'<' | b'>' | b'"')) {
        return Err(INVALID);
    }
    let domain = if domain.starts_with('[') {
        domain.to_owned()
    } else {
        Host::parse(domain).map_err(|_| INVALID)?.to_string()
    };
    let email = Address::new(user, &domain).map_err(|_| INVALID)?;
    Ok(Mailbox::new(parsed.name, email))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_maybe_a_port() {
        let of = |text: &str| server(text, 587).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(of("smtp.example.com:25").unwrap(), "smtp.example.com 25");
        assert_eq!(of("smtp.example.com").unwrap(), "smtp.example.com 587");
        assert_eq!(of("[::1]:2525").unwrap(), "::1 2525");
        assert_eq!(of("127.0.0.1:465").unwrap(), "127.0.0.1 465");
        for text in ["a:b", "a:0", "a:70000", "", "a b", "::1:25:"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_one_that_servers_understand() {
        let of = |text: &str| parse(text).map(|mailbox| mailbox.to_string());
        assert_eq!(of("ann@example.com").unwrap(), "ann@example.com");
        assert_eq!(of("Ann Ä <ann+x@bücher.example>").unwrap(), "Ann Ä <ann+x@xn--bcher-kva.example>");
        for text in
            ["ann", "ann@", "@example.com", "a@b@c", "a@b, c@d", "ä@example.com", "a\r\nb@example.com"]
        {
            assert!(of(text).is_err(), "{text}");
        }
        assert!(of("Ann\r\nBcc: x@example.com <ann@example.com>").is_err());
    }
}
