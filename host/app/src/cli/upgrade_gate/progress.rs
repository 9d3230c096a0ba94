//! Shows what it is waiting for, since when, and what changed last: one line on a terminal, otherwise a line per
//! change.
use watchbell_contract::{Duration, Timestamp};
use watchbell_gate::Progress;

use crate::cli::{Terminal, note, plain};

/// Without a terminal, how long to stay silent if nothing changes.
const QUIET_MAX: Duration = Duration::from_mins(1);
/// A command that ends within this time shows no progress.
const SILENT: Duration = Duration::from_secs(2);

pub(super) struct Teller {
    began: Timestamp,
    terminal: Terminal,
    /// The last line, and when it was written.
    last: Option<(String, Timestamp)>,
    open: bool,
    explained: usize,
}

impl Teller {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { began: now, terminal: Terminal::error(), last: None, open: false, explained: 0 }
    }

    pub(super) fn tell(&mut self, now: Timestamp, progress: &Progress) {
        if progress.waits_for.is_empty() || now.since(self.began) < SILENT {
            return;
        }
        let what = plain(&progress.waits_for.join("; "));
        let changed = match &progress.changed {
            Some((at, what)) => format!("; last change {} ago: {}", seconds(now.since(*at)), plain(what)),
            None => String::new(),
        };
        let since =
            progress.since.map_or_else(String::new, |since| format!(" (for {})", seconds(now.since(since))));
        let line = format!("{} waiting for: {what}{since}{changed}", seconds(now.since(self.began)));
        if self.terminal.is_terminal() {
            return self.rewrite(&line);
        }
        let news = format!("{what}{:?}", progress.changed);
        let is_old = self.last.as_ref().is_some_and(|(last, at)| *last == news && now.since(*at) < QUIET_MAX);
        if !is_old {
            note(&line);
            self.last = Some((news, now));
        }
    }

    pub(super) fn explained(&mut self, done: usize, of: usize) {
        // At least a thousandth between two lines.
        if self.terminal.is_terminal() && (done == of || done >= self.explained + of.div_ceil(1_000)) {
            self.explained = done;
            self.rewrite(&format!("{done} of {of} unassigned shards explained"));
        }
        if done == of {
            self.explained = 0;
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.end();
        note(text);
    }

    /// Clears the line for what follows.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            self.terminal.clear();
        }
    }

    fn rewrite(&mut self, line: &str) {
        self.terminal.progress(line);
        self.open = true;
    }
}

/// Rounded down to whole seconds.
pub(super) fn seconds(span: Duration) -> Duration {
    Duration::from_secs(span.millis() / 1_000)
}
