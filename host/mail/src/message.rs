//! Checks the guest's mail, and encodes it with what belongs to the host.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, Subject};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use sha2::{Digest, Sha256};

use crate::limits::{HEADERS_MAX, LINE_BYTES_MAX, RECIPIENTS_MAX, REFERENCES_MAX, TEXT_BYTES_MAX};
use crate::mail::{Failure, Mail};
use crate::server::{Inner, is_same};
use crate::session::shown;

/// Headers that a guest may set, besides those that begin with `X-`: none of them routes a mail, says whose it is, or
/// how it is encoded.
const ALLOWED: &[&str] = &["auto-submitted", "importance", "keywords", "precedence", "priority"];
/// Bytes of a `Message-ID`; longer ones would not fit into a line beside others.
const ID_BYTES_MAX: usize = 250;
/// Bytes in one encoded word, so that it fits into a line of 76 characters beside the header's name.
const WORD_BYTES_MAX: usize = 30;
/// Bytes of a word that is written as it is. A longer one could not be folded.
const PLAIN_WORD_BYTES_MAX: usize = 70;

/// A mail as it is sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) message_id: String,
    /// Each once.
    pub(crate) recipients: Vec<Address>,
    /// With lines of at most 998 bytes that end in CRLF, in ASCII.
    pub(crate) bytes: Vec<u8>,
}

/// `intent`: the id of the message that the mail belongs to.
pub(crate) fn prepare(mail: Mail, number: u32, intent: &str, from: &Inner) -> Result<Prepared, Failure> {
    check_sizes(&mail)?;
    let whom = Whom::of(&mail, from)?;
    let sender = &from.settings.from;
    let message_id = message_id(intent, number, sender.email.domain());
    let mut builder = Message::builder().from(sender.clone()).message_id(Some(message_id.clone()));
    for mailbox in whom.to {
        builder = builder.to(mailbox);
    }
    for mailbox in whom.cc {
        builder = builder.cc(mailbox);
    }
    for mailbox in whom.reply_to {
        builder = builder.reply_to(mailbox);
    }
    builder = builder.raw_header(line(Subject::name(), "subject", &mail.subject)?);
    if let Some(last) = mail.references.last() {
        for id in &mail.references {
            check_id(id)?;
        }
        builder = builder.in_reply_to(last.clone()).references(mail.references.join(" "));
    }
    for (name, value) in &mail.headers {
        builder = builder.raw_header(header(name, value)?);
    }
    // A mail that only goes to blind copies has no recipient in its headers.
    let envelope = lettre::address::Envelope::new(Some(sender.email.clone()), whom.recipients.clone())
        .map_err(|error| Failure::Invalid(error.to_string()))?;
    let builder = builder.envelope(envelope);
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.text.clone());
    let built = match mail.html {
        None => builder.singlepart(text),
        Some(html) => {
            let boundary = boundary(&message_id, &mail.text, &html);
            let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html);
            let parts = MultiPart::alternative().boundary(boundary).singlepart(text).singlepart(html);
            builder.multipart(parts)
        }
    };
    let message = built.map_err(|error| Failure::Invalid(error.to_string()))?;
    Ok(Prepared { message_id, recipients: whom.recipients, bytes: message.formatted() })
}

fn invalid<T>(message: String) -> Result<T, Failure> {
    Err(Failure::Invalid(message))
}

fn check_sizes(mail: &Mail) -> Result<(), Failure> {
    for (what, text) in [("text", Some(&mail.text)), ("HTML", mail.html.as_ref())] {
        let bytes = text.map_or(0, String::len);
        if bytes > TEXT_BYTES_MAX {
            return invalid(format!("the {what} has {bytes} bytes, more than {TEXT_BYTES_MAX}"));
        }
    }
    let recipients = mail.to.len() + mail.cc.len() + mail.bcc.len();
    for (what, count, most) in [
        ("recipients", recipients, RECIPIENTS_MAX),
        ("addresses to reply to", mail.reply_to.len(), RECIPIENTS_MAX),
        ("headers", mail.headers.len(), HEADERS_MAX),
        ("references", mail.references.len(), REFERENCES_MAX),
    ] {
        if count > most {
            return invalid(format!("{count} {what}: more than {most}"));
        }
    }
    Ok(())
}

/// The mailboxes of a mail: the destination's own, or those of them that the guest names.
struct Whom {
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    reply_to: Vec<Mailbox>,
    recipients: Vec<Address>,
}

impl Whom {
    fn of(mail: &Mail, from: &Inner) -> Result<Self, Failure> {
        let own = &from.settings;
        let listed = |named: &[String]| named.iter().map(|name| listed(name, from)).collect::<Result<_, _>>();
        let (to, cc, bcc): (Vec<Mailbox>, Vec<Mailbox>, Vec<Mailbox>) =
            if mail.to.is_empty() && mail.cc.is_empty() && mail.bcc.is_empty() {
                (own.to.clone(), own.cc.clone(), own.bcc.clone())
            } else {
                (listed(&mail.to)?, listed(&mail.cc)?, listed(&mail.bcc)?)
            };
        let reply_to = if mail.reply_to.is_empty() { own.reply_to.clone() } else { listed(&mail.reply_to)? };
        let mut recipients: Vec<Address> = Vec::new();
        for mailbox in to.iter().chain(&cc).chain(&bcc) {
            if !recipients.iter().any(|known| is_same(known, &mailbox.email)) {
                recipients.push(mailbox.email.clone());
            }
        }
        Ok(Self { to, cc, reply_to, recipients })
    }
}

fn listed(address: &str, from: &Inner) -> Result<Mailbox, Failure> {
    let Ok(parsed) = address.parse::<Address>() else {
        return invalid(format!("`{}` is not a mail address", shown(address)));
    };
    let mailbox = from.listed(&parsed).cloned();
    mailbox.ok_or_else(|| {
        Failure::Denied(format!("the destination does not list the address `{}`", shown(address)))
    })
}

/// The same for every attempt, so that a repeated mail can be recognised.
fn message_id(intent: &str, number: u32, domain: &str) -> String {
    let is_plain =
        |id: &str| !id.is_empty() && id.len() <= 100 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let id = if is_plain(intent) { intent.to_owned() } else { hex::encode(&Sha256::digest(intent)[..16]) };
    match number {
        0 => format!("<{id}@{domain}>"),
        number => format!("<{id}.{number}@{domain}>"),
    }
}

fn check_id(id: &str) -> Result<(), Failure> {
    let inner = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
    let is_id = inner.is_some_and(|inner| {
        inner.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>') && inner.contains('@')
    });
    if is_id && id.len() <= ID_BYTES_MAX {
        return Ok(());
    }
    invalid(format!("`{}` is not a `Message-ID`", shown(id)))
}

fn header(name: &str, value: &str) -> Result<HeaderValue, Failure> {
    let shown = shown(name);
    let lower = name.to_ascii_lowercase();
    let is_extension = lower.strip_prefix("x-").is_some_and(|rest| {
        !rest.is_empty() && rest.len() <= 60 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    if !is_extension && !ALLOWED.contains(&lower.as_str()) {
        return invalid(format!(
            "header `{shown}` is not one that an alerter may set: it may set `X-…`, `{}`",
            ALLOWED.join("`, `")
        ));
    }
    let Ok(parsed) = HeaderName::new_from_ascii(name.to_owned()) else {
        return invalid(format!("`{shown}` is not a valid header name"));
    };
    line(parsed, &format!("header `{shown}`"), value)
}

/// A header of one line of text, folded and encoded where it must be.
fn line(name: HeaderName, what: &str, text: &str) -> Result<HeaderValue, Failure> {
    if text.len() > LINE_BYTES_MAX {
        return invalid(format!("the {what} has {} bytes, more than {LINE_BYTES_MAX}", text.len()));
    }
    if text.chars().any(char::is_control) {
        return invalid(format!("the {what} contains a line break or another control character"));
    }
    // What looks like an encoded word would be shown decoded.
    let is_plain = text.is_ascii()
        && !text.contains("=?")
        && text.split(' ').all(|word| word.len() <= PLAIN_WORD_BYTES_MAX);
    if is_plain {
        return Ok(HeaderValue::new(name, text.to_owned()));
    }
    Ok(HeaderValue::dangerous_new_pre_encoded(name, text.to_owned(), encoded_words(text)))
}

/// RFC 2047: words of whole characters, a line each.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(WORD_BYTES_MAX);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        words.push(format!("=?utf-8?b?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words.join("\r\n ")
}

/// Derived from the content, so that the same mail has the same bytes and no part contains it.
fn boundary(message_id: &str, text: &str, html: &str) -> String {
    let mut digest = Sha256::new();
    for part in [message_id, text, html] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    format!("watchbell-{}", hex::encode(&digest.finalize()[..16]))
}

/// The message as the command `DATA` takes it, with its end. Whatever ends a line ends it as SMTP does, so that no
/// server can read another end of the message than this one.
pub(crate) fn transparent(message: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(message.len() + 64);
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend_from_slice(line);
        data.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => &[],
        };
    }
    data.extend_from_slice(b".\r\n");
    data
}
