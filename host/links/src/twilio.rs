use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use watchbell_secret::Secret;

/// Why a request is not Twilio's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwilioFault {
    /// The header is not of Twilio's form.
    #[error("the signature of the request is incomplete")]
    Malformed,
    /// Another token, another address or other parameters were signed.
    #[error("the signature of the request is not Twilio's")]
    Forged,
}

/// Whether Twilio signed a form that was posted to `url`, which is the address as Twilio knows it, behind whatever proxy
/// the host is. `signature` is the value of the header `X-Twilio-Signature`, and `body` the form. Compares in constant
/// time.
///
/// # Errors
/// `TwilioFault`.
/// Source: Twilio, "Validating requests are coming from Twilio".
pub fn verify_twilio(token: &Secret, url: &str, signature: &str, body: &[u8]) -> Result<(), TwilioFault> {
    let signature = STANDARD.decode(signature).map_err(|_| TwilioFault::Malformed)?;
    let mut form: Vec<_> = form_urlencoded::parse(body).collect();
    form.sort();
    form.dedup();
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    for (name, value) in &form {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.verify_slice(&signature).map_err(|_| TwilioFault::Forged)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of Twilio's documentation and client libraries.
    const TOKEN: &str = "12345";
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &str = "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309\
        &CallSid=CA1234567890ABCDE";
    const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

    fn verify(token: &str, url: &str, signature: &str, form: &str) -> Result<(), TwilioFault> {
        verify_twilio(&Secret::new(token), url, signature, form.as_bytes())
    }

    #[test]
    fn twilios_own_example_is_accepted() {
        assert_eq!(verify(TOKEN, URL, SIGNATURE, FORM), Ok(()));
    }

    #[test]
    fn every_changed_byte_of_a_twilio_request_is_refused() {
        // A changed separator or escape may leave a form with the same parameters, so letters and digits alone.
        for (at, _) in FORM.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_alphanumeric()) {
            let mut form = FORM.as_bytes().to_vec();
            form[at] ^= 1;
            let form = String::from_utf8(form).unwrap();
            assert_eq!(verify(TOKEN, URL, SIGNATURE, &form), Err(TwilioFault::Forged), "at {at}: {form}");
        }
        for at in 0..SIGNATURE.len() {
            let mut signature = SIGNATURE.as_bytes().to_vec();
            signature[at] ^= 1;
            let signature = String::from_utf8(signature).unwrap();
            assert!(verify(TOKEN, URL, &signature, FORM).is_err(), "at {at}");
        }
        assert_eq!(verify("12346", URL, SIGNATURE, FORM), Err(TwilioFault::Forged));
        assert_eq!(verify(TOKEN, &URL.replace("https", "http"), SIGNATURE, FORM), Err(TwilioFault::Forged));
        assert_eq!(verify(TOKEN, URL, SIGNATURE, &format!("{FORM}&Body=a")), Err(TwilioFault::Forged));
        assert_eq!(verify(TOKEN, URL, "", FORM), Err(TwilioFault::Forged));
        assert_eq!(verify(TOKEN, URL, "not base64", FORM), Err(TwilioFault::Malformed));
    }
}
