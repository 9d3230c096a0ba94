//! Conditions by which silences, maintenance windows and inhibitions choose episodes and events.
use std::fmt;

use thiserror::Error;
use watchbell_contract::{Label, Severity};

use crate::spec::RuleName;

/// One condition, such as `host.name=db-*`. Several are met together.
///
/// - The name is a label's, or `rule`, `owner` or `severity`. A label with one of these names is `labels.rule`.
/// - `=` demands the value, `!=` excludes it. In the value `*` stands for any characters, `\*` for an asterisk.
/// - What a rule or a signal does not have is the empty value: `owner=` matches rules without an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    of: Of,
    is_negated: bool,
    /// As written.
    pattern: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Of {
    Rule,
    Owner,
    Severity,
    Label(String),
}

/// What is matched.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub rule: &'a RuleName,
    pub owner: Option<&'a str>,
    pub severity: Severity,
    pub labels: &'a [Label],
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MatcherFault {
    #[error("`{text}` is not a condition: write `NAME=VALUE` or `NAME!=VALUE`, for example `host.name=db-*`")]
    Operator { text: String },
    #[error(
        "`{text}` names nothing before its `=`: write the name of a label, `rule`, `owner` or `severity`"
    )]
    Name { text: String },
    #[error("`{value}` is not a severity: write `info`, `warning` or `critical`")]
    Severity { value: String },
    #[error("a condition has at most {CHARS_MAX} characters")]
    Long,
}

/// How long a condition may be, in characters.
pub const CHARS_MAX: usize = 256;

/// How many characters of a value are looked at.
const VALUE_CHARS_MAX: usize = 1_024;

/// How many conditions a silence may have.
pub const MATCHERS_MAX: usize = 32;

impl Matcher {
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, MatcherFault> {
        if text.chars().count() > CHARS_MAX {
            return Err(MatcherFault::Long);
        }
        let (name, pattern) =
            text.split_once('=').ok_or_else(|| MatcherFault::Operator { text: text.to_owned() })?;
        let (name, is_negated) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
        let name = name.trim();
        if name.is_empty() {
            return Err(MatcherFault::Name { text: text.to_owned() });
        }
        let of = match name {
            "rule" => Of::Rule,
            "owner" => Of::Owner,
            "severity" => Of::Severity,
            name => Of::Label(name.strip_prefix("labels.").unwrap_or(name).to_owned()),
        };
        if of == Of::Severity {
            let all = [Severity::Info, Severity::Warning, Severity::Critical];
            if !all.iter().any(|severity| glob(pattern, severity.as_str())) {
                return Err(MatcherFault::Severity { value: pattern.to_owned() });
            }
        }
        Ok(Self { of, is_negated, pattern: pattern.to_owned() })
    }

    pub fn is_met(&self, subject: &Subject<'_>) -> bool {
        let value = match &self.of {
            Of::Rule => &subject.rule.0,
            Of::Owner => subject.owner.unwrap_or_default(),
            Of::Severity => subject.severity.as_str(),
            Of::Label(name) => label(subject.labels, name).unwrap_or_default(),
        };
        glob(&self.pattern, value) != self.is_negated
    }
}

/// Whether all conditions are met. Without any, nothing is chosen: an empty list is a mistake, not "everything".
pub fn all_met(matchers: &[Matcher], subject: &Subject<'_>) -> bool {
    !matchers.is_empty() && matchers.iter().all(|matcher| matcher.is_met(subject))
}

/// The value of a label; `None` if it is missing.
pub(crate) fn label<'a>(labels: &'a [Label], name: &str) -> Option<&'a str> {
    labels.iter().find(|label| label.name == name)?.value.as_deref()
}

/// Whether `text` is what `pattern` says. The time is at most the product of their lengths.
fn glob(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '\\']) {
        return pattern == text;
    }
    let tokens = tokens(pattern);
    let text: Vec<char> = text.chars().take(VALUE_CHARS_MAX).collect();
    // Where to go on if what follows the last `*` does not fit.
    let (mut at, mut token, mut star) = (0, 0, None);
    while at < text.len() {
        match tokens.get(token) {
            Some(None) => {
                star = Some((token, at));
                token += 1;
            }
            Some(Some(char)) if *char == text[at] => {
                at += 1;
                token += 1;
            }
            _ => {
                let Some((last, from)) = star else { return false };
                star = Some((last, from + 1));
                (token, at) = (last + 1, from + 1);
            }
        }
    }
    tokens[token..].iter().all(Option::is_none)
}

/// The pattern's characters; `None` stands for `*`.
fn tokens(pattern: &str) -> Vec<Option<char>> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '*' => tokens.push(None),
            '\\' => match chars.next_if(|next| matches!(next, '*' | '\\')) {
                Some(escaped) => tokens.push(Some(escaped)),
                None => tokens.push(Some('\\')),
            },
            char => tokens.push(Some(char)),
        }
    }
    tokens
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.of {
            Of::Rule => "rule",
            Of::Owner => "owner",
            Of::Severity => "severity",
            Of::Label(name) if matches!(name.as_str(), "rule" | "owner" | "severity") => {
                return write!(f, "labels.{name}{}{}", self.operator(), self.pattern);
            }
            Of::Label(name) if name.starts_with("labels.") => {
                return write!(f, "labels.{name}{}{}", self.operator(), self.pattern);
            }
            Of::Label(name) => name,
        };
        write!(f, "{name}{}{}", self.operator(), self.pattern)
    }
}

impl Matcher {
    fn operator(&self) -> &'static str {
        if self.is_negated { "!=" } else { "=" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(matcher: &str, owner: Option<&str>, labels: &[(&str, Option<&str>)]) -> bool {
        let labels: Vec<Label> = labels
            .iter()
            .map(|(name, value)| Label { name: (*name).into(), value: value.map(str::to_owned) })
            .collect();
        let rule = RuleName("failed-logins".into());
        let subject = Subject { rule: &rule, owner, severity: Severity::Warning, labels: &labels };
        Matcher::parse(matcher).unwrap().is_met(&subject)
    }

    #[test]
    fn a_condition_is_met_by_name_operator_and_pattern() {
        let host = [("host.name", Some("db-1")), ("rule", Some("own"))];
        for (matcher, is_met) in [
            ("host.name=db-1", true),
            ("host.name=db-*", true),
            ("host.name=*-1", true),
            ("host.name=*b*1*", true),
            ("host.name=db", false),
            ("host.name=DB-1", false),
            ("host.name=db-\\*", false),
            ("host.name!=db-*", false),
            ("host.name!=web-*", true),
            ("other=", true),
            ("other=*", true),
            ("other!=x", true),
            ("other=x", false),
            ("rule=failed-*", true),
            ("labels.rule=own", true),
            ("owner=", true),
            ("severity=warning", true),
            ("severity!=warning", false),
            ("severity=info", false),
        ] {
            assert_eq!(met(matcher, None, &host), is_met, "{matcher}");
        }
        assert!(met("owner=web-*", Some("web-team"), &[]));
        assert!(met("host.name=", None, &[("host.name", None)]), "a missing value is the empty one");
        assert!(met("a=x=y", None, &[("a", Some("x=y"))]));
        assert!(met("a=\\*\\", None, &[("a", Some("*\\"))]));
    }

    #[test]
    fn what_is_no_condition_is_refused_by_name() {
        for (text, expected) in [
            ("host.name", "`host.name` is not a condition"),
            ("=x", "`=x` names nothing"),
            ("!=x", "`!=x` names nothing"),
            ("severity=high", "`high` is not a severity"),
        ] {
            let fault = Matcher::parse(text).unwrap_err().to_string();
            assert!(fault.starts_with(expected), "{fault}");
        }
        assert_eq!(Matcher::parse(&"x".repeat(2_000)), Err(MatcherFault::Long));
    }

    #[test]
    fn a_condition_reads_back_as_written() {
        for text in ["rule=a", "labels.rule=a", "labels.labels.x=1", "host.name!=db-\\*", "severity=*"] {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!(matcher.to_string(), text);
            assert_eq!(Matcher::parse(&matcher.to_string()).unwrap(), matcher);
        }
    }

    #[test]
    fn no_condition_chooses_nothing() {
        let rule = RuleName("r".into());
        let subject = Subject { rule: &rule, owner: None, severity: Severity::Info, labels: &[] };
        assert!(!all_met(&[], &subject));
    }
}
