//! Words that others wrote, for a terminal or a log: what would move a cursor, turn the direction of writing or begin a
//! line is shown as an escape such as `\u{1b}` and not sent.
use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a terminal would act on a character instead of showing it. Among them are the noncharacters U+FDD0 to
/// U+FDEF, which are free for a program's own marks.
pub fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            // Directions.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Ends of lines and of paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Of no width.
            | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
            // Of no character.
            | '\u{fdd0}'..='\u{fdef}')
}

/// `text` as one line.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// `text` with its line breaks and tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |char| is_hidden(char) && char != '\n' && char != '\t')
}

/// JSON with the same characters escaped as JSON does; it remains the same value. A line break lies between values and
/// stays.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped_by(text, is_hidden_in_data, |shown, char| {
        for unit in char.encode_utf16(&mut [0; 2]) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

/// A quoted scalar of JSON as one of YAML, which knows no pairs of surrogates, with the same characters escaped.
pub fn yaml_scalar(text: &str) -> Cow<'_, str> {
    escaped_by(text, is_hidden_in_data, |shown, char| {
        let _ = match u32::from(char) {
            code @ ..=0xffff => write!(shown, "\\u{code:04x}"),
            code => write!(shown, "\\U{code:08x}"),
        };
    })
}

fn is_hidden_in_data(char: char) -> bool {
    is_hidden(char) && char != '\n'
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    escaped_by(text, is_escaped, |shown, char| shown.extend(char.escape_default()))
}

fn escaped_by(
    text: &str,
    is_escaped: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_escaped(char) {
            escape(&mut shown, char);
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_shown() {
        assert_eq!(line("a\x1b[2J\u{9b}b\r\n::error::x\t\u{202e}c\u{2028}\x7f"), {
            r"a\u{1b}[2J\u{9b}b\r\n::error::x\t\u{202e}c\u{2028}\u{7f}"
        });
        assert_eq!(lines("a\n\tb\r\x08"), "a\n\tb\\r\\u{8}");
        for text in ["", "naïve — 東京 עברית العربية ✓", "`\\n` as typed"] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn json_keeps_its_value() {
        assert_eq!(json("[\n\"a\u{9b}\u{202e}\u{e0041}\"\n]"), "[\n\"a\\u009b\\u202e\\udb40\\udc41\"\n]");
        assert_eq!(json("{}"), "{}");
        assert_eq!(yaml_scalar("\"a\u{9b}\u{e0000}\""), "\"a\\u009b\\U000e0000\"");
    }
}
