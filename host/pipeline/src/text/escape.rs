//! Escaped values: every ASCII character that could mean something to a template, to Markdown or to HTML is
//! moved to a plane of private-use characters, which mean nothing to anybody, and moved back when it is written.
//! Around each value stand marks of the same plane, so that it can be told from the template's own words.

const BASE: u32 = 0xF_0000;

/// Starts a line so that no block syntax begins there; written as nothing.
pub(super) const NOTHING: char = '\u{F0000}';
const VALUE: char = '\u{F0001}';
/// A value that is the host's own link.
const LINK: char = '\u{F0002}';
const END: char = '\u{F0003}';

/// A value as it may stand in Markdown. Safe to apply twice.
pub(super) fn value(text: &str) -> String {
    marked(VALUE, text)
}

/// As `value`, of the host's own link.
pub(super) fn link(text: &str) -> String {
    marked(LINK, text)
}

fn marked(mark: char, text: &str) -> String {
    // Hidden, a control character would read as one of the marks.
    let visible = text.chars().filter(|c| is_visible(*c));
    let hidden = visible.map(|c| match c {
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
            char::from_u32(BASE + u32::from(c)).unwrap_or(NOTHING)
        }
        c => c,
    });
    [mark].into_iter().chain(hidden).chain([END]).collect()
}

/// Text from outside, without characters that only an escape may use and without invisible control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_escaped(*c) && is_visible(*c)).collect()
}

/// Marks that turn the direction of what follows are not: left open, they would turn the template's words as well.
fn is_visible(c: char) -> bool {
    let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    !turns && (!c.is_control() || matches!(c, '\n' | '\t'))
}

fn is_escaped(c: char) -> bool {
    (BASE..BASE + 0x80).contains(&u32::from(c))
}

/// Whose words a character belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Template,
    /// The value of that number, counted within the text.
    Value(usize),
    Link(usize),
}

/// The characters behind an escape, and whose they are. A mark that has lost its counterpart to a filter is passed
/// over; what follows it belongs to the value until the text ends.
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
