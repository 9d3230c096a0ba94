//! A template of a text, and what it is rendered from: the first line is a value, the rest the template.
use watchbell_contract::{AlertText, Cause, Label, Severity, TextFormat, Timestamp};
use watchbell_text::{Macros, Subject, check_macros, check_template, names, render};

/// A template, also as a file of macros, ends in a text within the destination's limits, whatever it and the values hold.
pub fn texts(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (value, template) = input.split_once('\n').unwrap_or((input, "{{ summary }} {{ labels.a }}"));
    let macros: Macros = [("m", template)].into_iter().collect();
    let _ = (check_template(template, &macros), check_macros("m", &macros));
    let _ = names(template);
    let labels = [Label { name: "a".into(), value: Some(value.into()) }];
    let details = serde_json::json!({ "v": value, "documents": [{ "v": value }] }).to_string();
    let subject = Subject {
        rule: "rule",
        owner: Some(value),
        environment: "default",
        severity: Severity::Warning,
        cause: Cause::Opened,
        person: Some(value),
        labels: &labels,
        at: Timestamp(0),
        since: Timestamp(i64::MAX),
        value: Some(1.5),
        threshold: None,
        summary: value,
        details: &details,
        link: Some("https://kibana.example.com/app/discover#/?_a=(query:'a*b')"),
        count: 2,
        more: &[value.to_owned()],
    };
    for format in [TextFormat::Plain, TextFormat::Markdown, TextFormat::Html, TextFormat::Mrkdwn] {
        let wants = AlertText { format, styles: true, title_max: 100, body_max: 500 };
        let rendered = render(template, template, &macros, &subject, wants);
        let lengths = (rendered.text.title.chars().count(), rendered.text.body.chars().count());
        assert!(lengths.0 <= 100 && lengths.1 <= 500, "{lengths:?}");
    }
}
