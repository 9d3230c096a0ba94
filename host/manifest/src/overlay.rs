//! Merges trees, and turns a tree into JSON that remembers positions.
use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::report::{Place, TextPlace};
use crate::tree::{Data, Entry, Node};

/// Merges one environment over another: maps merge, everything else is replaced, and of alternatives the upper layer's
/// is kept. Every node keeps the position it came from.
pub(crate) fn environment(base: Node, over: Node) -> Node {
    lay(base, over, &mut Vec::new())
}

/// Merges an environment's override over a manifest, in the same way.
pub(crate) fn rule(base: Node, over: Node) -> Node {
    lay(base, over, &mut vec!["rules".into(), String::new()])
}

const SECRETS: &[&str] = &["env", "file", "exec"];
const CREDENTIALS: &[&str] = &["bearer", "basic", "api_key", "header", "query", "hmac", "body", "sigv4"];

/// Keys to remove because they would contradict `upper` after merging.
fn ousted(path: &[String], key: &str, upper: &[Entry]) -> bool {
    let says = |key: &str| upper.iter().any(|entry| entry.key == key);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let instead = match path.as_slice() {
        ["rules", _] => match key {
            "every" => says("cron"),
            "cron" | "timezone" => says("every"),
            "sha256" => says("use"),
            _ => false,
        },
        ["rules", _, "alert"] => match key {
            "to" => says("escalate"),
            "escalate" => says("to"),
            _ => false,
        },
        ["destinations", _] => matches!(key, "sha256" | "product") && says("use"),
        ["clusters" | "destinations", _, "auth"] => {
            CREDENTIALS.contains(&key) && CREDENTIALS.iter().any(|other| says(other))
        }
        ["destinations", _, "url"]
        | ["clusters", _, "client_certificate", "key"]
        | ["clusters" | "destinations", _, "auth", ..] => {
            SECRETS.contains(&key) && SECRETS.iter().any(|other| says(other))
        }
        _ => false,
    };
    instead && !says(key)
}

fn lay(base: Node, over: Node, path: &mut Vec<String>) -> Node {
    // Two queries in one map are not a valid query.
    let whole = matches!(path.as_slice(), [rules, _, filter] if rules == "rules" && filter == "filter");
    match (base, over) {
        (
            Node { data: Data::Map(mut under), place, literal, written, doubtful },
            Node { data: Data::Map(upper), .. },
        ) if !whole => {
            under.retain(|known| !ousted(path, &known.key, &upper));
            let places: HashMap<String, usize> =
                under.iter().enumerate().map(|(at, known)| (known.key.clone(), at)).collect();
            let mut merged: Vec<Option<Entry>> = under.into_iter().map(Some).collect();
            for entry in upper {
                let at = places.get(&entry.key).copied();
                match at.and_then(|at| Some((at, merged[at].take()?))) {
                    Some((at, known)) => {
                        path.push(entry.key.clone());
                        let value = lay(known.value, entry.value, path);
                        path.pop();
                        merged[at] = Some(Entry { key: entry.key, place: entry.place, value });
                    }
                    None => merged.push(Some(entry)),
                }
            }
            let merged = merged.into_iter().flatten().collect();
            Node { data: Data::Map(merged), place, literal, written, doubtful }
        }
        (_, over) => over,
    }
}

/// Where the parts of a JSON document were written.
pub(crate) struct Spans {
    /// By JSON pointer.
    spots: HashMap<String, Spot>,
    root: Place,
}

struct Spot {
    value: Place,
    key: Option<Place>,
    literal: bool,
    doubtful: Option<String>,
    bad: bool,
}

/// The tree as JSON. Tokens must have been applied.
pub(crate) fn json(node: &Node) -> (Value, Spans) {
    let mut spans = Spans { spots: HashMap::new(), root: node.place.clone() };
    let value = convert(node, None, String::new(), &mut spans);
    (value, spans)
}

fn convert(node: &Node, key: Option<&Place>, pointer: String, spans: &mut Spans) -> Value {
    let value = match &node.data {
        Data::Scalar(value) => value.clone(),
        Data::Template(_) | Data::Bad => Value::Null,
        Data::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| convert(item, None, format!("{pointer}/{index}"), spans))
            .collect(),
        Data::Map(entries) => {
            let mut map = Map::new();
            for entry in entries {
                let below = join(&pointer, &entry.key);
                map.insert(entry.key.clone(), convert(&entry.value, Some(&entry.place), below, spans));
            }
            Value::Object(map)
        }
    };
    spans.spots.insert(
        pointer,
        Spot {
            value: node.place.clone(),
            key: key.cloned(),
            literal: node.literal,
            doubtful: node.doubtful.clone(),
            bad: node.data == Data::Bad,
        },
    );
    value
}

/// A pointer one key further down.
pub(crate) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

impl Spans {
    /// The value at `pointer`, or the nearest enclosing value.
    pub(crate) fn value(&self, pointer: &str) -> &Place {
        self.nearest(pointer).map_or(&self.root, |spot| &spot.value)
    }

    /// The key that holds the value at `pointer`.
    pub(crate) fn key(&self, pointer: &str) -> &Place {
        self.nearest(pointer).map_or(&self.root, |spot| spot.key.as_ref().unwrap_or(&spot.value))
    }

    /// The value at `pointer` as it was written, if it may not be what it looks like.
    pub(crate) fn doubtful(&self, pointer: &str) -> Option<&str> {
        self.spots.get(pointer)?.doubtful.as_deref()
    }

    /// Whether the value at `pointer` has already been reported.
    pub(crate) fn is_bad(&self, pointer: &str) -> bool {
        self.spots.get(pointer).is_some_and(|spot| spot.bad)
    }

    /// Everything that has already been reported.
    pub(crate) fn bad(&self) -> impl Iterator<Item = String> {
        self.spots.iter().filter(|(_, spot)| spot.bad).map(|(pointer, _)| pointer.clone())
    }

    /// Every value's position, by pointer.
    pub(crate) fn values(&self) -> HashMap<String, Place> {
        self.spots.iter().map(|(pointer, spot)| (pointer.clone(), spot.value.clone())).collect()
    }

    /// The position in the file of a line and column (from 1) in `text`, which is the value at `pointer`. Only a `|`
    /// block keeps the lines of its file; for other strings this is where they begin.
    pub(crate) fn within(&self, pointer: &str, text: &str, line: u32, column: u32) -> Place {
        self.text(pointer, text).at(line, column)
    }

    /// The position of the text at `pointer`, for positions within it.
    pub(crate) fn text(&self, pointer: &str, text: &str) -> TextPlace {
        TextPlace {
            value: self.value(pointer).clone(),
            is_literal: self.spots.get(pointer).is_some_and(|spot| spot.literal),
            empty: (text.len() - text.trim_start_matches('\n').len()) as u32,
        }
    }

    fn nearest(&self, pointer: &str) -> Option<&Spot> {
        let mut pointer = pointer;
        loop {
            if let Some(spot) = self.spots.get(pointer) {
                return Some(spot);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}
