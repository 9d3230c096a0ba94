use watchbell_sdk::Intent;

use crate::facts::Facts;

pub(crate) fn mail(intent: &Intent, facts: &Facts) -> String {
    let mut out = text(&intent.title);
    out.push_str("\n\n");
    let body = text(&intent.body);
    if !body.is_empty() {
        out.push_str(&body);
        out.push_str("\n\n");
    }
    if facts.is_repeat {
        out.push_str("This mail may be a repeat: whether an earlier one arrived is not known.\n\n");
    }
    for (what, link) in &facts.links {
        out.push_str(&format!("{what}:\n{link}\n\n"));
    }
    for (name, value) in &facts.rows {
        out.push_str(&format!("{name}: {value}\n"));
    }
    out
}

/// The text of the HTML that the host writes: tags without meaning for it are left out, and a link is followed by its
/// address.
pub(crate) fn text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    // Where a link's text begins in `out`, and its address.
    let mut link: Option<(usize, String)> = None;
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            let (character, after) = entity(rest);
            out.push(character);
            rest = after;
            continue;
        }
        let Some(end) = rest.find('>') else {
            // Not a tag: what is left is shown as it is.
            break;
        };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(address) = tag.strip_prefix("a href=\"").and_then(|tag| tag.strip_suffix('"')) {
            link = Some((out.len(), text(address)));
        } else if tag == "/a" {
            if let Some((from, address)) = link.take()
                && out.get(from..) != Some(address.as_str())
            {
                out.push_str(&format!(" ({address})"));
            }
        } else if tag == "br" && !rest.starts_with('\n') {
            out.push('\n');
        }
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// The character at the beginning of `text`, and what follows it.
fn entity(text: &str) -> (char, &str) {
    const NAMED: &[(&str, char)] =
        &[("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\''), ("&nbsp;", ' ')];
    for (name, character) in NAMED {
        if let Some(rest) = text.strip_prefix(name) {
            return (*character, rest);
        }
    }
    ('&', &text[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_left_out_and_entities_read() {
        assert_eq!(text("a <b>b</b> &amp;lt; <code>&lt;x&gt;</code><br>\nc<br>d"), "a b &lt; <x>\nc\nd");
        assert_eq!(text("&#39;&quot; & <"), "'\" & <");
    }

    #[test]
    fn a_link_keeps_its_address() {
        let link = "<a href=\"https://a.example/?a&amp;b\">there</a>, <a href=\"https://b.example\">https://b.example</a>";
        assert_eq!(text(link), "there (https://a.example/?a&b), https://b.example");
        assert_eq!(text("</a><a href=\"x\">y"), "y");
    }
}
