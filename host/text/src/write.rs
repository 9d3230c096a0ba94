//! Writes pieces as plain text, Markdown, HTML or mrkdwn.
use watchbell_contract::TextFormat;

use super::address::{Part, Run, first_character, first_of_part};
use super::format::{self, Around, ZERO_WIDTH};
use super::markup::{Piece, Style, next_character};

/// Writes `pieces` in at most `max` characters, markup included. The longest values are shortened first. Only a text
/// that is too long even without values loses links, those with the longest addresses first, and then its end.
pub(super) fn within(pieces: &[Piece], form: Form, max: u32) -> String {
    let max = max as usize;
    let all = Limits { value: usize::MAX, address: usize::MAX, whole: max, ellipsis: false };
    let write = |limits| Writer::new(form, limits).whole(pieces);
    if let Some(text) = write(all) {
        return text;
    }
    let without_values = |address| write(Limits { value: 1, address, ..all });
    let address = match without_values(usize::MAX) {
        Some(_) => Some(usize::MAX),
        None => most(0..=max, without_values).map(|(address, _)| address),
    };
    let text = address.and_then(|address| most(1..=max, |value| write(Limits { value, address, ..all })));
    if let Some((_, text)) = text {
        return text;
    }
    Writer::new(form, Limits { value: max / 4 + 1, address: 0, whole: max, ellipsis: true }).begin(pieces)
}

/// The largest limit with which something can be written, and what that is. More takes no less room.
fn most(
    limits: std::ops::RangeInclusive<usize>,
    write: impl Fn(usize) -> Option<String>,
) -> Option<(usize, String)> {
    let (mut fits, mut too_much) = (*limits.start(), limits.end() + 1);
    let mut best = write(fits)?;
    while too_much - fits > 1 {
        let limit = usize::midpoint(fits, too_much);
        match write(limit) {
            Some(text) => (best, fits) = (text, limit),
            None => too_much = limit,
        }
    }
    Some((fits, best))
}

/// How to write a text.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) format: TextFormat,
    /// Whether it may have styles, and links with their own text.
    pub(super) styles: bool,
}

#[derive(Clone, Copy)]
struct Limits {
    /// The limit for one value, in characters as written.
    value: usize,
    /// The limit for everything, in characters.
    whole: usize,
    /// The longest address that is a link and stays whole, in characters; others are shortened like other words.
    address: usize,
    /// Reserve space for the ellipsis that shows that the end was left out.
    ellipsis: bool,
}

struct Opened {
    what: What,
    /// Whether its opening markup is written; that waits for the first word in it.
    written: bool,
    /// The length of its closing markup.
    end: usize,
}

/// What a character belongs to.
#[derive(Clone, Copy)]
struct By {
    value: bool,
    /// An address of which only the beginning is written.
    address: bool,
}

/// How much one value may still use.
struct Share {
    room: usize,
    /// Whether the value has more parts than the current one.
    more: bool,
}

impl Share {
    /// Uses `length` if it fits; if something `follows`, the ellipsis must fit as well.
    fn takes(&mut self, length: usize, follows: bool) -> bool {
        let enough = length.saturating_add(usize::from(follows)) <= self.room;
        if enough {
            self.room -= length;
        }
        enough
    }
}

enum What {
    Style(Style),
    Link { address: String, from: usize },
}

struct Writer {
    format: TextFormat,
    styles: bool,
    limits: Limits,
    out: String,
    /// The length of `out` in characters.
    length: usize,
    /// Characters needed to close what is open.
    closing: usize,
    /// Something did not fit: nothing more is written.
    full: bool,
    /// Line breaks to write before the next text; none before the first.
    breaks: u8,
    opened: Vec<Opened>,
    /// The bullet to write once there is text for it.
    item: Option<Option<u64>>,
    line_start: bool,
    after_digits: bool,
    last: Option<char>,
}

impl Writer {
    fn new(Form { format, styles }: Form, limits: Limits) -> Self {
        Self {
            format,
            styles,
            limits,
            out: String::new(),
            length: 0,
            closing: 0,
            full: false,
            breaks: 0,
            opened: Vec::new(),
            item: None,
            line_start: true,
            after_digits: false,
            last: None,
        }
    }

    /// All of it, if it fits.
    fn whole(mut self, pieces: &[Piece]) -> Option<String> {
        self.write(pieces);
        (!self.full).then_some(self.out)
    }

    /// As much of it from the start as fits.
    fn begin(mut self, pieces: &[Piece]) -> String {
        self.write(pieces);
        self.out
    }

    fn write(&mut self, pieces: &[Piece]) {
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Text(runs) => self.text(runs),
                Piece::LineBreak => self.breaks = self.breaks.max(1),
                Piece::BlockBreak => self.breaks = 2,
                Piece::Item(number) => {
                    self.breaks = self.breaks.max(1);
                    self.item = Some(*number);
                }
                Piece::Open(style) => self.open(*style),
                Piece::Link(address) => self.open_link(address),
                Piece::Close(style) => {
                    let next = next_character(&pieces[index + 1..]);
                    self.close_until(next, |what| matches!(what, What::Style(open) if open == style));
                }
                Piece::LinkEnd => {
                    let next = next_character(&pieces[index + 1..]);
                    self.close_until(next, |what| matches!(what, What::Link { .. }));
                }
            }
            if self.full {
                break;
            }
        }
        if self.full && self.limits.ellipsis && self.limits.whole > 0 {
            self.out.push('…');
        }
        while let Some(opened) = self.opened.pop() {
            self.close(opened, None);
        }
    }

    /// Appends text that is already in the receiver's format.
    fn emit(&mut self, text: &str) {
        let length = text.chars().count();
        if self.full || !self.fits(length) {
            self.full = true;
            return;
        }
        self.out.push_str(text);
        self.length += length;
    }

    fn fits(&self, length: usize) -> bool {
        self.length + length + self.closing + usize::from(self.limits.ellipsis) <= self.limits.whole
    }

    /// Writes the line breaks, the bullet and the opening markup that `next` needs before it.
    fn settle(&mut self, next: char) {
        let breaks = std::mem::take(&mut self.breaks);
        let begun = self.opened.iter().any(|opened| opened.written);
        if !self.out.is_empty() {
            for _ in 0..if begun && self.in_line() { breaks.min(1) } else { breaks } {
                self.line_break();
            }
        }
        if let Some(number) = self.item.take() {
            let bullet = match (number, self.format) {
                (Some(number), _) => format!("{number}. "),
                (None, TextFormat::Markdown | TextFormat::Plain) => "- ".to_owned(),
                (None, _) => "• ".to_owned(),
            };
            self.emit(&bullet);
            (self.line_start, self.after_digits) = (true, false);
        }
        // White space goes outside of marks, which have no effect next to it.
        if self.is_marked() && next.is_whitespace() && !self.inside(Style::Pre) {
            return;
        }
        for index in 0..self.opened.len() {
            if !self.opened[index].written {
                self.begin_opened(index, next);
            }
        }
    }

    /// HTML uses tags, which work anywhere.
    fn is_marked(&self) -> bool {
        matches!(self.format, TextFormat::Markdown | TextFormat::Mrkdwn)
    }

    fn begin_opened(&mut self, index: usize, next: char) {
        let (mark, end) = match &self.opened[index].what {
            What::Style(style) => {
                let (open, close) = format::mark(self.format, *style);
                (open.to_owned(), close.len())
            }
            What::Link { address, .. } => {
                let (open, close) = self.link(address);
                (open, close.chars().count())
            }
        };
        let fence = matches!(self.opened[index].what, What::Style(Style::Pre)) && self.is_marked();
        if fence && !self.out.is_empty() && !self.out.ends_with('\n') {
            self.emit("\n");
        }
        if self.format == TextFormat::Markdown && mark == "[" && self.last == Some('!') {
            self.emit(&ZERO_WIDTH.to_string()); // Otherwise it would be an image.
        }
        if self.is_marked() && mark.chars().next().is_some_and(|sign| self.out.ends_with(sign)) {
            self.emit(&ZERO_WIDTH.to_string()); // Otherwise the two would form one longer mark.
        }
        let before = self.out.chars().next_back();
        // At least one character of it, and the line break before a fence.
        self.closing += end + 1 + usize::from(fence);
        self.emit(&mark);
        self.closing -= 1;
        if self.full {
            self.closing -= end + usize::from(fence);
            return;
        }
        let beside = before.is_some_and(is_word);
        if self.format == TextFormat::Markdown && is_emphasis(&mark) && beside && !next.is_alphanumeric() {
            self.emit(&ZERO_WIDTH.to_string()); // Between a letter and punctuation such a mark would not open anything.
        }
        self.opened[index].written = true;
        self.opened[index].end = end + usize::from(fence);
        if let What::Link { from, .. } = &mut self.opened[index].what {
            *from = self.out.len();
        }
        self.line_start = self.line_start && fence;
        (self.after_digits, self.last) = (false, None);
    }

    /// The markup around a link's text.
    fn link(&self, address: &str) -> (String, String) {
        if self.styles {
            return format::link(self.format, address);
        }
        (String::new(), format!(" ({})", format::address(self.format, address, false, Some(')'))))
    }

    fn line_break(&mut self) {
        let code =
            self.opened.iter().any(|opened| opened.written && matches!(opened.what, What::Style(Style::Pre)));
        self.emit(match self.format {
            TextFormat::Html if !code => "<br>\n",
            // A single newline is a space in Markdown.
            TextFormat::Markdown if !code && !self.out.ends_with('\n') => "  \n",
            _ => "\n",
        });
        (self.line_start, self.after_digits, self.last) = (true, false, None);
    }

    fn text(&mut self, runs: &[Run]) {
        for (index, run) in runs.iter().enumerate() {
            let then = runs.get(index + 1).and_then(first_character);
            match run {
                Run::Words(words) => {
                    self.words(words, then, false, None);
                }
                Run::Value(parts) => self.value(parts, then),
                Run::Address(address) if self.links(address) => self.address(address, false, then),
                Run::Address(address) => self.value(&[Part::Address(address.clone())], then),
            }
            if self.full {
                return;
            }
        }
    }

    /// Writes a value, up to its share.
    fn value(&mut self, parts: &[Part], then: Option<char>) {
        let mut share = Share { room: self.limits.value, more: false };
        for (index, part) in parts.iter().enumerate() {
            let next = parts.get(index + 1).and_then(first_of_part).or(then);
            share.more = index + 1 < parts.len();
            if let Part::Address(address) = part
                && self.links(address)
            {
                let length = format::address(self.format, address, true, next).chars().count();
                if share.takes(length, share.more) {
                    self.address(address, true, next);
                    continue;
                }
            }
            let whole = match part {
                Part::Words(words) => self.words(words, next, false, Some(&mut share)),
                Part::Address(address) => {
                    self.words(&format::without_mentions(address), next, true, Some(&mut share))
                }
            };
            if !whole {
                return;
            }
        }
    }

    /// Whether an address is a link, and whole.
    fn links(&self, address: &str) -> bool {
        address.chars().nth(self.limits.address).is_none()
    }

    /// Writes words, which may be the beginning of an address; for a value, up to its share. `false` if they did not fit.
    fn words(
        &mut self,
        words: &str,
        then: Option<char>,
        in_address: bool,
        mut share: Option<&mut Share>,
    ) -> bool {
        let mut text = String::new();
        for (at, c) in words.char_indices() {
            let rest = &words[at + c.len_utf8()..];
            let breaks = c == '\n' && !self.inside(Style::Code) && !self.inside_link();
            text.clear();
            if !breaks {
                let by = By { value: share.is_some(), address: in_address };
                self.written(&mut text, c, by, rest, then);
            }
            let length = if breaks { BREAK_MAX } else { text.chars().count() };
            if let Some(share) = &mut share
                && !share.takes(length, share.more || !rest.is_empty())
            {
                self.put('…', "…");
                return false;
            }
            if !breaks {
                self.put(c, &text);
            } else if !self.swallows_break() {
                self.settle(c);
                self.line_break();
            }
            if self.full {
                return false;
            }
        }
        true
    }

    /// How `c` is written in this format at this point.
    fn written(&self, out: &mut String, c: char, by: By, rest: &str, then: Option<char>) {
        let code = self.inside(Style::Pre) || self.inside(Style::Code);
        let breaks = self.breaks > 0 && !self.out.is_empty() || self.item.is_some();
        let line_start = self.line_start || breaks;
        let c = if c == '\n' { ' ' } else { c };
        // White space waits outside of a mark for the first word, and four spaces there would begin a code block.
        let begun = self.inside(Style::Pre) || self.opened.iter().any(|opened| opened.written) && code;
        if line_start && !begun && c.is_whitespace() && self.format == TextFormat::Markdown {
            return;
        }
        let around = Around {
            code,
            line_start,
            after_digits: self.after_digits && !breaks,
            from_value: by.value,
            in_address: by.address,
            before: self.last.filter(|_| !breaks),
            rest,
            then,
        };
        format::character(out, self.format, c, &around);
    }

    fn put(&mut self, c: char, text: &str) {
        if text.is_empty() {
            return;
        }
        self.settle(c);
        self.emit(text);
        self.after_digits = (self.line_start || self.after_digits) && c.is_ascii_digit();
        self.line_start = self.line_start && c.is_whitespace();
        self.last = Some(c);
    }

    fn address(&mut self, address: &str, from_value: bool, then: Option<char>) {
        self.settle('h');
        self.emit(&format::address(self.format, address, from_value, then));
        (self.line_start, self.after_digits) = (false, false);
        self.last = address.chars().last();
    }

    /// Whether it is in `style`, or will be with the next character.
    fn inside(&self, style: Style) -> bool {
        self.opened.iter().any(|opened| matches!(opened.what, What::Style(open) if open == style))
    }

    /// Whether a line break would only leave an empty line where none is allowed.
    fn swallows_break(&self) -> bool {
        self.out.is_empty() || self.in_line() && self.out.ends_with('\n')
    }

    /// Whether a mark is open that an empty line would leave unclosed.
    fn in_line(&self) -> bool {
        let within = |opened: &Opened| !matches!(opened.what, What::Style(Style::Pre));
        self.is_marked() && self.opened.iter().any(within)
    }

    fn inside_link(&self) -> bool {
        self.opened.iter().any(|opened| matches!(opened.what, What::Link { .. }))
    }

    fn open(&mut self, style: Style) {
        // Markup inside code would be shown literally, and a style cannot be nested in itself.
        if self.styles && !self.inside(Style::Code) && !self.inside(Style::Pre) && !self.inside(style) {
            self.opened.push(Opened { what: What::Style(style), written: false, end: 0 });
        }
    }

    fn open_link(&mut self, address: &str) {
        let code = self.inside(Style::Code) || self.inside(Style::Pre);
        if self.links(address) && !code && !self.inside_link() {
            let what = What::Link { address: address.to_owned(), from: 0 };
            self.opened.push(Opened { what, written: false, end: 0 });
        }
    }

    /// Closes the match, and everything opened inside it. Does nothing if there is no match.
    fn close_until(&mut self, next: Option<char>, matches: impl Fn(&What) -> bool) {
        let Some(index) = self.opened.iter().rposition(|opened| matches(&opened.what)) else { return };
        for opened in self.opened.split_off(index).into_iter().rev() {
            self.close(opened, next);
        }
    }

    fn close(&mut self, opened: Opened, next: Option<char>) {
        if !opened.written {
            // A link without text shows its address.
            if let What::Link { address, .. } = opened.what
                && !self.full
            {
                self.address(&address, false, next);
            }
            return;
        }
        let end = match &opened.what {
            What::Style(style) => format::mark(self.format, *style).1.to_owned(),
            What::Link { address, from } => match self.format {
                TextFormat::Plain if self.out[*from..] == **address => String::new(),
                _ => self.link(address).1,
            },
        };
        let fence = matches!(opened.what, What::Style(Style::Pre)) && self.is_marked();
        let mut tail = String::new();
        if fence {
            if !self.out.ends_with('\n') {
                self.out.push('\n');
                self.length += 1;
            }
            self.breaks = self.breaks.max(1);
        } else if self.is_marked() {
            tail = self.out.split_off(self.out.trim_end().len());
            let beside =
                tail.is_empty() && !self.last.is_some_and(char::is_alphanumeric) && next.is_some_and(is_word);
            if beside && is_emphasis(&end) && self.format == TextFormat::Markdown && self.fits(1) {
                self.emit(&ZERO_WIDTH.to_string());
            }
        }
        self.closing -= opened.end;
        self.length += end.chars().count();
        self.out.push_str(&end);
        self.out.push_str(&tail);
        self.last = tail.chars().last();
    }
}

/// The longest line break.
const BREAK_MAX: usize = "<br>\n".len();

/// As in Markdown: neither white space nor punctuation.
fn is_word(c: char) -> bool {
    !c.is_whitespace() && !c.is_ascii_punctuation()
}

fn is_emphasis(mark: &str) -> bool {
    matches!(mark, "*" | "**" | "~~")
}
