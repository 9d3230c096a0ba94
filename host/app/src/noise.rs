//! How much each rule says, and what people make of it: counted from a store's history.
use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::Serialize;
use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::record::{Command, CommandRecord, Ending, EpisodeId};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_store::{EpisodeOutline, MessageOutline, Read, StoreError};

/// An episode that ends by itself within this time of its first message was hardly worth one.
const SHORT: Duration = Duration::from_mins(5);

/// Half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// What is counted, and how it is named.
pub(crate) struct Question<'a> {
    pub(crate) period: Period,
    /// Of the months.
    pub(crate) zone: &'a TimeZone,
    pub(crate) is_wanted: &'a dyn Fn(&RuleName) -> bool,
    /// The kind of a destination, such as `slack`.
    pub(crate) kind: &'a dyn Fn(&DestinationName) -> String,
}

/// What the store holds of the past.
pub(crate) struct Past {
    episodes: BTreeMap<EpisodeId, EpisodeOutline>,
    messages: Vec<MessageOutline>,
    commands: Vec<CommandRecord>,
}

/// One rule in one month.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct RuleNoise {
    /// `2026-11`
    pub(crate) month: String,
    pub(crate) rule: String,
    /// Episodes of which somebody was notified for the first time.
    pub(crate) told: u32,
    /// Messages, also about events and about episodes of which people knew before.
    pub(crate) messages: u32,
    /// The same by the kind of their destination.
    pub(crate) messages_by_kind: BTreeMap<String, u32>,
    /// Of the told ones, those that somebody acknowledged.
    pub(crate) acknowledged: u32,
    /// Those that ended and that nobody had acknowledged.
    pub(crate) never_acknowledged: u32,
    /// Those that are open and that nobody has acknowledged yet.
    pub(crate) open: u32,
    /// From the first message to the first acknowledgement; null if there was none.
    pub(crate) median_seconds_to_acknowledge: Option<f64>,
    /// Those that ended by themselves within 5 minutes of the first message.
    pub(crate) short: u32,
}

impl Past {
    pub(crate) fn read(reader: &dyn Read) -> Result<Self, StoreError> {
        let episodes = reader.episode_outlines()?;
        Ok(Self {
            episodes: episodes.into_iter().map(|episode| (episode.id.clone(), episode)).collect(),
            messages: reader.message_outlines()?,
            commands: reader.commands(u32::MAX)?,
        })
    }

    /// The instant of the oldest record.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let episodes = self.episodes.values().map(|episode| episode.opened_at);
        episodes.chain(self.messages.iter().map(|message| message.created_at)).min()
    }

    /// By month, the noisiest rule first.
    pub(crate) fn count(&self, question: &Question<'_>) -> Vec<RuleNoise> {
        let mut counted: BTreeMap<(String, RuleName), Counted> = BTreeMap::new();
        let mut first: BTreeMap<&EpisodeId, &MessageOutline> = BTreeMap::new();
        for message in &self.messages {
            let earliest = first.entry(&message.episode).or_insert(message);
            if message.created_at < earliest.created_at {
                *earliest = message;
            }
            if let Some(month) = question.month(&message.rule, message.created_at) {
                let counted = counted.entry((month, message.rule.clone())).or_default();
                counted.noise.messages += 1;
                let kind = (question.kind)(&message.destination);
                *counted.noise.messages_by_kind.entry(kind).or_default() += 1;
            }
        }
        let people = People::of(&self.commands);
        for (id, message) in first {
            // An event has no episode, and what it is about no end.
            let Some(episode) = self.episodes.get(id) else { continue };
            if let Some(month) = question.month(&message.rule, message.created_at) {
                let counted = counted.entry((month, message.rule.clone())).or_default();
                counted.episode(episode, message.created_at, &people);
            }
        }
        let mut all: Vec<RuleNoise> =
            counted.into_iter().map(|((month, rule), counted)| counted.noise(month, rule)).collect();
        all.sort_by(|a, b| {
            let noise = |of: &RuleNoise| (of.messages, of.told);
            a.month.cmp(&b.month).then_with(|| noise(b).cmp(&noise(a))).then_with(|| a.rule.cmp(&b.rule))
        });
        all
    }
}

impl Question<'_> {
    /// The month of something that is counted.
    fn month(&self, rule: &RuleName, at: Timestamp) -> Option<String> {
        let Period { from, until } = self.period;
        if at < from || at >= until || !(self.is_wanted)(rule) {
            return None;
        }
        month(at, self.zone)
    }
}

/// `2026-11`; `None` of an instant that no calendar has.
fn month(at: Timestamp, zone: &TimeZone) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    Some(zone.to_datetime(at).strftime("%Y-%m").to_string())
}

/// What people did about episodes.
struct People<'a> {
    /// The first acknowledgement of each.
    acknowledged: BTreeMap<&'a EpisodeId, Timestamp>,
    resolved: BTreeSet<&'a EpisodeId>,
}

impl<'a> People<'a> {
    /// `commands` are the newest first.
    fn of(commands: &'a [CommandRecord]) -> Self {
        let mut people = Self { acknowledged: BTreeMap::new(), resolved: BTreeSet::new() };
        for record in commands.iter().filter(|record| record.refused.is_none()) {
            match &record.command {
                Command::Acknowledge { episode } => drop(people.acknowledged.insert(episode, record.at)),
                Command::Resolve { episode } => drop(people.resolved.insert(episode)),
                _ => {}
            }
        }
        people
    }
}

#[derive(Default)]
struct Counted {
    noise: RuleNoise,
    /// From the first message to the first acknowledgement.
    waits: Vec<Duration>,
}

impl Counted {
    fn episode(&mut self, episode: &EpisodeOutline, told_at: Timestamp, people: &People<'_>) {
        let noise = &mut self.noise;
        noise.told += 1;
        match (people.acknowledged.get(&episode.id), episode.resolved) {
            (Some(at), _) => {
                noise.acknowledged += 1;
                self.waits.push(at.since(told_at));
            }
            (None, Some(_)) => noise.never_acknowledged += 1,
            (None, None) => noise.open += 1,
        }
        if let Some((at, Ending::Cleared | Ending::Lapsed)) = episode.resolved
            && !people.resolved.contains(&episode.id)
            && at.since(told_at) <= SHORT
        {
            noise.short += 1;
        }
    }

    fn noise(mut self, month: String, rule: RuleName) -> RuleNoise {
        self.waits.sort_unstable();
        RuleNoise { month, rule: rule.0, median_seconds_to_acknowledge: median(&self.waits), ..self.noise }
    }
}

fn median(sorted: &[Duration]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle)?.millis();
    let lower = if sorted.len().is_multiple_of(2) { sorted.get(middle - 1)?.millis() } else { upper };
    Some((lower as f64 + upper as f64) / 2_000.0)
}

#[cfg(test)]
mod tests;
