//! A button in Slack. The answer must be there within three seconds, and says only that the press has arrived: what became
//! of it is announced in the channel like every acknowledgement.
use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use watchbell_links::verify_slack;
use watchbell_pipeline::spec::DestinationName;

use super::limit::Asked;
use super::outcome::{Outcome, Unanswered};
use super::{Outside, name};
use crate::acknowledge::{Acknowledge, Answers};
use crate::clock;

/// What the button of a message is called.
const ACTION: &str = "watchbell_ack";

/// What Slack sends of an interaction, as far as it matters here.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    #[serde(default)]
    actions: Vec<Pressed>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Pressed {
    #[serde(default)]
    action_id: String,
    /// The token.
    value: Option<String>,
}

pub(super) async fn pressed(State(outside): State<Outside>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(in_force) = outside.in_force() else { return StatusCode::NOT_FOUND.into_response() };
    // Nothing is read of a request before it is known to be Slack's.
    let from = senders(&in_force, &headers, &body, &outside);
    if from.is_empty() {
        return (StatusCode::UNAUTHORIZED, "the request is not signed by Slack, or too old\n")
            .into_response();
    }
    let payload = form_urlencoded::parse(&body).find(|(key, _)| key == "payload").map(|(_, value)| value);
    let Some(payload) = payload.and_then(|json| serde_json::from_str::<Payload>(&json).ok()) else {
        return (StatusCode::BAD_REQUEST, "not an interaction\n").into_response();
    };
    // Slack also tells when somebody follows a link button.
    let press = payload.actions.iter().find(|action| action.action_id == ACTION);
    let Some(token) =
        press.and_then(|press| press.value.as_deref()).filter(|_| payload.kind == "block_actions")
    else {
        return StatusCode::OK.into_response();
    };
    let now = outside.clock.now();
    let link = match in_force.keys.verify(token, &outside.incarnation.0, now) {
        Ok(link) if from.contains(&DestinationName(link.destination.clone())) => link,
        Ok(_) => return (StatusCode::FORBIDDEN, "the button belongs to another app\n").into_response(),
        Err(fault) => return (StatusCode::FORBIDDEN, format!("{fault}\n")).into_response(),
    };
    if !outside.limits.admit(Asked::Change, token, clock::monotonic()) {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    match outside.acknowledge(&link.episode, token, by(&payload.user)).await {
        Ok(Outcome::Refused(why)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
        Ok(_) => StatusCode::OK.into_response(),
        Err(Unanswered) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The destinations whose app has signed the request.
fn senders(
    in_force: &Acknowledge,
    headers: &HeaderMap,
    body: &[u8],
    outside: &Outside,
) -> BTreeSet<DestinationName> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (timestamp, signature) = (text("x-slack-request-timestamp"), text("x-slack-signature"));
    let now = outside.clock.now();
    let signed = in_force.signing.iter().filter(|(_, signing)| {
        signing.answers == Answers::Slack
            && verify_slack(&signing.secret, timestamp, signature, body, now).is_ok()
    });
    signed.map(|(name, _)| name.clone()).collect()
}

/// `ann (Slack)`: a name by which people know each other there. Slack has signed it.
fn by(user: &User) -> String {
    let named = [&user.username, &user.name].into_iter().flatten().find_map(|text| name(text));
    format!("{} (Slack)", named.or_else(|| name(&user.id)).unwrap_or_else(|| "somebody".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slack_user_is_shown_by_name_or_id() {
        let user = |json: &str| by(&serde_json::from_str(json).unwrap());
        assert_eq!(user(r#"{"id":"U1","username":"ann","name":"ann.lee"}"#), "ann (Slack)");
        assert_eq!(user(r#"{"id":"U1","name":"ann.lee"}"#), "ann.lee (Slack)");
        assert_eq!(user(r#"{"id":"U1","username":" "}"#), "U1 (Slack)");
    }
}
