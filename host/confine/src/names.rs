//! Index expressions: names with wildcards, of remote clusters, with date math, and exclusions. What one can reach is
//! over-estimated: a date may be any text.
use std::borrow::Cow;

/// A name without its exclusion mark.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reach<'a> {
    /// A remote cluster, or a pattern of them.
    cluster: Option<&'a str>,
    /// A pattern of indices, aliases and data streams.
    name: Cow<'a, str>,
    /// A component of a data stream, such as `failures`.
    selector: Option<&'a str>,
}

/// Why `name` is no index expression, as a clause after the name; `None` if it is one.
pub fn fault_of_name(name: &str) -> Option<&'static str> {
    let included = name.strip_prefix('-').unwrap_or(name);
    match read(included) {
        Ok(reach) => fault_of_reach(&reach),
        Err(why) => Some(why),
    }
}

/// Why `pattern` cannot say what is allowed, as a clause after the pattern; `None` if it can.
pub fn fault_of_pattern(pattern: &str) -> Option<&'static str> {
    if pattern.starts_with('-') {
        return Some("it excludes, but patterns only allow: list what is allowed");
    }
    if pattern.contains(',') {
        return Some("it contains a comma: write a list");
    }
    if pattern.contains('<') {
        return Some("it is date math: write a `*` for the date");
    }
    if pattern == "_all" {
        return Some("it is a name of all indices: write `*`");
    }
    fault_of_name(pattern)
}

/// Those of `names` that can reach what no pattern in `allowed` covers. No names are all indices.
pub(crate) fn beyond<'a>(names: &'a [String], allowed: &[String]) -> Vec<&'a str> {
    if names.is_empty() {
        return if allows(allowed, &Reach::all()) { vec![] } else { vec!["_all"] };
    }
    let mut included: Vec<Option<&'a str>> = Vec::new();
    let mut is_beyond = |name: &'a str| match name.strip_prefix('-') {
        // Servers have read an exclusion with nothing before it as everything else.
        Some(excluded) => match read(excluded) {
            Ok(reach) => !included.contains(&reach.cluster),
            Err(_) => true,
        },
        None => match read(name) {
            Ok(reach) if reach.name.starts_with('-') => !included.contains(&reach.cluster),
            Ok(reach) => {
                included.push(reach.cluster);
                fault_of_reach(&reach).is_some() || !allows(allowed, &reach)
            }
            Err(_) => true,
        },
    };
    names.iter().map(String::as_str).filter(|name| is_beyond(name)).collect()
}

impl Reach<'_> {
    fn all() -> Self {
        Self { cluster: None, name: "*".into(), selector: None }
    }
}

fn allows(allowed: &[String], asked: &Reach<'_>) -> bool {
    allowed.iter().filter(|pattern| fault_of_pattern(pattern).is_none()).any(|pattern| {
        let Ok(pattern) = read(pattern) else { return false };
        let is_there = match (pattern.cluster, asked.cluster) {
            (None, None) => true,
            (Some(pattern), Some(asked)) => covers(pattern, asked),
            _ => false,
        };
        is_there && pattern.selector == asked.selector && covers(&pattern.name, &asked.name)
    })
}

/// # Errors
/// Why it cannot be read, as a clause.
fn read(name: &str) -> Result<Reach<'_>, &'static str> {
    if name.contains(',') {
        return Err("it contains a comma");
    }
    let head = &name[..name.find('<').unwrap_or(name.len())];
    let (cluster, rest) = match head.find(':') {
        Some(colon) if !name[colon..].starts_with("::") => (Some(&name[..colon]), &name[colon + 1..]),
        _ => (None, name),
    };
    if rest.starts_with('<') {
        return Ok(Reach { cluster, name: dated(rest)?.into(), selector: None });
    }
    let (name, selector) = match rest.split_once("::") {
        Some((name, selector)) => (name, Some(selector)),
        None => (rest, None),
    };
    let name = if name == "_all" { "*" } else { name };
    Ok(Reach { cluster, name: name.into(), selector })
}

/// Date math as the pattern of all that it can become: `<logs-{now/d}>` as `logs-*`.
fn dated(name: &str) -> Result<String, &'static str> {
    let open = name.strip_prefix('<').unwrap_or(name);
    let Some(inner) = open.strip_suffix('>') else {
        return Err("its date math does not end in `>`");
    };
    let (mut pattern, mut depth) = (String::new(), 0_usize);
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, depth) {
            ('\\', _) => match chars.next() {
                Some(escaped) if depth == 0 => pattern.push(escaped),
                Some(_) => {}
                None => return Err("its date math ends in a `\\`"),
            },
            ('{', _) => {
                if depth == 0 {
                    pattern.push('*');
                }
                depth += 1;
            }
            ('}', 0) => return Err("its date math closes a `}` that it did not open"),
            ('}', _) => depth -= 1,
            (c, 0) => pattern.push(c),
            _ => {}
        }
    }
    if depth > 0 {
        return Err("its date math does not close a `{`");
    }
    Ok(pattern)
}

fn fault_of_reach(reach: &Reach<'_>) -> Option<&'static str> {
    let name = &*reach.name;
    if name.is_empty() {
        return Some("it is empty");
    }
    if reach.cluster.is_some_and(str::is_empty) {
        return Some("its remote cluster is empty");
    }
    let parts = [Some(name), reach.cluster, reach.selector];
    if parts.iter().flatten().any(|part| part.contains(is_illegal)) {
        return Some("it contains an illegal character");
    }
    // Capitals are allowed: an index has none, but an alias may.
    // Servers serve their own API under paths that begin so.
    if name.starts_with(['_', '+']) {
        return Some("index names do not begin with `_` or `+`");
    }
    // In a URL these are steps to another path.
    if name.chars().all(|c| c == '.') {
        return Some("it consists of dots");
    }
    None
}

fn is_illegal(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '/' | '\\' | '?' | '"' | '<' | '>' | '|' | '#' | ':' | ',')
}

/// Whether `pattern` covers everything that `asked` can match. A `*` in `asked` is covered only by a `*` in `pattern`,
/// so the result holds whatever the stars stand for.
fn covers(pattern: &str, asked: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = asked.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests;
