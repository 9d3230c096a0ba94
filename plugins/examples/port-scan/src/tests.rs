use watchbell_sdk::testing::Case;
use watchbell_sdk::testing::case::ORIGIN;

use super::*;

#[test]
fn every_case_holds_however_time_is_cut() {
    watchbell_sdk::testing::check_folder::<PortScan>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

#[test]
fn a_scan_lasts_as_long_as_new_ports_come() {
    let mut case = Case::new(json!({ "ports": 100, "within": "1m" })).key(["source", "target"]);
    for port in 1..=300_u64 {
        let fields = json!({ "source": "a", "target": "b", "destination.port": port });
        case = case.document(Duration::from_millis(500) * port, fields);
    }
    let found = case.run::<PortScan>();
    let values = |n: usize| found[n].value;
    assert_eq!((found[0].at, values(0)), (ORIGIN + Duration::from_secs(50), Some(100.0)));
    // Then once in each tenth of a minute.
    assert_eq!((found[1].at, values(1)), (ORIGIN + Duration::from_secs(54), Some(108.0)));
    assert_eq!((found.len(), found[17].at, values(17)), (18, ORIGIN + Duration::from_secs(150), Some(120.0)));
}

#[test]
fn a_key_and_a_duration_are_needed() {
    let case = Case::new(json!({ "ports": 3, "within": "0s" }));
    let refused = case.run_with(&mut watchbell_sdk::testing::Native::<PortScan>::default());
    let message = refused.unwrap_err();
    assert!(message.contains("as `key`") && message.contains("/within: must be longer"), "{message}");
}
