use watchbell_pipeline::record::EpisodeId;
use watchbell_pipeline::spec::RuleName;

use crate::{EpisodeFilter, IntentFilter, IntentPhase, Read};

/// Everything that a reader sees, in its order but for gaps of one instant.
pub(super) fn read_all(reader: &dyn Read) -> impl PartialEq + std::fmt::Debug + use<> {
    let name = RuleName("spike".to_owned());
    let filters = [
        EpisodeFilter::default(),
        EpisodeFilter { open: false, ..EpisodeFilter::default() },
        EpisodeFilter { open: false, rule: Some(name.clone()), rows_max: 2, ..EpisodeFilter::default() },
        EpisodeFilter { id: Some(EpisodeId("1".to_owned())), ..EpisodeFilter::default() },
        EpisodeFilter { open: false, id: Some(EpisodeId("2".to_owned())), ..EpisodeFilter::default() },
    ];
    let phases = [
        None,
        Some(IntentPhase::Open),
        Some(IntentPhase::Delivered),
        Some(IntentPhase::Dead),
        Some(IntentPhase::Merged),
    ];
    let intents = |phase| {
        let whole = IntentFilter { phase, ..IntentFilter::default() };
        let part = IntentFilter { rule: Some(name.clone()), rows_max: 2, ..whole.clone() };
        let of_one = IntentFilter { episode: Some("1".to_owned()), ..whole.clone() };
        [whole, part, of_one].map(|filter| reader.intents(&filter).unwrap())
    };
    let mut gaps = reader.gaps(None, 1_000).unwrap();
    gaps.sort_by_key(|gap| (gap.recorded_at, gap.over.start, gap.over.end));
    let rules = reader.rules().unwrap();
    let one_by_one: Vec<_> = rules.iter().map(|rule| reader.rule(&rule.record.rule).unwrap()).collect();
    (
        (reader.meta().unwrap(), reader.heads().unwrap(), reader.levels(None).unwrap()),
        (rules, one_by_one),
        filters.map(|filter| reader.episodes(&filter).unwrap()),
        phases.map(intents),
        gaps,
        (reader.commands(1_000).unwrap(), reader.commands(1).unwrap()),
        (reader.silences().unwrap(), reader.pause().unwrap()),
    )
}
