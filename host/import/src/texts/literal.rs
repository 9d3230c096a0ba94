//! Literal text between the expressions of a template.

use super::dialect::Dialect;

/// Writes a template: literal text and expressions.
pub(crate) struct Writer {
    dialect: Dialect,
    out: String,
    /// Text that is not yet written: what follows decides how it ends.
    text: String,
}

impl Writer {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, out: String::new(), text: String::new() }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn expression(&mut self, expression: &str) {
        self.flush(true);
        self.out.push_str("{{ ");
        self.out.push_str(expression);
        self.out.push_str(" }}");
    }

    pub(crate) fn end(mut self) -> String {
        self.flush(false);
        self.out
    }

    fn flush(&mut self, before_expression: bool) {
        let text = std::mem::take(&mut self.text);
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            let last = after.is_empty() && before_expression;
            match c {
                '{' if after.starts_with(['{', '%', '#']) => {
                    let opened = &rest[..2];
                    self.out.push_str(&format!("{{{{ {} }}}}", quoted(opened)));
                    rest = &rest[2..];
                    continue;
                }
                '{' if last => self.out.push_str("{{ '{' }}"),
                // Text that only looks like a tag would vanish from the message.
                '<' if self.dialect == Dialect::Message && (last || is_unknown_tag(after)) => {
                    self.out.push_str("\\<")
                }
                c => self.out.push(c),
            }
            rest = after;
        }
    }
}

/// A text as a string of the template language.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

/// Whether `<` before `text` would begin a tag that alerts do not know.
fn is_unknown_tag(text: &str) -> bool {
    const TAGS: &[&str] = &[
        "a", "b", "strong", "i", "em", "s", "del", "strike", "code", "tt", "pre", "br", "li", "p", "div",
        "ul", "ol", "table", "tr", "h1", "h2", "h3", "h4", "hr",
    ];
    let name = text.strip_prefix('/').unwrap_or(text);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    // An address in angle brackets is a link.
    if name[end..].starts_with(':') {
        return false;
    }
    text.starts_with(['!', '?']) || end > 0 && !TAGS.contains(&name[..end].to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, expression: bool) -> String {
        let mut writer = Writer::new(Dialect::Message);
        writer.text(text);
        if expression {
            writer.expression("x");
        }
        writer.end()
    }

    #[test]
    fn braces_and_tags_stand_for_themselves() {
        assert_eq!(written("a {{b}} {% {", false), "a {{ '{{' }}b}} {{ '{%' }} {");
        assert_eq!(written("{", true), "{{ '{' }}{{ x }}");
        assert_eq!(written("on <", true), "on \\<{{ x }}");
        assert_eq!(
            written("<a href=\"x\">y</a> <web-1> <!here> a < b <http://x>", false),
            "<a href=\"x\">y</a> \\<web-1> \\<!here> a < b <http://x>"
        );
    }
}
