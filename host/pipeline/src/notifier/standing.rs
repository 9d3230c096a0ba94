//! What stands whatever the rules say: silences, a pause, maintenance windows, open episodes that mute others, and who
//! is on call.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Duration, Timestamp};

use crate::maintenance::HoldsSpec;
use crate::matcher::{self, Matcher, Subject};
use crate::oncall::Rotation;
use crate::record::{EpisodeId, PauseRecord, SilenceId, SilenceRecord};
use crate::spec::DestinationName;

#[derive(Debug, Default)]
pub(crate) struct Standing {
    silences: BTreeMap<SilenceId, SilenceRecord>,
    pause: Option<PauseRecord>,
    spec: HoldsSpec,
    sources: Sources,
    /// Who gets what a destination does not take.
    fallbacks: BTreeMap<DestinationName, DestinationName>,
    /// Up to where its changes in time were followed.
    followed: Timestamp,
    /// When one of them next begins or ends.
    next: Option<Timestamp>,
}

/// The open episodes that mute others: by the inhibition's place, then by the values of its `equal`.
#[derive(Debug, Default)]
struct Sources {
    by_values: BTreeMap<(usize, Values), BTreeSet<EpisodeId>>,
    of: BTreeMap<EpisodeId, Vec<(usize, Values)>>,
}

type Values = Vec<Option<String>>;

impl Standing {
    pub(crate) fn new(silences: Vec<SilenceRecord>, pause: Option<PauseRecord>, now: Timestamp) -> Self {
        let silences = silences.into_iter().map(|silence| (silence.id.clone(), silence)).collect();
        let mut standing = Self { silences, pause, followed: now, ..Self::default() };
        standing.look_ahead();
        standing
    }

    /// Puts a bundle's maintenance windows, inhibitions and rotations in force. The sources have to be given anew.
    pub(crate) fn configure(&mut self, spec: HoldsSpec) {
        self.spec = spec;
        self.sources = Sources::default();
        self.look_ahead();
    }

    /// Puts the destinations' fallbacks in force.
    pub(crate) fn set_fallbacks(&mut self, fallbacks: BTreeMap<DestinationName, DestinationName>) {
        self.fallbacks = fallbacks;
    }

    /// Whom the host tells about itself.
    pub(crate) fn host_alerts(&self) -> &[DestinationName] {
        &self.spec.host_alerts
    }

    pub(crate) fn pause(&self, now: Timestamp) -> Option<&PauseRecord> {
        self.pause.as_ref().filter(|pause| now < pause.until)
    }

    /// The silence that holds `subject` for longest.
    pub(crate) fn silence(&self, subject: &Subject<'_>, now: Timestamp) -> Option<&SilenceRecord> {
        let holds = |silence: &&SilenceRecord| {
            let spec = &silence.spec;
            spec.from <= now && now < spec.until && matcher::all_met(&spec.matchers, subject)
        };
        self.silences.values().filter(holds).max_by_key(|silence| silence.spec.until)
    }

    /// The maintenance window that holds `subject` for longest, and its end.
    pub(crate) fn maintenance(&self, subject: &Subject<'_>, now: Timestamp) -> Option<(&str, Timestamp)> {
        let chosen =
            self.spec.maintenance.iter().filter(|window| matcher::all_met(&window.matchers, subject));
        chosen
            .filter_map(|window| Some((window.name.as_str(), window.until(now)?)))
            .max_by_key(|(_, until)| *until)
    }

    /// An open episode that mutes `subject`. None mutes itself.
    pub(crate) fn inhibitor(&self, subject: &Subject<'_>, own: Option<&EpisodeId>) -> Option<&EpisodeId> {
        self.targeting(subject).find_map(|(place, inhibition)| {
            let values = values(&inhibition.equal, subject);
            let sources = self.sources.by_values.get(&(place, values))?;
            sources.iter().find(|source| Some(*source) != own)
        })
    }

    /// How long the first message of `subject` waits for a source that may be judged later.
    pub(crate) fn wait(&self, subject: &Subject<'_>) -> Option<Duration> {
        self.targeting(subject).map(|(_, inhibition)| inhibition.wait).max()
    }

    /// The inhibitions of which `subject` is a target and not a source as well.
    fn targeting(
        &self,
        subject: &Subject<'_>,
    ) -> impl Iterator<Item = (usize, &crate::maintenance::Inhibition)> {
        self.spec.inhibitions.iter().enumerate().filter(|(_, inhibition)| {
            matcher::all_met(&inhibition.target, subject) && !matcher::all_met(&inhibition.source, subject)
        })
    }

    pub(crate) fn has_inhibitions(&self) -> bool {
        !self.spec.inhibitions.is_empty()
    }

    /// An episode has changed; `is_open` says whether it mutes others, if it is a source. Returns whether that changed
    /// anything.
    pub(crate) fn note(&mut self, id: &EpisodeId, subject: &Subject<'_>, is_open: bool) -> bool {
        if self.spec.inhibitions.is_empty() {
            return false;
        }
        let places: Vec<(usize, Values)> = self
            .spec
            .inhibitions
            .iter()
            .enumerate()
            .filter(|(_, inhibition)| is_open && matcher::all_met(&inhibition.source, subject))
            .map(|(place, inhibition)| (place, values(&inhibition.equal, subject)))
            .collect();
        let before = self.sources.of.remove(id).unwrap_or_default();
        let is_changed = before != places;
        for place in before {
            if let Some(ids) = self.sources.by_values.get_mut(&place) {
                ids.remove(id);
                if ids.is_empty() {
                    self.sources.by_values.remove(&place);
                }
            }
        }
        for place in &places {
            self.sources.by_values.entry(place.clone()).or_default().insert(id.clone());
        }
        if !places.is_empty() {
            self.sources.of.insert(id.clone(), places);
        }
        is_changed
    }

    /// Where a message goes that is decided now and that a rule sends to `name`: to whoever is on call, if that is a
    /// rotation.
    pub(crate) fn on_call<'a>(&'a self, name: &'a DestinationName, now: Timestamp) -> &'a DestinationName {
        self.rotation(name).map_or(name, |rotation| rotation.destination(now))
    }

    /// Whether a rule that sends to `name` may reach `destination`, now or at another time, itself or as the fallback of
    /// those whom it reaches.
    pub(crate) fn reaches(&self, name: &DestinationName, destination: &DestinationName) -> bool {
        let falls_back_to = |name: &DestinationName| {
            let chain = std::iter::successors(Some(name), |name| self.fallbacks.get(*name));
            chain.take(self.fallbacks.len() + 1).any(|name| name == destination)
        };
        match self.rotation(name) {
            Some(rotation) => rotation.people().iter().any(|person| falls_back_to(&person.destination)),
            None => falls_back_to(name),
        }
    }

    fn rotation(&self, name: &DestinationName) -> Option<&Rotation> {
        self.spec.rotations.iter().find(|rotation| rotation.name == *name)
    }

    pub(crate) fn silences(&self) -> impl Iterator<Item = &SilenceRecord> {
        self.silences.values()
    }

    pub(crate) fn silence_max(&self) -> Duration {
        self.spec.silence_max
    }

    pub(crate) fn add(&mut self, silence: SilenceRecord) {
        self.silences.insert(silence.id.clone(), silence);
        self.look_ahead();
    }

    pub(crate) fn remove(&mut self, id: &SilenceId) -> bool {
        let is_removed = self.silences.remove(id).is_some();
        self.look_ahead();
        is_removed
    }

    pub(crate) fn set_pause(&mut self, pause: Option<PauseRecord>) -> Option<PauseRecord> {
        let before = std::mem::replace(&mut self.pause, pause);
        self.look_ahead();
        before
    }

    /// When one of them next begins or ends.
    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        self.next
    }

    /// When a silence, a pause or a maintenance window that may hold `subject` begins or ends after `after`.
    pub(crate) fn change_for(&self, subject: &Subject<'_>, after: Timestamp) -> Option<Timestamp> {
        self.change_after(after, |matchers| matcher::all_met(matchers, subject))
    }

    fn look_ahead(&mut self) {
        self.next = self.change_after(self.followed, |_| true);
    }

    /// When one of those that are meant begins or ends after `after`.
    fn change_after(&self, after: Timestamp, is_meant: impl Fn(&[Matcher]) -> bool) -> Option<Timestamp> {
        let silences = self.silences.values().filter(|silence| is_meant(&silence.spec.matchers));
        let silences = silences.flat_map(|silence| [silence.spec.from, silence.spec.until]);
        let maintenance = self.spec.maintenance.iter().filter(|window| is_meant(&window.matchers));
        let maintenance = maintenance.filter_map(|window| window.next_change(after));
        let pause = self.pause.iter().map(|pause| pause.until);
        silences.chain(pause).filter(|at| *at > after).chain(maintenance).min()
    }

    /// Follows time. Returns the silences that are over, and whether a pause is.
    pub(crate) fn follow(&mut self, now: Timestamp) -> (Vec<SilenceId>, bool) {
        self.followed = now;
        let over: Vec<SilenceId> = self
            .silences
            .values()
            .filter(|silence| silence.spec.until <= now)
            .map(|silence| silence.id.clone())
            .collect();
        over.iter().for_each(|id| drop(self.silences.remove(id)));
        let is_over = self.pause.as_ref().is_some_and(|pause| pause.until <= now);
        if is_over {
            self.pause = None;
        }
        self.look_ahead();
        (over, is_over)
    }
}

fn values(names: &[String], subject: &Subject<'_>) -> Values {
    names.iter().map(|name| matcher::label(subject.labels, name).map(str::to_owned)).collect()
}
