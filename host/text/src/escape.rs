//! Escaped values: every ASCII character that could mean something to a template, Markdown or HTML is moved to a plane
//! of private-use characters, which mean nothing to any of them, and moved back when it is written. Marks of the same
//! plane surround each value, so that it can be told apart from the template's own text.

const BASE: u32 = 0xF_0000;

/// Put at the start of a line so that no block syntax begins there; written as nothing.
pub(super) const NOTHING: char = '\u{F0000}';
const VALUE: char = '\u{F0001}';
/// A value that is the host's own link.
const LINK: char = '\u{F0002}';
const END: char = '\u{F0003}';

/// A value in the form that is safe in Markdown. Applying it twice is safe.
pub(super) fn value(text: &str) -> String {
    marked(VALUE, text)
}

/// Like `value`, for the host's own link.
pub(super) fn link(text: &str) -> String {
    marked(LINK, text)
}

fn marked(mark: char, text: &str) -> String {
    // An escaped control character would look like one of the marks.
    let visible = text.chars().filter(|c| is_visible(*c));
    let hidden = visible.map(|c| match c {
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
            char::from_u32(BASE + u32::from(c)).unwrap_or(NOTHING)
        }
        c => c,
    });
    [mark].into_iter().chain(hidden).chain([END]).collect()
}

/// Text from outside, without the characters reserved for escapes and without invisible control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_escaped(*c) && is_visible(*c)).collect()
}

/// Marks that change text direction are not visible: if left open, they would affect the template's text as well.
fn is_visible(c: char) -> bool {
    let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    !turns && (!c.is_control() || matches!(c, '\n' | '\t'))
}

fn is_escaped(c: char) -> bool {
    (BASE..BASE + 0x80).contains(&u32::from(c))
}

/// Who wrote a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Template,
    /// The value with this number, counted within the text.
    Value(usize),
    Link(usize),
}

/// Unescapes characters, with their origin. A mark whose counterpart was removed by a filter is skipped; what follows
/// it belongs to the value until the end of the text.
pub(super) fn unescape(text: &str) -> impl Iterator<Item = (char, Origin)> {
    let mut open: Vec<Origin> = Vec::new();
    let mut count = 0;
    text.chars().filter_map(move |c| {
        let origin = open.last().copied().unwrap_or(Origin::Template);
        match c {
            NOTHING => None,
            VALUE | LINK => {
                count += 1;
                open.push(if c == LINK { Origin::Link(count) } else { Origin::Value(count) });
                None
            }
            END => {
                open.pop();
                None
            }
            c if is_escaped(c) => char::from_u32(u32::from(c) - BASE).map(|c| (c, origin)),
            c => Some((c, origin)),
        }
    })
}
