//! What a registry answers: never more than was asked for, and never our credentials back.
use reqwest::Response;
use watchbell_secret::{Scrubber, Secret};

/// How much of an answer's words is quoted, in characters.
const QUOTE_MAX: usize = 300;

/// How long a sentence is that quotes one, in characters.
const SENTENCE_MAX: usize = 2_000;

/// Why an answer's body was not read.
#[derive(Debug)]
pub(super) enum BodyFault {
    TooLarge(u64),
    Broken(reqwest::Error),
}

/// The body of an answer, of at most `bytes_max` bytes after decompression.
pub(super) async fn body(answer: &mut Response, bytes_max: u64) -> Result<Vec<u8>, BodyFault> {
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(BodyFault::Broken)? {
        if (bytes.len() + part.len()) as u64 > bytes_max {
            return Err(BodyFault::TooLarge(bytes_max));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Words of a registry, as they may be shown.
pub(super) struct Quoter {
    secrets: Vec<Secret>,
    scrubber: Scrubber,
}

impl Quoter {
    pub(super) fn new(secrets: Vec<Secret>) -> Self {
        let scrubber = Scrubber::new(&secrets);
        Self { secrets, scrubber }
    }

    /// Another secret that the registry knows.
    pub(super) fn hide(&mut self, secret: Secret) {
        self.secrets.push(secret);
        self.scrubber = Scrubber::new(&self.secrets);
    }

    /// Without secrets, on one line, and cut.
    pub(super) fn quote(&self, said: &str) -> String {
        self.cut(said.trim(), QUOTE_MAX)
    }

    /// The same for a sentence of ours that quotes names of others.
    pub(super) fn sentence(&self, text: &str) -> String {
        self.cut(text, SENTENCE_MAX)
    }

    fn cut(&self, text: &str, most: usize) -> String {
        let text = self.scrubber.text(text);
        let mut cut: String = text.chars().take(most).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        watchbell_outside::line(&cut).into_owned()
    }

    /// The beginning of an answer's body, which may have no end.
    pub(super) async fn beginning(&self, answer: &mut Response) -> String {
        let most = 4 * QUOTE_MAX;
        // Further by the longest secret, so that none of them is cut and thus not found.
        let room = most + self.scrubber.longest();
        let mut bytes = Vec::new();
        while bytes.len() < room
            && let Ok(Some(part)) = answer.chunk().await
        {
            bytes.extend_from_slice(&part[..part.len().min(room - bytes.len())]);
        }
        self.quote(&String::from_utf8_lossy(&self.scrubber.cut(bytes, most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_shows_no_secret_and_is_one_short_line() {
        let mut quoter = Quoter::new(vec![Secret::new("opensesame")]);
        quoter.hide(Secret::new("token-of-ours"));
        assert_eq!(
            quoter.quote(" a\x1b[31m opensesame\ntoken-of-ours "),
            r"a\u{1b}[31m [redacted]\n[redacted]"
        );
        assert_eq!(quoter.quote(&"x".repeat(301)).chars().count(), 301);
    }
}
