//! How each format writes characters, styles and addresses.
use watchbell_contract::TextFormat;

use super::address::push_encoded;
use super::markup::Style;

pub(super) const ZERO_WIDTH: char = '\u{200B}';

/// The longest word that mentions a whole room.
const MENTION_MAX: usize = "everyone".len();

/// The context of a character.
pub(super) struct Around<'a> {
    pub(super) code: bool,
    /// Only white space precedes it on its line.
    pub(super) line_start: bool,
    /// Only digits precede it on its line.
    pub(super) after_digits: bool,
    pub(super) from_value: bool,
    /// It belongs to the beginning of an address.
    pub(super) in_address: bool,
    pub(super) before: Option<char>,
    /// The rest of the same text.
    pub(super) rest: &'a str,
    /// The first character after that text.
    pub(super) then: Option<char>,
}

impl Around<'_> {
    fn next(&self) -> Option<char> {
        self.rest.chars().next().or(self.then)
    }
}

/// Appends `c` to `out` so that it stands only for itself. The writer handles line breaks.
pub(super) fn character(out: &mut String, format: TextFormat, c: char, around: &Around<'_>) {
    match format {
        TextFormat::Plain => out.push(c),
        TextFormat::Html => html(out, c),
        // Escapes do not work inside code, so only the character that would end it is replaced.
        TextFormat::Markdown | TextFormat::Mrkdwn if around.code && c == '`' => out.push('\''),
        TextFormat::Markdown if around.code => out.push(c),
        TextFormat::Markdown => {
            if means_something(c, around) {
                out.push('\\');
            }
            out.push(c);
            if c == '@' && around.from_value && mentions(around.rest) {
                out.push(ZERO_WIDTH);
            }
        }
        TextFormat::Mrkdwn => match c {
            '&' | '<' | '>' => html(out, c),
            // mrkdwn has no escape for these, and reads them as markup only at the edge of a word.
            '*' | '_' | '~' | '`' if !around.code && !around.in_address => {
                if within_word(around) {
                    out.push(c);
                } else {
                    out.extend([ZERO_WIDTH, c, ZERO_WIDTH]);
                }
            }
            c => out.push(c),
        },
    }
}

/// Whether Markdown would treat `c` as more than a plain character. A text without needless escapes is also readable
/// unrendered.
fn means_something(c: char, around: &Around<'_>) -> bool {
    let next = around.next();
    let ends = next.is_none_or(char::is_whitespace);
    match c {
        '`' | '*' | '[' | ']' | '|' | '~' => true,
        '_' => !within_word(around),
        '<' => !next.is_some_and(|next| next.is_whitespace() || next.is_ascii_digit()),
        '\\' => !next.is_some_and(char::is_alphanumeric),
        '&' => is_entity(around.rest),
        '>' => around.line_start,
        '-' | '+' | '=' | '#' => around.line_start && (ends || next == Some(c)),
        '.' | ')' => around.after_digits && ends,
        _ => false,
    }
}

fn within_word(around: &Around<'_>) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    word(around.before) && word(around.next())
}

/// Whether `rest`, after `&`, could be the rest of an entity.
fn is_entity(rest: &str) -> bool {
    let behind = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '#');
    behind.is_empty() || behind.len() < rest.len() && behind.starts_with(';')
}

fn html(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// Whether `rest` begins with a word that mentions a room, or could be the start of one.
fn mentions(rest: &str) -> bool {
    let rest: String = rest.chars().take(MENTION_MAX).collect::<String>().to_ascii_lowercase();
    ["everyone", "here", "channel", "all"]
        .iter()
        .any(|word| rest.starts_with(word) || word.starts_with(&rest))
}

/// An address in running text, as a link that shows itself.
pub(super) fn address(format: TextFormat, address: &str, from_value: bool, then: Option<char>) -> String {
    let address = &*if from_value { without_mentions(address) } else { address.to_owned() };
    let mut out = String::new();
    match format {
        TextFormat::Plain => out.push_str(address),
        TextFormat::Html => {
            out.push_str("<a href=\"");
            address.chars().for_each(|c| html(&mut out, c));
            out.push_str("\">");
            address.chars().for_each(|c| html(&mut out, c));
            out.push_str("</a>");
        }
        TextFormat::Markdown if is_plain(address) && ends_before(then) => out.push_str(address),
        TextFormat::Markdown => {
            out.push('<');
            out.push_str(&without_entities(&enclosed(address)));
            out.push('>');
        }
        // Slack turns addresses in running text into links. In Slack's own form a link can show other text than its
        // target, and a document's text must not look like that.
        TextFormat::Mrkdwn if from_value || is_plain(address) && ends_before(then) => {
            address.chars().for_each(|c| mrkdwn(&mut out, c));
        }
        TextFormat::Mrkdwn => {
            out.push('<');
            enclosed(address).chars().for_each(|c| mrkdwn(&mut out, c));
            out.push('>');
        }
    }
    out
}

/// Percent-encodes what would end an address in angle brackets, or separate it from other words to show.
fn enclosed(address: &str) -> String {
    let mut out = String::new();
    for c in address.chars() {
        if matches!(c, '<' | '>' | '|') { push_encoded(&mut out, c) } else { out.push(c) }
    }
    out
}

/// The markup before and after a link's text.
pub(super) fn link(format: TextFormat, address: &str) -> (String, String) {
    match format {
        TextFormat::Plain => (String::new(), format!(" ({address})")),
        TextFormat::Markdown => ("[".into(), format!("]({})", without_entities(&address_safe(address)))),
        TextFormat::Html => {
            let mut open = "<a href=\"".to_owned();
            address_safe(address).chars().for_each(|c| html(&mut open, c));
            open.push_str("\">");
            (open, "</a>".into())
        }
        TextFormat::Mrkdwn => {
            let mut open = "<".to_owned();
            address_safe(address).chars().for_each(|c| mrkdwn(&mut open, c));
            open.push('|');
            (open, ">".into())
        }
    }
}

/// In an address, `&` is the only character left that mrkdwn would interpret.
fn mrkdwn(out: &mut String, c: char) {
    if c == '&' { out.push_str("&amp;") } else { out.push(c) }
}

/// Whether nothing in it could be taken for markup, or for the end of markup.
fn is_plain(address: &str) -> bool {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | ':' | '.' | '?' | '=' | '%' | '#' | '+' | '-' | ',' | '@')
    };
    address.chars().all(plain) && address.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
}

fn ends_before(then: Option<char>) -> bool {
    then.is_none_or(|c| c.is_whitespace() || matches!(c, '.' | ',' | ':' | ';' | '!' | '?' | ')'))
}

pub(super) fn without_mentions(address: &str) -> String {
    let mut out = String::new();
    for (at, c) in address.char_indices() {
        match c {
            '@' if mentions(&address[at + 1..]) => push_encoded(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// Prevents Markdown from reading entities in an address.
fn without_entities(address: &str) -> String {
    let mut out = String::new();
    for (at, c) in address.char_indices() {
        out.push(c);
        let name = || {
            address[at + 1..]
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '#')
                .next()
                .unwrap_or_default()
        };
        if c == '&' && address[at + 1 + name().len()..].starts_with(';') {
            out.push_str("amp;");
        }
    }
    out
}

/// Percent-encodes characters that would end a link in one of the formats.
fn address_safe(address: &str) -> String {
    let mut safe = String::new();
    for c in address.chars() {
        match c {
            '(' | ')' | '<' | '>' | '"' | '\'' | '|' | '\\' | '`' | ' ' | '\n' | '\t' | '*' => {
                push_encoded(&mut safe, c)
            }
            c => safe.push(c),
        }
    }
    safe
}

/// The markup before and after styled text.
pub(super) fn mark(format: TextFormat, style: Style) -> (&'static str, &'static str) {
    match (format, style) {
        (TextFormat::Plain, _) => ("", ""),
        (TextFormat::Markdown, Style::Bold) => ("**", "**"),
        (TextFormat::Markdown, Style::Italic) => ("*", "*"),
        (TextFormat::Markdown, Style::Strike) => ("~~", "~~"),
        (TextFormat::Markdown | TextFormat::Mrkdwn, Style::Code) => ("`", "`"),
        (TextFormat::Markdown | TextFormat::Mrkdwn, Style::Pre) => ("```\n", "```"),
        (TextFormat::Mrkdwn, Style::Bold) => ("*", "*"),
        (TextFormat::Mrkdwn, Style::Italic) => ("_", "_"),
        (TextFormat::Mrkdwn, Style::Strike) => ("~", "~"),
        (TextFormat::Html, Style::Bold) => ("<b>", "</b>"),
        (TextFormat::Html, Style::Italic) => ("<i>", "</i>"),
        (TextFormat::Html, Style::Strike) => ("<s>", "</s>"),
        (TextFormat::Html, Style::Code) => ("<code>", "</code>"),
        (TextFormat::Html, Style::Pre) => ("<pre>", "</pre>"),
    }
}
