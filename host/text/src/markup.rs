//! Markdown and inline HTML, parsed into pieces.
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::address::{self, Run, first_character};
use super::escape;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Vec<Run>),
    Open(Style),
    Close(Style),
    /// The address has a known, harmless scheme.
    Link(String),
    LinkEnd,
    LineBreak,
    /// One empty line; none at the start or end.
    BlockBreak,
    /// A list item, with its number if it has one.
    Item(Option<u64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Bold,
    Italic,
    Strike,
    Code,
    /// A block of code.
    Pre,
}

/// Parses a body.
pub(super) fn read(source: &str) -> Vec<Piece> {
    let mut reader = Reader::default();
    for event in Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH) {
        reader.event(event);
    }
    reader.flush();
    reader.pieces
}

/// Parses a title: what looks like a list or a heading is plain text.
pub(super) fn read_line(source: &str) -> Vec<Piece> {
    let mut pieces = read(&format!("{}{source}", escape::NOTHING));
    pieces.retain(|piece| !matches!(piece, Piece::BlockBreak | Piece::LineBreak | Piece::Item(_)));
    for piece in &mut pieces {
        match piece {
            Piece::Text(runs) => runs.iter_mut().for_each(Run::join_lines),
            Piece::Open(style @ Style::Pre) | Piece::Close(style @ Style::Pre) => *style = Style::Code,
            _ => {}
        }
    }
    pieces
}

#[derive(Default)]
struct Reader {
    pieces: Vec<Piece>,
    /// The text since the last piece, with its values escaped.
    words: String,
    /// The depth of open code, in which addresses are not links.
    code: usize,
    /// The next number of each open list; `None` for one without numbers.
    lists: Vec<Option<u64>>,
    /// For each open link, whether its address may be used.
    links: Vec<bool>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::Code(text) => {
                self.push(Piece::Open(Style::Code));
                self.text(&text);
                self.push(Piece::Close(Style::Code));
            }
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            // Two lines in an alert's source are meant as two lines.
            Event::SoftBreak | Event::HardBreak => self.push(Piece::LineBreak),
            Event::Rule => self.push(Piece::BlockBreak),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.lists.is_empty() => self.push(Piece::BlockBreak),
            Tag::Heading { .. } => self.extend([Piece::BlockBreak, Piece::Open(Style::Bold)]),
            Tag::CodeBlock(_) => self.extend([Piece::BlockBreak, Piece::Open(Style::Pre)]),
            Tag::BlockQuote(_) | Tag::HtmlBlock => self.push(Piece::BlockBreak),
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.push(Piece::BlockBreak);
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Emphasis => self.push(Piece::Open(Style::Italic)),
            Tag::Strong => self.push(Piece::Open(Style::Bold)),
            Tag::Strikethrough => self.push(Piece::Open(Style::Strike)),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.link(Some(&dest_url)),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph if self.lists.is_empty() => self.push(Piece::BlockBreak),
            TagEnd::Heading(_) => self.extend([Piece::Close(Style::Bold), Piece::BlockBreak]),
            TagEnd::CodeBlock => self.extend([Piece::Close(Style::Pre), Piece::BlockBreak]),
            TagEnd::BlockQuote(_) | TagEnd::HtmlBlock => self.push(Piece::BlockBreak),
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.push(Piece::BlockBreak);
                }
            }
            TagEnd::Emphasis => self.push(Piece::Close(Style::Italic)),
            TagEnd::Strong => self.push(Piece::Close(Style::Bold)),
            TagEnd::Strikethrough => self.push(Piece::Close(Style::Strike)),
            TagEnd::Link | TagEnd::Image => self.link_end(),
            _ => {}
        }
    }

    fn item(&mut self) {
        let number = self.lists.last_mut().and_then(|next| {
            let number = *next;
            *next = number.map(|number| number + 1);
            number
        });
        self.push(Piece::Item(number));
    }

    fn text(&mut self, text: &str) {
        self.words.push_str(text);
    }

    fn push(&mut self, piece: Piece) {
        self.flush();
        match piece {
            Piece::Open(Style::Code | Style::Pre) => self.code += 1,
            Piece::Close(Style::Code | Style::Pre) => self.code = self.code.saturating_sub(1),
            _ => {}
        }
        self.pieces.push(piece);
    }

    fn extend<const N: usize>(&mut self, pieces: [Piece; N]) {
        pieces.into_iter().for_each(|piece| self.push(piece));
    }

    /// The text ends here and is now complete.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            let linked = self.code == 0 && !self.links.contains(&true);
            self.pieces.push(Piece::Text(address::runs(&words, linked)));
        }
    }

    fn link(&mut self, href: Option<&str>) {
        let address = href.and_then(address::of_link);
        self.flush();
        self.links.push(address.is_some());
        self.pieces.extend(address.map(Piece::Link));
    }

    fn link_end(&mut self) {
        self.flush();
        if self.links.pop() == Some(true) {
            self.pieces.push(Piece::LinkEnd);
        }
    }

    /// Processes tags between text. Tags that alerts do not use are removed; their content stays.
    fn html(&mut self, mut rest: &str) {
        while let Some(open) = rest.find('<') {
            self.html_text(&rest[..open]);
            let Some(close) = rest[open..].find('>') else {
                rest = "";
                break;
            };
            self.tag(&rest[open + 1..open + close]);
            rest = &rest[open + close + 1..];
        }
        self.html_text(rest);
    }

    fn html_text(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.push(Piece::LineBreak);
            }
            self.text(&entities(line));
        }
    }

    fn tag(&mut self, tag: &str) {
        let (closing, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let style = match tag[..name_end].to_ascii_lowercase().as_str() {
            "b" | "strong" => Style::Bold,
            "i" | "em" => Style::Italic,
            "s" | "del" | "strike" => Style::Strike,
            "code" | "tt" => Style::Code,
            "pre" => Style::Pre,
            "a" if closing => return self.link_end(),
            "a" => {
                return self.link(attribute(&tag[name_end..], "href").map(|href| entities(&href)).as_deref());
            }
            "br" => return self.push(Piece::LineBreak),
            "li" if !closing => return self.push(Piece::Item(None)),
            "p" | "div" | "ul" | "ol" | "table" | "tr" | "h1" | "h2" | "h3" | "h4" | "hr" => {
                return self.push(Piece::BlockBreak);
            }
            _ => return,
        };
        self.push(if closing { Piece::Close(style) } else { Piece::Open(style) });
    }
}

fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    while !rest.is_empty() {
        let name_end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = &rest[..name_end];
        rest = rest[name_end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            (value, rest) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            rest = rest.trim_start();
        }
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value.to_owned());
        }
        if name.is_empty() && value.is_empty() {
            return None;
        }
    }
    None
}

fn entities(text: &str) -> String {
    // `&amp;` last, so that its result is not decoded again.
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// The character directly after the end of a mark, if any. Another mark counts as a letter, because a mark must not
/// touch that either.
pub(super) fn next_character(pieces: &[Piece]) -> Option<char> {
    for piece in pieces.iter().take(NEXT_MAX) {
        match piece {
            Piece::Text(runs) => match runs.iter().find_map(first_character) {
                Some(next) => return Some(next),
                None => continue,
            },
            Piece::Close(_) | Piece::LinkEnd => {}
            Piece::Open(_) => return Some('a'),
            _ => return None,
        }
    }
    None
}

/// Maximum adjacent marks considered.
const NEXT_MAX: usize = 16;
