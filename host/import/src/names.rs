//! Names in manifests: letters, digits, `_`, `.` and `-`.
use std::collections::BTreeSet;

use crate::mask::tokens;
use crate::yaml::Yaml;

/// The characters that a name may keep.
const NAME_MAX: usize = 100;

/// A rule's name as manifests have it: `Spike in 5xxs` as `spike-in-5xxs`; `None`: no character of it is allowed.
pub fn slug(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            'a'..='z' | '0'..='9' => out.push(c),
            '_' | '.' if !out.is_empty() => out.push(c),
            _ if out.ends_with(['-', '.', '_']) || out.is_empty() => {}
            _ => out.push('-'),
        }
        if out.len() >= NAME_MAX {
            break;
        }
    }
    let out = out.trim_matches(['-', '.', '_']).to_string();
    (!out.is_empty()).then_some(out)
}

/// A name that is not taken yet.
pub(crate) fn free(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidates = std::iter::once(wanted.to_string()).chain((2..).map(|n| format!("{wanted}-{n}")));
    let name = candidates.find(|name| !taken.contains(name)).unwrap_or_else(|| wanted.to_string());
    taken.insert(name.clone());
    name
}

/// Where a rule's file goes below `--out`. The manifest loader skips `environments/`, hidden entries and tests.
pub(crate) fn path(source: &str, folders: &[String]) -> String {
    let source = strip(source, folders);
    let parts: Vec<String> = source
        .split('/')
        .filter(|part| !part.is_empty() && *part != "." && *part != "..")
        .map(|part| part.trim_start_matches('.').to_string())
        .collect();
    let mut path = parts.join("/");
    for end in [".yaml", ".yml"] {
        if let Some(stem) = path.strip_suffix(end) {
            path = stem.to_string();
        }
    }
    if let Some(stem) = path.strip_suffix(".test") {
        path = format!("{stem}-test");
    }
    if path.starts_with("environments/") {
        path = format!("rules/{path}");
    }
    format!("{}.yaml", if path.is_empty() { "rule" } else { &path })
}

/// Without ElastAlert's own folder of rules: what it is called from where ElastAlert runs may have more before it.
fn strip<'a>(source: &'a str, folders: &[String]) -> &'a str {
    for folder in folders {
        let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        for start in 0..parts.len() {
            let tail = format!("{}/", parts[start..].join("/"));
            if let Some(rest) = source.strip_prefix(&tail) {
                return rest;
            }
        }
    }
    source
}

/// What tells a destination from others of its product.
pub(crate) struct Own {
    /// A channel, a room or a recipient.
    pub(crate) room: Option<String>,
    /// The host of its address.
    pub(crate) host: Option<String>,
}

pub(crate) fn of_destination(destination: &Yaml) -> Own {
    let of = |map: &Yaml, key: &str| match map {
        Yaml::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()),
        _ => None,
    };
    let text = |value: Yaml| match value {
        Yaml::Text(text) => slug(&text),
        _ => None,
    };
    let params = of(destination, "params").unwrap_or(Yaml::Null);
    let room = ["channel", "room", "stream"].iter().find_map(|key| of(&params, key).and_then(text));
    let host = match of(destination, "url") {
        Some(Yaml::Text(url)) => {
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            slug(rest.split(['/', ':', '?']).next().unwrap_or(rest))
        }
        _ => None,
    };
    Own { room, host }
}

/// A name without the marks of its tokens, for what must be the same in every environment.
pub(crate) fn without_tokens(name: &str) -> Option<String> {
    (!tokens(name).is_empty()).then(|| name.replace("@@", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made() {
        for (name, expected) in [
            ("Spike in 5xxs", Some("spike-in-5xxs")),
            ("SSH abuse (ElastAlert 3.0.1) - 2", Some("ssh-abuse-elastalert-3.0.1-2")),
            ("  __x__  ", Some("x")),
            ("日本", None),
            ("é", None),
        ] {
            assert_eq!(slug(name).as_deref(), expected, "{name}");
        }
        let mut taken = BTreeSet::new();
        assert_eq!(
            [free("a", &mut taken), free("a", &mut taken), free("a", &mut taken)],
            ["a", "a-2", "a-3"]
        );
    }

    #[test]
    fn files_go_where_the_loader_finds_them() {
        let folders = ["examples/rules".to_string()];
        for (source, expected) in [
            ("rules/web/x.yml", "web/x.yaml"),
            ("examples/rules/x.yaml", "x.yaml"),
            ("environments/x.yaml", "rules/environments/x.yaml"),
            ("a.test.yaml", "a-test.yaml"),
            ("../shared/.x.yaml", "shared/x.yaml"),
        ] {
            assert_eq!(path(source, &folders), expected, "{source}");
        }
    }
}
