//! A file of ElastAlert as nodes with places: YAML 1.1, as Python reads it.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use watchbell_manifest::Place;

use crate::indent::{Indented, Stop};
use crate::limits::{ALIAS_BYTES_MAX, DEPTH_MAX, NODES_MAX};
use crate::mask::{lone_token, mask, unmask, variables};
use crate::node::{Data, Entry, Node};
use crate::scalar::plain;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// A file's document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// In order; a key may occur twice, and Python takes the last.
    pub(crate) entries: Vec<Entry>,
    /// Environment variables that it names.
    pub(crate) variables: Vec<(String, Place)>,
}

pub(crate) fn parse(file: &Arc<str>, text: &str) -> Result<Document, Problem> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let masked = mask(text).map_err(|index| Problem {
        place: place_of(file, text, index),
        message: "a private-use character is not allowed here".into(),
        hint: "remove it".into(),
    })?;
    let mut text = Indented::new(masked);
    let builder = loop {
        match build(file, &text)? {
            Ok(builder) => break builder,
            Err(refused) if text.add(&refused.stop()) => {}
            Err(Refused { place, message, .. }) => {
                let message = format!("is not YAML: {}", unmask(&message));
                return Err(Problem {
                    place,
                    message,
                    hint: "correct the file, or write it in another way".into(),
                });
            }
        }
    };
    let entries = match builder.root.map(|root| (root.place, root.data)) {
        None | Some((_, Data::Null)) => Vec::new(),
        Some((_, Data::Map(entries))) => entries,
        Some((place, _)) => {
            let message = "must be a map of options".into();
            return Err(Problem { place, message, hint: "write `option: value`".into() });
        }
    };
    Ok(Document { entries, variables: builder.variables })
}

/// What the parser refuses.
struct Refused {
    place: Place,
    message: String,
    index: usize,
    begins: Vec<usize>,
    known: usize,
}

impl Refused {
    fn stop(&self) -> Stop<'_> {
        Stop { message: &self.message, index: self.index, begins: &self.begins, known: self.known }
    }
}

/// Reads a text once. The outer error is one of the document, the inner one of the text.
fn build(file: &Arc<str>, text: &Indented) -> Result<Result<Builder, Refused>, Problem> {
    let mut builder = Builder::default();
    let mut known = 0;
    for event in Parser::new_from_str(&text.text) {
        match event {
            Ok((event, span)) => {
                let (line, column) = (span.start.line(), span.start.col());
                match event {
                    Event::SequenceStart(..) | Event::MappingStart(..) => {
                        builder.begins.push(span.start.index())
                    }
                    Event::SequenceEnd | Event::MappingEnd => drop(builder.begins.pop()),
                    _ => {}
                }
                builder.event(event, at(file, line, text.column(line, column)))?;
                known = span.end.index();
            }
            Err(error) => {
                let (line, column) = (error.marker().line(), error.marker().col());
                return Ok(Err(Refused {
                    place: at(file, line, text.column(line, column)),
                    message: error.info().to_string(),
                    index: error.marker().index(),
                    begins: builder.begins,
                    known,
                }));
            }
        }
    }
    Ok(Ok(builder))
}

fn at(file: &Arc<str>, line: usize, column: usize) -> Place {
    // The parser counts columns from 0.
    Place { file: file.clone(), line: line.max(1) as u32, column: column as u32 + 1 }
}

fn place_of(file: &Arc<str>, text: &str, index: usize) -> Place {
    let before: String = text.chars().take(index).collect();
    let line = before.matches('\n').count() + 1;
    at(file, line, before.chars().rev().take_while(|c| *c != '\n').count())
}

enum Open {
    List { place: Place, anchor: usize, items: Vec<Node> },
    Map { place: Place, anchor: usize, entries: Vec<Entry>, key: Option<(String, Place)> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// Where each open list and map begins, with or without a bracket.
    begins: Vec<usize>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// Of texts that are held more than once.
    bytes: usize,
    variables: Vec<(String, Place)>,
    documents: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, place: Place) -> Result<(), Problem> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(problem(place, "starts a second document", "write one rule per file"));
                }
                Ok(())
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).map(size) {
                // An alias's value has the place where it is written: that is where to fix it.
                Some(size) => {
                    self.hold(size, &place)?;
                    let node = self.anchors[&anchor].clone();
                    self.add(node, 0, place)
                }
                None => Err(problem(place, "is an alias that contains itself", "write the value out")),
            },
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), &place);
                self.add(node, anchor, place)
            }
            Event::SequenceStart(anchor, _) => self.enter(Open::List { place, anchor, items: Vec::new() }),
            Event::MappingStart(anchor, _) => {
                self.enter(Open::Map { place, anchor, entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { place, anchor, items }) => {
                    self.add(Node { place: place.clone(), data: Data::List(items) }, anchor, place)
                }
                Some(Open::Map { place, anchor, entries, .. }) => {
                    let mut entries = merged(entries);
                    // Options are told one by one; within them Python keeps the last value of a key.
                    if !self.open.is_empty() {
                        last_of_each(&mut entries);
                    }
                    let node = Node { place: place.clone(), data: Data::Map(entries) };
                    self.add(node, anchor, place)
                }
                None => Ok(()),
            },
        }
    }

    fn enter(&mut self, open: Open) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_MAX {
            let (Open::List { place, .. } | Open::Map { place, .. }) = open;
            let message = format!("is nested more than {DEPTH_MAX} levels deep");
            return Err(problem(place, &message, "flatten it"));
        }
        self.open.push(open);
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, place: &Place) -> Node {
        let (text, variables) = variables(&unmask(text));
        self.variables.extend(variables.into_iter().map(|name| (name, place.clone())));
        let data = match (style, tag) {
            (ScalarStyle::Plain, None) if lone_token(&text).is_some() => Data::Token(text),
            (ScalarStyle::Plain, None) => plain(text),
            _ => Data::Text(text),
        };
        Node { place: place.clone(), data }
    }

    /// Counts a copy before it is made.
    fn hold(&mut self, size: Size, place: &Place) -> Result<(), Problem> {
        self.nodes += size.nodes;
        self.bytes += size.bytes;
        let message = if self.nodes > NODES_MAX {
            format!("holds more than {NODES_MAX} values")
        } else if self.bytes > ALIAS_BYTES_MAX {
            format!("holds more than {} MiB with its aliases written out", ALIAS_BYTES_MAX >> 20)
        } else {
            return Ok(());
        };
        Err(problem(place.clone(), &message, "split the file"))
    }

    fn add(&mut self, node: Node, anchor: usize, place: Place) -> Result<(), Problem> {
        self.hold(Size { nodes: 1, bytes: 0 }, &place)?;
        if anchor > 0 {
            self.hold(size(&node), &place)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some((key, place)) => entries.push(Entry { key, place, value: node }),
                None => match node.text() {
                    Some(name) => *key = Some((name, place)),
                    None => {
                        return Err(problem(
                            place,
                            "a key must be a string",
                            "quote a string that begins with `{` or `[`",
                        ));
                    }
                },
            },
        }
        Ok(())
    }
}

/// What a copy of a node takes.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), |sum, size| Self {
            nodes: sum.nodes + size.nodes,
            bytes: sum.bytes + size.bytes,
        })
    }
}

/// How much an anchor or an alias adds. What is neither holds nodes that were counted already.
fn size(node: &Node) -> Size {
    let own = |bytes| Size { nodes: 1, bytes };
    match &node.data {
        Data::List(items) => items.iter().map(size).chain([own(0)]).sum(),
        Data::Map(entries) => {
            let keys: usize = entries.iter().map(|entry| entry.key.len()).sum();
            entries.iter().map(|entry| size(&entry.value)).chain([own(keys)]).sum()
        }
        Data::Text(text) | Data::Token(text) | Data::Number { written: text, .. } => own(text.len()),
        Data::Null | Data::Bool(_) => own(0),
    }
}

/// `<<: *defaults`: what the map itself says comes last, so that it wins.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    if !entries.iter().any(|entry| entry.key == "<<") {
        return entries;
    }
    let (merges, own): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.key == "<<");
    let mut all = Vec::new();
    for merge in merges {
        match merge.value.data {
            Data::Map(entries) => all.extend(entries),
            // Of several the first wins.
            Data::List(maps) => all.extend(maps.into_iter().rev().flat_map(|map| match map.data {
                Data::Map(entries) => entries,
                _ => Vec::new(),
            })),
            _ => all.push(Entry { key: merge.key, place: merge.place, value: merge.value }),
        }
    }
    let written: HashSet<String> = own.iter().map(|entry| entry.key.clone()).collect();
    all.retain(|entry| !written.contains(&entry.key));
    all.extend(own);
    all
}

fn last_of_each(entries: &mut Vec<Entry>) {
    let mut at = HashMap::new();
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries.drain(..) {
        match at.get(&entry.key) {
            Some(index) => kept[*index] = entry,
            None => {
                at.insert(entry.key.clone(), kept.len());
                kept.push(entry);
            }
        }
    }
    *entries = kept;
}

fn problem(place: Place, message: &str, hint: &str) -> Problem {
    Problem { place, message: message.into(), hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::Number;

    use super::*;

    fn read(text: &str) -> Document {
        parse(&"x.yaml".into(), text).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[test]
    fn scalars_are_what_python_takes_them_for() {
        for (text, expected) in [
            ("yes", Data::Bool(true)),
            ("Off", Data::Bool(false)),
            ("~", Data::Null),
            ("0xE24D42", Data::Number { value: 14_830_914.into(), written: "14830914".into() }),
            ("010", Data::Number { value: 8.into(), written: "8".into() }),
            ("1_000", Data::Number { value: 1000.into(), written: "1000".into() }),
            ("-0.5", Data::Number { value: Number::from_f64(-0.5).unwrap(), written: "-0.5".into() }),
            ("1:30", Data::Number { value: 90.into(), written: "90".into() }),
            ("1:60", Data::Text("1:60".into())),
            ("0:30", Data::Text("0:30".into())),
            ("1e5", Data::Text("1e5".into())),
            ("09", Data::Text("09".into())),
            ("1.2.3", Data::Text("1.2.3".into())),
            (".", Data::Text(".".into())),
            ("\"yes\"", Data::Text("yes".into())),
            ("@@a.b@@", Data::Token("@@a.b@@".into())),
            ("${A}", Data::Token("@@A@@".into())),
            ("\"@@a@@\"", Data::Text("@@a@@".into())),
            ("x@@a@@", Data::Text("x@@a@@".into())),
        ] {
            assert_eq!(read(&format!("k: {text}")).entries[0].value.data, expected, "{text}");
        }
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_value_counts() {
        let document = read("a: { x: 1, y: 2, x: 3 }\na: 1\n");
        assert_eq!(document.entries.len(), 2);
        let keys: Vec<&str> =
            document.entries[0].value.entries().iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["x", "y"]);
        assert_eq!(document.entries[0].value.get("x").unwrap().text().as_deref(), Some("3"));
    }

    #[test]
    fn anchors_are_written_out_and_merged() {
        let document = read("a: &d { x: 1, y: 2 }\nb: { <<: *d, y: 3 }\nc: *d\n");
        let b = &document.entries[1].value;
        assert_eq!(b.get("x").unwrap().text().as_deref(), Some("1"));
        assert_eq!(b.get("y").unwrap().text().as_deref(), Some("3"));
        assert_eq!(document.entries[2].value.get("y").unwrap().text().as_deref(), Some("2"));
    }

    #[test]
    fn aliases_do_not_blow_up() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
        for n in 1..20 {
            let inner = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{inner}]\n"));
        }
        let problem = parse(&"x.yaml".into(), &text).unwrap_err();
        assert!(problem.message.contains("more than"), "{problem:?}");
    }

    #[test]
    fn aliases_of_a_long_text_do_not_blow_up() {
        let text = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(500_000), vec!["*a"; 50_000].join(","));
        let problem = parse(&"x.yaml".into(), &text).unwrap_err();
        assert!(problem.message.contains("more than 16 MiB"), "{problem:?}");
        let nested = format!("a: {}{}{}", "&a [".repeat(60), "x, ".repeat(90_000), "]".repeat(60));
        let problem = parse(&"x.yaml".into(), &nested).unwrap_err();
        assert!(problem.message.contains("more than"), "{problem:?}");
    }

    #[test]
    fn indentation_means_nothing_in_quotes_and_brackets() {
        let document = read(
            "a:\n  b: \"\nJob : {0}\\n\nReason\"\n  c: 'x\n\n y'\nd: [\n\"#1\", # \"\n\"--\", {e:\n f}\n]\n\
             g: [it's,\nh]#i\nj: \"k\"#l\nm: 1\n",
        );
        let text = |node: &Node| node.text().unwrap();
        let of = |key: &str| &document.entries.iter().find(|entry| entry.key == key).unwrap().value;
        assert_eq!(text(of("a").get("b").unwrap()), " Job : {0}\n Reason");
        assert_eq!(text(of("a").get("c").unwrap()), "x\ny");
        let Data::List(items) = &of("d").data else { panic!("a list") };
        assert_eq!((text(&items[0]), text(&items[1])), ("#1".into(), "--".into()));
        assert_eq!((items[1].place.line, items[1].place.column), (10, 1));
        assert_eq!(text(items[2].get("e").unwrap()), "f");
        let Data::List(items) = &of("g").data else { panic!("a list") };
        assert_eq!((text(&items[0]), text(&items[1])), ("it's".into(), "h".into()));
        assert_eq!((text(of("j")), text(of("m"))), ("k".into(), "1".into()));
        assert_eq!(document.entries.last().unwrap().place.line, 16);
    }

    #[test]
    fn what_is_not_yaml_is_refused_where_it_stands() {
        for (text, line) in [("a: [\nb\nc: d\n", 3), ("a: \"\nb\n", 1), ("a: 1\n b: 2\n", 2)] {
            let problem = parse(&"x.yaml".into(), text).unwrap_err();
            assert!(problem.message.starts_with("is not YAML"), "{problem:?}");
            assert!(problem.place.line >= line && !problem.hint.contains("Python"), "{problem:?}");
        }
    }

    #[test]
    fn places_are_lines_and_columns_from_one() {
        let document = read("é: 1\nlong_key:\n  - @@t@@\n");
        let entry = &document.entries[1];
        assert_eq!((entry.place.line, entry.place.column), (2, 1));
        let Data::List(items) = &entry.value.data else { panic!("a list") };
        assert_eq!((items[0].place.line, items[0].place.column), (3, 5));
    }
}
