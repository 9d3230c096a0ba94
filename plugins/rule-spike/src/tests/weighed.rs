use super::*;

/// Ten bytes a second, then thirty, and no more events than before.
fn heavier(params: watchbell_sdk::testing::Json) -> Case {
    let params =
        edit(Case::new(params), json!({ "timeframe": "10s", "check_every": "10s", "field": "bytes" })).params;
    Case::new(params)
        .every(secs(10))
        .until(secs(100))
        .documents(secs(0), 50, secs(1), json!({ "bytes": 10 }))
        .documents(secs(50), 50, secs(1), json!({ "bytes": 30 }))
}

#[test]
fn the_mean_of_a_field_is_compared_whatever_the_counts() {
    for fetch in ["hits", "buckets"] {
        let mut case = heavier(json!({ "height": 3, "direction": "both", "fetch": fetch }));
        case = case.expect([Expected {
            at: secs(60).into(),
            value: Some(3.0),
            summary: Some("mean of bytes 30 within 10s, 3 times the 10 before".into()),
            details: json!({
                "current": 30.0, "reference": 10.0, "direction": "up", "current_events": 10, "reference_events": 10,
            })
            .as_object()
            .cloned()
            .unwrap(),
            ..Expected::default()
        }]);
        case.check::<Spike>();
        // Twice as many of the same size.
        let twice = case.documents(secs(50), 50, secs(1), json!({ "bytes": [30, 30] }));
        assert_eq!(times(&twice.run::<Spike>()), [60]);
    }
}

#[test]
fn thresholds_of_a_field_say_how_many_values_a_mean_is_made_of() {
    let params = |threshold: u64| json!({ "height": 3, "direction": "up", "threshold_cur": threshold });
    assert_eq!(times(&heavier(params(10)).run::<Spike>()), [60]);
    assert_eq!(times(&heavier(params(11)).run::<Spike>()), NEVER);
}

#[test]
fn documents_without_a_value_and_means_of_zero_say_nothing() {
    for fetch in ["hits", "buckets"] {
        let params = json!({ "height": 2, "direction": "both", "fetch": fetch });
        // The end of the values is no fall, for a mean of none is no 0; neither is a rise from a mean of 0.
        let mut case = heavier(params.clone());
        case.documents.truncate(1);
        let silent = case.documents(secs(50), 50, secs(1), json!({ "other": 1 }));
        assert_eq!(times(&silent.run::<Spike>()), NEVER);
        let mut case = heavier(params);
        case.documents[0].fields["bytes"] = json!(0);
        assert_eq!(times(&case.run::<Spike>()), NEVER);
    }
}

#[test]
fn a_field_within_objects_is_read_and_one_of_words_fails_the_run() {
    let nested = heavier(json!({ "height": 3, "direction": "up" }));
    let nested = edit(nested, json!({ "field": "http.bytes" }));
    let documents: Vec<_> = nested
        .documents
        .iter()
        .cloned()
        .map(|mut document| {
            document.fields = json!({ "http": document.fields }).as_object().cloned().unwrap();
            document
        })
        .collect();
    assert_eq!(times(&Case { documents, ..nested }.run::<Spike>()), [60]);
    let words = heavier(json!({ "height": 3, "direction": "up" })).document(secs(5), json!({}));
    let words = Case { documents: words.documents[2..].to_vec(), ..words };
    let words = words.document(secs(6), json!({ "bytes": "12" }));
    let problem = words.run_with(&mut Native::<Spike>::default()).unwrap_err();
    assert!(problem.contains("column `bytes` holds words where the rule reads numbers"), "{problem}");
}
