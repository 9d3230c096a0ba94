//! Pieces, written as plain text, Markdown, HTML or mrkdwn.
use watchbell_contract::TextFormat;

use super::disguise;
use super::markup::{Piece, Style};

/// Writes `pieces` in at most `max` characters, markup included, ending in an ellipsis if they do not fit.
pub(super) fn within(pieces: &[Piece], format: TextFormat, max: u32) -> String {
    let max = max as usize;
    let mut budget = max;
    // Markup takes room too: take away what was too much until it fits. Each round takes at least one character.
    for _ in 0..ROUNDS_MAX {
        let text = Writer::new(format, budget).write(pieces);
        let length = text.chars().count();
        if length <= max {
            return text;
        }
        budget = budget.saturating_sub(length - max);
        if budget == 0 {
            break;
        }
    }
    // Addresses alone are longer than the limit: the text without any markup.
    let bare: Vec<Piece> = pieces
        .iter()
        .filter(|piece| !matches!(piece, Piece::Link(_) | Piece::LinkEnd | Piece::Open(_) | Piece::Close(_)))
        .cloned()
        .collect();
    let mut budget = max;
    loop {
        let text = Writer::new(format, budget).write(&bare);
        let length = text.chars().count();
        if length <= max || budget == 0 {
            return text.chars().take(max).collect();
        }
        budget = budget.saturating_sub(length - max);
    }
}

const ROUNDS_MAX: u32 = 32;

enum Opened {
    Style(Style),
    Link { address: String, from: usize },
}

struct Writer {
    format: TextFormat,
    /// Characters of text that may still be written.
    budget: usize,
    out: String,
    /// Line breaks owed before the next text; none before the first.
    breaks: u8,
    opened: Vec<Opened>,
    /// The bullet to write once there is text for it.
    item: Option<Option<u64>>,
    line_start: bool,
}

impl Writer {
    fn new(format: TextFormat, budget: usize) -> Self {
        Self {
            format,
            budget,
            out: String::new(),
            breaks: 0,
            opened: Vec::new(),
            item: None,
            line_start: true,
        }
    }

    fn write(mut self, pieces: &[Piece]) -> String {
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    if !self.text(text) {
                        break;
                    }
                }
                Piece::LineBreak => self.breaks = self.breaks.max(1),
                Piece::BlockBreak => self.breaks = 2,
                Piece::Item(number) => {
                    self.breaks = self.breaks.max(1);
                    self.item = Some(*number);
                }
                Piece::Open(style) => {
                    self.settle();
                    self.open(*style);
                }
                Piece::Link(address) => {
                    self.settle();
                    self.open_link(address);
                }
                Piece::Close(style) => {
                    self.close_until(|opened| matches!(opened, Opened::Style(open) if open == style));
                }
                Piece::LinkEnd => self.close_until(|opened| matches!(opened, Opened::Link { .. })),
            }
        }
        while let Some(opened) = self.opened.pop() {
            self.close(opened);
        }
        self.out
    }

    /// Writes the line breaks and the bullet that the next text needs.
    fn settle(&mut self) {
        let breaks = std::mem::take(&mut self.breaks);
        if !self.out.is_empty() {
            for _ in 0..breaks {
                self.line_break();
            }
        }
        if let Some(number) = self.item.take() {
            let bullet = match (number, self.format) {
                (Some(number), _) => format!("{number}. "),
                (None, TextFormat::Markdown | TextFormat::Plain) => "- ".to_owned(),
                (None, _) => "• ".to_owned(),
            };
            self.out.push_str(&bullet);
            self.line_start = false;
        }
    }

    fn line_break(&mut self) {
        let code = self.inside(Style::Pre) || self.inside(Style::Code);
        self.out.push_str(match self.format {
            TextFormat::Html if !code => "<br>\n",
            // A single newline is a space in Markdown.
            TextFormat::Markdown if !code && !self.out.ends_with('\n') => "  \n",
            _ => "\n",
        });
        self.line_start = true;
    }

    /// Writes text, values revealed and escaped. `false`: the budget is spent.
    fn text(&mut self, text: &str) -> bool {
        if text.chars().all(|c| c == disguise::NOTHING) {
            return true;
        }
        self.settle();
        let mut left: Vec<(char, bool)> = text
            .chars()
            .filter(|c| *c != disguise::NOTHING)
            .map(|c| disguise::reveal(c).map_or((c, false), |hidden| (hidden, true)))
            .collect();
        let cut = left.len() > self.budget;
        if cut {
            left.truncate(self.budget.saturating_sub(1));
        }
        self.budget = self.budget.saturating_sub(left.len());
        for index in 0..left.len() {
            let before = index.checked_sub(1).map(|before| left[before].0);
            let after: String = left[index + 1..].iter().take(MENTION_MAX).map(|(c, _)| *c).collect();
            self.character(left[index], before, &after);
        }
        if cut {
            self.out.push('…');
        }
        !cut
    }

    fn character(&mut self, (c, from_value): (char, bool), before: Option<char>, after: &str) {
        let code = self.inside(Style::Pre) || self.inside(Style::Code);
        if c == '\n' {
            return match (self.inside_link() || self.inside(Style::Code), code) {
                (true, _) => self.out.push(' '),
                (false, true) => self.out.push('\n'),
                (false, false) => self.line_break(),
            };
        }
        let line_start = std::mem::replace(&mut self.line_start, false);
        match self.format {
            TextFormat::Plain => self.out.push(c),
            TextFormat::Html => self.html(c),
            // No escape works inside code: only the sign that would end it is replaced.
            TextFormat::Markdown | TextFormat::Mrkdwn if code && c == '`' => self.out.push('\''),
            TextFormat::Markdown if code => self.out.push(c),
            TextFormat::Markdown => {
                let number = c == '.' || c == ')';
                let starts_block =
                    line_start && matches!(c, '-' | '+' | '=') || number && self.line_is_digits();
                if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '#' | '&')
                    || starts_block
                {
                    self.out.push('\\');
                }
                self.out.push(c);
                self.line_start = line_start && c == ' ';
                if c == '@' && from_value && mentions(after) {
                    self.out.push(ZERO_WIDTH);
                }
            }
            TextFormat::Mrkdwn => match c {
                '&' | '<' | '>' => self.html(c),
                // mrkdwn has no escape for these. They mean markup at a word's edge only.
                '*' | '_' | '~' | '`' if !code => {
                    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                    if word(before) && word(after.chars().next()) {
                        self.out.push(c);
                    } else {
                        self.out.extend([ZERO_WIDTH, c, ZERO_WIDTH]);
                    }
                }
                c => self.out.push(c),
            },
        }
    }

    fn html(&mut self, c: char) {
        match c {
            '&' => self.out.push_str("&amp;"),
            '<' => self.out.push_str("&lt;"),
            '>' => self.out.push_str("&gt;"),
            '"' => self.out.push_str("&quot;"),
            '\'' => self.out.push_str("&#39;"),
            c => self.out.push(c),
        }
    }

    fn line_is_digits(&self) -> bool {
        let line = self.out.rsplit('\n').next().unwrap_or_default().trim_start();
        !line.is_empty() && line.chars().all(|c| c.is_ascii_digit())
    }

    fn inside(&self, style: Style) -> bool {
        self.opened.iter().any(|opened| matches!(opened, Opened::Style(open) if *open == style))
    }

    fn inside_link(&self) -> bool {
        self.opened.iter().any(|opened| matches!(opened, Opened::Link { .. }))
    }

    fn open(&mut self, style: Style) {
        // Markup inside code would be shown as it is typed, and a style twice is no style.
        if self.inside(Style::Code) || self.inside(Style::Pre) || self.inside(style) {
            return;
        }
        self.out.push_str(mark(self.format, style, true));
        self.line_start = false;
        self.opened.push(Opened::Style(style));
    }

    fn open_link(&mut self, address: &str) {
        if self.inside_link() || self.inside(Style::Code) || self.inside(Style::Pre) {
            return;
        }
        let address = match self.format {
            TextFormat::Plain => address.to_owned(),
            _ => address_safe(address),
        };
        match self.format {
            TextFormat::Plain => {}
            TextFormat::Markdown => self.out.push('['),
            TextFormat::Html => {
                self.out.push_str("<a href=\"");
                address.chars().for_each(|c| self.html(c));
                self.out.push_str("\">");
            }
            TextFormat::Mrkdwn => {
                self.out.push('<');
                address
                    .chars()
                    .for_each(|c| if c == '&' { self.out.push_str("&amp;") } else { self.out.push(c) });
                self.out.push('|');
            }
        }
        self.line_start = false;
        self.opened.push(Opened::Link { address, from: self.out.len() });
    }

    /// Closes what matches, and what was opened inside it. Nothing if there is no such thing.
    fn close_until(&mut self, matches: impl Fn(&Opened) -> bool) {
        let Some(index) = self.opened.iter().rposition(matches) else { return };
        for opened in self.opened.split_off(index).into_iter().rev() {
            self.close(opened);
        }
    }

    fn close(&mut self, opened: Opened) {
        match opened {
            Opened::Style(style) => self.out.push_str(mark(self.format, style, false)),
            Opened::Link { address, from } => match self.format {
                TextFormat::Plain if self.out[from..] == address => {}
                TextFormat::Plain if self.out.len() == from => self.out.push_str(&address),
                TextFormat::Plain => {
                    self.out.push_str(" (");
                    self.out.push_str(&address);
                    self.out.push(')');
                }
                TextFormat::Markdown => {
                    self.out.push_str("](");
                    self.out.push_str(&address);
                    self.out.push(')');
                }
                TextFormat::Html => self.out.push_str("</a>"),
                TextFormat::Mrkdwn => self.out.push('>'),
            },
        }
    }
}

const ZERO_WIDTH: char = '\u{200B}';

/// The longest word that calls a whole room.
const MENTION_MAX: usize = "everyone".len();

fn mentions(after: &str) -> bool {
    ["everyone", "here", "channel", "all"].iter().any(|word| after.to_ascii_lowercase().starts_with(word))
}

/// Characters that would end a link in one of the formats, percent-encoded.
fn address_safe(address: &str) -> String {
    let mut safe = String::new();
    for c in address.chars() {
        match c {
            '(' | ')' | '<' | '>' | '"' | '\'' | '|' | '\\' | '`' | ' ' | '\n' | '\t' | '*' => {
                safe.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c => safe.push(c),
        }
    }
    safe
}

fn mark(format: TextFormat, style: Style, open: bool) -> &'static str {
    match (format, style) {
        (TextFormat::Plain, _) => "",
        (TextFormat::Markdown, Style::Bold) => "**",
        (TextFormat::Markdown, Style::Italic) => "*",
        (TextFormat::Markdown, Style::Strike) => "~~",
        (TextFormat::Markdown | TextFormat::Mrkdwn, Style::Code) => "`",
        (TextFormat::Markdown | TextFormat::Mrkdwn, Style::Pre) => {
            if open {
                "```\n"
            } else {
                "```"
            }
        }
        (TextFormat::Mrkdwn, Style::Bold) => "*",
        (TextFormat::Mrkdwn, Style::Italic) => "_",
        (TextFormat::Mrkdwn, Style::Strike) => "~",
        (TextFormat::Html, Style::Bold) => {
            if open {
                "<b>"
            } else {
                "</b>"
            }
        }
        (TextFormat::Html, Style::Italic) => {
            if open {
                "<i>"
            } else {
                "</i>"
            }
        }
        (TextFormat::Html, Style::Strike) => {
            if open {
                "<s>"
            } else {
                "</s>"
            }
        }
        (TextFormat::Html, Style::Code) => {
            if open {
                "<code>"
            } else {
                "</code>"
            }
        }
        (TextFormat::Html, Style::Pre) => {
            if open {
                "<pre>"
            } else {
                "</pre>"
            }
        }
    }
}
