//! Index names: which are valid, and what an expression matches.
use crate::errors::{Answer, Refusal};
pub(crate) use watchbell_query::names::glob;

/// Refuses names that Elasticsearch refuses.
pub(crate) fn check(name: &str) -> Answer<()> {
    let refuse = |why: &str| {
        Err(Refusal::new(400, "invalid_index_name_exception", format!("Invalid index name [{name}], {why}"))
            .with("index", name))
    };
    if name.is_empty() || name == "." || name == ".." {
        return refuse("must not be empty, '.' or '..'");
    }
    if name.starts_with(['_', '-', '+']) {
        return refuse("must not start with '_', '-', or '+'");
    }
    if name.contains(|c: char| " \"*\\<|,>/?#:".contains(c) || c.is_control()) {
        return refuse(
            "must not contain the following characters [' ','\"','*','\\','<','|',',','>','/','?','#',':']",
        );
    }
    if name.to_lowercase() != name {
        return refuse("must be lowercase");
    }
    if name.len() > 255 {
        return refuse("index name is too long");
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    pub(crate) ignore_unavailable: bool,
    pub(crate) allow_no_indices: bool,
}

impl Default for Lookup {
    fn default() -> Self {
        Self { ignore_unavailable: false, allow_no_indices: true }
    }
}

/// An index that an expression matches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// The aliases that matched; empty if its own name did.
    pub(crate) by: Vec<String>,
}

/// The indices that `a,b-*,-b-old` matches, by name.
///
/// `known` lists every index with its aliases and streams.
pub(crate) fn resolve(expression: &str, known: &[(&str, Vec<&str>)], lookup: Lookup) -> Answer<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    let mut wildcards = false;
    for part in expression.split(',').map(str::trim) {
        // `-x` excludes only after a wildcard; before one it is an index name.
        if let Some(part) = part.strip_prefix('-').filter(|_| wildcards) {
            found.retain(|found| !glob(part, &found.name) && !found.by.iter().any(|alias| glob(part, alias)));
            continue;
        }
        let part = if part == "_all" || part.is_empty() { "*" } else { part };
        let before = found.len();
        for (name, aliases) in known {
            // Wildcards match names that begin with a dot only if they do so themselves.
            let hit = |name: &str| {
                let hidden = part.contains('*') && name.starts_with('.') && !part.starts_with('.');
                !hidden && glob(part, name)
            };
            let own = hit(name);
            let by: Vec<String> =
                aliases.iter().filter(|alias| hit(alias)).map(|alias| (*alias).to_owned()).collect();
            if !own && by.is_empty() {
                continue;
            }
            let by = if own { Vec::new() } else { by };
            match found.iter_mut().find(|found| found.name == *name) {
                Some(old) if old.by.is_empty() || own => old.by.clear(),
                Some(old) => old.by.extend(by),
                None => found.push(Found { name: (*name).to_owned(), by }),
            }
        }
        let exists = known.iter().any(|(name, aliases)| *name == part || aliases.contains(&part));
        if part.contains('*') {
            wildcards = true;
            if found.len() == before && !lookup.allow_no_indices {
                return Err(Refusal::missing_index(part));
            }
        } else if !exists && !lookup.ignore_unavailable {
            return Err(Refusal::missing_index(part));
        }
    }
    if found.is_empty() && !lookup.allow_no_indices {
        return Err(Refusal::missing_index(expression));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, hit) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "a-b-c", true),
            ("ab*bc", "abc", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob(pattern, text), hit, "{pattern} {text}");
        }
    }

    #[test]
    fn expressions_of_indices() {
        let known = [("logs-1", vec!["all"]), ("logs-2", vec![]), (".kibana", vec![]), ("web", vec!["all"])];
        let names =
            |found: Vec<Found>| found.into_iter().map(|found| found.name).collect::<Vec<_>>().join(" ");
        let ask = |text: &str| resolve(text, &known, Lookup::default()).map(names);
        assert_eq!(ask("logs-*").unwrap(), "logs-1 logs-2");
        assert_eq!(ask("*,-logs-1").unwrap(), "logs-2 web");
        assert_eq!(ask("all").unwrap(), "logs-1 web");
        assert_eq!(ask("nothing-*").unwrap(), "");
        assert_eq!(ask("gone,web").unwrap_err().status, 404);
        let ignoring = Lookup { ignore_unavailable: true, allow_no_indices: true };
        assert_eq!(names(resolve("gone,web", &known, ignoring).unwrap()), "web");
        let by = |text: &str| resolve(text, &known, ignoring).unwrap().pop().map(|found| found.by);
        assert_eq!(
            (by("all"), by("all,web"), by("w*")),
            (Some(vec!["all".into()]), Some(vec![]), Some(vec![]))
        );
        let stream = [(".ds-s-1", vec!["s"]), (".kibana", vec![])];
        assert_eq!(names(resolve("*", &stream, ignoring).unwrap()), ".ds-s-1");
        let strict = Lookup { ignore_unavailable: true, allow_no_indices: false };
        assert_eq!(resolve("nothing-*", &known, strict).unwrap_err().kind, "index_not_found_exception");
    }
}
