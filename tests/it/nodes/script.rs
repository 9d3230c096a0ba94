//! A situation of a cluster, written as one would type it into Kibana's console, with lines that start and stop nodes:
//!
//! ```text
//! # Comments are for people.
//! file NAME WORDS             put a file with that name into the node's configuration
//! start NAME new|old KEY=VALUE…
//!                             `zone=z1` is an attribute, `master=no` a node that is never master, the rest settings
//! stop NAME                   kill -9
//! damage NAME                 spoil the shards on a stopped node's disk
//! restart NAME [new|old]
//! PUT /books
//! {"settings": {"number_of_replicas": 1}}
//! until /_cluster/health unassigned_shards=1
//!                             ask until the answer has these members
//! ```
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Nodes, Plan};
use crate::world::repository;

/// Who plays: the servers that a script calls `new` and `old`, and which of them may be master.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast<'a> {
    pub(crate) new: &'a str,
    pub(crate) old: Option<&'a str>,
    pub(crate) master: &'a str,
}

impl<'a> Cast<'a> {
    fn server(self, word: &str) -> &'a str {
        match word {
            "new" => self.new,
            "old" => self.old.expect("two servers"),
            _ => panic!("`{word}` is neither `new` nor `old`"),
        }
    }

    /// Who plays `script`, if all that it needs are there. Where no older server plays, the master's plays alone.
    pub(crate) fn of(self, script: &str) -> Option<Self> {
        let mut starts = script.lines().filter(|line| line.starts_with("start "));
        match starts.any(|line| line.split(' ').nth(2) == Some("old")) {
            true => self.old.map(|_| self),
            false => Some(Self { new: self.master, old: None, ..self }),
        }
    }
}

/// A script of `tests/cases/gate/situations`.
pub(crate) fn read(name: &str) -> String {
    let file = repository().join(format!("tests/cases/gate/situations/{name}.txt"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Brings the cluster into the situation that `script` describes.
pub(crate) async fn play(nodes: &mut Nodes, script: &str, cast: Cast<'_>) {
    let cast = cast.of(script).expect("two servers");
    let mut lines =
        script.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            ["start", ..] => {
                let mut plans = vec![plan(&words, cast)];
                while let Some(more) = lines.next_if(|line| line.starts_with("start ")) {
                    plans.push(plan(
                        &more.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>(),
                        cast,
                    ));
                }
                nodes.start(&plans).await;
            }
            ["file", node, file] => {
                let folder = nodes.home(node).join("config");
                fs::create_dir_all(&folder).expect("a folder");
                fs::write(folder.join(file), "the\n").expect("a file");
            }
            ["stop", node] => nodes.stop(node).await,
            ["restart", node] => nodes.restart(node, None).await,
            ["restart", node, word] => nodes.restart(node, Some(cast.server(word))).await,
            ["damage", node] => assert!(damage(&nodes.home(node)) > 0, "{node} holds no shard"),
            ["until", path, wanted @ ..] => {
                nodes.until(path, |answer| wanted.iter().all(|wanted| has(answer, wanted))).await;
            }
            [method @ ("GET" | "PUT" | "POST" | "DELETE"), path] => {
                let mut body = String::new();
                while let Some(more) = lines.next_if(|line| line.starts_with(['{', ' ', '}'])) {
                    body.push_str(more);
                    body.push('\n');
                }
                nodes.get(method, path, Some(body.as_str()).filter(|body| !body.is_empty())).await;
            }
            _ => panic!("a script does not know `{line}`"),
        }
    }
}

fn plan(words: &[&str], cast: Cast<'_>) -> Plan {
    let ["start", name, server, settings @ ..] = words else { panic!("`start NAME new|old`: {words:?}") };
    let server = cast.server(server);
    let mut plan = Plan {
        name: (*name).to_owned(),
        server: server.to_owned(),
        master: server == cast.master,
        settings: Vec::new(),
    };
    for setting in settings {
        match setting.split_once('=').expect("KEY=VALUE") {
            ("master", _) => plan.master = false,
            ("zone", zone) => plan.settings.push(("node.attr.zone".to_owned(), zone.to_owned())),
            (key, value) => plan.settings.push((key.to_owned(), value.to_owned())),
        }
    }
    plan
}

/// Whether `answer` has `PATH=VALUE`, with dots between the members of the path.
fn has(answer: &Value, wanted: &str) -> bool {
    let (path, wanted) = wanted.split_once('=').expect("PATH=VALUE");
    let found = answer.pointer(&format!("/{}", path.replace('.', "/")));
    found.is_some_and(|found| match found {
        Value::String(text) => text == wanted,
        other => format!("{other}") == wanted,
    })
}

/// Spoils every list of segments of every shard; returns how many.
fn damage(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            count += damage(&path);
        } else if name.starts_with("segments_") && path.components().any(|part| part.as_os_str() == "indices")
        {
            let mut bytes = fs::read(&path).expect("a file");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            fs::write(&path, bytes).expect("a file");
            count += 1;
        }
    }
    count
}
