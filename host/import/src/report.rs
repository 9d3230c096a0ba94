//! The report: what became of every option of every file, as text and as JSON.
use std::fmt;

use serde::Serialize;
use watchbell_manifest::Place;
use watchbell_outside::line;

/// The report of an import.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// By file.
    pub rules: Vec<RuleOutcome>,
    /// Files that are not part of the import, by path.
    pub passed: Vec<PassedOver>,
    /// By file, line and column: at least one for every option of every other file.
    pub options: Vec<OptionOutcome>,
    /// Variables to set where the host runs, by name: credentials are never written out.
    pub secrets: Vec<SecretNeeded>,
    /// Tokens of the environment, by name.
    pub tokens: Vec<TokenNeeded>,
    /// Notes on rules without an option to stand at, and on every rule.
    pub notes: Vec<String>,
}

/// A file that is a rule, or should have been.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleOutcome {
    /// Below the folder that was read.
    pub file: String,
    /// Its name in ElastAlert.
    pub name: String,
    /// The new rule and its file, relative to `--out`. `None`: it was not carried over.
    pub became: Option<Became>,
    /// Why it was not.
    pub faults: Vec<Fault>,
}

/// A file that is neither a rule, nor the configuration, nor imported by a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    pub file: String,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Became {
    pub rule: String,
    pub file: String,
}

/// What keeps a rule from being carried over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    #[serde(flatten)]
    pub place: Place,
    pub message: String,
    pub remedy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OptionOutcome {
    #[serde(flatten)]
    pub place: Place,
    pub option: String,
    pub fate: Fate,
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It means the same in the manifest.
    Carried,
    /// It is in the manifest, with a difference that `what` describes.
    Changed,
    /// It is not in the manifest, for the reason in `what`.
    Dropped,
    /// It prevents its rule from being carried over.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SecretNeeded {
    /// The environment variable that the manifest refers to.
    pub variable: String,
    /// What to set it to; never the secret itself.
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TokenNeeded {
    pub token: String,
    /// Whether `environments/default.yaml` has a value for it already.
    pub defined: bool,
    /// Where it comes from, as text.
    pub origin: String,
}

impl Report {
    /// Whether every rule was carried over.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.rules.iter().all(|rule| rule.became.is_some())
    }

    /// What to do after the files were written below `out`, with a command that works as it is.
    #[must_use]
    pub fn next_step(&self, out: &str) -> String {
        if self.rules.iter().all(|rule| rule.became.is_none()) {
            return "there is no rule to check".into();
        }
        let is_plain = out.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
        let quoted = if is_plain { out.to_string() } else { format!("'{}'", out.replace('\'', "'\\''")) };
        // Variables are set where the host runs.
        let secrets = if self.secrets.is_empty() { "" } else { " --no-secrets" };
        let command = format!("watchbell check{secrets} --rules {quoted}");
        match self.tokens.iter().any(|token| !token.defined) {
            true => {
                format!("next: give the tokens values in {out}/environments/default.yaml, then: {command}")
            }
            false => format!("next: {command}"),
        }
    }

    /// How many option outcomes have this fate.
    #[must_use]
    pub fn count(&self, fate: Fate) -> usize {
        self.options.iter().filter(|option| option.fate == fate).count()
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Carried => "carried",
            Self::Changed => "changed",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carried = self.rules.iter().filter(|rule| rule.became.is_some()).count();
        if !self.rules.is_empty() {
            writeln!(f, "{carried} of {} rules carried over", self.rules.len())?;
        }
        let of = |fate| self.count(fate);
        let (carried, changed) = (of(Fate::Carried), of(Fate::Changed));
        let (dropped, failed) = (of(Fate::Dropped), of(Fate::Failed));
        writeln!(f, "options: {carried} carried, {changed} changed, {dropped} dropped, {failed} failed")?;
        let mut files: Vec<&str> = self.options.iter().map(|option| &*option.place.file).collect();
        files.extend(self.rules.iter().map(|rule| rule.file.as_str()));
        files.sort_unstable();
        files.dedup();
        for file in files {
            self.file(file, f)?;
        }
        if !self.passed.is_empty() {
            writeln!(f, "\npassed over:")?;
            for passed in &self.passed {
                writeln!(f, "  {}: {}", line(&passed.file), line(&passed.why))?;
            }
        }
        if !self.secrets.is_empty() {
            writeln!(f, "\nvariables to set where the host runs:")?;
            for secret in &self.secrets {
                writeln!(f, "  {}: {}", line(&secret.variable), line(&secret.value))?;
            }
        }
        if !self.tokens.is_empty() {
            writeln!(f, "\ntokens of environments/default.yaml:")?;
            for token in &self.tokens {
                let state = if token.defined { "has a value" } else { "needs a value" };
                writeln!(f, "  {}: {state}; {}", line(&token.token), line(&token.origin))?;
            }
        }
        if !self.notes.is_empty() {
            writeln!(f, "\nnotes:")?;
            for note in &self.notes {
                writeln!(f, "  - {}", line(note))?;
            }
        }
        Ok(())
    }
}

impl Report {
    fn file(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let shown_file = line(file);
        match self.rules.iter().find(|rule| rule.file == file) {
            None => writeln!(f, "{shown_file}")?,
            Some(RuleOutcome { became: Some(became), .. }) => {
                writeln!(f, "{shown_file} -> {} (rule `{}`)", line(&became.file), line(&became.rule))?;
            }
            Some(rule) => {
                writeln!(f, "{shown_file}: not carried over")?;
                for fault in &rule.faults {
                    writeln!(f, "  error: {}: {}", line(&shown(&fault.place)), line(&fault.message))?;
                    writeln!(f, "  hint: {}", line(&fault.remedy))?;
                }
            }
        }
        for option in self.options.iter().filter(|option| &*option.place.file == file) {
            let at = shown(&option.place);
            let (at, name, what) = (line(&at), line(&option.option), line(&option.what));
            writeln!(f, "  {at}: {} {name}: {what}", option.fate)?;
        }
        Ok(())
    }
}

fn shown(place: &Place) -> String {
    match place.line {
        0 => place.file.to_string(),
        line => format!("{}:{line}:{}", place.file, place.column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_a_command_that_works() {
        let became = Some(Became { rule: "a".into(), file: "a.yaml".into() });
        let rule = RuleOutcome { file: "a.yaml".into(), name: "a".into(), became, faults: Vec::new() };
        let mut report = Report::default();
        assert_eq!(report.next_step("rules"), "there is no rule to check");
        report.rules.push(rule);
        assert_eq!(report.next_step("rules"), "next: watchbell check --rules rules");
        report.secrets.push(SecretNeeded { variable: "A".into(), value: "the value of `a`".into() });
        assert_eq!(report.next_step("my rules"), "next: watchbell check --no-secrets --rules 'my rules'");
        report.tokens.push(TokenNeeded {
            token: "T".into(),
            defined: false,
            origin: "used in a.yaml".into(),
        });
        assert_eq!(
            report.next_step("rules"),
            "next: give the tokens values in rules/environments/default.yaml, then: \
             watchbell check --no-secrets --rules rules"
        );
    }
}
