use watchbell_sdk::testing::Case;

use super::*;

#[test]
fn every_case_holds_however_time_is_cut() {
    watchbell_sdk::testing::check_folder::<BurnRate>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

fn rule(params: watchbell_sdk::testing::Json) -> BurnRate {
    let mut all =
        json!({ "objective": 99.9, "bad": "status:500", "burn": 14.4, "long": "1h", "short": "5m" });
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

#[test]
fn a_burn_of_exactly_the_limit_is_one() {
    let burn =
        |objective: f64, bad, total| rule(json!({ "objective": objective })).burn_of(Counts { bad, total });
    assert_eq!(burn(99.9, 144, 10_000), 14.4);
    assert_eq!(burn(99.99, 6, 10_000), 6.0);
    assert_eq!(burn(50.0, 10, 10), 2.0);
    assert_eq!(burn(99.9, 0, 0), 0.0);
}

#[test]
fn parameters_are_checked_together() {
    let plan = |params| rule(params).plan(&Context::default());
    assert_eq!(plan(json!({})), Ok(Plan::checks(Duration::from_hours(1), Duration::from_secs(30))));
    let faults = plan(json!({ "objective": 100, "burn": 0, "long": "61m10s" })).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.path, fault.message)).collect();
    assert_eq!(
        told,
        [
            "/objective must be greater than 0 and less than 100",
            "/burn must be greater than 0",
            "/long must be longer than `short`, and a multiple of 30s",
        ]
    );
    assert_eq!(plan(json!({ "short": "1500ms" })).unwrap_err()[0].path, "/short");
}

#[test]
fn the_worst_value_is_blamed_and_many_are_counted_together() {
    let documents = |case: Case, version: &str, at, count| {
        let fields = json!({ "status": 500, "version": version });
        case.documents(Duration::from_secs(at), count, Duration::from_millis(10), fields)
    };
    let params = json!({
        "objective": 50, "bad": "status:500", "burn": 1, "long": "2m", "short": "1m", "blame": "version",
    });
    let mut case = Case::new(params).until(Duration::from_mins(1));
    for n in 0..60 {
        case = documents(case, &format!("v{n:02}"), n / 2, 3);
    }
    let blamed = |case: &Case| {
        let signals = case.run::<BurnRate>();
        let details: watchbell_sdk::testing::Json =
            serde_json::from_str(&signals.last().unwrap().details).unwrap();
        details["blamed"].clone()
    };
    assert_eq!(blamed(&case), "(others)");
    assert_eq!(blamed(&documents(case, "v07", 40, 100)), "v07");
}
