//! The one writer of the program: whatever a command prints goes through here, so that nothing which others wrote
//! reaches a terminal or the log of a CI as anything but text.
//!
//! - Characters that move a cursor, change colors or turn the direction of writing are shown as escapes.
//! - A line that a CI would take for a command, as `::error::` or `##[group]`, is shown so that it is none.
//! - What must be one line is one: values of others pass through [`plain`] before they become part of a line.
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use watchbell_outside as outside;

/// Of words of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Green,
    Yellow,
    Bold,
}

/// `text` in a color, where the writer's stream is a terminal and colors are not turned off.
///
/// Colors are noncharacters until they are written: an escape in the text of others can never be mistaken for one.
pub(crate) fn paint(text: &str, colour: Colour) -> String {
    format!("{}{text}{RESET}", colour.mark())
}

/// Text from a plugin, a document, a file or a receiver, as part of one line.
pub(crate) fn plain(text: &str) -> String {
    outside::line(text).into_owned()
}

/// A message of several lines in which others have a say. Its lines after the first are set in, so that none of them
/// looks like a message of its own; hints are ours.
pub(crate) fn block(text: &str) -> String {
    let mut lines = text.lines();
    let mut shown = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let is_set_in = line.is_empty() || line.starts_with("  ") || line.starts_with("hint: ");
        shown.push_str(if is_set_in { "\n" } else { "\n  " });
        shown.push_str(line);
    }
    shown
}

const RESET: char = '\u{fdd0}';

impl Colour {
    const ALL: [Self; 4] = [Self::Red, Self::Green, Self::Yellow, Self::Bold];

    fn mark(self) -> char {
        match self {
            Self::Red => '\u{fdd1}',
            Self::Green => '\u{fdd2}',
            Self::Yellow => '\u{fdd3}',
            Self::Bold => '\u{fdd4}',
        }
    }

    fn sequence(self) -> &'static str {
        match self {
            Self::Red => "\x1b[1;31m",
            Self::Green => "\x1b[32m",
            Self::Yellow => "\x1b[33m",
            Self::Bold => "\x1b[1m",
        }
    }
}

/// Standard output or standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    stream: Stream,
    is_terminal: bool,
    has_colours: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Out,
    Error,
}

impl Terminal {
    /// Standard output: what a command was asked for.
    pub(crate) fn out() -> Self {
        Self::of(Stream::Out, io::stdout().is_terminal())
    }

    /// Standard error: what a command says beside it.
    pub(crate) fn error() -> Self {
        Self::of(Stream::Error, io::stderr().is_terminal())
    }

    fn of(stream: Stream, is_terminal: bool) -> Self {
        let has_colours = is_terminal && std::env::var_os("NO_COLOR").is_none();
        Self { stream, is_terminal, has_colours }
    }

    pub(crate) fn is_terminal(self) -> bool {
        self.is_terminal
    }

    pub(crate) fn has_colours(self) -> bool {
        self.has_colours
    }

    /// Lines of text.
    pub(crate) fn print(self, text: &str) -> io::Result<()> {
        self.write(&(shown(text.trim_end_matches('\n'), self.has_colours) + "\n"))
    }

    /// A value as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        self.write(&(safe_json(&text).into_owned() + "\n"))
    }

    /// What the program itself wrote, to the letter.
    pub(crate) fn verbatim(self, text: &[u8]) -> io::Result<()> {
        self.write_bytes(text)
    }

    /// A line that the next one replaces; nothing where nobody would see it move.
    pub(crate) fn progress(self, line: &str) {
        if self.is_terminal {
            // Progress that is not seen is not missed.
            let _ = self.write(&format!("\r\x1b[K{}", shown(&outside::line(line), false)));
        }
    }

    /// Removes it.
    pub(crate) fn clear(self) {
        self.progress("");
    }

    fn write(self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    /// Text of others that has to arrive: lines, each with its control characters shown.
    ///
    /// # Errors
    /// Also where nobody reads any more.
    pub(crate) fn deliver(self, text: &str) -> io::Result<()> {
        self.write_all((shown(text, false) + "\n").as_bytes())
    }

    /// The same for one line of JSON.
    pub(crate) fn deliver_json(self, text: &str) -> io::Result<()> {
        self.write_all((safe_json(text).into_owned() + "\n").as_bytes())
    }

    /// A closed pipe (`| head`) is not an error.
    fn write_bytes(self, bytes: &[u8]) -> io::Result<()> {
        match self.write_all(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    fn write_all(self, bytes: &[u8]) -> io::Result<()> {
        match self.stream {
            Stream::Out => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Stream::Error => io::stderr().lock().write_all(bytes),
        }
    }
}

/// Where log lines go: each call writes one event, whose formatter ends it with the only line break.
pub(crate) struct LogLines {
    pub(crate) json: bool,
}

impl Write for LogLines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let line = if self.json { safe_json(text).into_owned() } else { log_line(text) };
        Terminal::error().write(&(line + "\n"))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as one line. Its formatter has escaped ESC in all values, so that what is left of it are colors.
fn log_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        shown.push_str(&outside::line(&rest[..at]));
        rest = &rest[at..];
        let colour = rest.strip_prefix("\x1b[").and_then(|rest| {
            let end = rest.find(|char: char| !char.is_ascii_digit() && char != ';')?;
            rest[end..].starts_with('m').then_some(end + "\x1b[m".len())
        });
        let end = colour.unwrap_or(1);
        match colour {
            Some(_) => shown.push_str(&rest[..end]),
            None => shown.push_str(&outside::line(&rest[..end])),
        }
        rest = &rest[end..];
    }
    shown.push_str(&outside::line(rest));
    no_commands(&shown).into_owned()
}

fn shown(text: &str, has_colours: bool) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    let marks = |char: char| char == RESET || Colour::ALL.iter().any(|colour| colour.mark() == char);
    let mut rest = text;
    while let Some(at) = rest.find(marks) {
        shown.push_str(&outside::lines(&rest[..at]));
        let mark = rest[at..].chars().next().unwrap_or(RESET);
        if has_colours {
            let colour = Colour::ALL.into_iter().find(|colour| colour.mark() == mark);
            shown.push_str(colour.map_or("\x1b[0m", Colour::sequence));
        }
        rest = &rest[at + mark.len_utf8()..];
    }
    shown.push_str(&outside::lines(rest));
    no_commands(&shown).into_owned()
}

/// What the runners of GitHub, Azure and TeamCity look for: the first at the beginning of a line alone, blanks aside.
const AT_START: &str = "::";
const ANYWHERE: [&str; 3] = ["##[", "##vso[", "##teamcity["];

fn no_commands(text: &str) -> Cow<'_, str> {
    let at_start = text.lines().any(|line| line.trim_start().starts_with(AT_START));
    if !at_start && !ANYWHERE.iter().any(|command| text.contains(command)) {
        return Cow::Borrowed(text);
    }
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let blanks = line.len() - line.trim_start().len();
        let mut line = match line[blanks..].strip_prefix(AT_START) {
            Some(rest) => format!("{}\\u{{3a}}:{rest}", &line[..blanks]),
            None => line.to_owned(),
        };
        for command in ANYWHERE {
            line = line.replace(command, &format!("\\u{{23}}{}", &command[1..]));
        }
        lines.push(line);
    }
    Cow::Owned(lines.join("\n"))
}

/// JSON that no terminal and no runner of a CI acts on: the same value, with more of it escaped.
fn safe_json(text: &str) -> Cow<'_, str> {
    let text = outside::json(text);
    // Outside of strings JSON has neither `#` nor two colons.
    match ANYWHERE.iter().any(|command| text.contains(command)) {
        true => Cow::Owned(ANYWHERE.iter().fold(text.into_owned(), |text, command| {
            text.replace(command, &format!("\\u0023{}", &command[1..]))
        })),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_moves_no_cursor() {
        assert_eq!(plain("a\x1b[2Jb\u{9b}c\nd"), r"a\u{1b}[2Jb\u{9b}c\nd");
        let text = format!("{} a\x1b[31mb\u{202e}\n\tc\r", paint("ok:", Colour::Green));
        assert_eq!(shown(&text, false), "ok: a\\u{1b}[31mb\\u{202e}\n\tc\\r");
        assert_eq!(shown(&text, true), "\x1b[32mok:\x1b[0m a\\u{1b}[31mb\\u{202e}\n\tc\\r");
        // Marks of our own are nobody else's.
        assert_eq!(plain("\u{fdd2}ok:\u{fdd0}"), r"\u{fdd2}ok:\u{fdd0}");
    }

    #[test]
    fn nothing_is_a_command_to_a_runner() {
        for (text, expected) in [
            ("a\n::error::x", "a\n\\u{3a}:error::x"),
            ("\t ::stop-commands::x\nb", "\t \\u{3a}:stop-commands::x\nb"),
            ("a ##[group]b ##vso[task.x]", "a \\u{23}#[group]b \\u{23}#vso[task.x]"),
            ("std::fs is no command, ## neither", "std::fs is no command, ## neither"),
        ] {
            assert_eq!(shown(text, false), expected);
        }
        let value = serde_json::json!({ "a": "##[group]\u{9b}\u{202e}\n::error::" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let written = safe_json(&text);
        assert!(!written.contains("##[") && !written.contains('\u{9b}'), "{written}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
    }

    #[test]
    fn an_event_is_one_line_with_the_colors_of_its_formatter() {
        assert_eq!(
            log_line("\x1b[2mt\x1b[0m said\nFORGED\x1b]0;x"),
            "\x1b[2mt\x1b[0m said\\nFORGED\\u{1b}]0;x"
        );
        assert_eq!(log_line("\x1b[1;31"), r"\u{1b}[1;31");
    }

    #[test]
    fn lines_of_a_message_are_set_in() {
        assert_eq!(block("no: a\nerror: b\n  c\n\nhint: d"), "no: a\n  error: b\n  c\n\nhint: d");
    }
}
