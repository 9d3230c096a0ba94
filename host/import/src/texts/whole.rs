//! What ElastAlert adds below a text: the rule's own words, and the document or what `include` names of it.
use super::{Dialect, Markup, Term, Terms, Writer};
use crate::options::Options;

/// Every field of the newest document. A message may leave before its document has arrived.
const DOCUMENT: &str = "\
{% for field, value in document | default({}) | dictsort %}
- {{ field }}: {{ value }}
{%- endfor %}
";

/// The other events of a message. They are added to a text by itself, except to one that says how many there are.
pub(super) const OTHERS: &str = "\n\n{% for line in more %}\n- {{ line }}\n{%- endfor %}\n";

/// The rest of the body. `has_text`: whether there is one before it.
pub(super) fn below(options: &Options, terms: &mut Terms, has_text: bool) -> Option<String> {
    if !terms.has_document() {
        return has_text.then(|| "{{ summary }}\n".into());
    }
    let summary = if terms.kind == "any" { "" } else { "{{ summary }}\n\n" };
    let names = named(terms);
    if names.is_empty() {
        // Without a text, the standard one has the summary and the document.
        return has_text.then(|| format!("{summary}{DOCUMENT}"));
    }
    let mut lines = String::new();
    for name in names {
        // A field's name stands for itself, unlike the dash before it.
        let mut writer = Writer::body(Markup::Plain);
        writer.text(&format!("{name}: "));
        match terms.term(options, &name, Dialect::Message) {
            Term::Constant(text) => writer.text(&text),
            Term::Told(expression) | Term::Untold(expression) => writer.expression(&expression),
        }
        lines.push_str(&format!("- {}\n", writer.end()));
    }
    terms.untold.clear();
    terms.differing.clear();
    Some(format!("{summary}{lines}"))
}

/// The fields of `include`, if it names some.
fn named(terms: &Terms) -> Vec<String> {
    let is_name = |name: &&String| !name.contains('*') && **name != terms.time_field;
    let names: Vec<String> = terms.include.iter().filter(is_name).cloned().collect();
    if names.len() == terms.include.iter().filter(|name| **name != terms.time_field).count() {
        names
    } else {
        Vec::new()
    }
}

pub(super) fn told(options: &mut Options, terms: &Terms, has_body: bool) {
    if !terms.has_document() {
        options.dropped("include", "a match of this type has no document, in ElastAlert either");
    } else if !named(terms).is_empty() {
        options.carried("include", "the fields that the body lists");
    } else if has_body {
        options.carried("include", "the body lists every field of the document");
    } else {
        options.changed("include", "the standard text shows the document's first twelve fields");
    }
}
