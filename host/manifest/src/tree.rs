//! Turns events of the YAML parser into nodes with positions.
use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Number, Value};

use crate::limits::{DEPTH_MAX, NODES_MAX};
use crate::report::{Diagnostic, Place};
use crate::source::{Masked, Piece, line, mask, unmask};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// A `|` string: its lines are lines of the file.
    pub(crate) literal: bool,
    /// A number as it was written: in a string, `1.10` stays `1.10`.
    pub(crate) written: Option<String>,
    /// A plain scalar that may not be what it looks like, as it was written: `0800` is a number, `no` is a string.
    pub(crate) doubtful: Option<String>,
    pub(crate) data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    Template(Template),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Invalid and already reported: nothing more is reported about it.
    Bad,
}

/// A scalar that contains tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
    /// A plain scalar that consists of one token gets the type of the token's value.
    pub(crate) typed: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Removes the entry.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        let Data::Map(entries) = &mut self.data else { return None };
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    }
}

/// Parses one document. A syntax error ends it; other errors are collected and the rest is still read.
pub(crate) fn parse(file: &Arc<str>, text: &str, faults: &mut Vec<Diagnostic>) -> Option<Node> {
    let masked = match mask(file, text) {
        Ok(masked) => masked,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let before = faults.len();
    let mut builder =
        Builder { file, masked: &masked, open: Vec::new(), root: None, documents: 0, nodes: 0, faults };
    for event in Parser::new_from_str(&masked.text) {
        let going = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                let mark = error.marker();
                let place = at(file, mark.line(), mark.col());
                let mut fault = syntax(&place, error.info(), text);
                if let Some((bracket, from)) = builder.bracket(text) {
                    fault = fault.note(format!("the `{bracket}` of {} is still open here", from.short()));
                    fault = fault.maybe_hint((from.line < place.line).then(|| {
                        let end = if bracket == '[' { ']' } else { '}' };
                        format!("close it with `{end}`")
                    }));
                }
                builder.stop(fault)
            }
        };
        if !going {
            return None;
        }
    }
    let root = builder.root.take().filter(|node| node.data != Data::Scalar(Value::Null));
    if root.is_none() && faults.len() == before {
        faults.push(
            Diagnostic::error(&Place::file(file), "is empty").hint("write a document, or remove the file"),
        );
    }
    root
}

fn at(file: &Arc<str>, line: usize, column: usize) -> Place {
    // The parser counts columns from 0.
    Place { file: file.clone(), line: line.max(1) as u32, column: column as u32 + 1 }
}

fn syntax(place: &Place, info: &str, text: &str) -> Diagnostic {
    let info = unmask(info);
    let fault = Diagnostic::error(place, format!("invalid YAML: {info}"));
    let line = line(text, place.line).unwrap_or_default();
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim_start();
    if line.trim_start_matches(' ').starts_with('\t') {
        return fault.hint("indent with spaces");
    }
    match value.chars().next() {
        Some(first @ ('@' | '`' | '%' | '*' | '&' | '!' | '{' | '[')) => {
            fault.hint(format!("put a string that begins with `{first}` in quotes"))
        }
        _ if value.contains(": ") => fault.hint("put a string that contains `: ` in quotes"),
        _ => fault,
    }
}

/// A map or list that is not yet closed.
enum Open {
    List {
        place: Place,
        items: Vec<Node>,
    },
    Map {
        place: Place,
        entries: Vec<Entry>,
        /// Where each key was first written.
        keys: HashMap<String, Place>,
        key: Key,
    },
}

enum Key {
    Awaited,
    Read {
        key: String,
        place: Place,
    },
    /// The key is invalid and was reported; its value is read and dropped.
    Refused,
}

struct Builder<'a> {
    file: &'a Arc<str>,
    masked: &'a Masked,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    faults: &'a mut Vec<Diagnostic>,
}

impl Builder<'_> {
    /// Returns `false` if nothing more can be read.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        let place = at(self.file, span.start.line(), span.start.col());
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => true,
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.stop(
                        Diagnostic::error(&place, "a second document begins here")
                            .hint("one document per file: remove `---`, or split the file"),
                    );
                }
                true
            }
            Event::Alias(_) => {
                self.faults.push(no_aliases(&place));
                self.add(bad(place))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, span, place, anchor, tag.as_deref());
                self.add(node)
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(&place, anchor, tag.as_deref());
                self.enter(Open::List { place, items: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(&place, anchor, tag.as_deref());
                self.enter(Open::Map { place, entries: Vec::new(), keys: HashMap::new(), key: Key::Awaited })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { place, items }) => self.add(Node {
                    place,
                    literal: false,
                    written: None,
                    doubtful: None,
                    data: Data::List(items),
                }),
                Some(Open::Map { place, entries, .. }) => self.add(Node {
                    place,
                    literal: false,
                    written: None,
                    doubtful: None,
                    data: Data::Map(entries),
                }),
                None => true,
            },
        }
    }

    fn stop(&mut self, fault: Diagnostic) -> bool {
        self.faults.push(fault);
        false
    }

    /// The `[` or `{` that contains the last value, and where it is.
    fn bracket(&self, text: &str) -> Option<(char, Place)> {
        let (Open::List { place, .. } | Open::Map { place, .. }) = self.open.last()?;
        let first = line(text, place.line)?.chars().nth(place.column as usize - 1)?;
        matches!(first, '[' | '{').then(|| (first, place.clone()))
    }

    fn enter(&mut self, open: Open) -> bool {
        let (Open::List { place, .. } | Open::Map { place, .. }) = &open;
        if self.open.len() >= DEPTH_MAX {
            let fault = Diagnostic::error(place, format!("is nested more than {DEPTH_MAX} levels deep"));
            return self.stop(fault);
        }
        self.open.push(open);
        true
    }

    /// Manifests do not need anchors or tags.
    fn plain(&mut self, place: &Place, anchor: usize, tag: Option<&Tag>) {
        if anchor > 0 {
            self.faults.push(no_aliases(place));
        }
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "str" | "seq" | "map"))
        {
            self.faults.push(
                Diagnostic::error(place, "tags are not supported")
                    .hint("remove it, or put a string that begins with `!` in quotes"),
            );
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        span: Span,
        place: Place,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Node {
        self.plain(&place, anchor, tag);
        let literal = style == ScalarStyle::Literal;
        let escapes = style == ScalarStyle::DoubleQuoted;
        let range = span.start.index()..span.end.index();
        let Ok(pieces) = self.masked.pieces(text, range, escapes, &place) else {
            self.faults.push(
                Diagnostic::error(
                    &place,
                    "an escape produces a private-use character, which is not allowed here",
                )
                .hint("remove the escape"),
            );
            return bad(place);
        };
        let plain = style == ScalarStyle::Plain && tag.is_none();
        if let [Piece::Text(text)] = pieces.as_slice() {
            let value = if plain { plain_value(text) } else { Ok(Value::String(text.clone())) };
            return match value {
                Ok(value) => {
                    let written = value.is_number().then(|| text.clone());
                    let doubtful = (plain && is_doubtful(text, &value)).then(|| text.clone());
                    Node { place, literal, written, doubtful, data: Data::Scalar(value) }
                }
                Err(message) => {
                    self.faults.push(Diagnostic::error(&place, message));
                    bad(place)
                }
            };
        }
        let mut stray = false;
        for piece in &pieces {
            if let Piece::Stray(place) = piece {
                stray = true;
                self.faults.push(Diagnostic::error(place, "`@@` begins a token that is not terminated").hint(
                    "write `@@KEY@@`, where KEY consists of letters, digits, `_`, `.` and `-`; for a literal `@@`, write \"\\x40@\"",
                ));
            }
        }
        if stray {
            return bad(place);
        }
        let typed = plain && pieces.len() == 1;
        Node {
            place,
            literal,
            written: None,
            doubtful: None,
            data: Data::Template(Template { pieces, typed }),
        }
    }

    fn add(&mut self, node: Node) -> bool {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let fault = Diagnostic::error(&node.place, format!("contains more than {NODES_MAX} values"));
            return self.stop(fault);
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, keys, key, .. }) => match std::mem::replace(key, Key::Awaited) {
                Key::Refused => {}
                Key::Read { key, place } => entries.push(Entry { key, place, value: node }),
                Key::Awaited => {
                    *key = match read_key(node, keys) {
                        Ok((name, place)) => Key::Read { key: name, place },
                        Err(fault) => {
                            self.faults.push(fault);
                            Key::Refused
                        }
                    };
                }
            },
        }
        true
    }
}

fn read_key(node: Node, keys: &mut HashMap<String, Place>) -> Result<(String, Place), Diagnostic> {
    let place = node.place;
    let name = match node.data {
        Data::Scalar(Value::String(name)) => name,
        Data::Scalar(Value::Null) => return Err(Diagnostic::error(&place, "a key is missing before `:`")),
        Data::Scalar(other) => other.to_string(),
        Data::Bad => return Err(Diagnostic::error(&place, "this cannot be a key")),
        Data::Template(_) => {
            return Err(
                Diagnostic::error(&place, "a key cannot contain a token").hint("use tokens in values only")
            );
        }
        Data::List(_) | Data::Map(_) => {
            return Err(Diagnostic::error(&place, "a key must be a string")
                .hint("put a string that begins with `{` or `[` in quotes"));
        }
    };
    if let Some(first) = keys.get(&name) {
        return Err(Diagnostic::error(&place, format!("duplicate key `{name}`"))
            .note(format!("first defined at {}", first.short()))
            .hint("keep one of them"));
    }
    keys.insert(name.clone(), place.clone());
    Ok((name, place))
}

fn bad(place: Place) -> Node {
    Node { place, literal: false, written: None, doubtful: None, data: Data::Bad }
}

fn no_aliases(place: &Place) -> Diagnostic {
    Diagnostic::error(place, "anchors and aliases are not supported")
        .hint("repeat the value, use a token, or put a string that begins with `&` or `*` in quotes")
}

/// The value of a plain scalar by YAML's core schema.
pub(crate) fn plain_value(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => {
            return Err(format!("`{text}` is not a finite number"));
        }
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Value::String(text.to_string()));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(number) = text.strip_prefix(prefix)
            && !number.is_empty()
            && number.chars().all(|c| c.is_digit(radix))
        {
            return u64::from_str_radix(number, radix).map(Value::from).map_err(|_| too_large(text));
        }
    }
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.strip_prefix('+').unwrap_or(text);
        return (number.parse::<i64>().map(Value::from))
            .or_else(|_| number.parse::<u64>().map(Value::from))
            .map_err(|_| too_large(text));
    }
    let float =
        digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
            && digits.bytes().any(|byte| byte.is_ascii_digit());
    if float && let Ok(number) = text.parse::<f64>() {
        return Number::from_f64(number).map(Value::Number).ok_or_else(|| too_large(text));
    }
    Ok(Value::String(text.to_string()))
}

/// Whether a plain scalar is read differently from how it looks, or from how other versions of YAML read it.
fn is_doubtful(text: &str, value: &Value) -> bool {
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => number.to_string() != text,
            None => number.to_string() != text,
        },
        Value::Bool(truth) => truth.to_string() != text,
        Value::String(word) => {
            // The old standard also lists single letters, but almost no parser reads them so.
            matches!(word.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off")
        }
        _ => false,
    }
}

fn too_large(text: &str) -> String {
    // Not the number itself: it may be a secret.
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    format!("a number with {digits} digits is too large; put it in quotes if it is a string")
}
