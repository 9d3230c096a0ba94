use watchbell_sdk::{Cause, Intent};

use crate::plain;

/// Bytes of a subject or a header, so that a line of a mail can hold it.
pub(crate) const LINE_BYTES_MAX: usize = 900;

/// The state, so that the list of mails says it, and the title.
pub(crate) fn of(prefix: &str, intent: &Intent) -> String {
    let title = plain::text(&intent.title);
    line(&format!("{prefix} {}{title}", lead(intent.cause)), LINE_BYTES_MAX)
}

fn lead(cause: Cause) -> &'static str {
    match cause {
        Cause::Opened | Cause::Event | Cause::Summary => "",
        Cause::Worse => "Worse: ",
        Cause::Repeat => "Still: ",
        Cause::Escalated => "Escalated: ",
        Cause::Acknowledged => "Acknowledged: ",
        Cause::Resolved => "Resolved: ",
        Cause::Was => "Was, and is over: ",
        Cause::Test => "Test: ",
    }
}

/// `text` as one line of at most `bytes_max` bytes.
pub(crate) fn line(text: &str, bytes_max: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let mut line = words.join(" ");
    if line.len() > bytes_max {
        let mut end = bytes_max - "…".len();
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_bounded() {
        assert_eq!(line(" a\r\nBcc: b\t c ", 100), "a Bcc: b c");
        assert_eq!(line(&"ä".repeat(10), 10), "äää…");
    }
}
