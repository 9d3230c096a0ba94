use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use watchbell::clock::rfc3339;
use watchbell_contract::Timestamp;

use super::{Doors, INDEX, PRIMING, committed, dump, told, world};
use crate::world::now;

/// Runs the program at `old` over `folder`'s rules until its store holds a little of everything, ends it as `kill -9`
/// does, and writes `store.sql` and `documents.ndjson`.
pub(super) async fn make(old: &Path, folder: &Path) {
    let doors = Doors::open(&[("down", 503), ("slow", 0), ("refuses", 400)]).await;
    let mut documents = past(now());
    let world = world(folder, None, &doors, &documents).await;
    let mut host = world.start_program(old, &[], &[]);
    committed(&world, &mut host, 2).await;

    let live = present(now());
    world.documents(INDEX, &live).await;
    documents.extend(live);
    let arrived = |door: &'static str, wanted: usize| {
        move |got: &[(String, Value)]| got.iter().filter(|(at, _)| at == door).count() >= wanted
    };
    doors
        .until("a claim, a refusal and a postponement", |got| {
            arrived("slow", 1)(got) && arrived("refuses", 1)(got) && arrived("down", 1)(got)
        })
        .await;
    // Two steps of `frequency` are done, and every rule of one document has told it.
    doors.until("the second step", |got| arrived("mail", 1)(got) && arrived("hook", 14)(got)).await;
    host.signal("-KILL");
    host.ended().await;

    // Long enough for a window to be left out.
    let pause = std::future::pending::<()>();
    let _ = tokio::time::timeout(Duration::from_secs(16), pause).await;
    let mut host = world.start_program(old, &[], &[]);
    committed(&world, &mut host, 2).await;
    doors.until("the claim again", arrived("slow", 2)).await;
    host.signal("-KILL");
    host.ended().await;

    println!("{}", told(&doors.got()).join("\n"));
    fs::write(folder.join("store.sql"), dump::dump(&world.store())).expect("the store");
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    fs::write(folder.join("documents.ndjson"), lines.join("\n") + "\n").expect("the documents");
}

struct Documents {
    at: i64,
    name: &'static str,
    all: Vec<Value>,
}

impl Documents {
    fn push(&mut self, case: &str, second: i64, user: &str, host: &str, took: f64) {
        let id = format!("{}-{}", self.name, self.all.len());
        self.all.push(json!({
            "_id": id, "@timestamp": rfc3339(Timestamp(self.at + second * 1_000)),
            "case": case, "user": user, "host": { "name": host }, "took": took,
        }));
    }
}

/// What the rules read before their first window.
fn past(at: i64) -> Vec<Value> {
    let mut made = Documents { at, name: "past", all: Vec::new() };
    for minute in [-100, -95, -90, -85] {
        for case in
            ["flatline", "spike", "spike-aggregation", "metric-aggregation", "percentage-match", "query"]
        {
            made.push(case, minute * 60, "ada", "a", 10.0);
        }
    }
    for case in ["any", "blacklist", "whitelist", "change", "new-term", "cardinality", PRIMING] {
        made.push(case, -1_800, "ada", "a", 1.0);
    }
    made.push("sequence", -900, "ada", "a", 1.0);
    made.push("frequency", -1_200, "ada", "b", 1.0);
    made.all
}

/// What every rule has something to say of.
fn present(at: i64) -> Vec<Value> {
    let mut made = Documents { at, name: "present", all: Vec::new() };
    for case in [
        "any",
        "blacklist",
        "whitelist",
        "change",
        "new-term",
        "sequence",
        "owed",
        "claimed",
        "dead",
        "skipping",
    ] {
        made.push(case, -3, "mallory", "a", 1.0);
    }
    made.push("any", -2, "ben", "a", 1.0);
    for (second, user) in [(-4, "ada"), (-3, "ben"), (-2, "eve")] {
        for case in ["frequency", "cardinality", "pending", "due-soon"] {
            made.push(case, second, user, "a", 1.0);
        }
    }
    for second in [-5, -4, -3, -2] {
        for part in 0..3 {
            made.push("spike", second, "ada", "a", f64::from(part));
        }
        for case in ["spike-aggregation", "metric-aggregation", "percentage-match", "query"] {
            made.push(case, second, "mallory", "a", 500.0);
        }
    }
    made.all
}
