//! What Python's YAML accepts and the parser does not: in quotes and in brackets, indentation means nothing, and a comment
//! may follow them without a space.
//!
//! The text is parsed as it is; where the parser refuses it, spaces are added that mean nothing either, and it is parsed
//! again. Places stay those of the file.
use std::collections::BTreeMap;

use crate::limits::INDENTS_MAX;

/// A text in the making, and where spaces were added at the beginning of its lines.
pub(crate) struct Indented {
    pub(crate) text: String,
    /// By line, from 1.
    added: BTreeMap<usize, usize>,
    rounds: usize,
}

/// Where the parser stopped.
pub(crate) struct Stop<'a> {
    pub(crate) message: &'a str,
    /// In characters, from 0; that of quotes which it refuses is where they open.
    pub(crate) index: usize,
    /// Where the open lists and maps begin, with or without a bracket.
    pub(crate) begins: &'a [usize],
    /// Where the last part ends that was read: a bracket after it may be open too.
    pub(crate) known: usize,
}

impl Indented {
    pub(crate) fn new(text: String) -> Self {
        Self { text, added: BTreeMap::new(), rounds: 0 }
    }

    /// A column of the text, from 0, as one of the file.
    pub(crate) fn column(&self, line: usize, column: usize) -> usize {
        column.saturating_sub(self.added.get(&line).copied().unwrap_or(0))
    }

    /// Whether spaces were added, so that it is worth parsing again.
    pub(crate) fn add(&mut self, stop: &Stop<'_>) -> bool {
        self.rounds += 1;
        if self.rounds > INDENTS_MAX {
            return false;
        }
        let chars: Vec<char> = self.text.chars().collect();
        let span = if stop.message.contains("indentation in quoted") {
            chars.get(stop.index).map(|quote| (stop.index, after_quotes(&chars, stop.index + 1, *quote)))
        } else if stop.message.starts_with("invalid indentation") {
            let is_bracket = |at: &usize| matches!(chars.get(*at), Some('[' | '{'));
            let outermost = stop.begins.iter().copied().find(is_bracket);
            let open = outermost.or_else(|| (stop.known..chars.len()).find(is_bracket));
            open.map(|open| (open, after_brackets(&chars, open)))
        } else if stop.message.starts_with("tab cannot") {
            // In quotes: spaces before it count for nothing, as it does itself.
            let before = line_start(&chars, stop.index).checked_sub(1);
            before.map(|before| (before, before + 1))
        } else {
            return self.space(&chars, stop.index);
        };
        span.is_some_and(|(start, end)| self.indent(&chars, start, end))
    }

    /// Indents the lines that begin within `start..end` further than the line of `start` goes.
    fn indent(&mut self, chars: &[char], start: usize, end: usize) -> bool {
        let width = start - line_start(chars, start) + 1;
        let mut line = 1 + chars[..start].iter().filter(|c| **c == '\n').count();
        let mut text = String::with_capacity(self.text.len());
        let mut is_changed = false;
        for (at, c) in chars.iter().enumerate() {
            text.push(*c);
            if *c == '\n' && (start..end).contains(&at) {
                line += 1;
                text.extend(std::iter::repeat_n(' ', width));
                *self.added.entry(line).or_default() += width;
                is_changed = true;
            }
        }
        self.text = text;
        is_changed
    }

    /// Puts a space before a comment that directly follows quotes or brackets.
    fn space(&mut self, chars: &[char], index: usize) -> bool {
        // The parser stands before the comment or somewhere in it.
        let start = line_start(chars, index.min(chars.len()));
        let line = chars[start..].iter().take_while(|c| **c != '\n').count();
        let is_mark = |c: char| matches!(c, '"' | '\'' | '[' | ']' | '{' | '}' | ',');
        let comment = (start + 1..start + line)
            .find(|at| chars[*at] == '#' && is_mark(chars[*at - 1]) && *at <= index + 1);
        let Some(comment) = comment else { return false };
        self.text = chars[..comment].iter().chain(&[' ']).chain(&chars[comment..]).collect();
        true
    }
}

fn line_start(chars: &[char], at: usize) -> usize {
    chars[..at].iter().rposition(|c| *c == '\n').map_or(0, |end| end + 1)
}

/// Where quotes that opened before `at` are closed, or the text ends.
fn after_quotes(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' if quote == '"' => at += 1,
            c if c == quote && quote == '\'' && chars.get(at + 1) == Some(&'\'') => at += 1,
            c if c == quote => return at,
            _ => {}
        }
        at += 1;
    }
    chars.len()
}

/// Where the bracket that opens at `open` is closed, or the text ends.
fn after_brackets(chars: &[char], open: usize) -> usize {
    let (mut depth, mut at) = (0_usize, open);
    // Quotes and comments begin only where a value may.
    let mut before = ' ';
    while at < chars.len() {
        let c = chars[at];
        match c {
            '"' | '\'' if matches!(before, '[' | '{' | ',' | ':') => at = after_quotes(chars, at + 1, c),
            '#' if chars[at - 1].is_whitespace() => {
                at = chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |end| at + end);
            }
            '[' | '{' => depth += 1,
            ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
        at += 1;
    }
    chars.len()
}
