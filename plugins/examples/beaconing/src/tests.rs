use watchbell_sdk::testing::Case;
use watchbell_sdk::testing::case::ORIGIN;

use super::*;

#[test]
fn every_case_holds_however_time_is_cut() {
    watchbell_sdk::testing::check_folder::<Beaconing>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

/// Connections after these many milliseconds each.
fn after(params: watchbell_sdk::testing::Json, intervals: impl IntoIterator<Item = u64>) -> Vec<Signal> {
    let mut at = Duration::from_secs(1);
    let mut case = Case::new(params).key(["pair"]).until(Duration::from_hours(3));
    for interval in intervals {
        at += Duration::from_millis(interval);
        case = case.document(at, json!({ "pair": "a" }));
    }
    case.run::<Beaconing>()
}

#[test]
fn jitter_counts_by_its_share_of_the_interval() {
    let jittered = |share: u64| (0..20).map(move |n| 60_000 + [0, share, 0, 2 * share][n % 4] * 600);
    assert!(!after(json!({}), jittered(5)).is_empty());
    assert!(after(json!({}), jittered(50)).is_empty());
    assert!(!after(json!({ "variation": 0.5 }), jittered(50)).is_empty());
}

#[test]
fn a_pause_starts_anew() {
    let regular = |count| std::iter::repeat_n(600_000, count);
    let params = || json!({ "intervals": 3, "longest": "15m" });
    assert_eq!(after(params(), regular(5)).len(), 2);
    let found = after(params(), regular(3).chain([900_001]).chain(regular(2)));
    assert!(found.is_empty(), "{found:?}");
    let found = after(params(), regular(3).chain([900_001]).chain(regular(3)));
    assert_eq!(found[0].at, ORIGIN + Duration::from_secs(1 + 5 * 600 + 900 + 600) + Duration::from_millis(1));
}

#[test]
fn parameters_are_checked_together() {
    let case = Case::new(json!({ "intervals": 2, "variation": 2, "shortest": "2h" }));
    let refused = case.run_with(&mut watchbell_sdk::testing::Native::<Beaconing>::default());
    let message = refused.unwrap_err();
    for part in ["as `key`", "/intervals: must be", "/variation: must be", "/shortest: must be shorter"] {
        assert!(message.contains(part), "{message}");
    }
}
