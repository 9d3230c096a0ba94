//! Checks the guest's request and adds the destination's parts.
use std::time::SystemTime;

use percent_encoding::percent_decode_str;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use crate::bytes::Size;
use crate::capabilities::http::auth::Auth;
use crate::capabilities::http::destination::{DestinationError, Inner};
use crate::capabilities::http::method::{self, Methods};
use crate::contract::since_v0_2::bindings::http::{Body, Failure, Request};
use crate::contract::since_v0_2::bindings::types::Field;
use crate::limits::{PAIRS_MAX, REQUEST_BYTES_MAX};

/// Headers that only the host may set: routing, authentication, framing, and the form of the response. A partial
/// response, or one that the host cannot decode, would hide a secret from the scrubber.
const RESERVED: &[&str] = &[
    "accept-charset",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "if-range",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
/// Prefixes that proxies put before a header name.
const RESERVED_PREFIXES: &[&str] = &["proxy-", "x-forwarded-"];

pub(crate) struct Prepared {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// `now`: when it is sent, which a signature says.
pub(crate) fn prepare(request: Request, to: &Inner, now: SystemTime) -> Result<Prepared, Failure> {
    let method = granted(&request.method, &to.grants.methods)?;
    for (what, count) in [("headers", request.headers.len()), ("query parameters", request.query.len())] {
        if count > PAIRS_MAX {
            return invalid(format!("{count} {what}: more than {PAIRS_MAX}"));
        }
    }
    let mut url = join(&to.base, &request.path, &request.query, &to.auth)?;
    let (content_type, body) = encode(to.auth.in_body(request.body)?)?;
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        let value =
            HeaderValue::from_str(&content_type).map_err(|_| Failure::Invalid("content type".into()))?;
        headers.insert(CONTENT_TYPE, value);
    }
    for Field { name, value } in &request.headers {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    let denied = |error: DestinationError| Failure::Denied(error.to_string());
    if let Some((name, value)) = to.auth.header(&body).map_err(denied)? {
        headers.insert(name, value);
    }
    if let Auth::SigV4(aws) = &to.auth {
        aws.sign(&method, &mut url, &mut headers, &body, now).map_err(denied)?;
    }
    Ok(Prepared { method, url, headers, body })
}

fn granted(name: &str, methods: &Methods) -> Result<Method, Failure> {
    let Some(method) = method::Method::named(name) else {
        return invalid(format!("`{name}` is not GET, POST, PUT, PATCH or DELETE"));
    };
    if !methods.allow(method) {
        return Err(Failure::Denied(format!(
            "the destination does not grant `{method}`: if that is intended, add it to `grants.methods`"
        )));
    }
    Ok(method.into())
}

fn invalid<T>(message: String) -> Result<T, Failure> {
    Err(Failure::Invalid(message))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let Ok(parsed) = name.parse::<HeaderName>() else {
        return invalid(format!("`{}` is not a valid header name", name.escape_debug()));
    };
    if RESERVED.contains(&parsed.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| parsed.as_str().starts_with(prefix))
    {
        return invalid(format!(
            "header `{parsed}` is reserved for the host: set `auth` on the destination instead"
        ));
    }
    match HeaderValue::from_str(value) {
        Ok(value) => Ok((parsed, value)),
        Err(_) => invalid(format!("header `{parsed}` contains characters that are not allowed in a header")),
    }
}

/// The URL below the destination's own, and nowhere else.
fn join(base: &Url, path: &str, query: &[Field], auth: &Auth) -> Result<Url, Failure> {
    check_path(path)?;
    let mut url = base.clone();
    url.set_fragment(None);
    if !path.is_empty() {
        url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query.iter().map(|pair| (&pair.name, &pair.value)));
    }
    if let Auth::Query { name, value } = auth {
        // Receivers differ in which of two duplicates they use, so the guest's could replace the host's.
        if query.iter().any(|given| given.name.trim().eq_ignore_ascii_case(name)) {
            return invalid(format!(
                "parameter `{}` is reserved for the host: it carries the credential",
                name.escape_debug()
            ));
        }
        url.query_pairs_mut().append_pair(name, value.expose());
    }
    if !is_below(base, &url) {
        return invalid(format!("path `{}` leaves the destination", path.escape_debug()));
    }
    Ok(url)
}

/// Whether `url` is below the destination's own, however a receiver may decode its path.
pub(crate) fn is_below(base: &Url, url: &Url) -> bool {
    let root = base.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(root);
    url.origin() == base.origin()
        && rest.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && !leads_up(rest))
}

/// Whether a path has a segment that some receiver reads as `.` or `..`: plain, percent-encoded once or several times,
/// with a backslash, or with the parameters (`..;x`) that servlet containers cut off.
fn leads_up(path: &str) -> bool {
    let mut path = path.to_owned();
    // Every pass shortens an encoded path; a path that is encoded more often than this is malicious.
    for _ in 0..DECODINGS_MAX {
        let segments = path.split(['/', '\\']);
        if segments
            .map(|segment| segment.split(';').next().unwrap_or_default())
            .any(|s| s == "." || s == "..")
        {
            return true;
        }
        let decoded = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if decoded == path {
            return false;
        }
        path = decoded;
    }
    true
}

const DECODINGS_MAX: usize = 4;

fn check_path(path: &str) -> Result<(), Failure> {
    let shown = path.escape_debug();
    if !path.is_empty() && (!path.starts_with('/') || path.starts_with("//")) {
        return invalid(format!(
            "path `{shown}` must be empty or begin with one `/`: requests go below the destination's own URL"
        ));
    }
    if path.contains(['?', '#', '\\']) || path.chars().any(char::is_control) {
        return invalid(format!("path `{shown}` must be only a path: put parameters into `query`"));
    }
    if leads_up(path) {
        return invalid(format!("path `{shown}` must not contain `..`"));
    }
    Ok(())
}

fn encode(body: Body) -> Result<(Option<String>, Vec<u8>), Failure> {
    let pairs = match &body {
        Body::Form(fields) | Body::Multipart(fields) => fields.len(),
        _ => 0,
    };
    if pairs > PAIRS_MAX {
        return invalid(format!("{pairs} fields: more than {PAIRS_MAX}"));
    }
    let (content_type, body) = encoded(body)?;
    if body.len() > REQUEST_BYTES_MAX {
        let (found, most) = (Size(body.len()), Size(REQUEST_BYTES_MAX));
        return invalid(format!("the body has {found}, more than the {most} of one request"));
    }
    Ok((content_type, body))
}

fn encoded(body: Body) -> Result<(Option<String>, Vec<u8>), Failure> {
    Ok(match body {
        Body::Empty => (None, Vec::new()),
        Body::Json(text) => {
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
                return invalid(format!("the body is not JSON: {error}"));
            }
            (Some("application/json".into()), text.into_bytes())
        }
        Body::Text(text) => (Some("text/plain; charset=utf-8".into()), text.into_bytes()),
        Body::Form(fields) => {
            let pairs = fields.iter().map(|field| (&field.name, &field.value));
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            (Some("application/x-www-form-urlencoded".into()), form.into_bytes())
        }
        Body::Multipart(fields) => {
            let (boundary, body) = multipart(&fields)?;
            (Some(format!("multipart/form-data; boundary={boundary}")), body)
        }
    })
}

/// Encoded here because a signature needs the bytes before they are sent.
fn multipart(fields: &[Field]) -> Result<(String, Vec<u8>), Failure> {
    let mut digest = Sha256::new();
    for Field { name, value } in fields {
        if name.contains(['"', '\r', '\n']) {
            return invalid(format!("`{}` is not a valid field name", name.escape_debug()));
        }
        digest.update(name);
        digest.update(value);
    }
    // Derived from the content, so that the same message has the same bytes and no part contains the boundary.
    let boundary = format!("watchbell-{}", hex::encode(&digest.finalize()[..16]));
    let mut body = String::new();
    for Field { name, value } in fields {
        body.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    Ok((boundary, body.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        Field { name: name.into(), value: value.into() }
    }
    use watchbell_secret::Secret;

    fn joined(base: &str, path: &str) -> Result<String, Failure> {
        join(&Url::parse(base).unwrap(), path, &[], &Auth::None).map(String::from)
    }

    fn text(failure: Failure) -> String {
        match failure {
            Failure::Denied(text)
            | Failure::Invalid(text)
            | Failure::Unreachable(text)
            | Failure::Interrupted(text) => text,
        }
    }

    #[test]
    fn a_path_goes_below_the_base() {
        assert_eq!(joined("https://a.example/hook/", "").unwrap(), "https://a.example/hook/");
        assert_eq!(
            joined("https://a.example/v1?k=1", "/alert x").unwrap(),
            "https://a.example/v1/alert%20x?k=1"
        );
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in [
            "https://b.example/",
            "//b.example",
            "x",
            "/..",
            "/a/../../b",
            "/%2e%2E/b",
            "/a%2f..%2fb",
            "/\\b",
            "/a?b",
            "/a\nb",
            "/..;/b",
            "/..;jsession=1/b",
            "/%2e%2e;/b",
            "/%252e%252e/b",
            "/a%252f..%252fb",
            "/a%255c..%255cb",
            "/%25252e%25252e/b",
        ] {
            assert!(joined("https://a.example/hook", path).is_err(), "{path}");
        }
        assert_eq!(
            text(joined("https://a.example", "//b.example").unwrap_err()),
            "path `//b.example` must be empty or begin with one `/`: requests go below the destination's own URL"
        );
    }

    #[test]
    fn the_hosts_own_headers_are_refused() {
        for name in [
            "Accept-Encoding",
            "Range",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-Forwarded-Proto",
            "X-HTTP-Method-Override",
            "Host",
            "authorization",
            "Transfer-Encoding",
            "Proxy-Authorization",
            "a b",
            "",
        ] {
            assert!(header(name, "x").is_err(), "{name}");
        }
        assert!(header("Idempotency-Key", "7").is_ok());
        assert!(header("X-A", "a\r\nX-B: c").is_err());
    }

    #[test]
    fn a_json_body_must_parse() {
        assert_eq!(encode(Body::Json("{\"a\": 1}".into())).unwrap().1, b"{\"a\": 1}");
        assert!(text(encode(Body::Json("{".into())).unwrap_err()).starts_with("the body is not JSON: EOF"));
    }

    #[test]
    fn a_query_credential_is_added_by_the_host() {
        let auth = Auth::Query { name: "key".into(), value: Secret::new("a&b") };
        let url = join(&Url::parse("https://a.example/").unwrap(), "/x", &[field("q", "1")], &auth).unwrap();
        assert_eq!(url.as_str(), "https://a.example/x?q=1&key=a%26b");
    }

    #[test]
    fn a_guest_cannot_name_the_parameter_that_carries_the_credential() {
        let auth = Auth::Query { name: "key".into(), value: Secret::new("a&b") };
        for name in ["key", "KEY", " key"] {
            let query = [field(name, "mine")];
            let refused = join(&Url::parse("https://a.example/").unwrap(), "/x", &query, &auth).unwrap_err();
            assert_eq!(text(refused), "parameter `key` is reserved for the host: it carries the credential");
        }
    }

    #[test]
    fn a_path_below_is_more_than_one_with_the_same_beginning() {
        let base = Url::parse("https://a.example/hook").unwrap();
        let below = |url: &str| is_below(&base, &Url::parse(url).unwrap());
        assert!(below("https://a.example/hook") && below("https://a.example/hook/x?y"));
        for url in ["https://a.example/hooks", "https://a.example/", "https://a.example:444/hook/x"] {
            assert!(!below(url), "{url}");
        }
        assert!(!below("https://a.example/hook/..;/admin"));
    }

    #[test]
    fn a_request_has_limits() {
        let fields = |count| vec![field("a", "b"); count];
        let refused = |body| text(encode(body).unwrap_err());
        assert_eq!(refused(Body::Form(fields(257))), "257 fields: more than 256");
        assert_eq!(refused(Body::Multipart(fields(257))), "257 fields: more than 256");
        assert!(encode(Body::Form(fields(256))).is_ok());
        assert_eq!(
            refused(Body::Text("x".repeat(9 << 20))),
            "the body has 9MiB, more than the 8MiB of one request"
        );
    }

    #[test]
    fn a_multipart_body_is_framed() {
        let (boundary, body) = multipart(&[field("text", "hi")]).unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert!(multipart(&[field("a\"b", "")]).is_err());
    }
}
