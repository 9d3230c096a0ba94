//! What people read: titles and bodies from a manifest's templates, in the format that a destination wants.
//!
//! A template is minijinja over Markdown with the few inline HTML tags that alerts use. Values pass through every
//! stage in a disguise that no stage takes for markup (`disguise`), and are escaped for the target at the end.
mod disguise; // values, made invisible to minijinja's and Markdown's syntax
mod template; // minijinja, with what a text may name
mod markup; // Markdown and inline HTML, read into pieces
mod write; // pieces, written as plain text, Markdown, HTML or mrkdwn

pub use template::{Subject, TemplateFault, check_template};

use watchbell_contract::AlertText;

/// A title and a body, ready to be stored in an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub title: String,
    pub body: String,
}

/// Renders both templates for a destination. Never fails: an alert with a broken template still says its summary.
pub fn render(title: &str, body: &str, subject: &Subject<'_>, wants: AlertText) -> Text {
    let line = |source: &str| template::fill(source, subject);
    let (title, title_fault) = match line(title) {
        Ok(text) if !text.trim().is_empty() => (text, None),
        Ok(_) => (disguise::value(&format!("{}: {}", subject.rule, subject.summary)), None),
        Err(fault) => (disguise::value(&format!("{}: {}", subject.rule, subject.summary)), Some(fault)),
    };
    let (body, body_fault) = match line(body) {
        Ok(text) => (text, None),
        Err(fault) => (disguise::value(subject.summary), Some(fault)),
    };
    let mut body = body;
    for (part, fault) in [("title", title_fault), ("body", body_fault)] {
        if let Some(fault) = fault {
            body.push_str("\n\n");
            body.push_str(&disguise::value(&format!("(the rule's {part} template failed: {fault})")));
        }
    }
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    Text {
        title: write::within(&markup::read_line(&title), wants.format, wants.title_max),
        body: write::within(&markup::read(&body), wants.format, wants.body_max),
    }
}
