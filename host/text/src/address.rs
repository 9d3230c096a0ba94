//! Addresses, in links written by the template and in running text. Only `http` and `https` become links, and `mailto`
//! if the template writes it.
use super::escape::{self, Origin};

/// Anything longer is not treated as an address.
const CHARS_MAX: usize = 8_192;

/// Text from one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// The template's own text.
    Words(String),
    /// A value, which may be shortened.
    Value(Vec<Part>),
    /// An address written by the template or the host: shortening it would change where it leads.
    Address(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Words(String),
    Address(String),
}

impl Run {
    /// Joins several lines into one.
    pub(super) fn join_lines(&mut self) {
        let join = |words: &mut String| *words = words.replace(['\n', '\t'], " ");
        match self {
            Self::Words(words) => join(words),
            Self::Value(parts) => parts.iter_mut().for_each(|part| {
                if let Part::Words(words) = part {
                    join(words);
                }
            }),
            Self::Address(_) => {}
        }
    }
}

/// An address may be enclosed in angle brackets.
pub(super) fn first_of_part(part: &Part) -> Option<char> {
    match part {
        Part::Words(words) => words.chars().next(),
        Part::Address(_) => Some('<'),
    }
}

pub(super) fn first_character(run: &Run) -> Option<char> {
    match run {
        Run::Words(words) => words.chars().next(),
        Run::Value(parts) => parts.first().and_then(first_of_part),
        Run::Address(_) => Some('<'),
    }
}

/// Unescapes a link's address. If the template writes the scheme, a value is one part of the address and is
/// percent-encoded, so that it cannot change the rest. If a value contains the scheme, it is the whole address, and
/// values after it are parts.
pub(super) fn of_link(href: &str) -> Option<String> {
    let chars: Vec<(char, Origin)> = escape::unescape(href).collect();
    let first_value = chars.iter().position(|(_, origin)| *origin != Origin::Template).unwrap_or(chars.len());
    let template_scheme = chars[..first_value].iter().any(|(c, _)| *c == ':');
    let whole = chars.get(first_value).map(|(_, origin)| *origin).filter(|_| !template_scheme);
    let mut text = String::new();
    for (c, origin) in chars {
        if origin == Origin::Template || Some(origin) == whole {
            text.push(c);
        } else {
            push_part(&mut text, c);
        }
    }
    let mut address = String::new();
    for c in text.trim().chars() {
        if c.is_whitespace() || c.is_control() { push_encoded(&mut address, c) } else { address.push(c) }
    }
    let lower = address.get(..8).unwrap_or(&address).to_ascii_lowercase();
    let web = lower.starts_with("http://") || lower.starts_with("https://");
    (web || template_scheme && lower.starts_with("mailto:")).then_some(address)
}

/// Splits running text; addresses are separate if `linked` says that they become links.
pub(super) fn runs(text: &str, linked: bool) -> Vec<Run> {
    let chars: Vec<(char, Origin)> = escape::unescape(text).collect();
    let mut runs = Runs::default();
    let mut at = 0;
    while at < chars.len() {
        let (c, origin) = chars[at];
        let Some((address, end)) = linked.then(|| address(&chars, at)).flatten() else {
            runs.character(c, origin);
            at += 1;
            continue;
        };
        match origin {
            Origin::Value(value) if chars[at..end].iter().all(|(_, of)| *of == origin) => {
                runs.part(value, Part::Address(address));
            }
            _ => runs.address(address),
        }
        at = end;
    }
    runs.done
}

#[derive(Default)]
struct Runs {
    done: Vec<Run>,
    /// The number of the value at the end.
    value: Option<usize>,
}

impl Runs {
    fn character(&mut self, c: char, origin: Origin) {
        let (Origin::Value(value) | Origin::Link(value)) = origin else {
            self.value = None;
            return match self.done.last_mut() {
                Some(Run::Words(words)) => words.push(c),
                _ => self.done.push(Run::Words(c.into())),
            };
        };
        match self.done.last_mut() {
            Some(Run::Value(parts)) if self.value == Some(value) => match parts.last_mut() {
                Some(Part::Words(words)) => words.push(c),
                _ => parts.push(Part::Words(c.into())),
            },
            _ => self.part(value, Part::Words(c.into())),
        }
    }

    fn part(&mut self, value: usize, part: Part) {
        match self.done.last_mut() {
            Some(Run::Value(parts)) if self.value == Some(value) => parts.push(part),
            _ => self.done.push(Run::Value(vec![part])),
        }
        self.value = Some(value);
    }

    fn address(&mut self, address: String) {
        self.done.push(Run::Address(address));
        self.value = None;
    }
}

/// The address that begins at `at`, and where it ends.
fn address(chars: &[(char, Origin)], at: usize) -> Option<(String, usize)> {
    let (_, origin) = chars[at];
    let before = at.checked_sub(1).map(|before| chars[before]);
    if before.is_some_and(|(c, of)| of == origin && c.is_alphanumeric()) {
        return None;
    }
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        let mut written = chars[at..].iter();
        scheme.chars().all(|c| {
            written.next().is_some_and(|(written, of)| *of == origin && written.eq_ignore_ascii_case(&c))
        })
    })?;
    let begin = at + scheme.len();
    let begins_value = origin != Origin::Template && before.is_none_or(|(_, of)| of != origin);
    let mut end = begin;
    // Where a value ends that is a complete address: nothing in it is taken for the sentence's punctuation.
    let mut whole = begin;
    while end - at < CHARS_MAX && end < chars.len() && continues(chars, end, origin, begins_value) {
        end += 1;
    }
    if begins_value {
        let value_end =
            chars[begin..].iter().position(|(_, of)| *of != origin).map_or(chars.len(), |n| begin + n);
        if value_end <= end {
            whole = value_end;
        }
    }
    let mut open = 0_i64;
    for (c, _) in &chars[begin..end] {
        open += i64::from(matches!(c, '(' | '[')) - i64::from(matches!(c, ')' | ']'));
    }
    while end > whole {
        match chars[end - 1] {
            (')' | ']', Origin::Template) if open < 0 => open += 1,
            (')' | ']', of) if of == origin && open < 0 => open += 1,
            ('.' | ',' | ':' | ';' | '!' | '?' | '\'' | '*' | '_' | '~', of)
                if of == origin || of == Origin::Template => {}
            _ => break,
        }
        end -= 1;
    }
    let named = chars.get(begin).is_some_and(|(c, _)| c.is_alphanumeric() || *c == '[');
    if !named || end <= begin {
        return None;
    }
    let mut text = String::new();
    for (c, of) in &chars[at..end] {
        if *of == origin || *of == Origin::Template { text.push(*c) } else { push_part(&mut text, *c) }
    }
    Some((text, end))
}

/// Whether the character at `at` belongs to the address that began in `origin` and has reached this point.
fn continues(chars: &[(char, Origin)], at: usize, origin: Origin, begins_value: bool) -> bool {
    let ((c, of), (_, before)) = (chars[at], chars[at - 1]);
    let ends = |c: char| matches!(c, '<' | '>' | '"' | '`' | '|' | '\\' | '^' | '{' | '}');
    match of {
        // A value that is a complete address has ended, and the template continues.
        Origin::Template if before == origin && origin != of => {
            begins_value && matches!(c, '/' | '?' | '#' | '&' | '=')
        }
        _ if of == origin || of == Origin::Template => {
            c.is_alphanumeric() || c.is_ascii_graphic() && !ends(c)
        }
        // Another value is part of it, unless it directly follows a value that is an address itself.
        _ => origin == Origin::Template || before == Origin::Template || before == of,
    }
}

fn push_part(text: &mut String, c: char) {
    if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~') {
        text.push(c);
    } else {
        push_encoded(text, c);
    }
}

pub(super) fn push_encoded(text: &mut String, c: char) {
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        text.push_str(&format!("%{byte:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        escape::value(text)
    }

    fn addresses(text: &str) -> Vec<String> {
        let parts = |run: Run| match run {
            Run::Address(address) => vec![address],
            Run::Value(parts) => parts
                .into_iter()
                .filter_map(|part| if let Part::Address(address) = part { Some(address) } else { None })
                .collect(),
            Run::Words(_) => Vec::new(),
        };
        runs(text, true).into_iter().flat_map(parts).collect()
    }

    #[test]
    fn an_address_ends_where_the_sentence_goes_on() {
        for (text, wanted) in [
            ("see https://x.y/a_b*c?d=(e)&f=g.", "https://x.y/a_b*c?d=(e)&f=g"),
            ("(https://x.y/a)", "https://x.y/a"),
            ("HTTPS://x.y, and", "HTTPS://x.y"),
            ("<https://x.y/a>", "https://x.y/a"),
        ] {
            assert_eq!(addresses(text), [wanted], "{text}");
            assert_eq!(addresses(&value(text)), [wanted], "{text} as a value");
        }
        assert!(addresses("javascript://x xhttp://x http:// https:x ftp://x").is_empty());
    }

    #[test]
    fn a_value_that_is_an_address_is_one_as_a_whole() {
        let link = escape::link("https://x.y/_a*(b)_.");
        assert_eq!(addresses(&format!("({link}), and")), ["https://x.y/_a*(b)_."]);
        assert_eq!(addresses(&format!("{link}{}", value(" again"))), ["https://x.y/_a*(b)_."]);
        assert_eq!(addresses(&format!("{}/c", value("https://x.y"))), ["https://x.y/c"]);
    }

    #[test]
    fn a_value_is_a_part_of_the_templates_address() {
        let host = value("evil.example/?a=b c");
        assert_eq!(
            addresses(&format!("https://x.y/{host}/z ")),
            ["https://x.y/evil.example%2F%3Fa%3Db%20c/z"]
        );
        assert_eq!(
            of_link(&format!("https://x.y/{host}")).as_deref(),
            Some("https://x.y/evil.example%2F%3Fa%3Db%20c")
        );
        assert_eq!(of_link(&value("javascript:alert(1)")), None);
        assert_eq!(of_link(&format!("{}://x.y/", value("javascript"))), None);
        assert_eq!(of_link(&value("mailto:a@b")), None);
        assert_eq!(of_link("mailto:a@b").as_deref(), Some("mailto:a@b"));
        assert_eq!(
            of_link(&format!("{}:8080/{}", value("https://x.y"), value("?"))).as_deref(),
            Some("https://x.y:8080/%3F")
        );
    }
}
