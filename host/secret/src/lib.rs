//! Values that must not be shown, and texts from outside without them.
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// A value that is used, but never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into().into())
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the value in any form in which it may come back: unchanged, escaped for JSON or HTML,
    /// percent-encoded, in base64, in hexadecimal.
    pub fn scrub(&self, text: &str) -> String {
        Scrubber::new([self]).text(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

const REDACTED: &str = "[redacted]";
/// A shorter value would match everywhere, and protects nothing.
const BYTES_MIN: usize = 4;

/// A shorter value has too few characters in base64 that do not depend on what stands around it.
const INNER_BYTES_MIN: usize = 8;

/// RFC 3986's unreserved characters are not encoded.
const ALL_BUT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// As browsers and the `url` crate write a path.
const IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'%');

/// Removes several secrets in one pass.
pub struct Scrubber {
    forms: Option<AhoCorasick>,
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber")
    }
}

impl Scrubber {
    /// Of secrets of at least four bytes.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets.into_iter().map(Secret::expose).filter(|secret| secret.len() >= BYTES_MIN) {
            forms.extend(self::forms(secret));
        }
        forms.sort_unstable();
        forms.dedup();
        // Longest first, so that no part of a longer form is left. Fails only for sizes that no secret has.
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        Self { forms: built.ok().filter(|_| !forms.is_empty()) }
    }

    /// `text` without the secrets.
    pub fn text(&self, text: &str) -> String {
        match &self.forms {
            Some(forms) if forms.is_match(text) => {
                forms.replace_all(text, &vec![REDACTED; forms.patterns_len()])
            }
            _ => text.to_owned(),
        }
    }

    /// The length of the longest form of a secret.
    pub fn longest(&self) -> usize {
        self.forms.as_ref().map_or(0, AhoCorasick::max_pattern_len)
    }

    /// The first `bytes_max` bytes, without secrets. `bytes` must extend by `longest`, so that a secret that begins
    /// before the cut is seen whole. Nothing after the cut is kept, however much shorter the text has become.
    pub fn cut(&self, mut bytes: Vec<u8>, bytes_max: usize) -> Vec<u8> {
        let Some(forms) = self.forms.as_ref().filter(|forms| forms.is_match(&bytes)) else {
            bytes.truncate(bytes_max);
            return bytes;
        };
        let end = bytes.len().min(bytes_max);
        let mut kept = Vec::with_capacity(end);
        let mut from = 0;
        for found in forms.find_iter(&bytes).take_while(|found| found.start() < end) {
            kept.extend_from_slice(&bytes[from..found.start()]);
            kept.extend_from_slice(REDACTED.as_bytes());
            from = found.end();
        }
        kept.extend_from_slice(&bytes[from.min(end)..end]);
        kept.truncate(bytes_max);
        kept
    }
}

fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = utf8_percent_encode(secret, ALL_BUT_UNRESERVED).to_string();
    let path = utf8_percent_encode(secret, IN_A_PATH).to_string();
    let slashed = json.replace('/', "\\/");
    let mut forms = vec![
        secret.to_owned(),
        slashed.clone(),
        // As PHP and Python write JSON: everything that is not ASCII is escaped. As Go does: HTML markup characters, too.
        unicode_escaped(&slashed, |character| !character.is_ascii()),
        unicode_escaped(&json, |character| !character.is_ascii()),
        unicode_escaped(&json, |character| "<>&'".contains(character)),
        unicode_escaped(&json, |character| !character.is_ascii() || "<>&'".contains(character)),
        json,
        html_escaped(secret, "&quot;", "&#39;"),
        html_escaped(secret, "&#34;", "&#x27;"),
        html_escaped(secret, "&quot;", "'"),
        html_escaped(secret, "\"", "'"),
        lower_escapes(&form),
        form,
        lower_escapes(&percent),
        percent,
        lower_escapes(&path),
        path,
        hex::encode(secret),
        hex::encode_upper(secret),
    ];
    forms.extend(forms[2..6].to_vec().iter().map(|escaped| lower_unicode_escapes(escaped)));
    // Once more escaped, where one answer quotes another.
    let twice = |form: &String| form.contains('\\').then(|| form.replace('\\', "\\\\").replace('"', "\\\""));
    forms.extend(forms.iter().filter_map(twice).collect::<Vec<_>>());
    forms.extend([STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|base64| base64.encode(secret)));
    if secret.len() >= INNER_BYTES_MIN {
        forms.extend((0..3).flat_map(|before| within_base64(secret, before)));
    }
    forms
}

/// The characters that `secret` alone decides, in the base64 of a longer text with `before` bytes (modulo 3) before it.
fn within_base64(secret: &str, before: usize) -> [String; 2] {
    let text = [&[0; 2][..before], secret.as_bytes()].concat();
    let characters = (before * 8).div_ceil(6)..text.len() * 8 / 6;
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|base64| base64.encode(&text)[characters.clone()].to_owned())
}

fn unicode_escaped(text: &str, escape: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if escape(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04X}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn html_escaped(text: &str, double: &str, single: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', double).replace('\'', single)
}

/// Lowers the case of percent-encoding digits (`%2F`) only; the secret's own letters stay unchanged.
fn lower_escapes(text: &str) -> String {
    lowered(text, "%", 2)
}

fn lower_unicode_escapes(text: &str) -> String {
    lowered(text, "\\u", 4)
}

fn lowered(text: &str, mark: &str, digits: usize) -> String {
    let mut parts = text.split(mark);
    let mut lowered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(digits).unwrap_or((part, ""));
        lowered.push_str(mark);
        lowered.push_str(&digits.to_ascii_lowercase());
        lowered.push_str(rest);
    }
    lowered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_removed() {
        let secret = Secret::new("p\"a/ss wörd+1");
        for shown in [
            "p\"a/ss wörd+1",
            r#"p\"a/ss wörd+1"#,
            r#"p\"a\/ss wörd+1"#,
            "p%22a%2Fss%20w%C3%B6rd%2B1",
            "p%22a%2Fss+w%C3%B6rd%2B1",
            "p%22a/ss%20w%C3%B6rd+1",
            &STANDARD.encode("p\"a/ss wörd+1"),
            "p%22a%2fss%20w%c3%b6rd%2b1",
            r#"p\"a/ss w\u00f6rd+1"#,
            r#"p\"a/ss w\u00F6rd+1"#,
            r#"p\"a\/ss w\u00f6rd+1"#,
            r#"p\\\"a\\/ss w\\u00f6rd+1"#,
            "p&quot;a/ss wörd+1",
            "p&#34;a/ss wörd+1",
            &hex::encode("p\"a/ss wörd+1"),
            &hex::encode_upper("p\"a/ss wörd+1"),
            &URL_SAFE_NO_PAD.encode("p\"a/ss wörd+1"),
        ] {
            assert_eq!(secret.scrub(&format!("<{shown}>")), "<[redacted]>", "{shown}");
        }
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }

    #[test]
    fn a_secret_is_found_inside_the_base64_of_a_longer_text() {
        let secret = Secret::new("a-long-s?cret~");
        for before in ["", "x", "xy", "Bearer "] {
            for (base64, after) in [(STANDARD, ""), (STANDARD, "\r\nhost: x"), (URL_SAFE_NO_PAD, "?")] {
                let encoded = base64.encode(format!("{before}a-long-s?cret~{after}"));
                let scrubbed = secret.scrub(&encoded);
                // The characters that it shares with its neighbours may stay: fewer than six bits at each end.
                let kept = scrubbed.replacen("[redacted]", "", 1);
                assert_ne!(scrubbed, kept, "{before:?} {after:?}: {scrubbed}");
                let most = base64.encode(format!("{before}{after}")).len() + 4;
                assert!(kept.len() <= most, "{before:?} {after:?}: {scrubbed}");
            }
        }
        assert_eq!(secret.scrub("YS1sb25n"), "YS1sb25n");
    }

    #[test]
    fn markup_in_a_secret_is_known_as_go_and_html_write_it() {
        let secret = Secret::new("Ab<c>&D'e%3F");
        for shown in [
            r"Ab\u003cc\u003e\u0026D\u0027e%3F",
            "Ab&lt;c&gt;&amp;D&#39;e%3F",
            "Ab&lt;c&gt;&amp;D&#x27;e%3F",
            "Ab%3Cc%3E%26D%27e%253F",
            "Ab%3cc%3e%26D%27e%253F",
        ] {
            assert_eq!(secret.scrub(&format!("<{shown}>")), "<[redacted]>", "{shown}");
        }
    }

    #[test]
    fn a_cut_shows_no_part_of_a_secret() {
        let scrubber = Scrubber::new([&Secret::new("a-long-secret")]);
        let cut = |text: &str, most| String::from_utf8(scrubber.cut(text.into(), most)).unwrap();
        assert_eq!(cut("123 a-long-secret", 9), "123 [reda");
        assert_eq!(cut("123 a-long-secret", 40), "123 [redacted]");
        // The second one ends after what was read: its beginning is after the cut, and must not move before it.
        assert_eq!(cut("a-long-secret23456a-long-", 18), "[redacted]23456");
        assert_eq!(cut("nothing to hide", 7), "nothing");
    }

    #[test]
    fn what_is_no_secret_stays() {
        assert_eq!(Secret::new("").scrub("all of it"), "all of it");
        assert_eq!(Secret::new("abc").scrub("abc"), "abc");
    }
}
