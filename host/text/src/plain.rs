//! What people read if a text could not be rendered. It is made without a template and bounded by construction, so that
//! the host may make it anywhere.
use watchbell_contract::AlertText;

use super::markup::Piece;
use super::template::Subject;
use super::write::{Form, within};
use super::{Text, address, escape};

/// The maximum characters of a title and of a body, whatever the destination allows.
const CHARS_MAX: u32 = 16_000;
const SUMMARY_CHARS_MAX: usize = 2_000;
/// The maximum characters of a name, and of the reason.
const NAME_CHARS_MAX: usize = 400;
/// The maximum signals and episodes that are listed.
const MORE_MAX: usize = 1_000;
const LINK_CHARS_MAX: usize = 8_000;

pub(super) fn plain(subject: &Subject<'_>, wants: AlertText, why: &str) -> Text {
    let form = Form { format: wants.format, styles: wants.styles };
    let name = |text: &str| value(text, NAME_CHARS_MAX);
    let (rule, summary) = (name(subject.rule), value(subject.summary, SUMMARY_CHARS_MAX));
    let more = subject.count.saturating_sub(1);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    let owner = subject.owner.map(|owner| format!("{} · ", name(owner))).unwrap_or_default();
    let mut body = vec![
        text(&format!("{summary}{more}")),
        Piece::LineBreak,
        text(&format!("{owner}{} · {rule}", subject.severity.as_str())),
        Piece::BlockBreak,
        text(&format!("(the rule's text could not be rendered: {})", name(why))),
    ];
    // A part of it would lead elsewhere.
    if let Some(link) = subject.link.filter(|link| link.chars().nth(LINK_CHARS_MAX).is_none()) {
        body.extend([Piece::BlockBreak, text(&escape::link(&escape::clean(link)))]);
    }
    // Nobody else says what the message stands for. What is too long for the destination is cut, and says so.
    for line in subject.more.iter().take(MORE_MAX) {
        body.extend([Piece::LineBreak, text(&format!("- {}", value(line, NAME_CHARS_MAX)))]);
    }
    Text {
        title: within(&[text(&format!("{rule}: {summary}{more}"))], form, wants.title_max.min(CHARS_MAX)),
        body: within(&body, form, wants.body_max.min(CHARS_MAX)),
    }
}

fn text(source: &str) -> Piece {
    Piece::Text(address::runs(source, true))
}

/// On one line, cut to `max` characters.
fn value(text: &str, max: usize) -> String {
    let mut chars = text.chars();
    // Twice as many are read: invisible ones are left out.
    let begin: String = chars.by_ref().take(2 * max).collect();
    let words: String = escape::clean(&begin).split_whitespace().collect::<Vec<_>>().join(" ");
    let end = words.char_indices().nth(max).map(|(end, _)| end);
    let cut = end.is_some() || chars.next().is_some();
    let kept = &words[..end.unwrap_or(words.len())];
    escape::value(&if cut { format!("{kept}…") } else { kept.to_owned() })
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Cause, Severity, TextFormat, Timestamp};

    use super::*;

    const FORMATS: [TextFormat; 4] =
        [TextFormat::Plain, TextFormat::Markdown, TextFormat::Html, TextFormat::Mrkdwn];

    fn subject<'a>(rule: &'a str, summary: &'a str, link: Option<&'a str>) -> Subject<'a> {
        Subject {
            rule,
            owner: Some("sec"),
            environment: "default",
            severity: Severity::Critical,
            cause: Cause::Opened,
            person: None,
            labels: &[],
            at: Timestamp(0),
            since: Timestamp(0),
            value: None,
            threshold: None,
            summary,
            details: "{}",
            link,
            count: 3,
            more: &[],
        }
    }

    fn wants(format: TextFormat, max: u32) -> AlertText {
        AlertText { format, styles: true, title_max: max, body_max: max }
    }

    #[test]
    fn it_says_what_happened_and_why_its_text_is_missing() {
        let text = plain(
            &subject("logins", "2 failed *logins*\n<!channel>", Some("https://k.example/_a?b=(c)")),
            wants(TextFormat::Mrkdwn, 4_000),
            "it takes more than 100ms of CPU time",
        );
        let summary = "2 failed \u{200b}*\u{200b}logins\u{200b}*\u{200b} &lt;!channel&gt;";
        assert_eq!(text.title, format!("logins: {summary} (and 2 more)"));
        assert_eq!(
            text.body,
            format!(
                "{summary} (and 2 more)\nsec · critical · logins\n\n\
                 (the rule's text could not be rendered: it takes more than 100ms of CPU time)\n\n\
                 <https://k.example/_a?b=(c)>"
            )
        );
    }

    #[test]
    fn it_is_bounded_whatever_it_is_given() {
        let long = "*<\u{202e}&\n".repeat(1 << 20);
        let link = format!("https://k.example/{}", "(".repeat(1 << 20));
        for format in FORMATS {
            for max in [0, 1, 40, 3_000, u32::MAX] {
                let text = plain(&subject(&long, &long, Some(&link)), wants(format, max), &long);
                for text in [&text.title, &text.body] {
                    let most = usize::try_from(max.min(CHARS_MAX)).unwrap();
                    assert!(text.chars().count() <= most, "{format:?} {max} {}", text.chars().count());
                }
                assert!(
                    max < 3_000 || text.body.contains("could not be rendered"),
                    "{format:?} {}",
                    text.body
                );
            }
        }
    }
}
