//! How ElastAlert's receivers read a text's own words, and Markdown that people see in the same way.
//!
//! A text comes with a private-use character for each of its expressions, so that markup around them is one piece.
use crate::mask::token_at;

/// What the words of a text are to those who receive them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Markup {
    /// Nothing but words: mail, tickets, pagers.
    Plain,
    /// Slack's own markup, and what reads like it: `*bold*`, `~struck~`, `<address|words>`.
    Slack,
    /// Markdown or HTML, which texts are here too.
    Markdown,
}

impl Markup {
    /// By a rule's alerters; a chat product among them decides. `html`: whether mails are HTML.
    pub(crate) fn of(alerters: &[String], html: bool) -> Self {
        let any = |names: &[&str]| alerters.iter().any(|alerter| names.contains(&alerter.as_str()));
        if any(&["slack", "rocketchat", "googlechat", "telegram"]) {
            Self::Slack
        } else if html && any(&["email", "ses"])
            || any(&[
                "mattermost",
                "discord",
                "gitter",
                "dingtalk",
                "workwechat",
                "lark",
                "webex_webhook",
                "matrixhookshot",
                "ms_power_automate",
                "ms_teams",
                "hipchat",
                "stride",
            ])
        {
            Self::Markdown
        } else {
            Self::Plain
        }
    }
}

/// Writes a text as a template. `holes` are its expressions and statements, each of which [`hole`] stands for.
pub(super) fn write(text: &str, holes: &[String], markup: Markup, is_title: bool) -> String {
    let mut page = Page { holes, markup, is_title, open: Vec::new(), out: String::new() };
    match markup {
        _ if is_title => page.inline(text),
        Markup::Markdown => page.inline(text),
        Markup::Plain => page.lines(text),
        Markup::Slack => page.blocks(text),
    }
    page.out
}

/// Writes a text that is no markup to anybody.
pub(super) fn verbatim(text: &str, holes: &[String]) -> String {
    let mut page =
        Page { holes, markup: Markup::Plain, is_title: false, open: Vec::new(), out: String::new() };
    page.verbatim(text);
    page.out
}

/// The character that stands for the expression with this number.
pub(super) fn hole(number: usize) -> Option<char> {
    let number = u32::try_from(number).ok().filter(|number| *number < HOLES_MAX)?;
    char::from_u32(HOLE + number)
}

pub(super) fn is_hole(c: char) -> bool {
    (HOLE..HOLE + HOLES_MAX).contains(&u32::from(c))
}

const HOLE: u32 = 0x10_0000;
const HOLES_MAX: u32 = 0xFFF0;

struct Page<'a> {
    holes: &'a [String],
    markup: Markup,
    is_title: bool,
    /// The marks of the emphasis around what is written: Slack has none of the same kind within it.
    open: Vec<char>,
    out: String,
}

impl Page<'_> {
    /// Slack's blocks of code may begin and end anywhere on a line; Markdown's have lines of their own.
    fn blocks(&mut self, text: &str) {
        let parts: Vec<&str> = text.split("```").collect();
        if parts.len().is_multiple_of(2) {
            return self.lines(text);
        }
        for (index, part) in parts.iter().enumerate() {
            if index % 2 == 0 {
                let is_below = index > 0 && self.out.ends_with("```\n");
                let below = part.trim_start_matches(' ');
                self.lines(if is_below { below.strip_prefix('\n').unwrap_or(below) } else { part });
            } else if part.contains('\n') {
                if !self.out.is_empty() && !self.out.ends_with('\n') {
                    self.out.push('\n');
                }
                self.out.push_str("```\n");
                self.verbatim(part.trim_matches('\n'));
                self.out.push_str("\n```\n");
            } else {
                self.out.push_str("```");
                self.verbatim(part);
                self.out.push_str("```");
            }
        }
    }

    fn lines(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.out.push('\n');
            }
            let is_start = self.out.is_empty() || self.out.ends_with('\n');
            if is_start { self.line(line) } else { self.inline(line) }
        }
    }

    /// A line from its beginning, where Markdown would see headings, lists, quotations, rules and code.
    fn line(&mut self, line: &str) {
        let words = line.trim_start_matches([' ', '\t']);
        let indent = line[..line.len() - words.len()].replace('\t', "    ");
        if words.chars().all(|c| c.is_whitespace() || self.is_statement(c)) {
            self.out.push_str(&indent);
        } else if !indent.is_empty() {
            self.out.push_str(&format!("{{{{ '{indent}' }}}}"));
            // A value stands before these words, so no block begins with them.
            return self.inline(words);
        }
        // A statement shows nothing: what follows it begins the line.
        if let Some(statement) = words.chars().next().filter(|c| self.is_statement(*c)) {
            self.verbatim(&words[..statement.len_utf8()]);
            return self.line(&words[statement.len_utf8()..]);
        }
        let at = block(words);
        if at > 0 {
            self.out.push_str(&words[..at - 1]);
            self.out.push('\\');
            self.out.push_str(&words[at - 1..at]);
        }
        self.inline(&words[at..]);
    }

    /// Words within a line, with what Markdown would take for emphasis, code, links or tags.
    fn inline(&mut self, text: &str) {
        let mut before = match self.out.chars().next_back() {
            _ if self.out.ends_with("' }}") => WRITTEN,
            Some(c) if c != '\n' => c,
            _ => ' ',
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let taken = self.piece(c, rest, before).max(c.len_utf8());
            before = match rest[..taken].chars().next_back() {
                Some(c) if !self.out.ends_with("' }}") || is_hole(c) => c,
                _ => WRITTEN,
            };
            rest = &rest[taken..];
        }
    }

    /// Writes what `text` begins with; returns how much that was, in bytes.
    fn piece(&mut self, c: char, text: &str, before: char) -> usize {
        let after = &text[c.len_utf8()..];
        let next = after.chars().next().unwrap_or(' ');
        let is_markdown = self.markup == Markup::Markdown;
        let has_emphasis = self.markup == Markup::Slack && !self.is_title;
        match c {
            _ if self.of_hole(c).is_some() => self.verbatim(&text[..c.len_utf8()]),
            '{' => return self.brace(after),
            '@' if token_at(text).is_some() => {
                let taken = token_at(text).map_or(1, |name| name.len() + 4);
                self.out.push_str(&text[..taken]);
                return taken;
            }
            '<' => {
                if self.markup != Markup::Plain
                    && let Some(taken) = self.link(text)
                {
                    return taken;
                }
                // Text that only looks like a tag would vanish from the message.
                if is_hole(next) || is_tag(after, is_markdown) {
                    self.out.push('\\');
                }
                self.out.push('<');
            }
            c if is_markdown => self.out.push(c),
            '`' if has_emphasis && code(text).is_some() => {
                let taken = code(text).unwrap_or(1);
                self.verbatim(&text[..taken]);
                return taken;
            }
            '*' | '_' | '~'
                if has_emphasis
                    && !self.open.contains(&c)
                    && pair(text).is_some_and(|inner| opens(before, inner)) =>
            {
                let inner = pair(text).unwrap_or_default();
                let mark = match c {
                    '*' => "**",
                    // Within a word, which an expression counts as, an underscore is no mark.
                    '_' if before == WRITTEN => "*",
                    '_' => "_",
                    _ => "~~",
                };
                self.out.push_str(mark);
                self.open.push(c);
                self.inline(inner);
                self.open.pop();
                self.out.push_str(mark);
                return inner.len() + 2;
            }
            '_' if is_word(before) && is_word(next) => self.out.push(c),
            '*' | '_' | '~' if before.is_whitespace() && next.is_whitespace() => self.out.push(c),
            '*' | '_' | '~' | '`' => self.escaped(c),
            // The end of what would be a link's words, wherever they begin.
            ']' if matches!(next, '(' | '[') => self.escaped(c),
            '\\' if next.is_ascii_punctuation() || after.is_empty() || next == '\n' => self.escaped(c),
            '&' if entity(after) && !(has_emphasis && is_slacks(after)) => self.escaped(c),
            c => self.out.push(c),
        }
        c.len_utf8()
    }

    fn escaped(&mut self, c: char) {
        self.out.push('\\');
        self.out.push(c);
    }

    /// As it is, apart from what would be a part of the template.
    fn verbatim(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match self.of_hole(c) {
                Some(written) => self.out.push_str(&written),
                None if c == '{' => {
                    let taken = self.brace(after);
                    rest = &rest[taken..];
                    continue;
                }
                None => self.out.push(c),
            }
            rest = after;
        }
    }

    /// A brace, and the character after it if a template would begin with both.
    fn brace(&mut self, after: &str) -> usize {
        match after.chars().next() {
            Some(next @ ('{' | '%' | '#')) => {
                self.out.push_str(&format!("{{{{ '{{{next}' }}}}"));
                2
            }
            Some(next) if is_hole(next) => {
                self.out.push_str("{{ '{' }}");
                1
            }
            _ => {
                self.out.push('{');
                1
            }
        }
    }

    /// Slack's `<address|words>` as Markdown's link.
    fn link(&mut self, text: &str) -> Option<usize> {
        let end = text.find(['>', '\n']).filter(|end| text[*end..].starts_with('>'))?;
        let (address, words) = text[1..end].split_once('|')?;
        let is_address = address.starts_with(is_hole)
            || ["http", "mailto:", "@@"].iter().any(|start| address.starts_with(start));
        if !is_address || words.contains(['<', '|']) || address.contains(['<', ' ', '(', ')']) {
            return None;
        }
        self.out.push('[');
        self.inline(words);
        self.out.push_str("](");
        self.verbatim(address);
        self.out.push(')');
        Some(end + 1)
    }

    fn is_statement(&self, c: char) -> bool {
        self.of_hole(c).is_some_and(|written| written.starts_with("{%"))
    }

    fn of_hole(&self, c: char) -> Option<String> {
        let number = u32::from(c).checked_sub(HOLE).filter(|number| *number < HOLES_MAX)?;
        self.holes.get(number as usize).cloned()
    }
}

/// Where the character stands that makes Markdown see a block in a line's beginning, from 1 and in bytes; 0: it sees none.
fn block(line: &str) -> usize {
    let Some(first) = line.chars().next() else { return 0 };
    let rest = line.trim_start_matches(first);
    let count = line.len() - rest.len();
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    let is_rule = |marks: usize| {
        line.chars().filter(|c| *c == first).count() >= marks && line.chars().all(|c| c == first || c == ' ')
    };
    match first {
        '#' if count <= 6 && ends(rest) => 1,
        '>' => 1,
        '-' if is_rule(1) => 1,
        '=' if is_rule(1) => 1,
        '_' if is_rule(3) => 1,
        '-' | '+' if count == 1 && ends(rest) => 1,
        '0'..='9' => {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let after = &line[digits..];
            let is_item = digits <= 9 && after.starts_with(['.', ')']) && ends(&after[1..]);
            if is_item { digits + 1 } else { 0 }
        }
        // The definition of a link would vanish.
        '[' if line.contains("]:") => 1,
        // One that emphasis does not escape, because there are spaces around it.
        '*' if count == 1 && ends(rest) => 1,
        _ => 0,
    }
}

/// What stands between the mark that `text` begins with and its counterpart on the same line.
fn pair(text: &str) -> Option<&str> {
    let mark = text.chars().next()?;
    let line = text.split('\n').next()?;
    if line[1..].starts_with(|c: char| c == mark || c.is_whitespace()) {
        return None;
    }
    line.char_indices().skip(2).find_map(|(at, c)| {
        let is_end = c == mark
            && !line[..at].ends_with(|c: char| c.is_whitespace() || c == mark)
            && !line[at + 1..].starts_with(|c: char| is_word(c) || c == mark);
        is_end.then(|| &line[1..at])
    })
}

/// The length of the code that `text` begins with.
fn code(text: &str) -> Option<usize> {
    let line = text.split('\n').next()?;
    let end = line[1..].find('`').filter(|end| *end > 0)?;
    Some(end + 2)
}

/// In place of words that are written as an expression, such as those that indent a line.
const WRITTEN: char = '\t';

/// Whether emphasis of `inner` may begin after `before`, to Slack and to Markdown.
fn opens(before: char, inner: &str) -> bool {
    // To Markdown, a mark between a word and a sign begins nothing; a brace or an underscore may be a sign.
    let is_word_for_sure = |c: char| c.is_alphanumeric() || is_hole(c);
    !is_word(before) && (before != WRITTEN || inner.starts_with(is_word_for_sure))
}

/// Expressions count as words: what they become is not known. So do braces, which may be written as expressions.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '{') || is_hole(c)
}

/// Slack decodes these three, and Markdown does too.
fn is_slacks(after: &str) -> bool {
    ["amp;", "lt;", "gt;"].iter().any(|entity| after.starts_with(entity))
}

fn entity(after: &str) -> bool {
    let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '#')).unwrap_or(after.len());
    end > 0 && after[end..].starts_with(';')
}

/// Whether `<` before `text` would begin a tag. `known`: not one of those that alerts have.
fn is_tag(text: &str, known: bool) -> bool {
    const TAGS: &[&str] = &[
        "a", "b", "strong", "i", "em", "s", "del", "strike", "code", "tt", "pre", "br", "li", "p", "div",
        "ul", "ol", "table", "tr", "h1", "h2", "h3", "h4", "hr",
    ];
    let name = text.strip_prefix('/').unwrap_or(text);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    // An address in angle brackets is a link.
    if name[end..].starts_with(':') {
        return false;
    }
    text.starts_with(['!', '?'])
        || end > 0 && !(known && TAGS.contains(&name[..end].to_ascii_lowercase().as_str()))
}

/// The words with which Slack notifies people.
pub(super) fn mentions(text: &str) -> bool {
    ["<!here", "<!channel", "<!everyone", "<!subteam", "<@"].iter().any(|word| text.contains(word))
}
