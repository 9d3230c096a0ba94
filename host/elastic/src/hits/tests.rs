use proptest::prelude::*;
use serde_json::{Value, json};
use watchbell_contract::{Column, Hits, NamedFilter, Points, Query, Values};

use super::*;
use crate::{mapping::Mapping, plan::ColumnKind, refusal};

const LIMITS: PageLimits = PageLimits { rows: 100, bytes: 1 << 20 };

fn plan() -> FieldPlan {
    FieldPlan::of(&[
        ("host", ColumnKind::Words),
        ("n", ColumnKind::Integers),
        ("x", ColumnKind::Numbers),
        ("ok", ColumnKind::Booleans),
        ("_id", ColumnKind::Words),
    ])
}

fn answer(hits: Value) -> String {
    json!({ "took": 3, "timed_out": false, "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 },
        "hits": { "max_score": null, "hits": hits } })
    .to_string()
}

fn hit(time: i64, id: &str, fields: Value) -> Value {
    json!({ "_index": "x", "_id": id, "_score": null, "fields": fields, "sort": [time] })
}

fn rows(hits: Value) -> Rows {
    let rows = parse_hits(answer(hits).as_bytes(), &plan()).unwrap().rows;
    assert_eq!(rows.validate(), Ok(()));
    rows
}

fn words(column: &Column) -> Vec<Vec<&str>> {
    let Values::Words(words) = &column.values else { panic!("{column:?}") };
    let rows = if column.offsets.is_empty() { words.codes.len() } else { column.offsets.len() - 1 };
    (0..rows).map(|row| column.slots(row).map(|slot| words.word(slot).unwrap()).collect()).collect()
}

fn fault(bytes: &[u8]) -> String {
    parse_hits(bytes, &plan()).unwrap_err().0
}

#[test]
fn values_of_every_kind_find_their_column() {
    let rows = rows(json!([
        hit(1, "a", json!({ "host": ["h\"1"], "n": [i64::MAX], "x": [1], "ok": [true] })),
        hit(2, "b", json!({ "n": [i64::MIN], "x": ["2.5"], "ok": ["false"], "host": [] })),
        hit(3, "c", json!({ "host": ["é", "h2"], "n": [null], "x": null, "ok": [false], "other": [{ "a": 1 }] })),
        { "_index": "x", "_id": "d", "sort": [4] },
    ]));
    assert_eq!(rows.times, [1, 2, 3, 4]);
    assert_eq!(words(&rows.columns[0]), [vec!["h\"1"], vec![], vec!["é", "h2"], vec![]]);
    let n = &rows.columns[1];
    assert_eq!(n.values, Values::Integers(vec![i64::MAX, i64::MIN, 0, 0]));
    assert_eq!((0..4).map(|row| n.has(row)).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!(rows.columns[2].values, Values::Numbers(vec![1.0, 2.5, 0.0, 0.0]));
    assert_eq!(rows.columns[3].values, Values::Booleans(vec![1, 0, 0, 0]));
    assert_eq!(words(&rows.columns[4]), [["a"], ["b"], ["c"], ["d"]]);
}

#[test]
fn equal_times_are_ordered_by_index_and_id() {
    let other = json!({ "_index": "a", "_id": "z", "sort": [5], "fields": { "host": ["az"], "n": [1, 2] } });
    let rows = rows(json!([
        hit(4, "z", json!({ "host": ["first"] })),
        hit(5, "c", json!({ "host": ["xc"], "n": [3] })),
        hit(5, "a", json!({})),
        other,
        hit(6, "a", json!({ "host": ["last"], "n": [4] })),
    ]));
    assert_eq!(words(&rows.columns[0]), [vec!["first"], vec!["az"], vec![], vec!["xc"], vec!["last"]]);
    assert_eq!(rows.columns[1].offsets, [0, 0, 2, 2, 3, 4]);
    assert_eq!(rows.columns[1].values, Values::Integers(vec![1, 2, 3, 4]));
}

#[test]
fn named_filters_and_nested_fields_become_columns() {
    let caps = json!({ "fields": {
        "@timestamp": { "date_nanos": { "type": "date_nanos", "aggregatable": true } },
        "c": { "nested": { "type": "nested", "aggregatable": false } },
        "c.author": { "keyword": { "type": "keyword", "aggregatable": true } },
        "c.at.day": { "date": { "type": "date", "aggregatable": true } },
    } });
    let mapping = Mapping::parse(caps.to_string().as_bytes()).unwrap();
    let filter = |name: &str| NamedFilter { name: name.into(), query: Query::Lucene("*".into()) };
    let question =
        Hits { fields: vec!["c.author".into(), "c.at.day".into()], filters: vec![filter("a"), filter("b")] };
    let plan = FieldPlan::new(&question, &mapping, "@timestamp").unwrap();
    let body = answer(json!([
        { "_index": "x", "_id": "1", "sort": [1_000_001, 0], "matched_queries": ["b", "zzz"],
          "fields": { "other": [1], "c": [{ "author": ["p"], "at.day": ["86400000"] }, { "author": ["q", "r"], "at": [{ "day": ["1"] }] }] } },
        { "_index": "x", "_id": "2", "sort": [-1], "fields": { "c.author": ["flat"] } },
    ]));
    assert!(parse_hits(body.as_bytes(), &plan).unwrap_err().0.starts_with("hits are not in order of time"));
    let body = body.replace("[-1]", "[1000001]");
    let rows = parse_hits(body.as_bytes(), &plan).unwrap().rows;
    assert_eq!(rows.validate(), Ok(()));
    assert_eq!(rows.times, [1, 1]);
    assert_eq!(words(&rows.columns[0]), [vec!["p", "q", "r"], vec!["flat"]]);
    assert_eq!(rows.columns[1].values, Values::Integers(vec![86_400_000, 1]));
    assert_eq!(rows.columns[2].values, Values::Booleans(vec![0, 0]));
    assert_eq!(rows.columns[3].values, Values::Booleans(vec![1, 0]));
}

#[test]
fn places_of_every_form_become_points() {
    let caps = json!({ "fields": {
        "g": { "geo_point": { "type": "geo_point", "aggregatable": true } },
        "s": { "geo_point": { "type": "geo_point", "aggregatable": false } },
        "c": { "nested": { "type": "nested", "aggregatable": false } },
        "c.g": { "geo_point": { "type": "geo_point", "aggregatable": true } },
    } });
    let mapping = Mapping::parse(caps.to_string().as_bytes()).unwrap();
    let question = Hits { fields: vec!["g".into(), "s".into(), "c.g".into()], filters: vec![] };
    let plan = FieldPlan::new(&question, &mapping, "@timestamp").unwrap();
    let (doc_values, fields) = plan.asked();
    assert_eq!(
        (doc_values, fields),
        (vec![json!({ "field": "g" })], vec![json!({ "field": "s" }), json!({ "field": "c.g" })])
    );
    let geojson = |lon: f64, lat: f64| json!({ "coordinates": [lon, lat], "type": "Point" });
    let body = answer(json!([
        hit(
            1,
            "a",
            json!({ "g": ["52.5, 13.25"], "s": [geojson(13.25, 52.5)], "c": [{ "g": [geojson(1.0, 2.0)] }] })
        ),
        hit(2, "b", json!({ "s": ["POINT (-0.5 51.5)"] })),
        hit(
            3,
            "c",
            json!({ "g": ["-1.0, 2.0", "3.5, 4.0"], "s": [[7, 8.5], { "lat": 5, "lon": 6.5 }, null], "c.g": ["9, 10"] })
        ),
        hit(3, "b", json!({ "g": [], "c": [{ "g": [geojson(3.0, 4.0)] }, { "g": geojson(5.0, 6.0) }] })),
    ]));
    let rows = parse_hits(body.as_bytes(), &plan).unwrap().rows;
    assert_eq!(rows.validate(), Ok(()));
    let points = |column: &Column| -> Vec<Vec<(f64, f64)>> {
        let Values::Points(Points { latitudes, longitudes }) = &column.values else { panic!("{column:?}") };
        let at = |row| column.slots(row).map(|slot| (latitudes[slot], longitudes[slot])).collect();
        (0..4).map(at).collect()
    };
    let place = |lat, lon| vec![(lat, lon)];
    assert_eq!(points(&rows.columns[0]), [place(52.5, 13.25), vec![], vec![], vec![(-1.0, 2.0), (3.5, 4.0)]]);
    assert_eq!(
        points(&rows.columns[1]),
        [place(52.5, 13.25), place(51.5, -0.5), vec![], vec![(8.5, 7.0), (5.0, 6.5)]]
    );
    assert_eq!(
        points(&rows.columns[2]),
        [place(2.0, 1.0), vec![], vec![(4.0, 3.0), (6.0, 5.0)], place(9.0, 10.0)]
    );
    for no_place in [
        json!(["here"]),
        json!([91.0]),
        json!(["91, 0"]),
        json!([[1.0]]),
        json!([true]),
        json!([{ "type": "Point" }]),
        json!({ "lat": 1 }),
        json!([{ "lat": 1, "lon": 181 }]),
    ] {
        let body = answer(json!([hit(1, "a", json!({ "g": no_place }))]));
        assert_eq!(
            parse_hits(body.as_bytes(), &plan).unwrap_err().0,
            "field `g`: no place on Earth where a latitude and a longitude were expected",
            "{no_place}"
        );
    }
}

#[test]
fn a_field_asked_twice_is_filled_twice() {
    let question = Hits { fields: vec!["_index".into(), "_index".into()], filters: vec![] };
    let plan = FieldPlan::new(&question, &Mapping::default(), "@timestamp").unwrap();
    let rows = parse_hits(answer(json!([hit(1, "a", json!({}))])).as_bytes(), &plan).unwrap().rows;
    assert_eq!(rows.validate(), Ok(()));
    assert_eq!((words(&rows.columns[0]), words(&rows.columns[1])), (vec![vec!["x"]], vec![vec!["x"]]));
}

#[test]
fn a_field_named_twice_counts_once() {
    let body = answer(json!([hit(1, "a", json!({ "n": [1] }))])).replace("\"n\":[1]", "\"n\":[1],\"n\":[2]");
    let rows = parse_hits(body.as_bytes(), &plan()).unwrap().rows;
    assert_eq!((rows.validate(), &rows.columns[1].values), (Ok(()), &Values::Integers(vec![1])));
}

#[test]
fn faults_name_what_is_wrong() {
    let of = |fields: Value| fault(answer(json!([hit(1, "a", fields)])).as_bytes());
    assert_eq!(
        of(json!({ "n": [9_223_372_036_854_775_808_u64] })),
        "field `n`: an integer beyond 64 signed bits"
    );
    assert_eq!(of(json!({ "n": [1.5] })), "field `n`: a fraction where an integer was expected");
    assert_eq!(of(json!({ "x": ["fast"] })), "field `x`: text where a number was expected");
    assert_eq!(of(json!({ "ok": [2] })), "field `ok`: a number where a boolean was expected");
    assert_eq!(of(json!({ "host": [{ "a": 1 }] })), "field `host`: an object where a value was expected");
    assert_eq!(fault(b"{}"), "no `hits` in the response at line 1 column 2");
    assert_eq!(fault(b"<html>"), "expected value at line 1 column 1");
    assert!(fault(b"{\"hits\":{\"hits\":[{\"_id\":\"\xff\"}]}}").starts_with("not utf-8: "));
    assert!(fault(answer(json!([{ "_id": "a" }])).as_bytes()).starts_with("a hit without `sort`"));
    let body = answer(json!([hit(1, "a", json!({}))]));
    assert!(fault(&body.as_bytes()[..body.len() - 2]).starts_with("EOF while parsing"));
    let deep = format!("{{\"hits\":{{\"hits\":[{{\"fields\":{{\"host\":{}", "[".repeat(100_000));
    assert!(fault(deep.as_bytes()).starts_with("recursion limit exceeded"));
    let ignored = format!("{{\"other\":{}", "[".repeat(100_000));
    assert!(fault(ignored.as_bytes()).starts_with("EOF while parsing"));
}

#[test]
fn a_partial_answer_is_an_error_with_its_reason() {
    let read = |body: &str| {
        let plan = plan();
        super::read(body.as_bytes(), &plan, LIMITS, &mut PageBuilder::new(&plan))
            .unwrap()
            .envelope
            .check()
            .unwrap_err()
            .to_string()
    };
    let body = r#"{"timed_out":false,"_shards":{"total":5,"failed":2,"failures":[{"shard":0,"index":"x-1","reason":
        {"type":"illegal_argument_exception","reason":"Text fields are not optimised"}}]},"hits":{"hits":[]}}"#;
    assert_eq!(
        read(body),
        "2 of 5 shards failed: `x-1`: illegal_argument_exception: Text fields are not optimised"
    );
    let body = r#"{"timed_out":true,"_shards":{"total":5,"failed":0},"hits":{"hits":[]}}"#;
    assert_eq!(read(body), "the search timed out on the server; its answer is partial");
}

/// What a row was made of, to compare with its columns.
type Made = (i64, Vec<String>, Vec<i64>, Option<bool>);

fn made() -> impl Strategy<Value = Vec<Made>> {
    let text = prop_oneof![Just(String::new()), "[a-c]{1,2}", any::<String>()];
    let row = (
        0_i64..4,
        prop::collection::vec(text, 0..3),
        prop::collection::vec(any::<i64>(), 0..3),
        any::<Option<bool>>(),
    );
    prop::collection::vec(row, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_back_as_they_were_made(mut made in made()) {
        made.sort_by_key(|row| row.0);
        // Ids fall from row to row, so that each instant must be turned around.
        let hits: Vec<Value> = made.iter().enumerate().map(|(row, (time, host, n, ok))| {
            let ok: Vec<bool> = ok.iter().copied().collect();
            hit(*time, &format!("{:03}", 999 - row), json!({ "host": host, "n": n, "ok": ok }))
        }).collect();
        let rows = rows(hits.into());
        let mut expected: Vec<(usize, Made)> = made.into_iter().enumerate().collect();
        expected.sort_by_key(|(row, made)| (made.0, 999 - row));
        let host = words(&rows.columns[0]);
        let Values::Integers(n) = &rows.columns[1].values else { panic!("integers") };
        let Values::Booleans(ok) = &rows.columns[3].values else { panic!("booleans") };
        for (row, (_, made)) in expected.iter().enumerate() {
            prop_assert_eq!(rows.times[row], made.0);
            prop_assert_eq!(&host[row], &made.1);
            prop_assert_eq!(&n[rows.columns[1].slots(row)], &made.2[..]);
            let ok = rows.columns[3].slots(row).next().map(|slot| ok[slot] == 1);
            prop_assert_eq!(ok, made.3);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        _ = parse_hits(&bytes, &plan());
        _ = refusal::cause(500, "", &bytes);
    }

    #[test]
    fn no_mutation_panics(
        made in made(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..8),
    ) {
        let hits: Vec<Value> = made.iter().map(|(time, host, n, _)| {
            hit(*time, "a", json!({ "host": host, "n": n, "x": n, "ok": [true] }))
        }).collect();
        let mut bytes = answer(hits.into()).into_bytes();
        for (at, byte, insert) in cuts {
            let at = at.index(bytes.len());
            if insert {
                bytes.insert(at, b"{}[]\",:0-eE.ntf\\"[usize::from(byte) % 16]);
            } else {
                bytes[at] = byte;
            }
        }
        if let Ok(page) = parse_hits(&bytes, &plan()) {
            prop_assert_eq!(page.rows.validate(), Ok(()));
        }
    }

    /// Pages cut anywhere and put together again are the page as a whole.
    #[test]
    fn held_rows_join_their_instant(made in made(), cut in any::<prop::sample::Index>()) {
        let mut made = made;
        made.sort_by_key(|row| row.0);
        let plan = plan();
        let hits: Vec<Value> = made.iter().enumerate().map(|(row, (time, host, n, ok))| {
            hit(*time, &format!("{:03}", 999 - row), json!({ "host": host, "n": n, "ok": ok }))
        }).collect();
        let whole = parse_hits(answer(hits.clone().into()).as_bytes(), &plan).unwrap().rows;
        let (first, second) = hits.split_at(cut.index(hits.len() + 1));
        let mut page = PageBuilder::new(&plan);
        super::read(answer(first.into()).as_bytes(), &plan, LIMITS, &mut page).unwrap();
        let last = page.last_instant(1);
        let mut held = PageBuilder::new(&plan);
        held.adopt(&page, last..page.len());
        page.truncate(last);
        page.settle_ties();
        super::read(answer(second.into()).as_bytes(), &plan, LIMITS, &mut held).unwrap();
        held.settle_ties();
        page.adopt(&held, 0..held.len());
        let joined = page.finish(&plan);
        prop_assert_eq!(joined.validate(), Ok(()));
        prop_assert_eq!(&joined.times, &whole.times);
        prop_assert_eq!(words(&joined.columns[0]), words(&whole.columns[0]));
        prop_assert_eq!(words(&joined.columns[4]), words(&whole.columns[4]));
        let integers = |rows: &Rows| -> Vec<Vec<i64>> {
            let Values::Integers(n) = &rows.columns[1].values else { panic!("integers") };
            (0..rows.len()).map(|row| n[rows.columns[1].slots(row)].to_vec()).collect()
        };
        prop_assert_eq!(integers(&joined), integers(&whole));
    }
}
