//! Text with its tokens masked.
//!
//! YAML does not allow `@` at the start of a plain scalar, and a token's value could contain YAML. So each character of
//! a token is replaced, one for one, by a private-use character. Columns stay as they are, the parser sees plain
//! letters, and values are inserted only after the structure is known.
use std::sync::Arc;

use crate::report::{Diagnostic, Place};

/// `@` as a private-use character; `c` of a key is `U+E000 + c`.
const BASE: u32 = 0xE000;
const AT: char = '\u{E040}';

/// A document as the YAML parser sees it.
pub(crate) struct Masked {
    pub(crate) text: String,
    /// In order of position.
    marks: Vec<Mark>,
}

struct Mark {
    /// In characters, from 0.
    index: usize,
    line: u32,
    column: u32,
    name: String,
}

/// A part of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    Token {
        name: String,
        place: Place,
    },
    /// A `@@` that does not begin a token.
    Stray(Place),
}

/// Masks the tokens of `text`.
pub(crate) fn mask(file: &Arc<str>, text: &str) -> Result<Masked, Diagnostic> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut marks = Vec::new();
    let (mut line, mut column, mut index) = (1_u32, 1_u32, 0_usize);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if is_private(first) {
            let place = Place { file: file.clone(), line, column };
            return Err(Diagnostic::error(
                &place,
                format!("the private-use character U+{:04X} is not allowed here", u32::from(first)),
            )
            .hint("remove it"));
        }
        if rest.starts_with("@@") {
            let name = token_at(rest);
            let chars = name.map_or(2, |name| name.len() + 4);
            // Token characters and `@` are ASCII, so bytes are characters here.
            out.extend(rest[..chars].chars().map(hide));
            marks.push(Mark { index, line, column, name: name.unwrap_or_default().to_string() });
            rest = &rest[chars..];
            index += chars;
            column += chars as u32;
            continue;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
        index += 1;
        // As the parser counts: a line ends at \n, at \r\n, and at \r alone.
        if first == '\n' || (first == '\r' && !rest.starts_with('\n')) {
            line += 1;
            column = 1;
        } else {
            column += 1;
        }
    }
    Ok(Masked { text: out, marks })
}

impl Masked {
    /// Splits a parsed scalar into its parts. `span` is its position, in characters; `escapes`: whether its style has
    /// escapes. `Err` if an escape produced a private-use character.
    pub(crate) fn pieces(
        &self,
        scalar: &str,
        span: std::ops::Range<usize>,
        escapes: bool,
        place: &Place,
    ) -> Result<Vec<Piece>, ()> {
        if !scalar.contains(is_private) {
            return Ok(vec![Piece::Text(scalar.to_string())]);
        }
        let first = self.marks.partition_point(|mark| mark.index < span.start);
        let mut marks = self.marks[first..].iter().take_while(|mark| mark.index < span.end);
        if escapes {
            let written: usize = marks.clone().map(Mark::chars).sum();
            if written != scalar.chars().filter(|c| is_private(*c)).count() {
                return Err(());
            }
        }
        let mut pieces = Vec::new();
        let mut rest = scalar;
        while let Some(start) = rest.find(is_private) {
            if start > 0 {
                pieces.push(Piece::Text(rest[..start].to_string()));
            }
            rest = &rest[start..];
            let name = hidden_token_at(rest);
            // A block scalar's header may have a comment with a token: it is skipped by name.
            let here = marks.find(|mark| mark.name == name.clone().unwrap_or_default());
            let place = here.map_or_else(
                || place.clone(),
                |mark| Place { file: place.file.clone(), line: mark.line, column: mark.column },
            );
            let chars = name.as_ref().map_or(2, |name| name.len() + 4);
            rest = rest.char_indices().nth(chars).map_or("", |(at, _)| &rest[at..]);
            pieces.push(match name {
                Some(name) => Piece::Token { name, place },
                None => Piece::Stray(place),
            });
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_string()));
        }
        Ok(pieces)
    }
}

impl Mark {
    fn chars(&self) -> usize {
        if self.name.is_empty() { 2 } else { self.name.len() + 4 }
    }
}

/// Restores masked text, for messages of the parser.
pub(crate) fn unmask(text: &str) -> String {
    text.chars().map(show).collect()
}

/// The line `number`, from 1, as the parser and [`mask`] count: a line ends at \n, at \r\n, and at \r alone.
pub(crate) fn line(text: &str, number: u32) -> Option<&str> {
    let mut lines = text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    lines.nth(number.checked_sub(1)? as usize)
}

/// Whether a token may have this name: letters, digits, `_`, `.` and `-`.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// The name of the token that `text` begins with.
fn token_at(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("@@")?;
    let end = inner.bytes().position(|byte| !is_name_byte(byte))?;
    (end > 0 && inner[end..].starts_with("@@")).then(|| &inner[..end])
}

fn hidden_token_at(text: &str) -> Option<String> {
    let run: String = text.chars().take_while(|c| is_private(*c)).map(show).collect();
    token_at(&run).map(str::to_string)
}

fn is_private(c: char) -> bool {
    ('\u{E000}'..='\u{F8FF}').contains(&c)
}

fn hide(c: char) -> char {
    char::from_u32(BASE + u32::from(c)).unwrap_or(AT)
}

fn show(c: char) -> char {
    match u32::from(c) {
        hidden @ 0xE000..=0xE07F => char::from_u32(hidden - BASE).unwrap_or(c),
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_the_parser_counts() {
        let text = "a\nb\r\nc\rd";
        let found: Vec<_> = (0..=5).map(|number| line(text, number)).collect();
        assert_eq!(found, [None, Some("a"), Some("b"), Some("c"), Some("d"), None]);
    }
}
