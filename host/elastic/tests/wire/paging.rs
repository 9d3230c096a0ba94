use serde_json::json;
use watchbell_contract::{Duration, Range, Timestamp};
use watchbell_elastic::Cluster;

use crate::{
    config, deadline,
    fake::{Fake, Reply},
    library::{Server, caps, docs, envelope, in_order, library},
    pages, question, target, told,
};

async fn paged(fake: &Fake, page_hits: usize) -> Cluster {
    let mut config = config(&[fake]);
    config.page_hits = page_hits;
    Cluster::new(config).unwrap()
}

#[tokio::test]
async fn a_short_answer_costs_one_search() {
    let docs = docs([5, 3, 3, 9]);
    let fake = library(Server::Elasticsearch, docs.clone()).await;
    let pages = pages(&paged(&fake, 5).await, &question(&["_id"])).await.unwrap();
    assert_eq!(told(&pages), in_order(&docs));
    assert_eq!(fake.lines(), ["GET /logs-*/_field_caps", "POST /logs-*/_search"]);
    let body = &fake.seen()[1].body;
    let expected = json!({
        "size": 5,
        "track_total_hits": false,
        "_source": false,
        "query": { "bool": { "filter": [
            { "range": { "@timestamp": { "gte": 0, "lt": 1_000_000, "format": "epoch_millis" } } },
        ] } },
        "sort": [{ "@timestamp": { "order": "asc", "unmapped_type": "date" } }],
    });
    assert_eq!(*body, expected);
}

/// Instants of one, few and many documents, so that ties lie across most pages.
fn crowded() -> Vec<i64> {
    (0..500).map(|n| if n % 5 == 0 { n } else { 100 + n / 60 }).collect()
}

#[tokio::test]
async fn every_server_gives_all_documents_in_one_order() {
    for server in [Server::Elasticsearch, Server::OpenSearch, Server::OpenSearch2, Server::Old] {
        let docs = docs(crowded());
        for page_hits in [1, 2, 7, 64, 499, 500, 501] {
            let fake = library(server, docs.clone()).await;
            let cluster = paged(&fake, page_hits).await;
            let question = question(&["_id", "host"]);
            assert_eq!(
                told(&pages(&cluster, &question).await.unwrap()),
                in_order(&docs),
                "{page_hits} per page"
            );
            // Again, now that the cluster and the question are known.
            assert_eq!(
                told(&pages(&cluster, &question).await.unwrap()),
                in_order(&docs),
                "{page_hits} per page"
            );
        }
    }
}

#[tokio::test]
async fn the_way_to_continue_is_learned_once() {
    let closings = [
        (Server::Elasticsearch, "POST /logs-*/_pit", "DELETE /_pit"),
        (Server::OpenSearch, "POST /logs-*/_search/point_in_time", "DELETE /_search/point_in_time"),
        (Server::Old, "POST /logs-*/_search", "DELETE /_search/scroll"),
    ];
    for (server, opening, closing) in closings {
        let fake = library(server, docs(0..10)).await;
        let cluster = paged(&fake, 4).await;
        pages(&cluster, &question(&["_id"])).await.unwrap();
        let first = fake.lines().len();
        pages(&cluster, &question(&["_id"])).await.unwrap();
        let again = &fake.lines()[first..];
        assert_eq!(
            again.first().map(String::as_str),
            Some(opening),
            "no plain search for a question known to be long"
        );
        assert_eq!(again.last().map(String::as_str), Some(closing));
    }
    let fake = library(Server::Elasticsearch, docs(0..10)).await;
    pages(&paged(&fake, 4).await, &question(&["_id"])).await.unwrap();
    // 0..=2 from the plain search, then from 3 on: 3..=6, 7..=9.
    let seen = fake.seen();
    assert_eq!(seen[3].body["query"]["bool"]["filter"][0]["range"]["@timestamp"]["gte"], 3);
    assert_eq!(seen[3].body["pit"], json!({ "id": "pit-1", "keep_alive": "5m" }));
    assert_eq!(seen[4].body["search_after"], json!([6, 6]));
    assert_eq!(seen[4].body["pit"]["id"], "pit-7", "the newest id counts");
    assert_eq!(seen[5].body, json!({ "id": "pit-3" }));
}

#[tokio::test]
async fn an_instant_too_large_to_hold_comes_as_it_is_returned() {
    let docs = docs([1; 40]);
    let fake = library(Server::Elasticsearch, docs.clone()).await;
    let mut config = config(&[&fake]);
    (config.page_hits, config.tie_rows_max) = (10, 15);
    let pages = pages(&Cluster::new(config).unwrap(), &question(&["_id"])).await.unwrap();
    let mut told = told(&pages);
    assert_ne!(told, in_order(&docs));
    let mut expected = in_order(&docs);
    told.sort();
    expected.sort();
    assert_eq!(told, expected, "but nothing is lost");
    assert!(pages.iter().all(|rows| rows.len() <= 30), "and memory stays bounded");
}

#[tokio::test]
async fn nanoseconds_are_ordered_and_become_milliseconds() {
    let fake = Fake::start(|seen| {
        if seen.path.contains("_field_caps") {
            let caps = json!({ "indices": ["x"], "fields": {
                "@timestamp": { "date_nanos": { "type": "date_nanos", "aggregatable": true } } } });
            return Reply::Json(200, caps);
        }
        let hit = |id: &str, nanos: i64| json!({ "_index": "x", "_id": id, "sort": [nanos] });
        Reply::Json(
            200,
            envelope(vec![hit("b", 7_000_001), hit("a", 7_000_002), hit("c", 8_999_999)], json!({})),
        )
    })
    .await;
    let pages = pages(&paged(&fake, 10).await, &question(&["_id"])).await.unwrap();
    assert_eq!(told(&pages), [(7, "b".into()), (7, "a".into()), (8, "c".into())]);
    let sort = &fake.seen()[1].body["sort"];
    let expected = json!([{ "@timestamp": { "order": "asc", "unmapped_type": "date_nanos", "numeric_type": "date_nanos" } }]);
    assert_eq!(*sort, expected);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_on_gives_its_context_back() {
    let fake = library(Server::Elasticsearch, docs(0..100)).await;
    let cluster = paged(&fake, 4).await;
    let mut answer = cluster.ask(&target(), &question(&["_id"]), deadline()).await.unwrap();
    for _ in 0..3 {
        answer.next().await.unwrap().unwrap();
    }
    answer.close().await;
    assert_eq!(fake.lines().last().map(String::as_str), Some("DELETE /_pit"));
    let searches = fake.lines().iter().filter(|line| line.ends_with("/_search")).count();
    assert!(searches <= 5, "no more than one page ahead of the reader: {searches}");
}

#[tokio::test]
async fn a_lost_scroll_page_is_an_error_not_a_gap() {
    let fake = Fake::start(|seen| match seen.path.as_str() {
        path if path.contains("_field_caps") => Reply::Json(200, caps()),
        path if path.contains("_pit") || path.contains("point_in_time") => {
            Reply::Json(400, json!({ "error": "no handler" }))
        }
        "/_search/scroll" if seen.method == "POST" => {
            Reply::Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{".into())
        }
        _ => {
            let hit = |time: i64| json!({ "_index": "x", "_id": time.to_string(), "sort": [time] });
            Reply::Json(200, envelope(vec![hit(1), hit(2)], json!({ "_scroll_id": "s" })))
        }
    })
    .await;
    let error = pages(&paged(&fake, 2).await, &question(&["_id"])).await.unwrap_err().to_string();
    assert!(error.contains("broke before the answer was complete"), "{error}");
    let tries = fake.lines().iter().filter(|line| *line == "POST /_search/scroll").count();
    assert_eq!(tries, 1, "a second try would pass over a page");
}

#[tokio::test]
async fn buckets_are_paged_to_the_last() {
    let fake = Fake::start(|seen| {
        if seen.path.contains("_field_caps") {
            return Reply::Json(200, caps());
        }
        let after = &seen.body["aggs"]["page"]["composite"]["after"];
        let first = after["t"].as_i64().map_or(0, |time| time / 1_000 + 1);
        let buckets: Vec<_> = (first..(first + 3).min(7))
            .map(|n| json!({ "key": { "t": n * 1_000, "b0": "a" }, "doc_count": n }))
            .collect();
        let mut page = json!({ "buckets": buckets });
        if let Some(last) = buckets.last() {
            page["after_key"] = last["key"].clone();
        }
        Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": page } })))
    })
    .await;
    let mut config = config(&[&fake]);
    config.page_buckets = 3;
    let mut question = question(&[]);
    question.over = Range::new(Timestamp(0), Timestamp(7_000));
    question.ask = watchbell_contract::Ask::Buckets(watchbell_contract::Buckets {
        by: vec!["host".into()],
        every: Some(Duration::from_secs(1)),
        ..Default::default()
    });
    let pages = pages(&Cluster::new(config).unwrap(), &question).await.unwrap();
    let times: Vec<i64> = pages.iter().flat_map(|rows| rows.times.clone()).collect();
    assert_eq!(times, (0..7).map(|n| n * 1_000).collect::<Vec<_>>());
    // Three pages between two looks at the mapping.
    assert_eq!(fake.lines().len(), 5);
}

#[tokio::test]
async fn the_key_after_which_buckets_go_on_is_sent_as_it_came() {
    // Read as a double, it would be written again as `1.7976931348623157e308`, and others as a neighbour.
    const KEY: &str = r#"{"b0":1.7976931348623157E308}"#;
    let fake = Fake::start(|seen| {
        if seen.path.contains("_field_caps") {
            return Reply::Json(200, caps());
        }
        let buckets = match seen.body["aggs"]["page"]["composite"].get("after") {
            None => format!(r#""after_key":{KEY},"buckets":[{{"key":{{"b0":"x"}},"doc_count":1}}]"#),
            Some(_) => r#""buckets":[]"#.to_owned(),
        };
        let body = format!(
            r#"{{"timed_out":false,"_shards":{{"total":1,"failed":0}},"aggregations":{{"page":{{{buckets}}}}}}}"#
        );
        Reply::Full(200, vec![("content-type", "application/json".into())], body.into_bytes())
    })
    .await;
    let mut config = config(&[&fake]);
    config.page_buckets = 1;
    let mut question = question(&[]);
    let buckets = watchbell_contract::Buckets { by: vec!["host".into()], ..Default::default() };
    question.ask = watchbell_contract::Ask::Buckets(buckets);
    pages(&Cluster::new(config).unwrap(), &question).await.unwrap();
    let sent = &fake.seen()[2].text;
    assert!(sent.contains(&format!(r#""composite":{{"after":{KEY},"size":1"#)), "{sent}");
}

#[tokio::test]
async fn a_document_of_several_times_is_one_row_within_the_range() {
    let fake = Fake::start(|seen| {
        let hit = |id: &str, sort: serde_json::Value| json!({ "_index": "logs-1", "_id": id, "sort": sort });
        let page = |hits| Reply::Json(200, envelope(hits, json!({ "pit_id": "pit-1" })));
        if seen.path.contains("_field_caps") {
            return Reply::Json(200, caps());
        }
        if seen.method == "DELETE" || seen.path.contains("/_pit?") {
            return Reply::Json(200, json!({ "id": "pit-1" }));
        }
        // `a` is of -5 and 15: found again by its second time, sorted by its first.
        match (seen.body.get("pit"), seen.body.get("search_after")) {
            (None, _) => page(vec![hit("a", json!([-5])), hit("b", json!([10]))]),
            (Some(_), None) => page(vec![hit("a", json!([-5, 0])), hit("b", json!([10, 1]))]),
            (Some(_), Some(_)) => page(vec![hit("c", json!([20, 2]))]),
        }
    })
    .await;
    let found = pages(&paged(&fake, 2).await, &question(&["_id"])).await.unwrap();
    assert_eq!(told(&found), [(0, "a".into()), (10, "b".into()), (20, "c".into())]);
}
