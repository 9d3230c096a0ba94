//! One episode, explained from a store and the rules in force. Everything here waits for a disk.
use watchbell_contract::Timestamp;
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::outlook::{Outlook, Surroundings};
use watchbell_pipeline::record::{COMMAND_IDS_MAX, EpisodeRecord, Phase};
use watchbell_pipeline::spec::{RuleName, RuleSpec};
use watchbell_store::{EpisodeFilter, IntentFilter, Read, StoreError};
use watchbell_view::{EpisodeExplanation, Facts, Source};

/// The length of a whole id, in hex.
pub(crate) const ID_CHARS: usize = 32;
/// Messages of one episode that are listed.
const MESSAGES_MAX: u32 = 100;
/// Messages to come that are listed.
const COMING_MAX: usize = 5;
/// Open episodes of which is asked whether they mute others.
const OPEN_MAX: u32 = 20_000;
/// Candidates for an ambiguous id.
const MEANT_MAX: u32 = 100;

/// What is in force.
pub(crate) struct InForce<'a> {
    pub(crate) environment: &'a str,
    pub(crate) rule: &'a dyn Fn(&RuleName) -> Option<&'a RuleSpec>,
    pub(crate) holds: &'a HoldsSpec,
    pub(crate) source: Source,
    pub(crate) now: Timestamp,
}

/// Whether a text may be how an episode's id begins.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The episodes, open or not, whose ids begin with `id`, newest first. Of several, one has the whole id or none.
pub(crate) fn meant(reader: &dyn Read, id: &str) -> Result<Vec<EpisodeRecord>, StoreError> {
    if !is_id(id) {
        return Ok(Vec::new());
    }
    let id_begins = Some(id.to_ascii_lowercase());
    reader.episodes(&EpisodeFilter {
        open: false,
        id_begins,
        rows_max: MEANT_MAX,
        ..EpisodeFilter::default()
    })
}

/// Everything about one episode.
pub(crate) fn explanation(
    reader: &dyn Read,
    episode: &EpisodeRecord,
    in_force: &InForce<'_>,
) -> Result<EpisodeExplanation, StoreError> {
    let of_episode = IntentFilter {
        episode: Some(episode.id.0.clone()),
        rows_max: MESSAGES_MAX,
        ..IntentFilter::default()
    };
    let intents = reader.intents(&of_episode)?;
    let commands = reader.commands(u32::try_from(COMMAND_IDS_MAX).unwrap_or(u32::MAX))?;
    let rule = (in_force.rule)(&episode.rule);
    let outlook = rule.map(|rule| outlook(reader, episode, rule, in_force)).transpose()?;
    let source = if rule.is_some() { in_force.source } else { Source::Ended };
    Ok(EpisodeExplanation::of(Facts {
        environment: in_force.environment.to_owned(),
        source,
        episode,
        rule,
        outlook: outlook.as_ref(),
        intents: &intents,
        commands: &commands,
        now: in_force.now,
    }))
}

fn outlook(
    reader: &dyn Read,
    episode: &EpisodeRecord,
    rule: &RuleSpec,
    in_force: &InForce<'_>,
) -> Result<Outlook, StoreError> {
    let now = in_force.now;
    let is_open = !matches!(episode.phase, Phase::Resolved { .. });
    let around = surroundings(reader, in_force, is_open)?;
    let judged = reader.rule(&episode.rule)?.map_or(now, |stored| stored.record.cursor);
    Ok(around.outlook(rule, episode, judged, now, COMING_MAX))
}

/// What stands around episodes. `with_others`: with the open ones that mute others.
pub(crate) fn surroundings(
    reader: &dyn Read,
    in_force: &InForce<'_>,
    with_others: bool,
) -> Result<Surroundings, StoreError> {
    let (silences, pause) = (reader.silences()?, reader.pause()?);
    let mut around = Surroundings::new(in_force.holds.clone(), silences, pause, in_force.now);
    if with_others && around.has_inhibitions() {
        for other in reader.episodes(&EpisodeFilter { rows_max: OPEN_MAX, ..EpisodeFilter::default() })? {
            if let Some(rule) = (in_force.rule)(&other.rule) {
                around.add(rule, &other);
            }
        }
    }
    Ok(around)
}
