use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use watchbell_secret::Secret;

/// HMAC-SHA256 of `parts`. `purpose` keeps what a key signs for one use from being valid for another.
pub(crate) fn of(key: &Secret, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = new(key);
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

pub(crate) fn new(key: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.expose().as_bytes()).expect("HMAC takes keys of any length")
}
