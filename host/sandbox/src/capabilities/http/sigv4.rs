//! AWS's signature, version 4: a request signed with an access key, for services of AWS and for clusters behind its
//! gateways.
//!
//! Source: AWS, "Create a signed AWS API request"; where it leaves room, botocore, which AWS's own clients agree with.
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;
use watchbell_secret::Secret;

use crate::capabilities::http::destination::DestinationError;

/// An access key, and what it signs for.
#[derive(Clone, Debug)]
pub struct SigV4 {
    /// For example `eu-central-1`.
    pub region: String,
    /// The service's name in signatures, for example `sns`.
    pub service: String,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// Of temporary credentials.
    pub session_token: Option<Secret>,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// Everything but RFC 3986's unreserved characters is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_A_PATH: &AsciiSet = &ENCODED.remove(b'/');

impl SigV4 {
    /// Adds the signature, and what it needs, to the headers of a request that is sent at `now`. All headers that are
    /// there are signed. The query is written as AWS reads it.
    pub(crate) fn sign(
        &self,
        method: &Method,
        url: &mut Url,
        headers: &mut HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), DestinationError> {
        let instant = instant(now);
        let digest = hex::encode(Sha256::digest(body));
        headers.insert(X_AMZ_DATE, value(&instant, "the time")?);
        if let Some(token) = &self.session_token {
            let mut token = value(token.expose(), "sigv4.session_token")?;
            token.set_sensitive(true);
            headers.insert(X_AMZ_SECURITY_TOKEN, token);
        }
        if self.wants_digest() {
            headers.insert(X_AMZ_CONTENT_SHA256, value(&digest, "the digest")?);
        }
        let query = rewrite_query(url);
        let (signed, canonical_headers) = canonical_headers(url, headers);
        let request = format!(
            "{method}\n{}\n{query}\n{canonical_headers}\n{signed}\n{digest}",
            self.canonical_path(url.path())
        );
        let scope = format!("{}/{}/{}/aws4_request", &instant[..8], self.region, self.service);
        let to_sign =
            format!("{ALGORITHM}\n{instant}\n{scope}\n{}", hex::encode(Sha256::digest(request.as_bytes())));
        let signature = hex::encode(hmac(&self.key(&instant[..8]), to_sign.as_bytes()));
        let credential = format!("{}/{scope}", self.access_key_id);
        let header =
            format!("{ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}");
        let mut header = value(&header, "sigv4.access_key_id")?;
        header.set_sensitive(true);
        headers.insert(AUTHORIZATION, header);
        Ok(())
    }

    /// Whether its parts can be sent at all.
    pub(crate) fn check(&self) -> Result<(), DestinationError> {
        value(&self.access_key_id, "sigv4.access_key_id")?;
        value(&self.region, "sigv4.region")?;
        value(&self.service, "sigv4.service")?;
        self.session_token
            .as_ref()
            .map_or(Ok(()), |token| value(token.expose(), "sigv4.session_token").map(drop))
    }

    /// Services that refuse a request without the digest of its body in a header.
    fn wants_digest(&self) -> bool {
        self.is_s3() || self.service == "aoss"
    }

    fn is_s3(&self) -> bool {
        self.service == "s3" || self.service.starts_with("s3-")
    }

    /// S3 signs the path as it is sent. The other services encode that once more, and take several slashes for one.
    fn canonical_path(&self, path: &str) -> String {
        if self.is_s3() {
            return path.to_owned();
        }
        let mut collapsed = String::with_capacity(path.len());
        for character in path.chars() {
            if character != '/' || !collapsed.ends_with('/') {
                collapsed.push(character);
            }
        }
        utf8_percent_encode(&collapsed, ENCODED_IN_A_PATH).to_string()
    }

    /// The key of one day.
    fn key(&self, day: &str) -> [u8; 32] {
        let secret = format!("AWS4{}", self.secret_access_key.expose());
        let of_day = hmac(secret.as_bytes(), day.as_bytes());
        let of_region = hmac(&of_day, self.region.as_bytes());
        let of_service = hmac(&of_region, self.service.as_bytes());
        hmac(&of_service, b"aws4_request")
    }
}

/// `20150830T123600Z`.
fn instant(now: SystemTime) -> String {
    let now = jiff::Timestamp::try_from(now).unwrap_or_default();
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Encodes the URL's query in the one way in which AWS does, and returns it sorted, as it is signed.
fn rewrite_query(url: &mut Url) -> String {
    if url.query().is_none() {
        return String::new();
    }
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut pairs: Vec<(String, String)> =
        url.query_pairs().map(|(name, value)| (encode(&name), encode(&value))).collect();
    let joined = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    };
    url.set_query(Some(&joined(&pairs)));
    pairs.sort();
    joined(&pairs)
}

/// The names of the signed headers, and the headers, each with a line break after it.
fn canonical_headers(url: &Url, headers: &HeaderMap) -> (String, String) {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = format!("{}{port}", url.host_str().unwrap_or_default());
    let mut all = vec![(HOST.as_str(), host)];
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        all.push((name.as_str(), value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")));
    }
    all.sort();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let lines = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    (names.join(";"), lines)
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn value(text: &str, which: &'static str) -> Result<HeaderValue, DestinationError> {
    HeaderValue::from_str(text).map_err(|_| DestinationError::HeaderValue(which))
}

/// The vectors that AWS publishes: `aws-sig-v4-test-suite`, and the examples in the documentation of IAM and S3.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn suite(service: &str) -> SigV4 {
        SigV4 {
            region: "us-east-1".into(),
            service: service.into(),
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        }
    }

    fn signed(
        by: &SigV4,
        at: &str,
        method: &str,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> String {
        let at: jiff::Timestamp = at.parse().unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at.as_second() as u64);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let mut url = Url::parse(url).unwrap();
        by.sign(&method.parse().unwrap(), &mut url, &mut map, body.as_bytes(), at).unwrap();
        let header = map[AUTHORIZATION].to_str().unwrap();
        let (_, header) = header.split_once("SignedHeaders=").unwrap();
        header.replace(", Signature=", " ")
    }

    #[test]
    fn the_signatures_are_those_of_the_test_suite() {
        let at = "2015-08-30T12:36:00Z";
        let form = ("content-type", "application/x-www-form-urlencoded");
        let host = "https://example.amazonaws.com";
        for (name, method, path, headers, body, expected) in [
            (
                "get-vanilla",
                "GET",
                "/",
                &[][..],
                "",
                "host;x-amz-date 5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "/?Param2=value2&Param1=value1",
                &[][..],
                "",
                "host;x-amz-date b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-unreserved",
                "GET",
                "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                &[][..],
                "",
                "host;x-amz-date 07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "get-slashes",
                "GET",
                "//example//",
                &[][..],
                "",
                "host;x-amz-date 9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            ),
            (
                "post-vanilla",
                "POST",
                "/",
                &[][..],
                "",
                "host;x-amz-date 5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                "/",
                &[form][..],
                "Param1=value1",
                "content-type;host;x-amz-date ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let got = signed(&suite("service"), at, method, &format!("{host}{path}"), headers, body);
            assert_eq!(got, expected, "{name}");
        }
        let temporary = SigV4 { session_token: Some(Secret::new(TOKEN)), ..suite("service") };
        let expected = "host;x-amz-date;x-amz-security-token 85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead";
        let got = signed(&temporary, at, "POST", &format!("{host}/"), &[], "");
        assert_eq!(got, expected, "post-sts-header-before");
    }

    #[test]
    fn the_signatures_are_those_of_the_documentation() {
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
        let expected =
            "content-type;host;x-amz-date 5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signed(&suite("iam"), "2015-08-30T12:36:00Z", "GET", url, &[form], ""), expected);

        let s3 = SigV4 {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ..suite("s3")
        };
        let url = "https://examplebucket.s3.amazonaws.com/test.txt";
        let expected = "host;range;x-amz-content-sha256;x-amz-date f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert_eq!(signed(&s3, "2013-05-24T00:00:00Z", "GET", url, &[("range", "bytes=0-9")], ""), expected);
    }

    /// What AWS's vectors leave out: paths that are encoded already, a port, and S3, which signs a path as it is.
    #[test]
    fn the_signatures_are_those_of_botocore() {
        let at = "2015-08-30T12:36:00Z";
        let json = ("content-type", "application/json");
        let body = r#"{"a":1}"#;
        let url = "https://search.example.com:9443/a%20b//_doc/1%2F2%3A3?q=x%20y%2A~&empty=&b=%C3%A4";
        let expected =
            "content-type;host;x-amz-date 5efb83e815238dbf031a6c78f1772942fb49141634cefad1682b4d307101469a";
        assert_eq!(signed(&suite("es"), at, "PUT", url, &[json], body), expected);
        let url = "https://bucket.s3.amazonaws.com/a%20b/c%2Bd";
        let expected = "content-type;host;x-amz-content-sha256;x-amz-date c9a4cb6e10924f694a96cc7a2307f26957c605d03b9fff1be9e1719bba8448f9";
        assert_eq!(signed(&suite("s3"), at, "PUT", url, &[json], body), expected);
    }

    #[test]
    fn a_query_is_sent_as_it_is_signed() {
        let mut url = Url::parse("https://a.example/?b=x+y~*%2F&a=%C3%A4&c").unwrap();
        assert_eq!(rewrite_query(&mut url), "a=%C3%A4&b=x%20y~%2A%2F&c=");
        assert_eq!(url.query(), Some("b=x%20y~%2A%2F&a=%C3%A4&c="));
    }
}
