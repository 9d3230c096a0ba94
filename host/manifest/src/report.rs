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

/// The candidate that `typed` most likely meant, if any: for every "did you mean".
///
/// It is at most one edit away, and one more for every four letters of the longer name: a long name may hold several
/// slips, and a short one is not taken for another. Or it begins with `typed`, of three letters at least.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = typed.chars().count();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let of_candidate = candidate.chars().count();
            let distance = strsim::damerau_levenshtein(typed, candidate);
            let near = distance <= 1 + letters.max(of_candidate) / 4;
            let begun = letters >= 3 && candidate.starts_with(typed);
            (near || begun).then_some(((distance, letters.abs_diff(of_candidate)), candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
