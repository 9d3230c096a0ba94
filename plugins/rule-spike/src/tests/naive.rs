//! Every event looked at again and again.
use super::*;

/// What is told of each key, by looking at all its events at every event and at every five seconds: when, of whom, and the
/// ratio.
fn model(events: &[(u64, u8)], judges_new: bool) -> Vec<(u64, u8, f64)> {
    let mut told = Vec::new();
    for key in 0..3_u8 {
        let mut at: Vec<u64> = events.iter().filter(|event| event.1 == key).map(|event| event.0).collect();
        at.sort_unstable();
        let Some(first) = at.first().copied() else { continue };
        // The ratio that was told, while it lasts.
        let mut level: Option<f64> = None;
        let judge = |current: usize, reference: usize, is_known: bool| -> Option<f64> {
            let is_fair = judges_new || is_known && reference > 0;
            let (current, reference) = (current as f64, reference as f64);
            let spikes = current >= reference * 2.0 || current <= reference / 2.0;
            (is_fair && current + reference > 0.0 && spikes).then(|| current / reference.max(1.0))
        };
        let mut seen = 0;
        for now in 1..=400_u64 {
            let within = |seen: usize, start: u64, end: u64| {
                at[..seen].iter().filter(|at| **at >= start && **at < end).count()
            };
            if now % 5 == 0 && seen > 0 {
                let (middle, start) = (now.saturating_sub(20), now.saturating_sub(40));
                let (current, reference) = (within(seen, middle, now), within(seen, start, middle));
                match judge(current, reference, (first / 5 + 1) * 5 + 40 <= now) {
                    None => level = None,
                    Some(ratio) => {
                        // Up is at least one, down at most a half.
                        let is_worse = level.is_none_or(|told| match (ratio >= 1.0, told >= 1.0) {
                            (up, was_up) if up != was_up => true,
                            (true, _) => ratio > told && ratio >= told + told / 10.0,
                            (false, _) => ratio < told && ratio <= told - told / 10.0,
                        });
                        if is_worse || now % 10 == 0 {
                            level = Some(ratio);
                            told.push((now * 1_000, key, ratio));
                        }
                    }
                }
            }
            let before = seen;
            seen += at[seen..].iter().take_while(|at| **at == now).count();
            if seen > before {
                let (middle, start) = ((now + 1).saturating_sub(20), (now + 1).saturating_sub(40));
                let (current, reference) = (within(seen, middle, now + 1), within(seen, start, middle));
                if let Some(ratio) = judge(current, reference, first + 40 <= now)
                    && level.is_none_or(|told| (told >= 1.0) != (ratio >= 1.0))
                {
                    level = Some(ratio);
                    told.push((now * 1_000 + u64::from(now % 5 == 0), key, ratio));
                }
            }
        }
    }
    told.sort_by(|a, b| a.partial_cmp(b).unwrap());
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_naive_comparison_says_the_same(
        events in prop::collection::vec((1_u64..380, 0_u8..3), 0..150),
        cuts in prop::collection::btree_set(1_u64..80, 0..10),
        lateness in 0_u64..12,
        keyed in any::<bool>(),
        eager in any::<bool>(),
    ) {
        let params = json!({
            "timeframe": "20s", "height": 2, "direction": "both", "check_every": "5s", "alert_on_new_data": eager,
        });
        let key: &[&str] = if keyed { &["k"] } else { &[] };
        let case = Case::new(params).key(key.iter().copied()).until(secs(400)).lateness(secs(lateness * 5));
        let case = events.iter().fold(case, |case, (at, k)| case.document(secs(*at), json!({ "k": k })));
        let case = Case { ends: cuts.into_iter().map(|cut| secs(cut * 5)).collect(), ..case };
        let label = |s: &Signal| s.labels.0.first().map_or(0, |k| k.as_deref().unwrap().parse::<u8>().unwrap());
        let mut told: Vec<_> =
            case.run::<Spike>().iter().map(|s| (s.at.since(ORIGIN).millis(), label(s), s.value.unwrap())).collect();
        told.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let events: Vec<_> = events.iter().map(|(at, k)| (*at, if keyed { *k } else { 0 })).collect();
        prop_assert_eq!(told, model(&events, !keyed || eager));
    }
}
