//! Texts without their markup, for those members of a request that take none.
use crate::escape::Escape;

/// A title or a body as plain text. `format`: what the host wrote it in.
pub(crate) fn plain(text: &str, format: Escape) -> String {
    match format {
        Escape::Html => from_html(text),
        Escape::Markdown => from_markdown(text),
        Escape::Mrkdwn => entities(text),
        Escape::None | Escape::Wiki => text.to_owned(),
    }
}

/// Of the HTML that the host writes: `<br>`, styles and links. A link is followed by its address.
fn from_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut link: Option<(String, usize)> = None;
    while let Some(open) = rest.find('<') {
        let Some(close) = rest[open..].find('>') else { break };
        out.push_str(&entities(&rest[..open]));
        let tag = &rest[open + 1..open + close];
        rest = &rest[open + close + 1..];
        if let Some(address) = tag.strip_prefix("a href=\"").and_then(|tag| tag.strip_suffix('"')) {
            link = Some((entities(address), out.len()));
        } else if tag == "/a"
            && let Some((address, from)) = link.take()
            && out[from..] != address
        {
            out.push_str(&format!(" ({address})"));
        } else if tag == "br" {
            out.push('\n');
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
    }
    out.push_str(&entities(rest));
    out
}

/// Without the backslashes before marks. Marks themselves stay: in a text that nobody renders they are legible.
fn from_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out.replace("  \n", "\n")
}

fn entities(text: &str) -> String {
    // `&amp;` last, so that its result is not decoded again.
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// On one line, without control characters.
pub(crate) fn line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// With a question mark for each character that ASCII lacks.
pub(crate) fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// A name of letters, digits and underscores, which does not begin with a digit.
pub(crate) fn identifier(text: &str) -> String {
    let mut name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// A UUID of the first 32 hexadecimal digits of an id, and of nothing else, so that each attempt has the same.
pub(crate) fn uuid(id: &str) -> String {
    let mut digits: Vec<char> =
        id.to_ascii_lowercase().chars().filter(char::is_ascii_hexdigit).take(32).collect();
    digits.resize(32, '0');
    // Version 8, whose content is the application's own, and the variant of RFC 9562.
    (digits[12], digits[16]) = ('8', 'a');
    let part = |range: std::ops::Range<usize>| digits[range].iter().collect::<String>();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// An address within Markdown's or HTML's link: what could end it is percent-encoded.
pub(crate) fn href(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '(' | ')' | '<' | '>' | '"' | '\'' | '|' | '\\' | '`' | '*' | '[' | ']' | '{' | '}' => {
                out.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c if c.is_whitespace() || c.is_control() => out.push_str("%20"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_what_it_says() {
        let html = "a &lt;b&gt;<br>\n<b>c</b> &amp;lt; <a href=\"https://x.example/?a=1&amp;b=2\">docs</a>";
        assert_eq!(plain(html, Escape::Html), "a <b>\nc &lt; docs (https://x.example/?a=1&b=2)");
        let same = "<a href=\"https://x.example/\">https://x.example/</a>";
        assert_eq!(plain(same, Escape::Html), "https://x.example/");
        assert_eq!(plain("no end <", Escape::Html), "no end <");
    }

    #[test]
    fn markdown_loses_its_backslashes() {
        assert_eq!(plain("\\[x\\] **b**  \nC:\\new \\\\", Escape::Markdown), "[x] **b**\nC:\\new \\");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(" a\r\nBcc: b\u{0}\tc "), "a Bcc: b c");
        assert_eq!(ascii("größe"), "gr??e");
    }

    #[test]
    fn a_name_is_one_that_prometheus_takes() {
        assert_eq!(identifier("host.name"), "host_name");
        assert_eq!(identifier("5xx-é"), "_5xx__");
        assert_eq!(identifier(""), "_");
    }

    #[test]
    fn an_id_is_a_uuid() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(uuid(id), "01234567-89ab-8def-a123-456789abcdef");
        assert_eq!(uuid("5F-2c"), "5f2c0000-0000-8000-a000-000000000000");
    }

    #[test]
    fn an_address_does_not_end_its_link() {
        assert_eq!(
            href("https://a.example/(x) \n?q=[1]&b='"),
            "https://a.example/%28x%29%20%20?q=%5B1%5D&b=%27"
        );
    }
}
