//! A grammar of queries, over the documents of the case `lucene`.
use serde_json::{Map, Value as Json, json};

/// A small generator of its own, so that a seed means the same queries for ever.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
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
    match draw.below(14) {
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
        // A quoted bound is not a bound: `a:>` and then a phrase, which some servers accept and others do not.
        4 => match draw.of(values(field)) {
            bound if bound.is_empty() || bound.contains(' ') => format!("{field}:{}", value(draw)),
            bound => format!("{field}:{}{}", draw.of(&[">", ">=", "<", "<="]), escaped(bound)),
        },
        5 if strings(field) => format!("{field}:{}", pattern(field, draw)),
        6 => format!("{field}:*"),
        7 => written(draw.of(WORDS), draw),
        8 => format!("{field}:{}^2", value(draw)),
        9 if strings(field) => {
            let word = escaped(&misspelt(draw.of(WORDS), draw));
            if word.is_empty() {
                return format!("{field}:x");
            }
            format!("{field}:{word}~{}", draw.of(&["", "1", "2", "0"]))
        }
        10 => format!("{field}:\"{}\"~{}", sentence(draw), draw.of(&["1", "2", "5", "150"])),
        11 if strings(field) => format!("{field}:/{}/", draw.of(REGEXPS).replace('/', "\\/")),
        _ => format!("{field}:{}", value(draw)),
    }
}

const REGEXPS: &[&str] = &[
    "web.*",
    "[a-z]+",
    "5[0-9]{2}",
    "/a/.",
    "err(or|ors)",
    "[^5].*",
    ".*[aeiou]b?",
    "(web|db)-[12]",
    "a{1,2}.?",
];

/// A word with a letter missing, doubled, changed or swapped.
fn misspelt(word: &str, draw: &mut Draw) -> String {
    let mut chars: Vec<char> = word.chars().filter(|c| c.is_alphanumeric()).collect();
    if chars.len() > 1 {
        let at = draw.below(chars.len() - 1);
        match draw.below(5) {
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, chars[at]),
            2 => chars[at] = 'e',
            3 => chars.swap(at, at + 1),
            _ => {}
        }
    }
    chars.into_iter().collect()
}

/// Words, no two alike: a phrase with slack that says one twice is not modelled.
fn sentence(draw: &mut Draw) -> String {
    let plain =
        ["login", "error", "user", "failed", "for", "alice", "line", "quick", "fox", "timed", "out", "a"];
    let mut words: Vec<&str> = Vec::new();
    for _ in 0..=draw.below(3) {
        let word = draw.of(&plain);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
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

pub(crate) fn query_string(draw: &mut Draw) -> Json {
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
    match draw.below(10) {
        0 => body["minimum_should_match"] = draw.of(&["1", "2", "-1", "50%", "1<50%", "2<-1 4<75%"]).into(),
        1 => body["phrase_slop"] = draw.below(3).into(),
        2 => body["fuzziness"] = draw.of(&["AUTO", "1", "0", "AUTO:1,4"]).into(),
        3 => body["fuzzy_prefix_length"] = draw.below(3).into(),
        4 => body["type"] = draw.of(&["best_fields", "most_fields"]).into(),
        _ => {}
    }
    json!({ "query_string": body })
}

/// The language that reads everything.
fn simple_query_string(draw: &mut Draw) -> Json {
    let mut text = String::new();
    for _ in 0..=draw.below(4) {
        text.push_str(draw.of(&["", "-", "+", "| ", "+ ", "(", "\"", "--"]));
        let word = draw.of(WORDS);
        text.push_str(&match draw.below(5) {
            0 => format!("{}*", word.split(' ').next().unwrap_or("w")),
            1 => format!("{}~{}", misspelt(word, draw), draw.of(&["", "1", "2"])),
            2 => format!("\"{}\"{}", sentence(draw), draw.of(&["", "~1", "~3"])),
            _ => word.to_owned(),
        });
        text.push_str(draw.of(&["", "", ")", " ", " ", " ", "\"", "\\ "]));
        text.push_str(draw.of(&[" ", " ", "+", "|", " | ", " + "]));
    }
    let mut body = json!({"query": text});
    if draw.one_in(2) {
        body["fields"] = json!([draw.of(FIELDS), draw.of(&["message*", "host.*", "user^2"])]);
    }
    if draw.one_in(3) {
        body["default_operator"] = draw.of(&["and", "or"]).into();
    }
    match draw.below(6) {
        0 => {
            body["flags"] = draw
                .of(&["OR|AND|PREFIX|WHITESPACE", "NONE", "ALL", "PHRASE|NOT|WHITESPACE", "FUZZY|ESCAPE"])
                .into()
        }
        1 => body["minimum_should_match"] = draw.of(&["1", "2", "75%", "-1"]).into(),
        2 => body["lenient"] = draw.one_in(2).into(),
        _ => {}
    }
    json!({ "simple_query_string": body })
}

/// `match` and its kin, of one field or of several.
fn matching(field: &str, draw: &mut Draw) -> Json {
    let text = if draw.one_in(2) { sentence(draw) } else { draw.of(values(field)).to_owned() };
    let mut body = json!({ "query": text });
    let kind = draw.of(&["match", "match", "match_phrase", "match_phrase_prefix", "match_bool_prefix"]);
    match kind {
        "match" => match draw.below(6) {
            0 => body["operator"] = draw.of(&["and", "or"]).into(),
            1 => body["minimum_should_match"] = draw.of(&["1", "2", "-1", "60%", "1<2"]).into(),
            2 => body["fuzziness"] = draw.of(&["AUTO", "1", "2", "0"]).into(),
            3 => body["zero_terms_query"] = "all".into(),
            4 => body["lenient"] = true.into(),
            _ => {}
        },
        "match_phrase" if draw.one_in(2) && !text_repeats(&text) => body["slop"] = draw.below(4).into(),
        "match_phrase_prefix" if draw.one_in(3) => body["max_expansions"] = (1 + draw.below(3)).into(),
        "match_bool_prefix" if draw.one_in(2) => body["operator"] = draw.of(&["and", "or"]).into(),
        _ => {}
    }
    if draw.one_in(3) {
        body["fields"] = json!([draw.of(FIELDS), draw.of(&["message", "*", "user", "host.*", "message^3"])]);
        if kind != "match" {
            body["type"] = kind.strip_prefix("match_").unwrap_or_default().into();
        } else if draw.one_in(2) {
            body["type"] = draw.of(&["best_fields", "most_fields"]).into();
        }
        return json!({ "multi_match": body });
    }
    json!({kind: {field: body}})
}

fn text_repeats(text: &str) -> bool {
    let mut words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    words.len() < count
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

/// A slice of time, with a format, a zone, maths, or all of them.
fn dates(draw: &mut Draw) -> Json {
    let (format, list): (&str, &[&str]) = match draw.below(5) {
        0 => ("yyyy-MM-dd", &["2024-03-05", "2024-03-06", "2024-03-05||+1d/d", "2024-03-05||/M"]),
        1 => (
            "yyyy-MM-dd HH:mm:ss",
            &["2024-03-05 10:01:00", "2024-03-05 10:59:59", "2024-03-05 12:00:00||-1h"],
        ),
        2 => ("epoch_second", &["1709632860", "1709632950", "1709722800"]),
        3 => ("dd/MM/yyyy||yyyy-MM-dd'T'HH:mm", &["05/03/2024", "2024-03-05T10:02", "05/03/2024||+10h+2m"]),
        _ => (
            "",
            &[
                "2024-03-05T10:01:00",
                "2024-03-05T10:02:30.500",
                "2024-03-05",
                "2024-03-05||/w",
                "2024-03-05T10:01||+1m/m",
            ],
        ),
    };
    let mut range = json!({
        draw.of(&["gte", "gt"]): draw.of(list),
        draw.of(&["lte", "lt"]): draw.of(list),
    });
    if !format.is_empty() {
        range["format"] = format.into();
    }
    // Before 9 a zone moved even an instant: the case `dates` lists that.
    if draw.one_in(3) && format != "epoch_second" {
        range["time_zone"] = draw.of(&["+01:00", "-05:30", "America/New_York", "Europe/Berlin"]).into();
    }
    json!({"range": {"@timestamp": range}})
}

pub(crate) fn query(draw: &mut Draw, depth: usize) -> Json {
    let field = draw.of(FIELDS);
    let value = |draw: &mut Draw| scalar(field, draw.of(values(field)), draw);
    match draw.below(21) {
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
        19 => dates(draw),
        6 => json!({"exists": {"field": field}}),
        7 if strings(field) => {
            json!({"prefix": {field: {"value": draw.of(WORDS), "case_insensitive": false}}})
        }
        8 if strings(field) => json!({"wildcard": {field: {"value": pattern(field, draw)}}}),
        9 if strings(field) => {
            json!({"regexp": {field: {"value": draw.of(REGEXPS), "case_insensitive": false}}})
        }
        10 => json!({"match": {field: {"query": value(draw), "operator": draw.of(&["and", "or"])}}}),
        11 => json!({"match_phrase": {field: value(draw)}}),
        12 => query_string(draw),
        13 | 14 => matching(field, draw),
        15 | 16 => simple_query_string(draw),
        17 if strings(field) => {
            let word = misspelt(draw.of(WORDS), draw);
            json!({"fuzzy": {field: {"value": word, "fuzziness": draw.of(&["AUTO", "1", "2"]), "prefix_length": draw.below(2),
                "transpositions": draw.one_in(2)}}})
        }
        18 if depth > 0 => json!({"dis_max": {"queries": [query(draw, depth - 1), query(draw, depth - 1)]}}),
        _ => json!({"term": {field: value(draw)}}),
    }
}
