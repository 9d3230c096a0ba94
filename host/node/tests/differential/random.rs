//! Queries drawn from a grammar by a fixed seed: the node and every server find the same documents.
//!
//! `SEED` draws others.
use reqwest::Method;
use serde_json::{Map, Value as Json, json};

use crate::case::cases;
use crate::compare::kind_of_error;
use crate::servers::{Server, node, real};

const QUERIES: usize = 400;

/// A small generator of its own, so that a seed means the same queries for ever.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const FIELDS: &[&str] = &[
    "status",
    "code",
    "host.name",
    "host.ip",
    "message",
    "message.keyword",
    "took",
    "small",
    "ok",
    "user",
    "path",
    "@timestamp",
    "nothing",
];
const WORDS: &[&str] = &[
    "web",
    "web-1",
    "web-2",
    "Web-1",
    "web 1",
    "db-1",
    "error",
    "Error",
    "login",
    "LOGIN",
    "ok",
    "alice",
    "Alice",
    "bob",
    "BOB",
    "quick",
    "brown",
    "fox",
    "the",
    "line",
    "first",
    "user",
    "failed",
    "timed",
    "a",
    "x",
    "/a/b",
    "/A/b",
    "dog's",
    "foo.bar_baz",
    "(110)",
    "thirty-two",
    "",
];

fn values(field: &str) -> &'static [&'static str] {
    match field {
        "status" => &["200", "404", "500", "503", "599", "600", "-1", "0", "500.0"],
        "code" => &["200", "404", "50", "500", "503", "6", "599"],
        "host.ip" => &["10.0.0.1", "10.0.0.2", "10.1.0.1", "192.168.1.9", "10.0.0.0/8", "2001:db8::1"],
        "took" | "small" => &["1", "1.5", "2.5", "9", "30", "-1", "0.1", "0.2", "1e1"],
        "ok" => &["true", "false"],
        "@timestamp" => &[
            "2024-03-05",
            "2024-03-05T10:01:00",
            "2024-03-05T10:02:30.500Z",
            "2024-03-06",
            "2024",
            "2024-03",
            "1709722800000",
            "2024-03-05||+1d",
            "2024-03-05T10:01||/h",
            "2024-03-05T11:01:00+01:00",
        ],
        _ => WORDS,
    }
}

fn strings(field: &str) -> bool {
    matches!(field, "code" | "host.name" | "message" | "message.keyword" | "user" | "path" | "nothing")
}

/// A value as a query string writes it.
fn written(text: &str, draw: &mut Draw) -> String {
    if text.is_empty() || text.contains(' ') || draw.one_in(6) {
        return format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    escaped(text)
}

fn escaped(text: &str) -> String {
    let special = |c: char| "+-!(){}[]^\"~*?:\\/|&".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn pattern(field: &str, draw: &mut Draw) -> String {
    let text = draw.of(values(field));
    let mut chars: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).take(6).collect();
    if chars.is_empty() {
        chars.push('w');
    }
    for _ in 0..=draw.below(2) {
        let at = draw.below(chars.len() + 1);
        if draw.one_in(3) {
            let at = at.min(chars.len() - 1);
            chars[at] = '?';
        } else {
            chars.insert(at, '*');
        }
    }
    chars.into_iter().collect()
}

fn clause(draw: &mut Draw, depth: usize) -> String {
    let field = draw.of(FIELDS);
    let value = |draw: &mut Draw| written(draw.of(values(field)), draw);
    match draw.below(11) {
        0 if depth > 0 => format!("({})", text(draw, depth - 1)),
        1 if depth > 0 => {
            format!("{field}:({} {} {})", value(draw), draw.of(&["OR", "AND", ""]), value(draw))
        }
        2 => format!("_exists_:{field}"),
        3 => {
            let (open, close) = (draw.of(&["[", "{"]), draw.of(&["]", "}"]));
            let bound = |draw: &mut Draw| if draw.one_in(4) { "*".to_owned() } else { value(draw) };
            format!("{field}:{open}{} TO {}{close}", bound(draw), bound(draw))
        }
        // A quoted bound is no bound: `a:>` and then a phrase, which one server reads and the next does not.
        4 => match draw.of(values(field)) {
            bound if bound.is_empty() || bound.contains(' ') => format!("{field}:{}", value(draw)),
            bound => format!("{field}:{}{}", draw.of(&[">", ">=", "<", "<="]), escaped(bound)),
        },
        5 if strings(field) => format!("{field}:{}", pattern(field, draw)),
        6 => format!("{field}:*"),
        7 => written(draw.of(WORDS), draw),
        8 => format!("{field}:{}^2", value(draw)),
        _ => format!("{field}:{}", value(draw)),
    }
}

/// A query string.
fn text(draw: &mut Draw, depth: usize) -> String {
    let mut out = String::new();
    for at in 0..=draw.below(3) {
        if at > 0 {
            out.push_str(draw.of(&[" AND ", " OR ", " ", " && ", " || ", " AND NOT ", " OR NOT "]));
        }
        out.push_str(draw.of(&["", "", "", "", "-", "+", "NOT "]));
        out.push_str(&clause(draw, depth));
    }
    out
}

fn query_string(draw: &mut Draw) -> Json {
    let mut body = json!({"query": text(draw, 2)});
    if draw.one_in(3) {
        body["default_operator"] = draw.of(&["AND", "OR"]).into();
    }
    if draw.one_in(4) {
        body["default_field"] = draw.of(&["message", "path", "status", "*"]).into();
    } else if draw.one_in(4) {
        body["fields"] = json!([draw.of(FIELDS), draw.of(&["message*", "host.*", "user"])]);
    }
    if draw.one_in(5) {
        body["lenient"] = draw.one_in(2).into();
    }
    // Before 9 a zone moved even an instant: the case `dates` lists that.
    if draw.one_in(8) && !body["query"].as_str().is_some_and(|query| query.contains("1709722800000")) {
        body["time_zone"] = draw.of(&["+01:00", "America/New_York"]).into();
    }
    json!({ "query_string": body })
}

/// A value as JSON: what reads as a number is one, half the time. Not of dates: whether `2024` is a year or an instant is
/// a difference between versions that the case `dates` lists.
fn scalar(field: &str, text: &str, draw: &mut Draw) -> Json {
    match serde_json::from_str(text) {
        _ if field == "@timestamp" => text.into(),
        Ok(json @ (Json::Number(_) | Json::Bool(_))) if draw.one_in(2) => json,
        _ => text.into(),
    }
}

fn query(draw: &mut Draw, depth: usize) -> Json {
    let field = draw.of(FIELDS);
    let value = |draw: &mut Draw| scalar(field, draw.of(values(field)), draw);
    match draw.below(14) {
        0..=3 if depth > 0 => {
            let mut bool = Map::new();
            for key in ["must", "filter", "should", "must_not"] {
                let clauses: Vec<Json> = (0..draw.below(3)).map(|_| query(draw, depth - 1)).collect();
                if !clauses.is_empty() {
                    bool.insert(key.into(), clauses.into());
                }
            }
            if draw.one_in(3) {
                bool.insert("minimum_should_match".into(), draw.of(&["0", "1", "2", "-1", "50%"]).into());
            }
            json!({ "bool": bool })
        }
        4 => json!({"terms": {field: [value(draw), value(draw)]}}),
        5 => {
            let mut range = Map::new();
            range.insert(draw.of(&["gte", "gt"]).into(), value(draw));
            if draw.one_in(2) {
                range.insert(draw.of(&["lte", "lt"]).into(), value(draw));
            }
            json!({"range": {field: range}})
        }
        6 => json!({"exists": {"field": field}}),
        7 if strings(field) => {
            json!({"prefix": {field: {"value": draw.of(WORDS), "case_insensitive": false}}})
        }
        8 if strings(field) => json!({"wildcard": {field: {"value": pattern(field, draw)}}}),
        9 if strings(field) => {
            json!({"regexp": {field: draw.of(&["web.*", "[a-z]+", "5[0-9]{2}", "/a/.", "err(or|ors)", "[^5].*"])}})
        }
        10 => json!({"match": {field: {"query": value(draw), "operator": draw.of(&["and", "or"])}}}),
        11 => json!({"match_phrase": {field: value(draw)}}),
        12 => query_string(draw),
        _ => json!({"term": {field: value(draw)}}),
    }
}

/// The ids found, or the refusal.
async fn found(server: &Server, query: &Json) -> Json {
    let body = json!({"size": 100, "query": query});
    let (status, answer) = server.send(Method::POST, "/wb-random/_search", body.to_string()).await;
    if status != 200 {
        return json!({"status": status, "error": kind_of_error(&answer["error"])});
    }
    let hits = answer["hits"]["hits"].as_array().expect("a list of hits");
    let mut hits: Vec<&str> = hits.iter().filter_map(|hit| hit["_id"].as_str()).collect();
    hits.sort_unstable();
    json!(hits)
}

#[tokio::test]
async fn drawn_queries_find_the_same_documents() {
    let servers = real("drawn queries");
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    let case = cases().into_iter().find(|case| case.name == "lucene").expect("the case `lucene`");
    for server in servers.iter().chain([&embedded]) {
        server.load("wb-random", &case.index, &case.bulk()).await;
    }
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED is a number"));
    let mut draw = Draw(seed);
    let (mut wrong, mut some) = (Vec::new(), 0);
    for number in 0..QUERIES {
        let query = if number % 2 == 0 { query_string(&mut draw) } else { query(&mut draw, 2) };
        let ours = found(&embedded, &query).await;
        some += usize::from(ours.as_array().is_some_and(|ids| !ids.is_empty() && ids.len() < 9));
        for server in &servers {
            let mut theirs = found(server, &query).await;
            // How a refusal is worded is compared request by request elsewhere.
            if theirs["status"] == ours["status"] && !ours["status"].is_null() {
                theirs = ours.clone();
            }
            if theirs != ours {
                wrong.push(format!("{} {query}\n  server {theirs}\n  node   {ours}", server.name));
            }
        }
    }
    for server in &servers {
        server.drop_index("wb-random").await;
    }
    node.stop().await;
    assert!(some > QUERIES / 4, "only {some} queries divide the documents: the grammar says little");
    assert!(wrong.is_empty(), "seed {seed}: {} different\n{}", wrong.len(), wrong.join("\n"));
}
