use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use watchbell_secret::Secret;

/// The HMAC of `body`, in hexadecimal.
pub(crate) fn hmac_sha256(key: &Secret, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_rfc_4231() {
        let signature = hmac_sha256(&Secret::new("Jefe"), b"what do ya want for nothing?");
        assert_eq!(signature, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
