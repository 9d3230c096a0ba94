//! Values in disguise: every ASCII character that could mean something to a template, to Markdown or to HTML is
//! moved to a plane of private-use characters, which mean nothing to anybody, and moved back when it is written.

const BASE: u32 = 0xF_0000;

/// Starts a line so that no block syntax begins there; written as nothing.
pub(super) const NOTHING: char = '\u{F0000}';

/// A value as it may stand in Markdown. Safe to apply twice.
pub(super) fn value(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                char::from_u32(BASE + u32::from(c)).unwrap_or(NOTHING)
            }
            c => c,
        })
        .collect()
}

/// Text from outside, without characters that only a disguise may use and without invisible control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| reveal(*c).is_none() && (!c.is_control() || matches!(c, '\n' | '\t'))).collect()
}

/// The character behind a disguise; `None` if it wears none.
pub(super) fn reveal(c: char) -> Option<char> {
    let code = u32::from(c).checked_sub(BASE).filter(|code| *code < 0x80)?;
    char::from_u32(code)
}
