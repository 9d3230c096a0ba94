use watchbell_contract::AlertText;
use watchbell_text::{Subject, Text};

pub(crate) fn render(title: &str, body: &str, subject: &Subject<'_>, wants: AlertText) -> Text {
    watchbell_text::render(title, body, subject, wants).text
}
