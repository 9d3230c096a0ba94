//! Values that no text may show.
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// A value that is used, but never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into().into())
    }

    /// The value itself, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the value in any of the forms in which it may come back: as it is, escaped for JSON,
    /// percent-encoded, in base64.
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
/// A shorter value would match everywhere, and hides nothing.
const BYTES_MIN: usize = 4;

/// Removes several secrets in one pass.
pub(crate) struct Scrubber {
    forms: Option<AhoCorasick>,
}

impl Scrubber {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets.into_iter().map(Secret::expose).filter(|secret| secret.len() >= BYTES_MIN) {
            forms.extend(self::forms(secret));
        }
        forms.sort_unstable();
        forms.dedup();
        // The longest first, so that nothing of a longer form is left behind. Fails only for sizes no secret has.
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        Self { forms: built.ok().filter(|_| !forms.is_empty()) }
    }

    pub(crate) fn text(&self, text: &str) -> String {
        match &self.forms {
            Some(forms) if forms.is_match(text) => {
                forms.replace_all(text, &vec![REDACTED; forms.patterns_len()])
            }
            _ => text.to_owned(),
        }
    }

    pub(crate) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        match &self.forms {
            Some(forms) if forms.is_match(&bytes) => {
                forms.replace_all_bytes(&bytes, &vec![REDACTED; forms.patterns_len()])
            }
            _ => bytes,
        }
    }
}

fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = percent_encoded(secret, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let path = percent_encoded(secret, |byte| byte.is_ascii_graphic() && !b"\"#<>?`{}%".contains(&byte));
    let mut forms = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        form.to_ascii_lowercase(),
        form,
        percent.to_ascii_lowercase(),
        percent,
        path,
    ];
    forms.extend([STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|base64| base64.encode(secret)));
    forms
}

fn percent_encoded(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
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
            &URL_SAFE_NO_PAD.encode("p\"a/ss wörd+1"),
        ] {
            assert_eq!(secret.scrub(&format!("<{shown}>")), "<[redacted]>", "{shown}");
        }
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }

    #[test]
    fn what_is_no_secret_stays() {
        assert_eq!(Secret::new("").scrub("all of it"), "all of it");
        assert_eq!(Secret::new("abc").scrub("abc"), "abc");
    }
}
