//! What people read: titles and bodies from a manifest's templates, in the format that a destination wants.
//!
//! A template is minijinja over Markdown with the few inline HTML tags that alerts use. Values pass through every stage
//! escaped, so that no stage takes them for markup (`escape`), and are written for the target format at the end
//! (`format`).
mod documents; // the documents behind a signal, in its details
mod standard; // the defaults where a manifest has no text
mod escape; // values, escaped so that minijinja and Markdown ignore them
mod names; // the names that a template uses
mod bounds; // what is too large or too nested to be parsed
mod macros; // macros in files, which templates import
mod wanted; // which documents a template shows
mod template; // minijinja, with the names available to a text
mod address; // addresses, in links and in running text
mod markup; // Markdown and inline HTML, parsed into pieces
mod format; // characters, styles and addresses in each format
mod write; // pieces, written within a limit
mod job; // one text to render, as it crosses threads and into the component
mod plain; // the text if it could not be rendered

pub use bounds::TEMPLATE_BYTES_MAX;
pub use documents::{DOCUMENTS, DOCUMENTS_ELSE, DOCUMENTS_NOTE};
pub use job::{Job, NotOfThisBuild, Part, PartFault, Rendered};
pub use macros::{IMPORTED_BYTES_MAX, Macros, check_macros};
pub use names::{Name, NameKind, names};
pub use standard::{BODY, TITLE};
pub use template::{Subject, TemplateFault, check_template};
pub use wanted::{DOCUMENTS_MAX, Wanted};

use serde::{Deserialize, Serialize};
use watchbell_contract::AlertText;

/// A title and a body, ready to be stored in an intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub title: String,
    pub body: String,
}

/// Renders both templates for a destination. An alert with a broken template still shows its summary.
/// `macros` are the files that the templates may import.
pub fn render(title: &str, body: &str, macros: &Macros, subject: &Subject<'_>, wants: AlertText) -> Rendered {
    // A message for several signals says so, unless the template already does.
    let grouped = |source: &str, more: &str| {
        let silent = subject.count > 1 && !template::mentions(source, macros, &["more", "count"]);
        if silent { format!("{source}{more}") } else { source.to_owned() }
    };
    let fill = |source: &str, max: u32| template::fill(source, macros, subject, max as usize + 1);
    let fallback = || escape::value(&escape::clean(&format!("{}: {}", subject.rule, subject.summary)));
    let (title, title_fault) = match fill(&grouped(title, standard::TITLE_MORE), wants.title_max) {
        Ok(text) if escape::unescape(&text).any(|(c, _)| !c.is_whitespace()) => (text, None),
        Ok(_) => (fallback(), None),
        Err(fault) => (fallback(), Some(fault)),
    };
    let (mut body, body_fault) = match fill(&grouped(body, standard::BODY_MORE), wants.body_max) {
        Ok(text) => (text, None),
        Err(fault) => (escape::value(&escape::clean(subject.summary)), Some(fault)),
    };
    let faults = [(Part::Title, title_fault), (Part::Body, body_fault)];
    let faults = faults.into_iter().filter_map(|(part, fault)| Some(PartFault { part, fault: fault? }));
    let faults: Vec<PartFault> = faults.collect();
    for PartFault { part, fault } in &faults {
        body.push_str("\n\n");
        let part = part.as_str();
        body.push_str(&escape::value(&format!("(the rule's {part} template failed: {fault})")));
    }
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let form = write::Form { format: wants.format, styles: wants.styles };
    let text = Text {
        title: write::within(&markup::read_line(&title), form, wants.title_max),
        body: write::within(&markup::read(&body), form, wants.body_max),
    };
    Rendered { text, faults }
}
