//! Markdown and inline HTML, read into pieces.
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::disguise;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Values in it are still in disguise.
    Text(String),
    Open(Style),
    Close(Style),
    /// The address is free of disguise and of a known, harmless scheme.
    Link(String),
    LinkEnd,
    LineBreak,
    /// An empty line, once; at the ends nothing.
    BlockBreak,
    /// A list's item, with its number if it has one.
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

/// Reads a body.
pub(super) fn read(source: &str) -> Vec<Piece> {
    let mut reader = Reader::default();
    for event in Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH) {
        reader.event(event);
    }
    reader.pieces
}

/// Reads a title: what looks like a list or a heading is only text.
pub(super) fn read_line(source: &str) -> Vec<Piece> {
    let mut pieces = read(&format!("{}{source}", disguise::NOTHING));
    pieces.retain(|piece| !matches!(piece, Piece::BlockBreak | Piece::LineBreak | Piece::Item(_)));
    pieces
}

#[derive(Default)]
struct Reader {
    pieces: Vec<Piece>,
    /// The next number of each open list; `None` for one without numbers.
    lists: Vec<Option<u64>>,
    /// Whether each open link has an address that may be used.
    links: Vec<bool>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::Code(text) => {
                self.pieces.push(Piece::Open(Style::Code));
                self.text(&text);
                self.pieces.push(Piece::Close(Style::Code));
            }
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            // Whoever writes two lines in an alert wants two lines.
            Event::SoftBreak | Event::HardBreak => self.pieces.push(Piece::LineBreak),
            Event::Rule => self.pieces.push(Piece::BlockBreak),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.lists.is_empty() => self.pieces.push(Piece::BlockBreak),
            Tag::Heading { .. } => self.pieces.extend([Piece::BlockBreak, Piece::Open(Style::Bold)]),
            Tag::CodeBlock(_) => self.pieces.extend([Piece::BlockBreak, Piece::Open(Style::Pre)]),
            Tag::BlockQuote(_) | Tag::HtmlBlock => self.pieces.push(Piece::BlockBreak),
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.pieces.push(Piece::BlockBreak);
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Emphasis => self.pieces.push(Piece::Open(Style::Italic)),
            Tag::Strong => self.pieces.push(Piece::Open(Style::Bold)),
            Tag::Strikethrough => self.pieces.push(Piece::Open(Style::Strike)),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.link(Some(&dest_url)),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph if self.lists.is_empty() => self.pieces.push(Piece::BlockBreak),
            TagEnd::Heading(_) => self.pieces.extend([Piece::Close(Style::Bold), Piece::BlockBreak]),
            TagEnd::CodeBlock => self.pieces.extend([Piece::Close(Style::Pre), Piece::BlockBreak]),
            TagEnd::BlockQuote(_) | TagEnd::HtmlBlock => self.pieces.push(Piece::BlockBreak),
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.pieces.push(Piece::BlockBreak);
                }
            }
            TagEnd::Emphasis => self.pieces.push(Piece::Close(Style::Italic)),
            TagEnd::Strong => self.pieces.push(Piece::Close(Style::Bold)),
            TagEnd::Strikethrough => self.pieces.push(Piece::Close(Style::Strike)),
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
        self.pieces.push(Piece::Item(number));
    }

    fn text(&mut self, text: &str) {
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    fn link(&mut self, href: Option<&str>) {
        let address = href.and_then(address);
        self.links.push(address.is_some());
        self.pieces.extend(address.map(Piece::Link));
    }

    fn link_end(&mut self) {
        if self.links.pop() == Some(true) {
            self.pieces.push(Piece::LinkEnd);
        }
    }

    /// Tags between text. Tags that alerts do not use vanish; their content stays.
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
                self.pieces.push(Piece::LineBreak);
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
            "br" => return self.pieces.push(Piece::LineBreak),
            "li" if !closing => return self.pieces.push(Piece::Item(None)),
            "p" | "div" | "ul" | "ol" | "table" | "tr" | "h1" | "h2" | "h3" | "h4" | "hr" => {
                return self.pieces.push(Piece::BlockBreak);
            }
            _ => return,
        };
        self.pieces.push(if closing { Piece::Close(style) } else { Piece::Open(style) });
    }
}

/// An address without disguise. Where the template writes the scheme, a value is one part of the address and is
/// percent-encoded, so that it cannot become another; where a value brings the scheme, it is the whole address.
fn address(href: &str) -> Option<String> {
    let written_scheme = href.find(':').is_some();
    let mut text = String::new();
    for c in href.chars().filter(|c| *c != disguise::NOTHING) {
        match disguise::reveal(c) {
            Some(hidden) if written_scheme && !matches!(hidden, '-' | '_' | '.' | '~') => {
                text.push_str(&format!("%{:02X}", u32::from(hidden)));
            }
            Some(hidden) => text.push(hidden),
            None => text.push(c),
        }
    }
    let text = text.trim().to_owned();
    let scheme = text.split_once(':')?.0.to_ascii_lowercase();
    matches!(scheme.as_str(), "http" | "https" | "mailto").then_some(text)
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
    // `&amp;` last: what it yields is not read again.
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
