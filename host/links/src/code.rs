use hmac::Mac as _;

use crate::{Keys, mac};

/// How many characters a code has.
pub const CODE_CHARS: usize = 5;

/// Without those that are taken for another when read aloud or on a small screen: 0 and o, 1, i and l, 2 and z, 5 and s,
/// 8 and b, g and q, u and v.
const ALPHABET: &[u8; 20] = b"34679acdefhjkmnprtwx";

/// What a text message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To acknowledge the episode with this code, in lower case; without one, the only episode that can be meant.
    Acknowledge(Option<String>),
    /// Anything else.
    Unknown,
}

impl Reply {
    /// Reads `a`, `a CODE` or `ack CODE`, in upper or lower case.
    pub fn of(text: &str) -> Self {
        // A longer text is not a reply to a message of ours.
        let text = if text.len() > 64 { "" } else { text };
        let text = text.to_ascii_lowercase();
        let mut words =
            text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next()) {
            (Some("a" | "ack"), None, _) => Self::Acknowledge(None),
            (Some("a" | "ack"), Some(code), None) => Self::Acknowledge(Some(code.to_owned())),
            _ => Self::Unknown,
        }
    }
}

impl Keys {
    /// The code of an episode, for text messages. It is not secret: it tells apart the few episodes that one number was
    /// notified of, and counts only in a message from that number.
    pub fn code(&self, episode: &str) -> String {
        code(self.first(), episode)
    }

    /// Whether `code` is or was the code of `episode`, by any of the keys.
    pub fn is_code_of(&self, code: &str, episode: &str) -> bool {
        self.all().any(|key| self::code(key, episode) == code)
    }
}

fn code(key: &crate::keys::Key, episode: &str) -> String {
    let mac = mac::of(&key.secret, "code", &[episode.as_bytes()]).finalize().into_bytes();
    let bytes = mac.iter().take(CODE_CHARS * 2).copied().collect::<Vec<u8>>();
    // Two bytes for each character, so that all are about as frequent.
    let character = |pair: &[u8]| {
        char::from(ALPHABET[pair.iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte)) % 20])
    };
    bytes.chunks(2).map(character).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::tests::keys;

    #[test]
    fn a_code_is_short_and_survives_a_change_of_keys() {
        let code = keys(&["old"]).code("episode");
        assert_eq!(code.len(), CODE_CHARS);
        assert!(code.bytes().all(|byte| ALPHABET.contains(&byte)), "{code}");
        assert!(keys(&["new", "old"]).is_code_of(&code, "episode"));
        assert!(!keys(&["new"]).is_code_of(&code, "episode"));
        assert!(!keys(&["old"]).is_code_of(&code, "another"));
    }

    #[test]
    fn codes_of_a_thousand_episodes_differ_almost_always() {
        let keys = keys(&["a"]);
        let codes: std::collections::BTreeSet<String> =
            (0..1_000).map(|episode| keys.code(&episode.to_string())).collect();
        assert!(codes.len() > 995, "{} of 1000 codes", codes.len());
    }

    #[test]
    fn replies_are_read_as_people_type_them() {
        let with = |code: &str| Reply::Acknowledge(Some(code.into()));
        for (text, reply) in [
            ("a", Reply::Acknowledge(None)),
            (" A \n", Reply::Acknowledge(None)),
            ("Ack.", Reply::Acknowledge(None)),
            ("a k7mp3", with("k7mp3")),
            ("A K7MP3!", with("k7mp3")),
            ("a \"k7mp3\"", with("k7mp3")),
            ("ack: k7mp3", with("k7mp3")),
            ("", Reply::Unknown),
            ("thanks", Reply::Unknown),
            ("a k7mp3 please", Reply::Unknown),
            ("resolve k7mp3", Reply::Unknown),
            ("c k7mp3", Reply::Unknown),
        ] {
            assert_eq!(Reply::of(text), reply, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,200}") {
            if let Reply::Acknowledge(Some(code)) = Reply::of(&text) {
                prop_assert!(code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            }
        }
    }
}
