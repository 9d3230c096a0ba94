//! What is wrong, where, and what to do.
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use watchbell_outside::line;

use crate::limits::DIAGNOSTICS_MAX;

/// All errors and warnings, sorted by file and line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Report {
    pub diagnostics: Vec<Diagnostic>,
    /// Errors beyond the limit, counted but not shown.
    pub more: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    #[serde(flatten)]
    pub place: Place,
    pub level: Level,
    pub message: String,
    /// Additional information, one line each.
    pub notes: Vec<String>,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warning,
}

/// A position in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    #[serde(serialize_with = "as_text")]
    pub file: Arc<str>,
    /// From 1; 0: the file as a whole.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

fn as_text<S: serde::Serializer>(file: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(file)
}

impl Place {
    pub(crate) fn file(file: &str) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }

    /// `file:line`, for notes.
    pub(crate) fn short(&self) -> String {
        if self.line == 0 { self.file.to_string() } else { format!("{}:{}", self.file, self.line) }
    }
}

/// The position of a text that a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPlace {
    pub(crate) value: Place,
    /// Whether the file holds the text's lines as they are.
    pub(crate) is_literal: bool,
    /// The empty lines at the start: the parser reports the first line of a block that is not empty.
    pub(crate) empty: u32,
}

impl TextPlace {
    /// The position of a line and a column within the text, both from 1; that of the text if its lines are not those of
    /// the file.
    pub fn at(&self, line: u32, column: u32) -> Place {
        let mut place = self.value.clone();
        if self.is_literal {
            place.line += line.saturating_sub(1 + self.empty);
            place.column += column.saturating_sub(1);
        }
        place
    }
}

impl Diagnostic {
    pub(crate) fn error(place: &Place, message: impl Into<String>) -> Self {
        Self {
            place: place.clone(),
            level: Level::Error,
            message: message.into(),
            notes: Vec::new(),
            hint: None,
        }
    }

    pub(crate) fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(place, message) }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// On one line: it may name what others wrote.
    pub(crate) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(line(hint.as_ref()).into_owned());
        self
    }

    /// A hint of our own words, which may have several lines.
    pub(crate) fn example(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.map(|hint| line(&hint).into_owned()).or(self.hint);
        self
    }
}

impl Report {
    pub(crate) fn new(mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort();
        diagnostics.dedup();
        let more = diagnostics.len().saturating_sub(DIAGNOSTICS_MAX);
        diagnostics.truncate(DIAGNOSTICS_MAX);
        Self { diagnostics, more }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        // Names of files, keys and values are what others wrote.
        write!(f, "{level}: {}: {}", line(&self.place.to_string()), line(&self.message))?;
        for note in &self.notes {
            write!(f, "\n  {}", line(note))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// With a blank line between two errors.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        if self.more > 0 {
            write!(f, "\n\nand {} more", self.more)?;
        }
        Ok(())
    }
}

/// The work of one search for a name, in letters of one name times letters of the other: what comparing takes in time
/// and memory. A file of names without end would otherwise take hours to be told that none of them exists.
const LETTER_PAIRS_MAX: usize = 1 << 18;

/// The candidate that `typed` most likely meant, if any: for every "did you mean".
///
/// It is at most one edit away, and one more for every four letters of the longer name: a long name may hold several
/// slips, and a short one is not taken for another. Or it begins with `typed`, of three letters at least. Some 600
/// names of 20 letters are compared; further ones are not.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = typed.chars().count();
    let mut pairs_left = LETTER_PAIRS_MAX;
    let mut best = None;
    for candidate in candidates {
        let of_candidate = candidate.chars().count();
        // What is left to type of a name that is begun; no two names are closer than this.
        let apart = letters.abs_diff(of_candidate);
        let edits_max = 1 + letters.max(of_candidate) / 4;
        let is_begun = letters >= 3 && candidate.starts_with(typed);
        let is_compared = !is_begun && apart <= edits_max;
        let pairs = if is_compared { letters.saturating_mul(of_candidate) } else { of_candidate };
        let Some(left) = pairs_left.checked_sub(pairs) else { break };
        pairs_left = left;
        let distance = if is_compared { strsim::damerau_levenshtein(typed, candidate) } else { apart };
        let found = (distance, apart);
        if (is_begun || distance <= edits_max) && best.is_none_or(|(known, _)| found < known) {
            best = Some((found, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Whether another hint may be shown: beyond a report's limit none is, and looking for it takes longest.
pub(crate) fn may_hint(faults: &[Diagnostic]) -> bool {
    faults.len() < DIAGNOSTICS_MAX
}

/// "did you mean `x`?", or the available names, or nothing.
pub(crate) fn suggest(typed: &str, candidates: &[&str]) -> Option<String> {
    if let Some(near) = nearest(typed, candidates.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match candidates {
        [] => None,
        some => Some(format!("available: {}", list(some.iter().take(20)))),
    }
}

/// `a`, `b`, `c`
pub(crate) fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_among_a_few_hundred() {
        assert_eq!(nearest("tiemframe", ["count", "timeframe"]), Some("timeframe"));
        assert_eq!(nearest("time", ["timeframe", "times"]), Some("times"));
        assert_eq!(nearest("to", ["total"]), None);
        let names: Vec<String> = (0..100_000).map(|n| format!("a-name-of-twenty-{n:04}")).collect();
        let names = || names.iter().map(String::as_str);
        assert_eq!(nearest("a-name-of-twenty-0300", names()), Some("a-name-of-twenty-0300"));
        assert_eq!(nearest("a-mane-of-twenty-0007", names()), Some("a-name-of-twenty-0007"));
        let long = ["x".repeat(1_000_000)];
        assert_eq!(nearest(&"y".repeat(1_000_000), long.iter().map(String::as_str)), None);
    }
}
