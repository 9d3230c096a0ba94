use watchbell_sdk::testing::Case;

use super::*;

const BERLIN: Point = Point { lat: 52.52, lon: 13.405 };

#[test]
fn every_case_holds_however_time_is_cut() {
    watchbell_sdk::testing::check_folder::<ImpossibleTravel>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

#[test]
fn distances_are_those_of_a_globe() {
    for (to, km) in [
        (BERLIN, 0.0),
        (Point { lat: 40.71, lon: -74.01 }, 6_385.0),
        (Point { lat: -52.52, lon: -166.595 }, 20_015.0),
    ] {
        let found = distance_km(BERLIN, to);
        assert!((found - km).abs() < 1.0, "{found}");
    }
    // The shortest way crosses the date line.
    let (fiji, samoa) = (Point { lat: -17.7, lon: 178.0 }, Point { lat: -13.8, lon: -171.8 });
    assert!(distance_km(fiji, samoa) < 1_200.0);
}

#[test]
fn the_alert_shows_both_documents() {
    let login = |lat, lon, id: &str| json!({ "user": "ann", "source.geo.location": { "lat": lat, "lon": lon }, "_id": id });
    let case = Case::new(json!({}))
        .key(["user"])
        .mapping(json!({ "user": { "type": "keyword" }, "source.geo.location": { "type": "geo_point" } }))
        .document(Duration::from_mins(1), login(52.52, 13.405, "berlin"))
        .document(Duration::from_mins(1), login(-36.85, 174.76, "xauckland"));
    let found = case.run::<ImpossibleTravel>();
    let Some(Evidence::Documents(documents)) = &found[0].evidence else { panic!("{found:?}") };
    let ids: Vec<_> = documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(ids, ["xauckland", "berlin"]);
    assert!(found[0].summary.contains("within 1s"), "{}", found[0].summary);
}

#[test]
fn a_user_and_sensible_bounds_are_needed() {
    let case = Case::new(json!({ "faster_than": 0, "within": "0s" }));
    let refused = case.run_with(&mut watchbell_sdk::testing::Native::<ImpossibleTravel>::default());
    let message = refused.unwrap_err();
    for part in ["as `key`", "/faster_than: must be", "/within: must be"] {
        assert!(message.contains(part), "{message}");
    }
}
