//! `tests/cases/gate`: what real servers answer the gate in each situation. `cargo xtask record` records them again.
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use watchbell_gate::REQUESTS;

use crate::nodes::script::{self, Cast};
use crate::nodes::{Nodes, programs};
use crate::world::repository;

/// Which servers to record, `all` or their names with commas between them.
const VARIABLE: &str = "WATCHBELL_RECORD";

/// Who is recorded, beside which older or newer server, and who of the two is the master, which explains.
const CASTS: [Cast<'static>; 8] = [
    cast("elasticsearch-6.8.23", None),
    Cast { new: "elasticsearch-7.10.2", old: Some("elasticsearch-7.8.1"), master: "elasticsearch-7.8.1" },
    cast("elasticsearch-7.10.2", Some("elasticsearch-7.8.1")),
    cast("elasticsearch-8.19.0", Some("elasticsearch-8.18.0")),
    cast("elasticsearch-9.5.3", Some("elasticsearch-9.5.2")),
    cast("opensearch-1.3.0", None),
    cast("opensearch-2.18.0", Some("opensearch-2.17.0")),
    cast("opensearch-3.8.0", Some("opensearch-3.0.0")),
];

const fn cast(new: &'static str, old: Option<&'static str>) -> Cast<'static> {
    Cast { new, old, master: new }
}

/// What people would look at, before what the gate asks for.
const LOOKED_AT: [&str; 2] =
    ["/", "/_cat/shards?format=json&h=index,shard,prirep,state,node,unassigned.reason"];

#[tokio::test(flavor = "multi_thread")]
async fn every_situation_was_recorded() {
    if let Ok(wanted) = std::env::var(VARIABLE) {
        let wanted: Vec<&str> = wanted.split(',').collect();
        for cast in CASTS.iter().filter(|cast| wanted.contains(&"all") || wanted.contains(&cast.master)) {
            record(*cast).await;
        }
    }
    let readme = fs::read_to_string(folder().join("README.md")).expect("a page that says what was recorded");
    let mut faults = String::new();
    for cast in CASTS {
        let server = cast.master;
        // Without an older server there is no cluster of two versions.
        for situation in situations().into_iter().filter(|name| cast.of(&script::read(name)).is_some()) {
            let file = folder().join(server).join(format!("{situation}.json"));
            let is_excuse = |line: &str| line.contains(&situation) || line.contains("not recorded");
            let said = readme.lines().any(|line| line.contains(server) && is_excuse(line));
            match fs::read_to_string(&file) {
                Ok(text) => check(&file, &text, &mut faults),
                // What could not be had is named with its reason.
                Err(_) if said => {}
                Err(_) => _ = writeln!(faults, "{server}: `{situation}` is neither recorded nor excused"),
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// A recording explains every shard that it shows without a node.
fn check(file: &Path, text: &str, faults: &mut String) {
    let recording: Value = serde_json::from_str(text).expect("a recording is JSON");
    let shards = recording["answers"].as_object().into_iter().flatten();
    let shards = shards.filter(|(path, _)| path.contains("/_cat/shards")).flat_map(|(_, answer)| {
        answer["body"].as_array().into_iter().flatten().filter(|shard| shard["state"] == "UNASSIGNED")
    });
    let explained = recording["explanations"].as_array().map_or(0, Vec::len);
    let shards = shards.count();
    if shards == 0 || explained != shards {
        let file = file.display();
        _ = writeln!(faults, "{file}: {explained} explanations of {shards} shards without a node");
    }
}

async fn record(cast: Cast<'static>) {
    let needed: Vec<&str> = [Some(cast.new), cast.old].into_iter().flatten().collect();
    let Some(programs) = programs(&format!("recording {}", cast.master), &needed) else { return };
    for situation in situations() {
        let script = script::read(&situation);
        if cast.of(&script).is_none() {
            continue;
        }
        let mut nodes = Nodes::new(programs.clone());
        script::play(&mut nodes, &script, cast).await;
        let recording = answers(&nodes, &situation, cast).await;
        let file = folder().join(cast.master).join(format!("{situation}.json"));
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        // Where the nodes lived is nobody's business.
        let scratch = nodes.scratch().display().to_string();
        fs::write(&file, recording.replace(&scratch, "/data")).expect("a recording");
        println!("{}: {situation}", cast.master);
    }
}

/// An answer a line, so that they can be read and compared.
async fn answers(nodes: &Nodes, situation: &str, cast: Cast<'_>) -> String {
    let mut text = format!(
        "{{\n\"situation\": {},\n\"server\": {},\n\"answers\": {{",
        json!(situation),
        json!(cast.master)
    );
    let mut shards = Value::Null;
    for (number, path) in LOOKED_AT.iter().chain(&REQUESTS).enumerate() {
        let (status, mut body) = nodes.ask("GET", path, None).await;
        // Hundreds of settings are of no interest here.
        if let Some(defaults) = body.get_mut("defaults").and_then(Value::as_object_mut) {
            defaults.retain(|section, _| section == "cluster");
            if let Some(cluster) = defaults.get_mut("cluster").and_then(Value::as_object_mut) {
                cluster.retain(|section, _| section == "routing");
            }
        }
        let comma = if number > 0 { "," } else { "" };
        let answer = json!({ "status": status, "body": body });
        _ = write!(text, "{comma}\n  {}: {answer}", json!(format!("GET {path}")));
        if path.contains("/_cat/shards") {
            shards = body;
        }
    }
    text.push_str("\n},\n\"explanations\": [");
    let lost = shards.as_array().into_iter().flatten().filter(|shard| shard["state"] == "UNASSIGNED");
    for (number, shard) in lost.enumerate() {
        let wanted = json!({
            "index": shard["index"],
            "shard": shard["shard"].as_str().and_then(|shard| shard.parse::<u32>().ok()),
            "primary": shard["prirep"] == "p",
        });
        let path = "/_cluster/allocation/explain";
        let (status, body) = nodes.ask("POST", path, Some(&wanted.to_string())).await;
        let comma = if number > 0 { "," } else { "" };
        let answer = json!({ "request": wanted, "status": status, "body": body });
        _ = write!(text, "{comma}\n  {answer}");
    }
    text.push_str("\n]\n}\n");
    text
}

/// The names of all scripts.
fn situations() -> Vec<String> {
    let scripts = fs::read_dir(folder().join("situations")).expect("a folder").flatten();
    let mut names: Vec<String> = scripts
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".txt").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn folder() -> PathBuf {
    repository().join("tests/cases/gate")
}
