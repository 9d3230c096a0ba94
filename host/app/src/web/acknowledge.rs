//! Acknowledging from a message: a page with one button, and the answers that Slack and Twilio pass on. Nobody logs in
//! here: a signed link, or a signed request, is the permission, and acknowledging is all that it permits.
mod outcome; // an episode, before and after
mod limit; // how often a link or a number may ask
mod page; // what people see
mod link; // the page and its button
mod slack; // buttons in Slack
mod sms; // replies to text messages

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{Mutex, watch};
use watchbell_outside::is_hidden;
use watchbell_pipeline::record::Incarnation;
use watchbell_store::Read;

use crate::acknowledge::{Acknowledge, Links};
use crate::clock::Clock;
use crate::commands::Commands;

use limit::Limits;

/// Bytes of a request: Slack sends the whole message along.
const BODY_BYTES_MAX: usize = 256 << 10;
/// Characters of a name that a person gives.
const NAME_CHARS_MAX: usize = 64;

/// What the routes work with.
#[derive(Clone)]
pub(crate) struct Outside {
    in_force: watch::Receiver<Option<Arc<Acknowledge>>>,
    incarnation: Arc<Incarnation>,
    clock: Clock,
    commands: Commands,
    store: Arc<Mutex<Box<dyn Read>>>,
    limits: Arc<Limits>,
}

impl Outside {
    pub(crate) fn new(
        links: &Links,
        clock: Clock,
        commands: Commands,
        store: Arc<Mutex<Box<dyn Read>>>,
    ) -> Self {
        Self {
            in_force: links.in_force(),
            incarnation: Arc::new(links.store.clone()),
            clock,
            commands,
            store,
            limits: Arc::default(),
        }
    }

    /// `None` if nothing can be acknowledged from outside.
    fn in_force(&self) -> Option<Arc<Acknowledge>> {
        self.in_force.borrow().clone()
    }
}

/// The routes. None of them logs a token.
pub(super) fn router(outside: Outside) -> Router {
    Router::new()
        .route("/a/{token}", get(link::show).post(link::press))
        .route("/acknowledge.css", get(style))
        .route("/slack/actions", post(slack::pressed))
        .route("/twilio/sms", post(sms::replied))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(unlisted))
        .with_state(outside)
}

/// A link that ends up in a search engine's hands stays out of its index.
async fn unlisted(mut answer: Response) -> Response {
    let name = HeaderName::from_static("x-robots-tag");
    answer.headers_mut().insert(name, HeaderValue::from_static("noindex, nofollow"));
    answer
}

async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("acknowledge/acknowledge.css")).into_response()
}

/// A name as others will read it: one line without hidden characters, at most 64 characters long. Backticks would
/// look like the end of a destination's name. `None` if nothing is left.
fn name(given: &str) -> Option<String> {
    let shown: String =
        given.chars().map(|char| if is_hidden(char) || char == '`' { ' ' } else { char }).collect();
    let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let name: String = line.chars().take(NAME_CHARS_MAX).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod trial; // the routes over episodes of a test's choice

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_name_is_one_short_line_without_marks() {
        assert_eq!(name("  ann \n lee\t"), Some("ann lee".into()));
        assert_eq!(name("ann\u{202e}`x`"), Some("ann x".into()));
        assert_eq!(name(" \u{200b}\u{1b} ` "), None);
        assert_eq!(name(&"x".repeat(1_000)).map(|name| name.len()), Some(NAME_CHARS_MAX));
        assert_eq!(name("<b>Zoë</b>"), Some("<b>Zoë</b>".into()), "it is escaped where it is shown");
    }
}
