//! Values as data: whatever a document says, it is not markup and notifies nobody.
use serde::Deserialize;

/// The markup in which a product reads its texts, and for which values are therefore escaped.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Escape {
    /// The product takes texts as they are.
    #[default]
    None,
    Markdown,
    Html,
    /// Slack's.
    Mrkdwn,
    /// Jira's and Confluence's.
    Wiki,
}

/// Invisible, and no part of any word or mark.
pub(crate) const ZERO_WIDTH: char = '\u{200B}';

/// Words that mention a whole room where Markdown is spoken.
const ROOMS: &[&str] = &["@everyone", "@here", "@channel", "@all"];

impl Escape {
    pub(crate) fn apply(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Html => html(text),
            Self::Mrkdwn => mrkdwn(text),
            Self::Markdown => broken(&markdown(text), ROOMS),
            Self::Wiki => wiki(text),
        }
    }
}

/// Puts a zero-width space after the first character of each of `words`, whatever their case. A word that begins with
/// `@` only counts at the start of a word: `ann@example.com` mentions nobody.
pub(crate) fn broken<T: AsRef<str>>(text: &str, words: &[T]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    for (at, c) in text.char_indices() {
        out.push(c);
        let begins = |word: &T| {
            let word = word.as_ref();
            let is_within = word.starts_with('@') && before.is_some_and(char::is_alphanumeric);
            !is_within && text[at..].get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        let is_broken = text[at + c.len_utf8()..].starts_with(ZERO_WIDTH);
        if !is_broken && words.iter().any(begins) {
            out.push(ZERO_WIDTH);
        }
        before = Some(c);
    }
    out
}

/// The same in HTML, whose tags stay as they are: an address in one is not read by anybody.
pub(crate) fn broken_html<T: AsRef<str>>(html: &str, words: &[T]) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((text, tag)) =
        rest.find('<').and_then(|open| Some((open, open + rest[open..].find('>')? + 1)))
    {
        out.push_str(&broken(&rest[..text], words));
        out.push_str(&rest[text..tag]);
        rest = &rest[tag..];
    }
    out + &broken(rest, words)
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Source: Slack, "Formatting text for app surfaces", escaping.
fn mrkdwn(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// With a backslash where CommonMark, or one of its relatives in chats, would read a mark.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for place in places(text) {
        let c = place.c;
        let is_mark = match c {
            '`' | '*' | '[' | ']' | '|' | '~' | '<' => true,
            '_' => !place.is_within_word(),
            '\\' => !place.next.is_some_and(char::is_alphanumeric),
            '&' => begins_entity(place.rest),
            '>' | '#' | '-' | '+' | '=' => place.line_start,
            '.' | ')' => place.after_digits && place.next.is_none_or(char::is_whitespace),
            _ => false,
        };
        if is_mark {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Source: Jira, "Text formatting notation help".
fn wiki(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for place in places(text) {
        // `h1. ` and `bq. ` are marks of a line of their own; there is no escape for a letter.
        if place.line_start && place.c.is_ascii_alphabetic() && begins_block(place.c, place.rest) {
            out.push(ZERO_WIDTH);
        }
        match place.c {
            '{' | '}' | '[' | ']' | '|' | '!' => out.push('\\'),
            '*' | '_' | '-' | '+' | '^' | '~' | '?' if !place.is_within_word() => out.push('\\'),
            '#' if place.line_start => out.push('\\'),
            // Two are a line break, and one before a mark would be its escape.
            '\\' if !place.next.is_some_and(char::is_alphanumeric) => {
                out.push_str("&#92;");
                continue;
            }
            _ => {}
        }
        out.push(place.c);
    }
    out
}

/// Whether what follows `&` makes it an entity.
fn begins_entity(rest: &str) -> bool {
    let name = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '#');
    name.len() < rest.len() && name.starts_with(';')
}

fn begins_block(first: char, rest: &str) -> bool {
    let mut word = first.to_ascii_lowercase().to_string();
    word.extend(rest.chars().take(2));
    word.starts_with("bq.") || word.starts_with('h') && word.ends_with('.') && word.len() == 3
}

/// A character of a text, with what is around it.
struct Place<'a> {
    c: char,
    before: Option<char>,
    next: Option<char>,
    rest: &'a str,
    /// Only white space, and marks that repeat, precede it on its line.
    line_start: bool,
    /// Only digits precede it on its line.
    after_digits: bool,
}

impl Place<'_> {
    fn is_within_word(&self) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        is_word(self.before) && is_word(self.next)
    }
}

fn places(text: &str) -> impl Iterator<Item = Place<'_>> {
    let (mut before, mut line_start, mut digits) = (None, true, 0);
    text.char_indices().map(move |(at, c)| {
        let rest = &text[at + c.len_utf8()..];
        let place =
            Place { c, before, next: rest.chars().next(), rest, line_start, after_digits: digits > 0 };
        match c {
            '\n' | '\r' => (line_start, digits) = (true, 0),
            c if c.is_ascii_digit() && (line_start || digits > 0) => {
                (line_start, digits) = (false, digits + 1)
            }
            c if c.is_whitespace() && line_start => {}
            '>' | '#' if line_start => {}
            _ => (line_start, digits) = (false, 0),
        }
        before = Some(c);
        place
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_notify_somebody_are_broken() {
        let words = ["@", "[code]"];
        assert_eq!(broken("@ann mails ann@example.com", &words), "@\u{200B}ann mails ann@example.com");
        assert_eq!(broken("x[CODE]<b>[/code]", &words), "x[\u{200B}CODE]<b>[/code]");
        assert_eq!(broken("äö@", &words), "äö@");
        assert_eq!(broken("<@Everyone>", ROOMS), "<@\u{200B}Everyone>");
        assert_eq!(broken("@\u{200B}ann", &words), "@\u{200B}ann");
        assert_eq!(broken("nothing", &[] as &[&str]), "nothing");
    }

    #[test]
    fn an_address_in_a_tag_stays_whole() {
        assert_eq!(
            broken_html("@a <a href=\"https://x.example/@b\">@c</a> &lt;@d&gt;", &["@"]),
            "@\u{200B}a <a href=\"https://x.example/@b\">@\u{200B}c</a> &lt;@\u{200B}d&gt;"
        );
    }

    #[test]
    fn html_is_text() {
        assert_eq!(Escape::Html.apply("<a href=\"'\">&amp;"), "&lt;a href=&quot;&#39;&quot;&gt;&amp;amp;");
    }

    #[test]
    fn marks_of_markdown_are_text() {
        let escaped = |text: &str| Escape::Markdown.apply(text);
        assert_eq!(escaped("[x](http://a.example)"), "\\[x\\](http://a.example)");
        assert_eq!(
            escaped("**b** _i_ ~~s~~ `c` ||x||"),
            "\\*\\*b\\*\\* \\_i\\_ \\~\\~s\\~\\~ \\`c\\` \\|\\|x\\|\\|"
        );
        assert_eq!(escaped("snake_case and C:\\new\\"), "snake_case and C:\\new\\\\");
        assert_eq!(
            escaped("# a\n## b\n> c\n- d\n1. e\n12) f"),
            "\\# a\n\\#\\# b\n\\> c\n\\- d\n1\\. e\n12\\) f"
        );
        assert_eq!(escaped("a # b > c - d 1. e"), "a # b > c - d 1. e");
        assert_eq!(escaped("<@&7> &lt; AT&T"), "\\<@&7> \\&lt; AT&T");
        assert_eq!(escaped("@here @ann"), "@\u{200B}here @ann");
    }

    #[test]
    fn marks_of_a_wiki_are_text() {
        let escaped = |text: &str| Escape::Wiki.apply(text);
        assert_eq!(escaped("{noformat} [~admin] !x.png!"), "\\{noformat\\} \\[\\~admin\\] \\!x.png\\!");
        assert_eq!(escaped("*b* -s- web-1 a_b ----"), "\\*b\\* \\-s\\- web-1 a_b \\-\\-\\-\\-");
        assert_eq!(escaped("h1. x\nbq. y\nhi. z"), "\u{200B}h1. x\n\u{200B}bq. y\n\u{200B}hi. z");
        assert_eq!(escaped("# x\n||a||"), "\\# x\n\\|\\|a\\|\\|");
        assert_eq!(escaped("C:\\new \\\\ \\{"), "C:\\new &#92;&#92; &#92;\\{");
    }
}
