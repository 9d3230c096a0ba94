//! `/api/v1/episodes`: what is open and what comes next of it, and one episode explained.
use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::outlook::Surroundings;
use watchbell_pipeline::record::EpisodeRecord;
use watchbell_pipeline::spec::{RuleName, RuleSpec};
use watchbell_store::{EpisodeFilter, Read, StoreError};
use watchbell_view::{EpisodeExplanation, EpisodeView, Source, Time};

use super::super::Sources;
use super::super::access::{Access, Identity};
use super::super::answers::refusal;
use super::{READ_MAX, SHOWN_MAX, VERSION, Wanted, stored};
use crate::explained::{self, InForce};

/// `GET /api/v1/episodes`
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OpenEpisodes {
    pub(crate) version: u32,
    pub(crate) at: Time,
    /// Newest first.
    pub(crate) episodes: Vec<OpenEpisode>,
    /// Whether there are more than are listed.
    pub(crate) more: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OpenEpisode {
    pub(crate) rule: String,
    pub(crate) owner: Option<String>,
    /// The next step of its escalation, if the rule in force has one that will come.
    pub(crate) next: Option<NextStep>,
    #[serde(flatten)]
    pub(crate) episode: EpisodeView,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NextStep {
    /// From 1.
    pub(crate) step: u32,
    /// Null while its clock stands and nobody knows for how long.
    pub(crate) at: Option<Time>,
    /// Destinations: of a rotation, that of the person who is on call then.
    pub(crate) to: Vec<String>,
}

pub(super) async fn episodes(
    State(sources): State<Sources>,
    Extension(identity): Extension<Identity>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let access = sources.access.borrow().clone();
    let now = sources.clock.now();
    let read = move |store: &dyn Read| {
        let rule = wanted.rule.map(RuleName);
        let filter = EpisodeFilter { rule, rows_max: READ_MAX, ..EpisodeFilter::default() };
        let found = store.episodes(&filter)?;
        let rule_of = |name: &RuleName| rule_of(&access, name);
        let around = explained::surroundings(store, &in_force(&access, &rule_of, now), true)?;
        let is_wanted = |episode: &EpisodeRecord| {
            identity.may_see(access.owner(&episode.rule))
                && wanted.id.as_ref().is_none_or(|id| episode.id.0.starts_with(id.as_str()))
        };
        let mut more = found.len() == READ_MAX as usize;
        let mut episodes: Vec<OpenEpisode> = found
            .iter()
            .filter(|episode| is_wanted(episode))
            .take(SHOWN_MAX + 1)
            .map(|episode| OpenEpisode::of(episode, &access, &around, now))
            .collect();
        more |= episodes.len() > SHOWN_MAX;
        episodes.truncate(SHOWN_MAX);
        Ok(OpenEpisodes { version: VERSION, at: Time(now), episodes, more })
    };
    match stored(&sources, read).await {
        Ok(episodes) => Json(episodes).into_response(),
        Err(answer) => answer,
    }
}

/// What an id means.
enum Meant {
    Nothing,
    One(Box<EpisodeExplanation>),
    Several(usize),
}

/// One episode, open or not, by its id or by how that begins.
pub(super) async fn episode(
    State(sources): State<Sources>,
    Extension(identity): Extension<Identity>,
    Path(id): Path<String>,
) -> Response {
    let access = sources.access.borrow().clone();
    let now = sources.clock.now();
    let wanted = id.clone();
    let read = move |store: &dyn Read| -> Result<Meant, StoreError> {
        let mut found = explained::meant(store, &wanted)?;
        found.retain(|episode| identity.may_see(access.owner(&episode.rule)));
        let [episode] = found.as_slice() else {
            return Ok(if found.is_empty() { Meant::Nothing } else { Meant::Several(found.len()) });
        };
        let rule_of = |name: &RuleName| rule_of(&access, name);
        let in_force = in_force(&access, &rule_of, now);
        Ok(Meant::One(Box::new(explained::explanation(store, episode, &in_force)?)))
    };
    match stored(&sources, read).await {
        Ok(Meant::One(explanation)) => Json(explanation).into_response(),
        Ok(Meant::Nothing) => {
            refusal(StatusCode::NOT_FOUND, format!("there is no episode whose id begins with `{id}`"))
        }
        Ok(Meant::Several(count)) => {
            let why = format!("{count} episodes have ids that begin with `{id}`: give more of it");
            refusal(StatusCode::CONFLICT, why)
        }
        Err(answer) => answer,
    }
}

fn rule_of<'a>(access: &'a Access, name: &RuleName) -> Option<&'a RuleSpec> {
    access.rules.get(name).map(|rule| &**rule)
}

fn in_force<'a>(
    access: &'a Access,
    rule: &'a dyn Fn(&RuleName) -> Option<&'a RuleSpec>,
    now: Timestamp,
) -> InForce<'a> {
    InForce { environment: &access.environment, rule, holds: &access.holds, source: Source::Host, now }
}

impl OpenEpisode {
    fn of(episode: &EpisodeRecord, access: &Access, around: &Surroundings, now: Timestamp) -> Self {
        let rule = rule_of(access, &episode.rule);
        Self {
            rule: episode.rule.0.clone(),
            owner: rule.and_then(|rule| rule.owner.clone()),
            next: rule.and_then(|rule| NextStep::of(episode, rule, around, now)),
            episode: EpisodeView::of(episode),
        }
    }
}

impl NextStep {
    /// What the rule in force does next about an episode as it is now.
    fn of(episode: &EpisodeRecord, rule: &RuleSpec, around: &Surroundings, now: Timestamp) -> Option<Self> {
        let (place, at, to) = around.next_step(rule, episode, now, now)?;
        Some(Self {
            step: u32::try_from(place + 1).unwrap_or(u32::MAX),
            at: at.map(Time),
            to: to.into_iter().map(|name| name.0).collect(),
        })
    }
}
