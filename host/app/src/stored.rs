//! Views of rules from the store. Everything here waits for a disk.
use std::collections::BTreeMap;

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::RuleRecord;
use watchbell_pipeline::spec::RuleName;
use watchbell_store::{EpisodeFilter, IntentFilter, IntentPhase, Read, StoreError};
use watchbell_view::{Explanation, History, RuleView, SHOWN_MAX, Source, Status, Stored, StoredHost};

/// The newest records of `rule`.
pub(crate) fn history(reader: &dyn Read, rule: &RuleName) -> Result<History, StoreError> {
    let episodes = EpisodeFilter {
        open: false,
        rule: Some(rule.clone()),
        rows_max: SHOWN_MAX,
        ..EpisodeFilter::default()
    };
    let intents = IntentFilter { rule: Some(rule.clone()), rows_max: SHOWN_MAX, ..IntentFilter::default() };
    Ok(History {
        episodes: reader.episodes(&episodes)?,
        intents: reader.intents(&intents)?,
        gaps: reader.gaps(Some(rule), SHOWN_MAX)?,
    })
}

/// The subject of an explanation from the store.
pub(crate) struct About<'a> {
    pub(crate) environment: String,
    pub(crate) rule: &'a RuleName,
    /// Whether its manifest enables it; `None`: it has no manifest.
    pub(crate) enabled: Option<bool>,
    pub(crate) source: Source,
    pub(crate) now: Timestamp,
}

/// One rule with its `history`; `None` if it is unknown.
pub(crate) fn explanation(
    reader: &dyn Read,
    about: About<'_>,
    history: &History,
) -> Result<Option<Explanation>, StoreError> {
    let About { environment, rule: name, enabled, source, now } = about;
    let stored = reader.rule(name)?;
    let record = stored.as_ref().map(|stored| &stored.record);
    if enabled.is_none() && record.is_none() && history.is_empty() {
        return Ok(None);
    }
    let open = EpisodeFilter { rule: Some(name.clone()), rows_max: u32::MAX, ..EpisodeFilter::default() };
    let open_episodes = reader.episodes(&open)?.len() as u64;
    let rule = Stored { name, enabled: enabled.unwrap_or(false), record, open_episodes };
    Ok(Some(Explanation::stored(environment, source, &rule, history, now)))
}

/// All rules. `named` are the rules in the manifests, and whether each is enabled; `None`: the manifests cannot be
/// read, so the rules in the store are used.
pub(crate) fn status(
    reader: &dyn Read,
    environment: String,
    named: Option<Vec<(RuleName, bool)>>,
    now: Timestamp,
) -> Result<Status, StoreError> {
    let stored = reader.rules()?;
    let named = named.unwrap_or_else(|| {
        stored.iter().map(|it| (it.record.rule.clone(), it.record.off_since.is_none())).collect()
    });
    let mut open: BTreeMap<RuleName, u64> = BTreeMap::new();
    for episode in reader.episodes(&EpisodeFilter { rows_max: u32::MAX, ..EpisodeFilter::default() })? {
        *open.entry(episode.rule).or_default() += 1;
    }
    let records: BTreeMap<&RuleName, &RuleRecord> =
        stored.iter().map(|it| (&it.record.rule, &it.record)).collect();
    let view = |(name, enabled): &(RuleName, bool)| {
        let open_episodes = open.get(name).copied().unwrap_or(0);
        let record = records.get(name).copied();
        RuleView::stored(&Stored { name, enabled: *enabled, record, open_episodes }, now)
    };
    let rules = named.iter().map(view).collect();
    let owed = IntentFilter { phase: Some(IntentPhase::Open), rows_max: u32::MAX, ..IntentFilter::default() };
    let head = reader.heads()?.into_iter().next();
    let bundle = reader.meta()?.bundle;
    let host = StoredHost {
        name: head.map(|head| head.owner.0),
        bundle: bundle.map(|bundle| bundle.digest),
        owed: reader.intents(&owed)?.len() as u64,
    };
    Ok(Status::stored(environment, host, rules, now))
}
