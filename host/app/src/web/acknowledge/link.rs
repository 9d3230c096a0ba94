//! A link from a message. Mail scanners and previews open links, so opening changes nothing; the button does.
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use watchbell_links::Link;

use super::limit::Asked;
use super::outcome::Unanswered;
use super::{Outside, name, page};
use crate::clock;

/// The state and one button.
pub(super) async fn show(State(outside): State<Outside>, Path(token): Path<String>) -> Response {
    let now = outside.clock.now();
    let link = match outside.permitted(&token, Asked::Show) {
        Ok(link) => link,
        Err(answer) => return answer,
    };
    match outside.find(&link.episode).await {
        Ok(found) => page::state(found, now),
        Err(Unanswered) => outside.unanswered(),
    }
}

/// The button.
pub(super) async fn press(
    State(outside): State<Outside>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let link = match outside.permitted(&token, Asked::Change) {
        Ok(link) => link,
        Err(answer) => return answer,
    };
    let public_url = outside.in_force().map(|in_force| in_force.public_url.clone()).unwrap_or_default();
    if is_cross_site(&headers, &public_url) {
        let sentence = "Another site has sent this. Open the link in the message, and press its button.";
        return page::plain(StatusCode::FORBIDDEN, "Not acknowledged", sentence, outside.clock.now());
    }
    let typed = form_urlencoded::parse(&body).find(|(key, _)| key == "name").map(|(_, value)| value);
    let by = by(typed.as_deref(), &link.destination);
    match outside.acknowledge(&link.episode, &token, by).await {
        Ok(outcome) => page::outcome(outcome, outside.clock.now()),
        Err(Unanswered) => outside.unanswered(),
    }
}

/// Who acknowledges: whoever the destination's messages reach, by the name that they give.
fn by(typed: Option<&str>, destination: &str) -> String {
    let link = format!("the link of `{destination}`");
    match typed.and_then(name) {
        Some(name) => format!("{name} by {link}"),
        None => link,
    }
}

impl Outside {
    /// What a token permits, or the answer to it.
    #[expect(clippy::result_large_err, reason = "an answer, on its way out")]
    fn permitted(&self, token: &str, asked: Asked) -> Result<Link, Response> {
        let now = self.clock.now();
        let Some(in_force) = self.in_force() else {
            let sentence = "This host takes no acknowledgements by link.";
            return Err(page::plain(StatusCode::NOT_FOUND, "This link cannot be used", sentence, now));
        };
        let link = in_force.keys.verify(token, &self.incarnation.0, now);
        let link = link.map_err(|fault| page::refused(fault, now))?;
        if !self.limits.admit(asked, token, clock::monotonic()) {
            let sentence = "This link was used too often within a minute. Wait a minute, and try again.";
            return Err(page::plain(StatusCode::TOO_MANY_REQUESTS, "Try again later", sentence, now));
        }
        Ok(link)
    }

    fn unanswered(&self) -> Response {
        let sentence = "The host's store does not answer. Try again in a moment.";
        page::plain(StatusCode::SERVICE_UNAVAILABLE, "Try again later", sentence, self.clock.now())
    }
}

/// Whether a browser says that another site has sent a form.
///
/// `Sec-Fetch-Site` decides where there is one, which is in every browser of today over TLS. Because pages here say
/// `Referrer-Policy: no-referrer`, browsers send `Origin: null` with their form, so that value alone proves nothing.
fn is_cross_site(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match text(header::ORIGIN.as_str()) {
        None | Some("null") => false,
        Some(origin) => {
            let own = url::Url::parse(public_url).ok().map(|url| url.origin().ascii_serialization());
            own.as_deref() != Some(origin)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_form_of_another_site_is_known_by_its_headers() {
        let is = |pairs: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
                .collect();
            is_cross_site(&headers, "https://bell.example.com/path")
        };
        assert!(!is(&[]));
        assert!(!is(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(!is(&[("sec-fetch-site", "none")]));
        assert!(!is(&[("origin", "https://bell.example.com")]));
        assert!(!is(&[("origin", "null")]));
        assert!(is(&[("sec-fetch-site", "cross-site")]));
        assert!(is(&[("sec-fetch-site", "same-site")]));
        assert!(is(&[("sec-fetch-site", "cross-site"), ("origin", "https://bell.example.com")]));
        assert!(is(&[("origin", "https://evil.example.com")]));
        assert!(is(&[("origin", "http://bell.example.com")]));
        assert!(is(&[("origin", "https://bell.example.com.evil.com")]));
    }

    #[test]
    fn who_acknowledges_is_the_link_and_the_name_that_was_typed() {
        assert_eq!(by(None, "ops-mail"), "the link of `ops-mail`");
        assert_eq!(by(Some("  "), "ops-mail"), "the link of `ops-mail`");
        assert_eq!(by(Some(" ann "), "ops-mail"), "ann by the link of `ops-mail`");
    }
}
