//! On a virtual timeline, without WebAssembly. `watchbell plugin test` also runs tests/*.test.yaml through the
//! component.
use watchbell_sdk::testing::case::ORIGIN;
use watchbell_sdk::testing::{Case, check_folder};

use super::*;

fn three_a_minute() -> Case {
    Case::new(json!({ "at_least": 3, "within": "1m" })).key(["host"])
}

#[test]
fn every_case_holds() {
    check_folder::<PluginName>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

#[test]
fn three_within_a_minute_are_a_burst() {
    let told = three_a_minute()
        .documents(
            Duration::ZERO,
            3,
            Duration::from_secs(20),
            json!({ "host": "a" }),
        )
        .documents(
            Duration::ZERO,
            2,
            Duration::from_secs(20),
            json!({ "host": "b" }),
        )
        .run::<PluginName>();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].at, ORIGIN + Duration::from_secs(40));
    assert_eq!(told[0].labels, Labels(vec![Some("a".into())]));
}

#[test]
fn events_further_apart_stay_quiet() {
    let case = three_a_minute().documents(
        Duration::ZERO,
        20,
        Duration::from_secs(30),
        json!({ "host": "a" }),
    );
    assert!(case.run::<PluginName>().is_empty());
}

#[test]
fn cutting_time_into_windows_changes_nothing() {
    let case = three_a_minute().documents(
        Duration::ZERO,
        9,
        Duration::from_secs(7),
        json!({ "host": "a" }),
    );
    assert_eq!(case.run::<PluginName>().len(), 7);
    case.assert_fold::<PluginName>();
}

#[test]
fn nothing_is_not_a_span() {
    let case = Case::new(json!({ "at_least": 3, "within": "0s" }));
    let refused = case.run_with(&mut watchbell_sdk::testing::Native::<PluginName>::default());
    assert_eq!(refused.unwrap_err(), "/within: must be longer than nothing");
}
