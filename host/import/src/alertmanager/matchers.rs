//! Alertmanager's matchers as conditions: `host=db-*`.
use super::account::{entry, items};
use crate::node::{Data, Node};

/// Conditions that are met together.
pub(super) type Conditions = Vec<String>;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) is_negated: bool,
    pub(super) is_regex: bool,
    pub(super) value: String,
}

/// Lists of conditions that one set of matchers becomes.
const ALTERNATIVES_MAX: usize = 20;
const CHARS_MAX: usize = 256;
const SEVERITIES: [&str; 3] = ["info", "warning", "critical"];
/// Conditions that are met together.
const CONDITIONS_MAX: usize = 32;

/// The matchers of `node` in each form that Alertmanager has had: a list of texts, a map of values and one of
/// regular expressions.
pub(super) fn matchers(node: &Node, [list, values, regexes]: [&str; 3]) -> Result<Vec<Matcher>, String> {
    let mut found = Vec::new();
    for item in items(entry(node, list).map(|entry| &entry.value)) {
        let text = item.text().ok_or_else(|| format!("`{list}` has an item that is not a text"))?;
        for part in parts(&text) {
            found.push(read(&part).ok_or_else(|| format!("`{part}` is not a matcher"))?);
        }
    }
    for (key, is_regex) in [(values, false), (regexes, true)] {
        let Some(all) = entry(node, key) else { continue };
        if !matches!(all.value.data, Data::Map(_) | Data::Null) {
            return Err(format!("`{key}` is not a map"));
        }
        for entry in all.value.entries() {
            let value = match &entry.value.data {
                // As Alertmanager reads it: the label is empty or absent.
                Data::Null => String::new(),
                _ => entry.value.text().ok_or_else(|| format!("`{}` is not a text", entry.key))?,
            };
            found.push(Matcher { label: entry.key.clone(), is_negated: false, is_regex, value });
        }
    }
    Ok(found)
}

/// `{a="b", c=~"d"}` is a list as well.
fn parts(text: &str) -> Vec<String> {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let (mut parts, mut part, mut is_quoted, mut is_escaped) = (Vec::new(), String::new(), false, false);
    for c in inner.unwrap_or(text).chars() {
        match c {
            ',' if !is_quoted => parts.push(std::mem::take(&mut part)),
            c => {
                is_quoted ^= c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                part.push(c);
            }
        }
    }
    parts.push(part);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn read(text: &str) -> Option<Matcher> {
    let at = text.find(['=', '!'])?;
    let (label, rest) = text.split_at(at);
    let (operator, is_negated, is_regex) =
        [("=~", false, true), ("!~", true, true), ("!=", true, false), ("=", false, false)]
            .into_iter()
            .find(|(operator, ..)| rest.starts_with(operator))?;
    let value = rest[operator.len()..].trim();
    let value = match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(value) => value.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_string(),
    };
    let label = label.trim().trim_matches('"').to_string();
    (!label.is_empty()).then_some(Matcher { label, is_negated, is_regex, value })
}

/// Lists of conditions, of which one must be met; or why there are none.
pub(super) fn conditions(matchers: &[Matcher]) -> Result<Vec<Conditions>, String> {
    let mut all: Vec<Conditions> = vec![Vec::new()];
    for matcher in matchers {
        let name = match matcher.label.as_str() {
            "alertname" => "rule".to_string(),
            // These are the host's own; a label of such a name is another thing.
            "rule" | "owner" => format!("labels.{}", matcher.label),
            label => label.to_string(),
        };
        let mut patterns = patterns(matcher)?;
        if name == "severity" && matcher.is_negated {
            // What no rule has excludes nothing, and an environment is refused that names it.
            let is_excluded = |severity: &&str| patterns.iter().any(|pattern| matches(pattern, severity));
            patterns = SEVERITIES.into_iter().filter(is_excluded).map(String::from).collect();
        }
        if name == "severity" && !matcher.is_negated {
            for pattern in &patterns {
                if pattern != "*" && !SEVERITIES.contains(&pattern.as_str()) {
                    return Err(format!(
                        "no rule has the severity `{pattern}`: there are info, warning and critical"
                    ));
                }
            }
        }
        let operator = if matcher.is_negated { "!=" } else { "=" };
        let made: Vec<String> = patterns.iter().map(|pattern| format!("{name}{operator}{pattern}")).collect();
        if made.iter().any(|condition| condition.chars().count() > CHARS_MAX) {
            return Err(format!("a condition has at most {CHARS_MAX} characters"));
        }
        if name.contains(['=', '!']) || name.trim().is_empty() {
            return Err(format!("`{name}` cannot be the name of a label here"));
        }
        if matcher.is_negated {
            // None of the alternatives: all of the conditions.
            all.iter_mut().for_each(|list| list.extend(made.iter().cloned()));
            continue;
        }
        let with = |list: &Conditions| {
            made.iter()
                .map(|condition| [list.as_slice(), std::slice::from_ref(condition)].concat())
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
        if all.len() > ALTERNATIVES_MAX {
            return Err(format!("more than {ALTERNATIVES_MAX} alternatives"));
        }
    }
    if all.iter().any(|list| list.len() > CONDITIONS_MAX) {
        return Err(format!("more than {CONDITIONS_MAX} conditions"));
    }
    if !matchers.is_empty() {
        // Nothing is excluded.
        all.iter_mut().filter(|list| list.is_empty()).for_each(|list| list.push("rule=*".into()));
    }
    Ok(all)
}

/// Whether a pattern, in which `*` stands for any characters, is of all of a text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            // Several in a row are one; otherwise there would be too many ways to divide a text.
            let rest = rest.trim_start_matches('*');
            rest.is_empty()
                || text
                    .char_indices()
                    .map(|(at, _)| at)
                    .chain([text.len()])
                    .any(|at| matches(rest, &text[at..]))
        }),
    }
}

/// The alternatives of a matcher's value, with `*` for any characters.
fn patterns(matcher: &Matcher) -> Result<Vec<String>, String> {
    let value = &matcher.value;
    if !matcher.is_regex {
        return match value.contains('*') {
            true => Err(format!("`{value}` contains `*`, which stands for any characters here")),
            false => Ok(vec![value.clone()]),
        };
    }
    let why = || format!("the regular expression `{value}` is more than texts, `.*`, `.+` and `|`");
    let inner = value.strip_prefix('^').unwrap_or(value);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    // Alternatives may be in parentheses, but with nothing beside them.
    let inner = inner
        .strip_prefix("(?:")
        .or_else(|| inner.strip_prefix('('))
        .and_then(|inner| inner.strip_suffix(')'))
        .unwrap_or(inner);
    let mut made = Vec::new();
    for part in inner.split('|') {
        let mut pattern = String::new();
        let mut chars = part.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                // `.+` would not match nothing; the difference is a label that ends there.
                '.' if matches!(chars.peek(), Some('*' | '+')) => {
                    chars.next();
                    pattern.push('*');
                }
                '\\' => match chars.next() {
                    Some(escaped) if !escaped.is_alphanumeric() && escaped != '*' => pattern.push(escaped),
                    _ => return Err(why()),
                },
                c if ".*+?()[]{}^$".contains(c) => return Err(why()),
                c => pattern.push(c),
            }
        }
        made.push(pattern);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Conditions>, String> {
        let matchers: Option<Vec<Matcher>> = parts(text).iter().map(|part| read(part)).collect();
        conditions(&matchers.ok_or("not a matcher")?)
    }

    #[test]
    fn a_matcher_is_a_condition() {
        for (text, expected) in [
            ("severity=\"critical\"", vec![vec!["severity=critical"]]),
            ("alertname = InstanceDown", vec![vec!["rule=InstanceDown"]]),
            ("host=~\"db-.*\"", vec![vec!["host=db-*"]]),
            ("host=~\"^(a|b\\.c)$\"", vec![vec!["host=a"], vec!["host=b.c"]]),
            ("host!~\"a|b\"", vec![vec!["host!=a", "host!=b"]]),
            ("{a=\"b,c\", owner!=x}", vec![vec!["a=b,c", "labels.owner!=x"]]),
            ("a=~\"x|y\",b=\"\"", vec![vec!["a=x", "b="], vec!["a=y", "b="]]),
            ("a=b,severity!=none", vec![vec!["a=b"]]),
            ("severity!=\"\"", vec![vec!["rule=*"]]),
            (
                "severity!~\"none|crit.*|.*n.*\"",
                vec![vec!["severity!=info", "severity!=warning", "severity!=critical"]],
            ),
            ("severity!~\".*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*x\"", vec![vec!["rule=*"]]),
            ("severity!~\"none|crit.*\"", vec![vec!["severity!=critical"]]),
        ] {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_not_guessed() {
        for text in [
            "severity=page",
            "host=~\"db[0-9]\"",
            "host=\"*\"",
            "host=~\"a(b|c)\"",
            "host",
            "host=~\"\\\\d\"",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
        let long = format!("host={}", "a".repeat(300));
        assert!(of(&long).is_err());
        let many = vec!["x"; 30].join("|");
        assert!(of(&format!("host=~\"{many}\"")).unwrap_err().contains("alternatives"));
    }
}
