//! The upgrade gate at real clusters of several nodes and versions.
mod record; // what servers answer in each situation
mod verdicts; // what it says of such clusters while they live
mod page; // what the documentation shows of it
mod running; // a call that is still at work
mod changes; // what it writes, and takes back
mod writer; // documents that keep coming
mod rolling; // a whole upgrade, node by node

use std::fmt;

use serde_json::Value;

use crate::nodes::Nodes;
use crate::world::World;

/// The versions of a rolling upgrade.
const OLD: &str = "elasticsearch-7.8.1";
const NEW: &str = "elasticsearch-7.10.2";

/// What the program said.
struct Answer {
    code: i32,
    json: Value,
    stderr: String,
}

impl Answer {
    /// Everything that it said, for words that must be in it.
    fn text(&self) -> String {
        format!("{}\n{}", self.json, self.stderr)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}\n{:#}\n{}", self.code, self.json, self.stderr)
    }
}

/// What `watchbell upgrade-gate` says at a cluster to people, below the line that asks for it.
async fn in_words(nodes: &Nodes, options: &[&str]) -> String {
    let world = World::on(&nodes.any_url()).await;
    let words = [&["upgrade-gate", "--cluster", &world.cluster][..], options].concat();
    let (code, stdout, stderr) = world.call(&words).await;
    format!("$ watchbell {}\n{stderr}{stdout}exit code {code}\n", words.join(" "))
}

/// Runs `watchbell upgrade-gate --json` at a cluster.
async fn gate(nodes: &Nodes, options: &[&str]) -> Answer {
    let world = World::on(&nodes.any_url()).await;
    let mut words = vec!["upgrade-gate", "--json", "--cluster", &world.cluster];
    words.extend(options);
    let (code, stdout, stderr) = world.call(&words).await;
    let json = serde_json::from_str(&stdout).unwrap_or(Value::String(stdout));
    Answer { code, json, stderr }
}
