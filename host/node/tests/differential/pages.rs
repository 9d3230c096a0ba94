//! Whole reads, page by page, in the dialect of the host: what one server returns to the end, in order, all do.
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::compare::{kind_of_error, shown};
use crate::servers::{Server, node, real};

const INDICES: [&str; 2] = ["wb-pages-a", "wb-pages-b"];
const BOTH: &str = "wb-pages-a,wb-pages-b";

/// How a server continues a long answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Paging {
    Pit,
    PointInTime,
    Scroll,
}

impl Paging {
    fn of(server: &Server) -> &'static [Self] {
        match server.name {
            "es7" => &[Self::Scroll],
            "os3" => &[Self::PointInTime, Self::Scroll],
            _ => &[Self::Pit, Self::Scroll],
        }
    }
}

/// 230 documents in two indices, of which up to 23 share an instant, some across both.
async fn load(server: &Server) {
    let definition = json!({"mappings": {"properties": {
        "@timestamp": {"type": "date"}, "status": {"type": "long"}, "host": {"type": "keyword"},
        "at": {"type": "date"}, "took": {"type": "double"}, "message": {"type": "text"},
    }}});
    for (number, index) in INDICES.into_iter().enumerate() {
        let mut bulk = String::new();
        for at in (number..230).step_by(2) {
            let mut source = json!({
                "@timestamp": 1_709_251_200_000_i64 + (at as i64 * 7 % 10) * 1_000,
                "status": if at % 5 == 0 { 500 } else { 200 },
                "at": "2024-03-01T00:00:00.5Z", "message": format!("request {at} of web"),
            });
            if at % 3 > 0 {
                source["host"] = json!([format!("h{}", at % 4), "all"]);
            }
            if at % 11 > 0 {
                source["took"] = (at as f64 / 4.0).into();
            }
            bulk.push_str(&format!("{}\n{source}\n", json!({"index": {"_id": format!("{at}")}})));
        }
        server.load(index, &definition, &bulk).await;
    }
}

/// The search of the host: filters, named filters, no source, fields from doc values and from the source.
fn question(size: usize, filter: &str) -> Json {
    json!({
        "size": size,
        "_source": false,
        "query": {"bool": {
            "filter": [
                {"range": {"@timestamp": {"gte": 1_709_251_201_000_i64, "lt": 1_709_251_209_000_i64, "format": "epoch_millis"}}},
                {"query_string": {"query": filter}},
            ],
            "should": [
                {"query_string": {"query": "status:[500 TO 599]", "_name": "bad"}},
                {"query_string": {"query": "host:h1 OR took:<9", "_name": "some"}},
            ],
            "minimum_should_match": 0,
        }},
        "docvalue_fields": [
            {"field": "status"}, {"field": "host"}, {"field": "took"}, {"field": "at", "format": "epoch_millis"},
        ],
        "fields": [{"field": "message"}],
        "sort": [{"@timestamp": {"order": "asc", "unmapped_type": "date"}}],
    })
}

/// Reads to the end and gives the context back. A document written in the meantime must not be seen.
async fn walk(server: &Server, paging: Paging, size: usize, filter: &str) -> Vec<Json> {
    let mut body = question(size, filter);
    let mut rows = Vec::new();
    let mut context = match paging {
        Paging::Scroll => String::new(),
        Paging::Pit => opened(server, "_pit", "id").await,
        Paging::PointInTime => opened(server, "_search/point_in_time", "pit_id").await,
    };
    if paging != Paging::Scroll {
        body["track_total_hits"] = false.into();
        body["pit"] = json!({"id": context, "keep_alive": "1m"});
        let sort = body["sort"].as_array_mut().expect("a list");
        if paging == Paging::PointInTime {
            sort.push(json!({"_index": "asc"}));
        }
        sort.push(json!({"_shard_doc": "asc"}));
    }
    for page in 0..400 {
        let (path, text) = match (paging, page) {
            (Paging::Scroll, 0) => (format!("/{BOTH}/_search?scroll=1m"), body.to_string()),
            (Paging::Scroll, _) => {
                ("/_search/scroll".to_owned(), json!({"scroll": "1m", "scroll_id": context}).to_string())
            }
            _ => ("/_search".to_owned(), body.to_string()),
        };
        let (status, answer) = server.send(Method::POST, &path, text).await;
        assert_eq!(status, 200, "{} {paging:?}: {answer}", server.name);
        if page == 0 {
            late(server, Method::PUT).await;
        }
        if let Some(newer) = answer["_scroll_id"].as_str().or(answer["pit_id"].as_str()) {
            context = newer.to_owned();
            if paging != Paging::Scroll {
                body["pit"]["id"] = newer.into();
            }
        }
        let hits = answer["hits"]["hits"].as_array().expect("a list of hits");
        rows.extend(hits.iter().map(row));
        let Some(last) = hits.last() else { break };
        body["search_after"] = last["sort"].clone();
    }
    late(server, Method::DELETE).await;
    close(server, paging, &context, &body).await;
    rows
}

async fn opened(server: &Server, route: &str, key: &str) -> String {
    let (status, answer) = server.send(Method::POST, &format!("/{BOTH}/{route}?keep_alive=1m"), "").await;
    assert_eq!(status, 200, "{}: {answer}", server.name);
    answer[key].as_str().expect("the id of a point in time").to_owned()
}

/// A document in the middle of what is being read.
async fn late(server: &Server, method: Method) {
    let source = json!({"@timestamp": 1_709_251_205_000_i64, "status": 500, "host": "late"});
    let body = if method == Method::PUT { source.to_string() } else { String::new() };
    let (status, answer) = server.send(method, "/wb-pages-a/_doc/late?refresh=true", body).await;
    assert!(status < 300, "{}: {answer}", server.name);
}

/// One hit, without the parts of its sort that each server counts in its own way.
fn row(hit: &Json) -> Json {
    let mut shown = shown(hit);
    shown["sort"] = json!([hit["sort"][0]]);
    json!({"index": hit["_index"], "id": hit["_id"], "shown": shown})
}

/// A context that was given back is gone.
async fn close(server: &Server, paging: Paging, context: &str, body: &Json) {
    let (path, text) = match paging {
        Paging::Scroll => ("/_search/scroll", json!({"scroll_id": [context]})),
        Paging::Pit => ("/_pit", json!({"id": context})),
        Paging::PointInTime => ("/_search/point_in_time", json!({"pit_id": [context]})),
    };
    let (status, answer) = server.send(Method::DELETE, path, text.to_string()).await;
    assert_eq!(status, 200, "{} {paging:?}: {answer}", server.name);
    if paging != Paging::PointInTime {
        assert_eq!(answer["succeeded"], true, "{} {paging:?}: {answer}", server.name);
    }
    let (path, text) = match paging {
        Paging::Scroll => ("/_search/scroll", json!({"scroll": "1m", "scroll_id": context}).to_string()),
        _ => ("/_search", body.to_string()),
    };
    let (status, answer) = server.send(Method::POST, path, text).await;
    let kind = kind_of_error(&answer["error"]);
    assert_eq!((status, kind), (404, "search_context_missing_exception"), "{} {paging:?}", server.name);
}

fn list(rows: &[Json]) -> String {
    rows.iter().map(|row| format!("  {row}\n")).collect()
}

/// Compares every walk on `server` with `expected`, the walks on the node.
async fn same_walks(server: &Server, expected: &[(usize, &str, Vec<Json>)]) {
    load(server).await;
    for paging in Paging::of(server) {
        for (size, filter, rows) in expected {
            let read = walk(server, *paging, *size, filter).await;
            let at = read.iter().zip(rows).position(|(a, b)| a != b).unwrap_or(read.len().min(rows.len()));
            assert!(
                read == *rows,
                "{} {paging:?}, pages of {size}, `{filter}`: {} rows, expected {}; from row {at} on\n{}expected\n{}",
                server.name,
                read.len(),
                rows.len(),
                list(&read[at..read.len().min(at + 3)]),
                list(&rows[at..rows.len().min(at + 3)])
            );
        }
    }
    for index in INDICES {
        server.drop_index(index).await;
    }
}

#[tokio::test]
async fn pages_are_read_to_the_end_in_one_order() {
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    load(&embedded).await;
    let mut expected = Vec::new();
    for (size, filter) in
        [(1, "host:h1"), (7, "*"), (23, "status:500 OR took:>20"), (1_000, "*"), (7, "host:none")]
    {
        expected.push((size, filter, walk(&embedded, Paging::Pit, size, filter).await));
    }
    let whole = &expected[1].2;
    // Eight instants of 23 documents each; an hour of order, and no document twice.
    assert_eq!(whole.len(), 184);
    assert!(whole.is_sorted_by_key(|row| row["shown"]["sort"][0].as_i64()));
    assert_eq!(expected[3].2, *whole, "the size of pages changes nothing");
    assert_eq!(expected[4].2.len(), 0);
    same_walks(&embedded, &expected).await;
    for server in real("pages to the end") {
        same_walks(&server, &expected).await;
    }
    node.stop().await;
}
