//! What the guest asks for, checked and put together with what the destination adds.
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use crate::bindings::http::{Body, Failure, Request};
use crate::http::destination::{Auth, Inner};
use crate::limits::PAIRS_MAX;

/// Headers that belong to the host: where the request goes, as whom, and how it is framed.
const RESERVED: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
];

pub(crate) struct Prepared {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn prepare(request: Request, to: &Inner) -> Result<Prepared, Failure> {
    let method = match request.method.as_str() {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        other => return invalid(format!("`{other}` is not GET, POST, PUT, PATCH or DELETE")),
    };
    for (what, count) in [("headers", request.headers.len()), ("query parameters", request.query.len())] {
        if count > PAIRS_MAX {
            return invalid(format!("{count} {what}: more than {PAIRS_MAX}"));
        }
    }
    let url = join(&to.base, &request.path, &request.query, &to.auth)?;
    let (content_type, body) = encode(request.body)?;
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        let value =
            HeaderValue::from_str(&content_type).map_err(|_| Failure::Invalid("content type".into()))?;
        headers.insert(CONTENT_TYPE, value);
    }
    for (name, value) in &request.headers {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    let auth = to.auth.header(&body).map_err(|error| Failure::Denied(error.to_string()))?;
    if let Some((name, value)) = auth {
        headers.insert(name, value);
    }
    Ok(Prepared { method, url, headers, body })
}

fn invalid<T>(message: String) -> Result<T, Failure> {
    Err(Failure::Invalid(message))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let Ok(parsed) = name.parse::<HeaderName>() else {
        return invalid(format!("`{}` cannot be the name of a header", name.escape_debug()));
    };
    if RESERVED.contains(&parsed.as_str()) {
        return invalid(format!("header `{parsed}` is the host's: set `auth` on the destination instead"));
    }
    match HeaderValue::from_str(value) {
        Ok(value) => Ok((parsed, value)),
        Err(_) => invalid(format!("header `{parsed}` has characters that a header cannot carry")),
    }
}

/// The path below the destination's own, and nowhere else.
fn join(base: &Url, path: &str, query: &[(String, String)], auth: &Auth) -> Result<Url, Failure> {
    check_path(path)?;
    let mut url = base.clone();
    url.set_fragment(None);
    if !path.is_empty() {
        url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    if let Auth::Query { name, value } = auth {
        url.query_pairs_mut().append_pair(name, value.expose());
    }
    let below = url.path().starts_with(base.path().trim_end_matches('/'));
    if url.origin() != base.origin() || !below {
        return invalid(format!("path `{}` leads out of the destination", path.escape_debug()));
    }
    Ok(url)
}

fn check_path(path: &str) -> Result<(), Failure> {
    let shown = path.escape_debug();
    if !path.is_empty() && (!path.starts_with('/') || path.starts_with("//")) {
        return invalid(format!(
            "path `{shown}` must be empty or begin with one `/`: requests go below the destination's own URL"
        ));
    }
    if path.contains(['?', '#', '\\']) || path.chars().any(char::is_control) {
        return invalid(format!("path `{shown}` must be a path alone: parameters go into `query`"));
    }
    let dots = |segment: &str| matches!(segment.replace("%2E", ".").replace("%2e", ".").as_str(), "." | "..");
    if path
        .replace("%2F", "/")
        .replace("%2f", "/")
        .replace("%5C", "/")
        .replace("%5c", "/")
        .split('/')
        .any(dots)
    {
        return invalid(format!("path `{shown}` must not contain `..`"));
    }
    Ok(())
}

fn encode(body: Body) -> Result<(Option<String>, Vec<u8>), Failure> {
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
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            (Some("application/x-www-form-urlencoded".into()), form.into_bytes())
        }
        Body::Multipart(fields) => {
            let (boundary, body) = multipart(&fields)?;
            (Some(format!("multipart/form-data; boundary={boundary}")), body)
        }
    })
}

/// Written here because a signature needs the bytes before they are sent.
fn multipart(fields: &[(String, String)]) -> Result<(String, Vec<u8>), Failure> {
    let mut digest = Sha256::new();
    for (name, value) in fields {
        if name.contains(['"', '\r', '\n']) {
            return invalid(format!("`{}` cannot be the name of a field", name.escape_debug()));
        }
        digest.update(name);
        digest.update(value);
    }
    // Derived from the content, so that the same message has the same bytes, and no part can contain it.
    let boundary = format!("watchbell-{}", hex::encode(&digest.finalize()[..16]));
    let mut body = String::new();
    for (name, value) in fields {
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
    use crate::secret::Secret;

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
        for name in ["Host", "authorization", "Transfer-Encoding", "Proxy-Authorization", "a b", ""] {
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
        let url = join(&Url::parse("https://a.example/").unwrap(), "/x", &[("q".into(), "1".into())], &auth)
            .unwrap();
        assert_eq!(url.as_str(), "https://a.example/x?q=1&key=a%26b");
    }

    #[test]
    fn a_multipart_body_is_framed() {
        let (boundary, body) = multipart(&[("text".into(), "hi".into())]).unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert!(multipart(&[("a\"b".into(), String::new())]).is_err());
    }
}
