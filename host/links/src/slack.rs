use hmac::Mac as _;
use watchbell_contract::{Duration, Timestamp};
use watchbell_secret::Secret;

use crate::mac;

/// A request that was signed longer ago is refused, so that one that was overheard cannot be sent again later.
pub const SLACK_AGE_MAX: Duration = Duration::from_mins(5);

/// Why a request is not Slack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlackFault {
    /// A header is not of Slack's form.
    #[error("the signature of the request is incomplete")]
    Malformed,
    /// It was signed too long ago, or in the future.
    #[error("the request was signed at another time than now")]
    Stale,
    /// Another secret, another time or another body was signed.
    #[error("the signature of the request is not Slack's")]
    Forged,
}

/// Whether Slack signed `body`, byte for byte as it came. `timestamp` and `signature` are the values of the headers
/// `X-Slack-Request-Timestamp` and `X-Slack-Signature`. Compares in constant time.
///
/// # Errors
/// `SlackFault`.
/// Source: Slack, "Verifying requests from Slack".
pub fn verify_slack(
    secret: &Secret,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SlackFault> {
    // Signs and the like, which `parse` accepts, are not of its form.
    if timestamp.is_empty() || timestamp.len() > 12 || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SlackFault::Malformed);
    }
    let at = timestamp.parse::<i64>().map_err(|_| SlackFault::Malformed)?;
    let signature = signature.strip_prefix("v0=").ok_or(SlackFault::Malformed)?;
    let signature = hex::decode(signature).map_err(|_| SlackFault::Malformed)?;
    let mut mac = mac::new(secret);
    for part in [b"v0:", timestamp.as_bytes(), b":", body] {
        mac.update(part);
    }
    mac.verify_slice(&signature).map_err(|_| SlackFault::Forged)?;
    let age = (i128::from(now.0) - i128::from(at) * 1_000).unsigned_abs();
    if age > u128::from(SLACK_AGE_MAX.millis()) { Err(SlackFault::Stale) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of Slack's documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F\
        T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const NOW: Timestamp = Timestamp(1_531_420_618_000);

    fn verify(timestamp: &str, signature: &str, body: &[u8], now: Timestamp) -> Result<(), SlackFault> {
        verify_slack(&Secret::new(SECRET), timestamp, signature, body, now)
    }

    #[test]
    fn slacks_own_example_is_accepted() {
        assert_eq!(verify(TIMESTAMP, SIGNATURE, BODY.as_bytes(), NOW), Ok(()));
    }

    #[test]
    fn slacks_signature_counts_for_five_minutes() {
        let at = |offset: i64| {
            let now = Timestamp(NOW.0 + offset);
            verify(TIMESTAMP, SIGNATURE, BODY.as_bytes(), now)
        };
        assert_eq!((at(300_000), at(300_001)), (Ok(()), Err(SlackFault::Stale)));
        assert_eq!((at(-300_000), at(-300_001)), (Ok(()), Err(SlackFault::Stale)));
    }

    #[test]
    fn every_changed_byte_of_a_slack_request_is_refused() {
        for at in 0..BODY.len() {
            let mut body = BODY.as_bytes().to_vec();
            body[at] ^= 1;
            assert_eq!(verify(TIMESTAMP, SIGNATURE, &body, NOW), Err(SlackFault::Forged), "at {at}");
        }
        for at in 0..SIGNATURE.len() {
            let mut signature = SIGNATURE.as_bytes().to_vec();
            signature[at] ^= 1;
            let signature = String::from_utf8(signature).unwrap();
            assert!(verify(TIMESTAMP, &signature, BODY.as_bytes(), NOW).is_err(), "at {at}");
        }
        let forged = verify("1531420619", SIGNATURE, BODY.as_bytes(), NOW);
        assert_eq!(forged, Err(SlackFault::Forged));
        let other = verify_slack(&Secret::new("another"), TIMESTAMP, SIGNATURE, BODY.as_bytes(), NOW);
        assert_eq!(other, Err(SlackFault::Forged));
    }

    #[test]
    fn headers_of_another_form_are_refused() {
        for (timestamp, signature) in [
            ("", SIGNATURE),
            ("+1531420618", SIGNATURE),
            ("-1531420618", SIGNATURE),
            (" 1531420618", SIGNATURE),
            ("99999999999999999999", SIGNATURE),
            (TIMESTAMP, ""),
            (TIMESTAMP, "v0="),
            (TIMESTAMP, &SIGNATURE[3..]),
            (TIMESTAMP, &SIGNATURE[..SIGNATURE.len() - 1]),
            (TIMESTAMP, &SIGNATURE[..SIGNATURE.len() - 2]),
            (TIMESTAMP, &SIGNATURE.replace("v0=", "v1=")),
        ] {
            assert!(verify(timestamp, signature, BODY.as_bytes(), NOW).is_err(), "{timestamp} {signature}");
        }
    }
}
