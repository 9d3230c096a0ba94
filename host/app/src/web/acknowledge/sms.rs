//! A reply to a text message. It can acknowledge what the number was notified of, and nothing else: who can write from a
//! number is known less well than who holds a link.
use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use watchbell_links::{Reply, verify_twilio};
use watchbell_pipeline::record::{EpisodeRecord, Phase};
use watchbell_store::EpisodeFilter;

use super::Outside;
use super::limit::Asked;
use super::outcome::{Found, Outcome, Unanswered};
use crate::acknowledge::{Acknowledge, Answers};
use crate::clock;

/// The route, as Twilio's settings name it below `public_url`; Twilio signs the whole address.
const PATH: &str = "/twilio/sms";
/// Open episodes that are looked through.
const EPISODES_MAX: u32 = 20_000;

pub(super) async fn replied(State(outside): State<Outside>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(in_force) = outside.in_force() else { return StatusCode::NOT_FOUND.into_response() };
    let signature =
        headers.get("x-twilio-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let url = format!("{}{PATH}", in_force.public_url);
    let signed = |secret| verify_twilio(secret, &url, signature, &body).is_ok();
    let sms = in_force.signing.iter().filter_map(|(name, signing)| match &signing.answers {
        Answers::Sms { numbers } => Some((name, &signing.secret, numbers)),
        Answers::Slack => None,
    });
    // Nothing is read of a request before it is known to be Twilio's.
    let from_twilio: Vec<_> = sms.filter(|(_, secret, _)| signed(secret)).collect();
    if from_twilio.is_empty() {
        return (StatusCode::FORBIDDEN, "the request is not signed by Twilio\n").into_response();
    }
    let field = |wanted: &str| {
        form_urlencoded::parse(&body).find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
    };
    let number = field("From").unwrap_or_default();
    let notified: BTreeSet<String> = from_twilio
        .into_iter()
        .filter(|(_, _, numbers)| numbers.contains(&number))
        .map(|(name, _, _)| name.0.clone())
        .collect();
    if notified.is_empty() || !outside.limits.admit(Asked::Change, &number, clock::monotonic()) {
        // A stranger gets no answer, and nobody is answered without end.
        return twiml(None);
    }
    let reply = Reply::of(&field("Body").unwrap_or_default());
    match outside.answer(&in_force, &number, &notified, reply).await {
        Ok(sentence) => twiml(Some(&sentence)),
        Err(Unanswered) => twiml(Some("The host's store does not answer. Try again in a moment.")),
    }
}

impl Outside {
    /// Does what a reply asks for, and says in one sentence what happened.
    async fn answer(
        &self,
        in_force: &Acknowledge,
        number: &str,
        notified: &BTreeSet<String>,
        reply: Reply,
    ) -> Result<String, Unanswered> {
        let Reply::Acknowledge(code) = reply else {
            return Ok("Reply \"a\" and the code of an alert to acknowledge it.".into());
        };
        let told = notified.clone();
        let open = self.read(move |store| {
            let filter = EpisodeFilter { rows_max: EPISODES_MAX, ..EpisodeFilter::default() };
            let mut open = store.episodes(&filter)?;
            open.retain(|episode| {
                !matches!(episode.phase, Phase::ResolvedByHand { .. })
                    && episode.notified.iter().any(|to| told.contains(&to.destination.0))
            });
            Ok(open)
        });
        let episode = match chosen(open.await?, code.as_deref(), in_force) {
            Ok(episode) => episode,
            Err(sentence) => return Ok(sentence),
        };
        let rule = episode.rule.0.clone();
        let to = episode.notified.iter().find(|to| notified.contains(&to.destination.0));
        let by = by(number, to.map_or("", |to| &to.destination.0));
        Ok(match self.acknowledge(&episode.id.0, number, by).await? {
            Outcome::Acknowledged(_) => format!("{rule} is acknowledged."),
            Outcome::Recorded(_) => format!("{rule} will be acknowledged shortly."),
            Outcome::Not(Found::Taken { by, .. }) => format!("{rule} was already acknowledged by {by}."),
            Outcome::Not(_) => format!("{rule} is over."),
            Outcome::Refused(why) => format!("{rule} is not acknowledged: {why}."),
        })
    }
}

/// The episode that a reply means, among those that the number was notified of; or why there is none.
fn chosen(
    mut open: Vec<EpisodeRecord>,
    code: Option<&str>,
    in_force: &Acknowledge,
) -> Result<EpisodeRecord, String> {
    match code {
        Some(code) => open.retain(|episode| in_force.keys.is_code_of(code, &episode.id.0)),
        // Those that somebody has already need no reply.
        None => open.retain(|episode| !matches!(episode.phase, Phase::Acknowledged { .. })),
    }
    let many = open.len();
    match (open.pop(), code) {
        (Some(episode), _) if many == 1 => Ok(episode),
        (None, Some(code)) => Err(format!("No open alert to this number has the code {code}.")),
        (None, None) => Err("No alert to this number waits to be acknowledged.".into()),
        (Some(_), Some(_)) => Err("This code stands for several alerts: use the link of the message.".into()),
        (Some(_), None) => Err(format!("{many} alerts are open: reply \"a\" and the code of one of them.")),
    }
}

/// Others see who it was without the whole number.
fn by(number: &str, destination: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let last: String = digits[digits.len().saturating_sub(4)..].iter().collect();
    format!("a reply from …{last} to `{destination}`")
}

/// Text for Twilio to send back; `None`: nothing.
fn twiml(sentence: Option<&str>) -> Response {
    let message = sentence.map_or_else(String::new, |text| format!("<Message>{}</Message>", escaped(text)));
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>{message}</Response>\n");
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], body).into_response()
}

/// As the text of an XML element, which cannot hold control characters at all.
fn escaped(text: &str) -> String {
    let line = watchbell_outside::line(text);
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_element_whatever_it_says() {
        assert_eq!(escaped("a <b> & ]]> \u{1b}\n"), "a &lt;b&gt; &amp; ]]&gt; \\u{1b}\\n");
    }

    #[test]
    fn a_number_is_shown_by_its_last_digits() {
        assert_eq!(by("+4915112345678", "ops-sms"), "a reply from …5678 to `ops-sms`");
        assert_eq!(by("12", "ops-sms"), "a reply from …12 to `ops-sms`");
    }
}
