use watchbell_contract::AlertText;
use watchbell_text::{Macros, Subject, Text};

pub(crate) fn render(title: &str, body: &str, subject: &Subject<'_>, wants: AlertText) -> Text {
    render_with(&Macros::default(), title, body, subject, wants)
}

pub(crate) fn render_with(
    macros: &Macros,
    title: &str,
    body: &str,
    subject: &Subject<'_>,
    wants: AlertText,
) -> Text {
    watchbell_text::render(title, body, macros, subject, wants).text
}
