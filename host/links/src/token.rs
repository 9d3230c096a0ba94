use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use sha2::{Digest as _, Sha256};
use watchbell_contract::Timestamp;

use crate::keys::KEY_ID_BYTES;
use crate::{Keys, mac};

/// A longer text is not a token.
pub const TOKEN_CHARS_MAX: usize = 400;

/// What a token permits: to acknowledge one episode until it expires. Nothing else can be signed; a leaked link can
/// silence nothing and end nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The episode's id.
    pub episode: String,
    /// The destination whose message holds the link.
    pub destination: String,
    /// Kept in whole seconds, rounded down.
    pub expires: Timestamp,
}

/// Why a token permits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// It is not a token, or one of another version.
    #[error("the link is incomplete or damaged")]
    Malformed,
    /// It was signed with a key that is not among the keys, for example one that was removed.
    #[error("the link was signed with a key that is no longer in use")]
    UnknownKey,
    /// It names a known key, which did not sign it.
    #[error("the link is not genuine")]
    Forged,
    /// It is genuine, but of a host with another store.
    #[error("the link belongs to another store")]
    OtherStore,
    /// It is genuine, but too old.
    #[error("the link has expired")]
    Expired {
        /// When it expired.
        at: Timestamp,
    },
}

// Bytes: version, action, key id, end in seconds, mark of the store, head of the episode, episode, destination, MAC.
const VERSION: u8 = 1;
/// The only action.
const ACKNOWLEDGE: u8 = 1;
const END_BYTES: usize = 4;
/// Tells stores apart; episodes of other stores have other ids in any case.
const MARK_BYTES: usize = 4;
/// Half of HMAC-SHA256, which is as hard to guess as any key of 128 bits.
const MAC_BYTES: usize = 16;
/// Set in the head of an episode whose id is not hexadecimal and so is kept as text; the rest is its length in bytes.
const IS_TEXT: u8 = 0x80;

impl Keys {
    /// The token for `link` in the store whose incarnation is `store`: URL-safe, and the same each time. `None` if a
    /// name is longer than a host's are.
    pub fn sign(&self, link: &Link, store: &str) -> Option<String> {
        let key = self.first();
        let mut token = vec![VERSION, ACKNOWLEDGE];
        token.extend(key.id);
        token.extend(u32::try_from(link.expires.0.div_euclid(1_000)).ok()?.to_be_bytes());
        token.extend(mark(store));
        let (is_text, episode) = match hex::decode(&link.episode) {
            // Upper case would come back as lower case.
            Ok(bytes) if hex::encode(&bytes) == link.episode => (0, bytes),
            _ => (IS_TEXT, link.episode.clone().into_bytes()),
        };
        let length = u8::try_from(episode.len()).ok().filter(|length| length & IS_TEXT == 0)?;
        token.push(is_text | length);
        token.extend(episode);
        token.extend(link.destination.as_bytes());
        let mac = mac::of(&key.secret, PURPOSE, &[&token]).finalize().into_bytes();
        token.extend(&mac[..MAC_BYTES]);
        let token = URL_SAFE_NO_PAD.encode(token);
        (token.len() <= TOKEN_CHARS_MAX).then_some(token)
    }

    /// What `token` permits now, in the store whose incarnation is `store`. Compares in constant time.
    ///
    /// # Errors
    /// `LinkFault`. What a token says of itself counts only once its signature is known to be genuine.
    pub fn verify(&self, token: &str, store: &str, now: Timestamp) -> Result<Link, LinkFault> {
        if token.len() > TOKEN_CHARS_MAX {
            return Err(LinkFault::Malformed);
        }
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkFault::Malformed)?;
        let (said, tag) = token.split_last_chunk::<MAC_BYTES>().ok_or(LinkFault::Malformed)?;
        let parts = Parts::of(said).ok_or(LinkFault::Malformed)?;
        let key = self.all().find(|key| key.id == parts.key).ok_or(LinkFault::UnknownKey)?;
        let mac = mac::of(&key.secret, PURPOSE, &[said]);
        mac.verify_truncated_left(tag).map_err(|_| LinkFault::Forged)?;
        if parts.store != mark(store) {
            return Err(LinkFault::OtherStore);
        }
        if now >= parts.link.expires {
            return Err(LinkFault::Expired { at: parts.link.expires });
        }
        Ok(parts.link)
    }
}

const PURPOSE: &str = "link";

fn mark(store: &str) -> [u8; MARK_BYTES] {
    let digest = Sha256::digest(store);
    std::array::from_fn(|at| digest[at])
}

/// What a token says, genuine or not.
struct Parts {
    key: [u8; KEY_ID_BYTES],
    store: [u8; MARK_BYTES],
    link: Link,
}

impl Parts {
    fn of(said: &[u8]) -> Option<Self> {
        let ([VERSION, ACKNOWLEDGE], rest) = said.split_first_chunk()? else { return None };
        let (key, rest) = rest.split_first_chunk::<KEY_ID_BYTES>()?;
        let (end, rest) = rest.split_first_chunk::<END_BYTES>()?;
        let (store, rest) = rest.split_first_chunk::<MARK_BYTES>()?;
        let (head, rest) = rest.split_first()?;
        let (episode, destination) = rest.split_at_checked(usize::from(head & !IS_TEXT))?;
        let episode = match head & IS_TEXT {
            0 => hex::encode(episode),
            _ => String::from_utf8(episode.to_vec()).ok()?,
        };
        let destination = String::from_utf8(destination.to_vec()).ok()?;
        let expires = Timestamp(i64::from(u32::from_be_bytes(*end)) * 1_000);
        Some(Self { key: *key, store: *store, link: Link { episode, destination, expires } })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use watchbell_secret::Secret;

    use super::*;
    use crate::keys::tests::keys;

    const NOW: Timestamp = Timestamp(1_796_000_000_000);

    fn link() -> Link {
        Link {
            episode: "00c0ffee".repeat(8),
            destination: "ops-mail".into(),
            expires: Timestamp(NOW.0 + 7 * 86_400_000),
        }
    }

    #[test]
    fn a_token_says_what_was_signed_and_is_short() {
        let keys = keys(&["a"]);
        let token = keys.sign(&link(), "store").unwrap();
        assert_eq!(keys.verify(&token, "store", NOW), Ok(link()));
        assert!(token.len() <= 100, "{} characters", token.len());
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
        assert_eq!(Some(token), keys.sign(&link(), "store"), "each attempt of a delivery sends the same");
    }

    #[test]
    fn every_changed_byte_and_every_other_length_is_refused() {
        let keys = keys(&["a", "b"]);
        let token = keys.sign(&link(), "store").unwrap();
        for at in 0..token.len() {
            for other in 0..=0x7f {
                let mut changed = token.clone().into_bytes();
                if std::mem::replace(&mut changed[at], other) == other {
                    continue;
                }
                let changed = String::from_utf8(changed).unwrap();
                let refused = keys.verify(&changed, "store", NOW);
                assert!(
                    matches!(refused, Err(LinkFault::Malformed | LinkFault::UnknownKey | LinkFault::Forged)),
                    "{other:#x} at {at}: {refused:?}"
                );
            }
            assert!(keys.verify(&token[..at], "store", NOW).is_err());
            assert!(keys.verify(&format!("{}{}", &token[..=at], &token[at..]), "store", NOW).is_err());
        }
        for more in ["A", "=", "==", "AA", "AAAA", " ", "\n"] {
            assert!(keys.verify(&format!("{token}{more}"), "store", NOW).is_err(), "{more:?}");
        }
    }

    #[test]
    fn a_token_ends_at_its_second() {
        let keys = keys(&["a"]);
        let token = keys.sign(&link(), "store").unwrap();
        let at = link().expires;
        assert!(keys.verify(&token, "store", Timestamp(at.0 - 1)).is_ok());
        assert_eq!(keys.verify(&token, "store", at), Err(LinkFault::Expired { at }));
    }

    #[test]
    fn a_token_is_of_one_store() {
        let keys = keys(&["a"]);
        let token = keys.sign(&link(), "store").unwrap();
        assert_eq!(keys.verify(&token, "another", NOW), Err(LinkFault::OtherStore));
        // Which it is says a genuine token alone.
        let forged = self::keys(&["b"]).sign(&link(), "store").unwrap();
        assert_eq!(keys.verify(&forged, "another", NOW), Err(LinkFault::UnknownKey));
    }

    #[test]
    fn a_key_that_moved_back_still_verifies_and_a_removed_one_does_not() {
        let token = keys(&["old"]).sign(&link(), "store").unwrap();
        assert_eq!(keys(&["new", "old"]).verify(&token, "store", NOW), Ok(link()));
        assert_eq!(keys(&["new"]).verify(&token, "store", NOW), Err(LinkFault::UnknownKey));
        let token = keys(&["new", "old"]).sign(&link(), "store").unwrap();
        assert_eq!(keys(&["new"]).verify(&token, "store", NOW), Ok(link()), "the first signs");
    }

    /// Everything that is no acknowledgement is refused, even where a key signed it.
    #[test]
    fn nothing_but_an_acknowledgement_is_permitted() {
        let keys = keys(&["a"]);
        let whole = URL_SAFE_NO_PAD.decode(keys.sign(&link(), "store").unwrap()).unwrap();
        for action in (0..=u8::MAX).filter(|action| *action != ACKNOWLEDGE) {
            let mut said = whole[..whole.len() - MAC_BYTES].to_vec();
            said[1] = action;
            let mac = mac::of(&keys.first().secret, PURPOSE, &[&said]).finalize().into_bytes();
            said.extend(&mac[..MAC_BYTES]);
            let token = URL_SAFE_NO_PAD.encode(said);
            assert_eq!(keys.verify(&token, "store", NOW), Err(LinkFault::Malformed), "action {action}");
        }
    }

    #[test]
    fn names_that_no_host_has_are_not_signed() {
        let keys = keys(&["a"]);
        assert_eq!(keys.sign(&Link { episode: "x".repeat(128), ..link() }, "store"), None);
        assert_eq!(keys.sign(&Link { destination: "x".repeat(400), ..link() }, "store"), None);
        assert_eq!(keys.sign(&Link { expires: Timestamp(-1_000), ..link() }, "store"), None);
        assert!(keys.sign(&Link { destination: "x".repeat(128), ..link() }, "store").is_some());
    }

    proptest! {
        #[test]
        fn whatever_is_signed_comes_back(
            episode in "[0-9a-fA-F]{0,64}|\\PC{0,20}",
            destination in "[A-Za-z0-9_.-]{0,128}",
            seconds in 0_i64..4_000_000_000,
            store in "\\PC{0,40}",
            key in "[a-z]{32,80}",
        ) {
            let keys = Keys::new(vec![Secret::new(key)]).unwrap();
            let link = Link { episode, destination, expires: Timestamp(seconds * 1_000) };
            let token = keys.sign(&link, &store).unwrap();
            prop_assert_eq!(keys.verify(&token, &store, Timestamp(seconds * 1_000 - 1)), Ok(link));
        }

        #[test]
        fn no_text_is_a_token(text in "\\PC{0,120}|[A-Za-z0-9_-]{0,500}") {
            prop_assert!(keys(&["a"]).verify(&text, "store", NOW).is_err());
        }
    }
}
