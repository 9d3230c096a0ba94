//! Text that stands for itself, between the expressions of a template.

use super::dialect::Dialect;
use super::markup::{self, Markup, hole, is_hole};

/// Writes a template: literal text and expressions.
pub(crate) struct Writer {
    form: Form,
    /// Literal text, with a private-use character for each expression.
    text: String,
    holes: Vec<String>,
}

#[derive(Clone, Copy)]
enum Form {
    Message {
        markup: Markup,
        is_title: bool,
    },
    /// A destination's request, in which nothing is markup.
    Webhook,
}

impl Writer {
    /// Of a message, its words are Markdown.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self::of(match dialect {
            Dialect::Message => Form::Message { markup: Markup::Markdown, is_title: false },
            Dialect::Webhook => Form::Webhook,
        })
    }

    /// A message's body, whose words are in the receivers' own markup.
    pub(super) fn body(markup: Markup) -> Self {
        Self::of(Form::Message { markup, is_title: false })
    }

    pub(super) fn title(markup: Markup) -> Self {
        Self::of(Form::Message { markup, is_title: true })
    }

    fn of(form: Form) -> Self {
        Self { form, text: String::new(), holes: Vec::new() }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.text.extend(text.chars().filter(|c| !is_hole(*c)));
    }

    pub(crate) fn expression(&mut self, expression: &str) {
        self.tag(format!("{{{{ {expression} }}}}"));
    }

    /// An expression or a statement with its braces.
    pub(super) fn tag(&mut self, written: String) {
        // Beyond the last number the text is cut off; no template of a permitted size has so many.
        if let Some(hole) = hole(self.holes.len()) {
            self.text.push(hole);
            self.holes.push(written);
        }
    }

    pub(crate) fn end(self) -> String {
        match self.form {
            Form::Message { markup, is_title } => markup::write(&self.text, &self.holes, markup, is_title),
            Form::Webhook => markup::verbatim(&self.text, &self.holes),
        }
    }
}

/// A text as a string of the template language.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(markup: Markup, parts: &[&str]) -> String {
        let mut writer = Writer::body(markup);
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                writer.expression("x");
            }
            writer.text(part);
        }
        writer.end()
    }

    #[test]
    fn braces_and_tags_stand_for_themselves() {
        let markdown = |parts: &[&str]| written(Markup::Markdown, parts);
        assert_eq!(markdown(&["a {{b}} {% {"]), "a {{ '{{' }}b}} {{ '{%' }} {");
        assert_eq!(markdown(&["{", ""]), "{{ '{' }}{{ x }}");
        assert_eq!(markdown(&["on <", ""]), "on \\<{{ x }}");
        assert_eq!(
            markdown(&["<a href=\"x\">y</a> <web-1> <!here> a < b <http://x>"]),
            "<a href=\"x\">y</a> \\<web-1> \\<!here> a < b <http://x>"
        );
        let mut webhook = Writer::new(Dialect::Webhook);
        webhook.text("{ *a* <b> {{ {");
        webhook.expression("x");
        assert_eq!(webhook.end(), "{ *a* <b> {{ '{{' }} {{ '{' }}{{ x }}");
    }

    #[test]
    fn links_of_slack_are_links_of_markdown() {
        for markup in [Markup::Slack, Markup::Markdown] {
            assert_eq!(
                written(markup, &["on <", "> or <", "|Show it>"]),
                "on \\<{{ x }}> or [Show it]({{ x }})"
            );
            assert_eq!(written(markup, &["<", "|", ">"]), "[{{ x }}]({{ x }})");
            assert_eq!(written(markup, &["<http://x|y> <!here> a < b"]), "[y](http://x) \\<!here> a < b");
        }
    }

    #[test]
    fn what_slack_shows_is_what_markdown_shows() {
        for (source, expected) in [
            ("*Disk full*", "**Disk full**"),
            ("*_x_* ~old~ _new_", "**_x_** ~~old~~ _new_"),
            ("Host:\n------\nx", "Host:\n\\------\nx"),
            ("# of files", "\\# of files"),
            ("- a\n* b\n+ c\n1. d\n> e", "\\- a\n\\* b\n\\+ c\n1\\. d\n\\> e"),
            ("    indented", "{{ '    ' }}indented"),
            ("  *a* _b_\n  _c_", "{{ '  ' }}**a** _b_\n{{ '  ' }}*c*"),
            ("*a *b* c*", "**a \\*b** c\\*"),
            ("a\n\n  \nb", "a\n\n  \nb"),
            ("5 * 3 a_b_c a*b *", "5 * 3 a_b_c a\\*b *"),
            ("[x](y) [z]", "[x\\](y) [z]"),
            ("<b>not bold</b>", "\\<b>not bold\\</b>"),
            ("`a*b` *c", "`a*b` \\*c"),
            ("```one\ntwo``` three", "```\none\ntwo\n```\nthree"),
            ("```*x*```", "```*x*```"),
            ("``` alone", "\\`\\`\\` alone"),
            ("C:\\*", "C:\\\\\\*"),
            ("@@_a_@@ _b_", "@@_a_@@ _b_"),
        ] {
            assert_eq!(written(Markup::Slack, &[source]), expected, "{source}");
        }
        assert_eq!(written(Markup::Slack, &["*", "* of *a", "b*"]), "**{{ x }}** of **a{{ x }}b**");
    }

    #[test]
    fn words_without_markup_have_none() {
        for (source, expected) in [
            ("*a* _b_ `c` ~d~", "\\*a\\* \\_b\\_ \\`c\\` \\~d\\~"),
            ("a_b &amp; &x", "a_b \\&amp; &x"),
            ("<http://x|y>", "<http://x|y>"),
        ] {
            assert_eq!(written(Markup::Plain, &[source]), expected, "{source}");
        }
    }

    #[test]
    fn a_title_is_one_line_of_words() {
        let mut title = Writer::title(Markup::Slack);
        title.text("# *disk_full* on ");
        title.expression("x");
        assert_eq!(title.end(), "# \\*disk_full\\* on {{ x }}");
    }
}
