use std::fmt;

use hmac::Mac as _;
use watchbell_secret::Secret;

use crate::mac;

/// A shorter key could be guessed from one link.
pub const KEY_BYTES_MIN: usize = 32;

pub(crate) const KEY_ID_BYTES: usize = 3;

/// The keys that sign, newest first. The first signs, and all verify, so that links outlive a change of keys.
#[derive(Clone)]
pub struct Keys {
    /// Never empty; each id once.
    keys: Vec<Key>,
}

#[derive(Clone)]
pub(crate) struct Key {
    /// Derived from the secret, which it does not give away.
    pub(crate) id: [u8; KEY_ID_BYTES],
    pub(crate) secret: Secret,
}

/// Why keys cannot be used. Positions start at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysFault {
    /// There is none.
    #[error("there is no key")]
    None,
    /// One is too short.
    #[error("key {0} has fewer than {KEY_BYTES_MIN} bytes")]
    Short(usize),
    /// One is the same as another before it.
    #[error("key {0} is the same as one before it")]
    Twice(usize),
}

impl Keys {
    /// # Errors
    /// `KeysFault`.
    pub fn new(secrets: Vec<Secret>) -> Result<Self, KeysFault> {
        let mut keys: Vec<Key> = Vec::new();
        for (position, secret) in secrets.into_iter().enumerate() {
            if secret.expose().len() < KEY_BYTES_MIN {
                return Err(KeysFault::Short(position));
            }
            let key = Key { id: id(&secret), secret };
            if keys.iter().any(|other| other.id == key.id) {
                return Err(KeysFault::Twice(position));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeysFault::None) } else { Ok(Self { keys }) }
    }

    pub(crate) fn first(&self) -> &Key {
        &self.keys[0]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }
}

fn id(secret: &Secret) -> [u8; KEY_ID_BYTES] {
    let mac = mac::of(secret, "key id", &[]).finalize().into_bytes();
    std::array::from_fn(|at| mac[at])
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.keys.len())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn keys(names: &[&str]) -> Keys {
        Keys::new(names.iter().map(|name| Secret::new(name.repeat(KEY_BYTES_MIN))).collect()).unwrap()
    }

    #[test]
    fn keys_are_long_and_each_is_there_once() {
        let long = || Secret::new("k".repeat(KEY_BYTES_MIN));
        assert_eq!(Keys::new(Vec::new()).unwrap_err(), KeysFault::None);
        assert_eq!(Keys::new(vec![long(), Secret::new("short")]).unwrap_err(), KeysFault::Short(1));
        assert_eq!(Keys::new(vec![long(), long()]).unwrap_err(), KeysFault::Twice(1));
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", keys(&["a", "b"])), "Keys(2)");
    }
}
