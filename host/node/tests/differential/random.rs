//! Queries and aggregations drawn from a grammar by a fixed seed: the node and every server answer the same.
//!
//! `SEED` draws others, and `WATCHBELL_DRAWS` says how many of each.
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::case::cases;
use crate::compare::{kind_of_error, same, without};
use crate::grammar::{Draw, query, query_string};
use crate::grammar_aggs::aggregations;
use crate::servers::{Server, node, real};
use crate::tally::Tally;

/// Of queries and of aggregations each.
const DRAWS: usize = 400;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// What is compared of an answer: the ids found and the buckets, or that it was refused.
async fn answer(server: &Server, index: &str, body: &Json) -> Json {
    let path = format!("/{index}/_search");
    let (status, answer) = server.send(Method::POST, &path, body.to_string()).await;
    if status != 200 {
        return json!({"status": status, "error": kind_of_error(&answer["error"])});
    }
    let hits = answer["hits"]["hits"].as_array().expect("a list of hits");
    let mut hits: Vec<&str> = hits.iter().filter_map(|hit| hit["_id"].as_str()).collect();
    hits.sort_unstable();
    let mut aggs = answer["aggregations"].clone();
    without(&mut aggs, "_type");
    json!({"ids": hits, "total": answer["hits"]["total"], "aggs": aggs})
}

/// Asks everything that `draw` gives of everyone, on the documents of a case.
async fn compared(what: &str, case: &str, mut draw: impl FnMut(usize, &mut Draw) -> Json) -> Tally {
    let servers = real(what);
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    let found = cases().into_iter().find(|found| found.name == case);
    let case = found.unwrap_or_else(|| panic!("the case `{case}`"));
    let index = format!("wb-random-{}", case.name);
    for server in servers.iter().chain([&embedded]) {
        server.load(&index, &case.index, &case.bulk()).await;
    }
    let seed = number("SEED", 1);
    let mut drawn = Draw(seed as u64);
    let mut tally = Tally::new(what, seed, case.documents.len());
    for at in 0..number("WATCHBELL_DRAWS", DRAWS) {
        let body = draw(at, &mut drawn);
        let ours = answer(&embedded, &index, &body).await;
        tally.divides(&ours);
        for server in &servers {
            let mut theirs = answer(server, &index, &body).await;
            // How a refusal is worded is compared request by request elsewhere.
            if theirs["status"] == ours["status"] && !ours["status"].is_null() {
                theirs = ours.clone();
            }
            tally.count(server.name, &body, &ours, &theirs, same(&ours, &theirs, 1e-9));
        }
    }
    for server in &servers {
        server.drop_index(&index).await;
    }
    node.stop().await;
    tally.print();
    tally
}

#[tokio::test]
async fn drawn_queries_find_the_same_documents() {
    let draw = |at: usize, draw: &mut Draw| {
        let query = if at.is_multiple_of(3) { query_string(draw) } else { query(draw, 2) };
        json!({"size": 100, "query": query})
    };
    compared("drawn queries", "lucene", draw).await.check(4);
}

#[tokio::test]
async fn drawn_aggregations_give_the_same_buckets() {
    let draw = |_: usize, draw: &mut Draw| aggregations(draw);
    compared("drawn aggregations", "aggregations", draw).await.check(4);
}
