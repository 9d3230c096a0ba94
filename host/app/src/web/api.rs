//! `/api/v1`: what is open, and what people do about it.
mod episodes; // what is open, and one episode explained

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Extension, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use watchbell_pipeline::matcher::{Subject, all_met};
use watchbell_pipeline::record::{
    Command, EpisodeId, EpisodeRecord, IntentId, IntentRecord, SilenceRecord, SilenceSpec,
};
use watchbell_pipeline::spec::RuleName;
use watchbell_store::{EpisodeFilter, IntentFilter, IntentPhase, Read, StoreError};
use watchbell_view::{DeliveryView, Time};

use super::access::{Access, Identity, Need, guard};
use super::answers::refusal;
use super::{ANSWER_MAX, Sources};
use crate::commands::{Answer, Body, Outcome, Submitted};

pub(crate) use episodes::{OpenEpisode, OpenEpisodes};

/// The version of the answers: adding members does not change it.
pub(crate) const VERSION: u32 = 1;
/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Entries of one answer.
const SHOWN_MAX: usize = 1_000;
/// Rows that are read for it.
const READ_MAX: u32 = 20_000;

/// `GET /api/v1/dead-letters`
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetters {
    pub(crate) version: u32,
    pub(crate) at: Time,
    /// Newest first.
    pub(crate) messages: Vec<DeadLetter>,
    pub(crate) more: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    pub(crate) rule: String,
    pub(crate) owner: Option<String>,
    pub(crate) summary: String,
    #[serde(flatten)]
    pub(crate) message: DeliveryView,
}

/// `GET /api/v1/silences`
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Silences {
    pub(crate) version: u32,
    pub(crate) at: Time,
    /// In force or to come; the first to end first.
    pub(crate) silences: Vec<ShownSilence>,
    /// If nothing at all is sent.
    pub(crate) pause: Option<ShownPause>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownSilence {
    pub(crate) id: String,
    pub(crate) matchers: Vec<String>,
    pub(crate) from: Time,
    pub(crate) until: Time,
    pub(crate) in_force: bool,
    pub(crate) reason: String,
    pub(crate) by: String,
    pub(crate) at: Time,
    /// How many open episodes meet its conditions now.
    pub(crate) open_episodes: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownPause {
    pub(crate) since: Time,
    pub(crate) until: Time,
    pub(crate) reason: String,
    pub(crate) by: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    rule: Option<String>,
    /// How an id begins.
    id: Option<String>,
}

pub(super) fn routes(sources: &Sources) -> Router<Sources> {
    let needs = |need: Need| from_fn_with_state((sources.clone(), need), guard);
    let reads = Router::new()
        .route("/episodes", get(episodes::episodes))
        .route("/episodes/{id}", get(episodes::episode))
        .route("/dead-letters", get(dead_letters))
        .route("/silences", get(silences))
        .layer(needs(Need::View));
    let acts = Router::new()
        .route("/commands", post(command))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(needs(Need::Command));
    reads.merge(acts)
}

async fn dead_letters(
    State(sources): State<Sources>,
    Extension(identity): Extension<Identity>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let now = sources.clock.now();
    let read = move |store: &dyn Read| {
        let filter = IntentFilter {
            phase: Some(IntentPhase::Dead),
            rule: wanted.rule.map(RuleName),
            rows_max: READ_MAX,
            ..IntentFilter::default()
        };
        let mut found = store.intents(&filter)?;
        let mut more = found.len() == READ_MAX as usize;
        found.retain(|intent| {
            !intent.is_dropped()
                && identity.may_see(intent.message.owner.as_deref())
                && wanted.id.as_ref().is_none_or(|id| intent.id.0.starts_with(id.as_str()))
        });
        more |= found.len() > SHOWN_MAX;
        let message = |intent: &IntentRecord| DeadLetter {
            rule: intent.message.rule.0.clone(),
            owner: intent.message.owner.clone(),
            summary: intent.message.last.summary.clone(),
            message: DeliveryView::of(intent),
        };
        let messages = found.iter().take(SHOWN_MAX).map(message).collect();
        Ok(DeadLetters { version: VERSION, at: Time(now), messages, more })
    };
    match stored(&sources, read).await {
        Ok(letters) => Json(letters).into_response(),
        Err(answer) => answer,
    }
}

async fn silences(State(sources): State<Sources>, Extension(identity): Extension<Identity>) -> Response {
    let access = sources.access.borrow().clone();
    let now = sources.clock.now();
    let read = |store: &dyn Read| {
        let open = EpisodeFilter { rows_max: READ_MAX, ..EpisodeFilter::default() };
        Ok((store.episodes(&open)?, store.silences()?, store.pause()?))
    };
    let (open, mut found, pause) = match stored(&sources, read).await {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    // Thousands of comparisons, while others ask the store.
    let counted = tokio::task::spawn_blocking(move || {
        let is_shown = |silence: &SilenceRecord| {
            silence.spec.until > now
                && identity.owner.as_deref().is_none_or(|owner| names_owner(&silence.spec, owner))
        };
        found.retain(is_shown);
        found.sort_by_key(|silence| silence.spec.until);
        let shown = |silence: &SilenceRecord| {
            let is_held = |episode: &&EpisodeRecord| {
                let subject = Subject {
                    rule: &episode.rule,
                    owner: access.owner(&episode.rule),
                    severity: episode.severity,
                    labels: &episode.labels,
                };
                all_met(&silence.spec.matchers, &subject)
            };
            ShownSilence {
                id: silence.id.0.clone(),
                matchers: silence.spec.matchers.iter().map(ToString::to_string).collect(),
                from: Time(silence.spec.from),
                until: Time(silence.spec.until),
                in_force: silence.spec.from <= now,
                reason: silence.spec.reason.clone(),
                by: silence.by.clone(),
                at: Time(silence.at),
                open_episodes: open.iter().filter(is_held).count(),
            }
        };
        let pause = pause.filter(|pause| pause.until > now);
        Silences {
            version: VERSION,
            at: Time(now),
            silences: found.iter().map(shown).collect(),
            pause: pause.map(|pause| ShownPause {
                since: Time(pause.since),
                until: Time(pause.until),
                reason: pause.reason,
                by: pause.by,
            }),
        }
    });
    match counted.await {
        Ok(silences) => Json(silences).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn command(
    State(sources): State<Sources>,
    Extension(identity): Extension<Identity>,
    body: Result<Json<Body>, JsonRejection>,
) -> Response {
    let Json(body) = match body {
        Ok(body) => body,
        Err(rejection) => {
            // A body that is JSON and no command is as bad a request as one that is not JSON.
            let status = match rejection.status() {
                StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                status => status,
            };
            return refusal(status, rejection.body_text());
        }
    };
    match carry_out(&sources, &identity, &body).await {
        Ok(answer) => answer,
        Err(refused) => refused,
    }
}

async fn carry_out(sources: &Sources, identity: &Identity, body: &Body) -> Result<Response, Response> {
    let bad = |why: String| refusal(StatusCode::BAD_REQUEST, why);
    identity.must_have(body.command.role())?;
    let (id, command, called) = body.read(sources.clock.now()).map_err(bad)?;
    in_scope(sources, identity, &command).await?;
    let submitted = sources.commands.submit(id, identity.shown(called), command).await;
    let (status, outcome, reason) = match submitted {
        Submitted::Applied => (StatusCode::OK, Outcome::Applied, None),
        Submitted::Refused(why) => (StatusCode::CONFLICT, Outcome::Refused, Some(why)),
        Submitted::Recorded => {
            let why = "not committed within 2 s; send it again with the same id to learn what became of it";
            (StatusCode::ACCEPTED, Outcome::Recorded, Some(why.into()))
        }
        Submitted::NotTaken(why) => (StatusCode::SERVICE_UNAVAILABLE, Outcome::NotTaken, Some(why)),
    };
    let mut answer = (status, Json(Answer { id: body.id.clone(), outcome, reason })).into_response();
    if outcome == Outcome::NotTaken {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    Ok(answer)
}

/// Whether a command of somebody who is limited to one owner's rules is about these alone.
async fn in_scope(sources: &Sources, identity: &Identity, command: &Command) -> Result<(), Response> {
    let Some(owner) = identity.owner.clone() else { return Ok(()) };
    let who = identity.shown(None);
    let access = sources.access.borrow().clone();
    let (subject, is_own) = match command {
        Command::Acknowledge { episode }
        | Command::Unacknowledge { episode }
        | Command::Resolve { episode }
        | Command::Note { episode, .. } => {
            let (id, owner) = (episode.clone(), owner.clone());
            let is_own = move |store: &dyn Read| is_own_episode(store, &id, &access, &owner);
            (format!("episode `{}`", episode.0), stored(sources, is_own).await?)
        }
        Command::Retry { intent } | Command::Drop { intent } => {
            let (id, owner) = (intent.clone(), owner.clone());
            let is_own = move |store: &dyn Read| is_own_letter(store, &id, &owner);
            (format!("dead letter `{}`", intent.0), stored(sources, is_own).await?)
        }
        Command::Unsilence { silence } => {
            let (id, owner) = (silence.clone(), owner.clone());
            let is_own = move |store: &dyn Read| {
                let found = store.silences()?.into_iter().find(|silence| silence.id == id);
                Ok(found.is_some_and(|silence| names_owner(&silence.spec, &owner)))
            };
            (format!("silence `{}`", silence.0), stored(sources, is_own).await?)
        }
        Command::Silence(spec) if names_owner(spec, &owner) => return Ok(()),
        Command::Silence(_) => {
            let why = format!("`{who}` is limited to rules of `{owner}`: add the condition `owner={owner}`");
            return Err(refusal(StatusCode::FORBIDDEN, why));
        }
        Command::Pause { .. } | Command::Unpause => {
            let why = format!("`{who}` is limited to rules of `{owner}`, and a pause is of all rules");
            return Err(refusal(StatusCode::FORBIDDEN, why));
        }
    };
    if is_own {
        return Ok(());
    }
    let why = format!("`{who}` is limited to rules of `{owner}`, and there is no {subject} of one");
    Err(refusal(StatusCode::FORBIDDEN, why))
}

fn is_own_episode(
    store: &dyn Read,
    id: &EpisodeId,
    access: &Access,
    owner: &str,
) -> Result<bool, StoreError> {
    let one = EpisodeFilter { id: Some(id.clone()), ..EpisodeFilter::default() };
    let found = store.episodes(&one)?.into_iter().next();
    Ok(found.is_some_and(|episode| access.owner(&episode.rule) == Some(owner)))
}

fn is_own_letter(store: &dyn Read, id: &IntentId, owner: &str) -> Result<bool, StoreError> {
    let dead = IntentFilter { phase: Some(IntentPhase::Dead), rows_max: u32::MAX, ..IntentFilter::default() };
    let found = store.intents(&dead)?.into_iter().find(|intent| intent.id == *id);
    Ok(found.is_some_and(|intent| intent.message.owner.as_deref() == Some(owner)))
}

/// Whether a silence holds nothing of other owners: the pattern of an owner whose name has wildcards may mean others.
fn names_owner(spec: &SilenceSpec, owner: &str) -> bool {
    let own = format!("owner={owner}");
    !owner.contains(['*', '\\']) && spec.matchers.iter().any(|matcher| matcher.to_string() == own)
}

/// Asks the store on a thread that may wait for a disk.
async fn stored<T: Send + 'static>(
    sources: &Sources,
    read: impl FnOnce(&dyn Read) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Response> {
    let answer = async {
        let store = Arc::clone(&sources.store).lock_owned().await;
        tokio::task::spawn_blocking(move || read(&**store)).await
    };
    match timeout(ANSWER_MAX, answer).await {
        Ok(Ok(Ok(found))) => Ok(found),
        Ok(Ok(Err(error))) => Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, crate::chain(&error))),
        Ok(Err(_)) => Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, "the answer was lost".into())),
        Err(_) => Err(refusal(StatusCode::SERVICE_UNAVAILABLE, not_answered())),
    }
}

fn not_answered() -> String {
    format!("the store has not answered for {}", watchbell_contract::Duration::from(ANSWER_MAX))
}
