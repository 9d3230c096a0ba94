//! What a level's value says while it lasts.
use super::*;

/// What each signal of the last word on its instant says, by when it is and of whom.
fn last_word(case: &Case) -> Vec<Signal> {
    #[derive(Default)]
    struct LastWord {
        native: watchbell_sdk::testing::Native<Frequency>,
        signals: Vec<Signal>,
    }
    impl watchbell_sdk::testing::Runner for LastWord {
        fn prepare(&mut self, params: &str, context: &Context) -> Result<Plan, Vec<Fault>> {
            self.native.prepare(params, context)
        }

        fn run(
            &mut self,
            call: watchbell_sdk::Call<'_>,
            answer: &mut watchbell_sdk::testing::Answer<'_>,
        ) -> Result<watchbell_sdk::Finding, watchbell_sdk::Problem> {
            let start = call.window.start;
            let finding = self.native.run(call, answer)?;
            self.signals.retain(|signal| signal.at < start);
            self.signals.extend(finding.signals.iter().cloned());
            Ok(finding)
        }
    }
    let mut runner = LastWord::default();
    case.run_with(&mut runner).unwrap();
    sorted(runner.signals)
}

/// Three hundred within half a minute, of which every fifteenth comes 90 s late.
#[test]
fn a_level_counts_on_however_time_is_cut() {
    for fetch in ["hits", "who_then_when"] {
        let mut case = rule(5, "5m").key(["user"]).until(secs(240)).lateness(secs(120));
        case.params["fetch"] = json!(fetch);
        for n in 0..300_u64 {
            let at = secs(10) + Duration(n * 100);
            let arrives = (n % 15 == 7).then(|| (at + secs(90)).into());
            let fields = json!({ "user": "ada" }).as_object().cloned().unwrap();
            case.documents.push(Document { at: at.into(), arrives, fields, ..Document::default() });
        }
        let cut = |windows: u64| -> Vec<Duration> {
            // With counts, windows end on the grid.
            let step = if fetch == "hits" {
                240_000 / windows
            } else {
                (240_000 / windows).div_ceil(30_000) * 30_000
            };
            (1..windows).map(|n| Duration(n * step)).filter(|end| *end < secs(240)).collect()
        };
        let [whole, seven, sixty] =
            [1, 7, 60].map(|windows| last_word(&Case { ends: cut(windows), ..case.clone() }));
        assert_eq!(seven, whole, "{fetch}");
        assert_eq!(sixty, whole, "{fetch}");
        let values: Vec<_> = whole.iter().filter_map(|signal| signal.value).collect();
        assert!(values.is_sorted(), "{fetch}: {values:?}");
        assert_eq!(values.iter().copied().fold(0.0, f64::max), 300.0, "{fetch}");
        assert_eq!(times(&whole).len(), 60, "{fetch}: each fifth event matches");
    }
}

#[test]
fn what_grew_since_the_last_match_is_told_on_the_grid() {
    // Five match at 14 s; three more, and none of them matches.
    let case = rule(5, "5m").documents(secs(10), 8, secs(1), json!({}));
    let told = case.run::<Frequency>();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (told[0].at, told[0].value, told[0].until),
        (ORIGIN + secs(14), Some(5.0), Some(ORIGIN + secs(314)))
    );
    // The last millisecond before the grid point; and it holds no longer.
    assert_eq!((told[1].at, told[1].value), (ORIGIN + Duration(29_999), Some(8.0)));
    assert_eq!(told[1].until, Some(ORIGIN + secs(314)));
    assert_eq!(told[1].summary, "8 events within 5m");
    assert_eq!(
        told[1].details,
        r#"{"count":8,"first":"2024-01-01T00:00:10.000Z","last":"2024-01-01T00:00:17.000Z"}"#
    );
}

#[test]
fn beyond_4096_events_a_match_says_at_least_and_the_grid_is_exact() {
    // Ten a millisecond for a second and a half; the timeframe is a second, and so is the grid.
    let case = rule(3_000, "1s").every(secs(1)).documents(secs(10), 1_500, Duration(1), json!({}));
    let case = (0..9).fold(case, |case, _| case.documents(secs(10), 1_500, Duration(1), json!({})));
    let told = case.run::<Frequency>();
    let said: Vec<_> =
        told.iter().map(|signal| (signal.at.since(ORIGIN).millis(), signal.value.unwrap())).collect();
    assert_eq!(
        said,
        [
            (10_299, 3_000.0),
            (10_599, 6_000.0),
            (10_899, 9_000.0),
            (10_999, 10_000.0),
            (11_199, 3_000.0),
            (11_499, 5_000.0)
        ]
    );
    let is_exact: Vec<_> = told.iter().map(|signal| !signal.details.contains("\"exact\":false")).collect();
    assert_eq!(is_exact, [true, true, true, true, false, false], "the cell that was left is not counted");
    assert_eq!(told[5].summary, "at least 5000 events within 1s");
}

#[test]
fn more_keys_than_are_counted_on_say_so() {
    let many = 10_050_u32;
    let case = rule(2, "1m").key(["n"]).until(secs(60));
    let case = (0..many).fold(case, |case, n| case.documents(secs(1), 4, secs(1), json!({ "n": n })));
    let told = case.run::<Frequency>();
    let since_match = |signal: &&Signal| signal.details.contains("since the match before");
    assert_eq!(told.iter().filter(since_match).count(), 50 * 2);
    assert!(told.iter().filter(since_match).all(|signal| signal.value == Some(2.0)));
    assert_eq!(told.iter().filter(|signal| signal.value == Some(4.0)).count(), 10_000);
    assert!(watchbell_sdk::testing::take_logs()[0].1.starts_with("10000 keys fire at once"));
}

/// What is told of each key, by looking at all its events again and again.
fn model(
    events: &[(u64, u8)],
    num_events: u32,
    timeframe: u64,
    grid: u64,
    end: u64,
) -> Vec<(u64, u8, u64, u64)> {
    let mut told = Vec::new();
    for key in 0..4_u8 {
        let mut at: Vec<u64> = events.iter().filter(|event| event.1 == key).map(|event| event.0).collect();
        at.sort_unstable();
        let (mut dropped, mut until, mut last_told, mut next) = (0, 0, 0, 0);
        for now in 1..=end {
            if now % grid == 0 && now < until {
                let count = at.iter().filter(|at| **at < now && **at + timeframe >= now).count() as u64;
                if count > last_told {
                    last_told = count;
                    told.push((now * 1_000 - 1, key, count, until * 1_000));
                }
            }
            while next < at.len() && at[next] == now {
                next += 1;
                let within =
                    |from: usize| at[from..next].iter().filter(|at| **at + timeframe > now).count() as u64;
                if within(dropped) >= u64::from(num_events) {
                    (dropped, until, last_told) = (next, now + timeframe, within(0));
                    told.push((now * 1_000, key, last_told, until * 1_000));
                }
            }
        }
    }
    told.sort_unstable();
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_naive_count_says_the_same(
        events in prop::collection::vec((1_u64..300, 0_u8..4), 0..150),
        cuts in prop::collection::btree_set(1_u64..300, 0..12),
        lateness in 0_u64..90,
        num_events in 1_u32..6,
    ) {
        let case = events.iter().fold(rule(num_events, "20s").key(["k"]).until(secs(301)), |case, (at, k)| {
            case.document(secs(*at), if *k == 0 { json!({}) } else { json!({ "k": k }) })
        });
        let case = Case { ends: cuts.into_iter().map(secs).collect(), lateness: secs(lateness), ..case };
        let key = |signal: &Signal| signal.labels.0[0].as_deref().map_or(0, |k| k.parse().unwrap());
        let millis = |at: Timestamp| at.since(ORIGIN).millis();
        let mut told: Vec<_> = case
            .run::<Frequency>()
            .iter()
            .map(|s| (millis(s.at), key(s), s.value.unwrap() as u64, millis(s.until.unwrap())))
            .collect();
        told.sort_unstable();
        prop_assert_eq!(told, model(&events, num_events, 20, 2, 301));
    }
}
