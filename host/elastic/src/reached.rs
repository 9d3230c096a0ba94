//! The names under which indices are reached. An index asked by its own name returns all documents; through an alias,
//! only those that the alias's filter allows. Asking a target's indices one by one therefore has to add those filters.
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    error::ErrorKind,
    paths::{ignoring, index_path},
    session::Session,
    target::Target,
    transport::Request,
};

/// Alias filters, by index.
pub(crate) type AliasFilters = HashMap<String, Value>;

#[derive(Deserialize)]
struct Answer {
    /// Only indices reached through a filtered alias have a filter here.
    indices: HashMap<String, Reached>,
}

#[derive(Deserialize)]
struct Reached {
    filter: Option<Value>,
}

/// The filters of the aliases through which `target` reaches some of `indices`. Sends a request only if it reaches one
/// of them by another name than the index's own.
///
/// # Errors
/// Why the cluster did not return them. An index of another cluster that is reached through an alias is refused.
pub(crate) async fn filters(
    session: &Session,
    target: &Target,
    indices: &[&String],
    deadline: Instant,
) -> Result<AliasFilters, ErrorKind> {
    let mut is_reached_otherwise = false;
    for index in indices.iter().filter(|index| !is_direct(target, index)) {
        if index.contains(':') {
            let reason = format!(
                "its indices map its fields differently, and `{index}` is reached through an alias of another cluster; name the indices themselves"
            );
            return Err(ErrorKind::Question { reason });
        }
        is_reached_otherwise = true;
    }
    if !is_reached_otherwise {
        return Ok(AliasFilters::new());
    }
    // Indices of other clusters are reached by their own names.
    let local: Vec<String> = target.indices.iter().filter(|name| !name.contains(':')).cloned().collect();
    let path = format!("{}/_search_shards{}", index_path(&local), ignoring(target, '?'));
    let body = session.send(&Request::get(path, deadline)).await.map_err(|cause| match cause.of_the_host() {
        ErrorKind::Denied { status, reason } => ErrorKind::Denied {
            status,
            reason: format!(
                "its indices map its fields differently, and reading the filters of its alias needs the privilege `view_index_metadata`: {reason}"
            ),
        },
        other => other,
    })?;
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|error| ErrorKind::Malformed { reason: format!("shards of a search: {error}") })?;
    Ok(answer.indices.into_iter().filter_map(|(name, reached)| Some((name, reached.filter?))).collect())
}

/// Whether `target` names the index itself, also by a pattern or its data stream.
fn is_direct(target: &Target, index: &str) -> bool {
    // What an exclusion removes may have been included by an alias.
    let plain = !target.indices.iter().any(|name| name.starts_with('-'));
    let named = |name: &str| target.indices.iter().any(|pattern| matches(pattern, name));
    plain && (named(index) || stream(index).is_some_and(|stream| named(&stream)))
}

/// The data stream of a backing index, which servers name `.ds-STREAM-2024.01.31-000001`.
fn stream(index: &str) -> Option<String> {
    let (cluster, name) = match index.split_once(':') {
        Some((cluster, name)) => (format!("{cluster}:"), name),
        None => (String::new(), index),
    };
    let (rest, generation) = name.strip_prefix(".ds-")?.rsplit_once('-')?;
    let is_number = !generation.is_empty() && generation.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = |date: &str| date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let name = rest.rsplit_once('-').filter(|(_, date)| is_date(date)).map_or(rest, |(name, _)| name);
    is_number.then(|| format!("{cluster}{name}"))
}

/// Whether `name` matches `pattern`; `*` matches any text.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name, expected) in [
            ("logs-*", "logs-1", true),
            ("logs-*", "log-1", false),
            ("*", "x", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a*a", "a", false),
            ("logs", "logs", true),
            ("logs", "logs-1", false),
            ("other:logs-*", "other:logs-1", true),
            ("other:logs-*", "logs-1", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_index_is_named_by_a_pattern_or_its_stream_but_not_by_an_alias() {
        let target = |indices: &[&str]| Target {
            indices: indices.iter().map(|&name| name.into()).collect(),
            ..Target::new("r", "")
        };
        for (indices, index, expected) in [
            (&["logs-*"] as &[_], "logs-1", true),
            (&["prod"], "logs-1", false),
            (&["prod", "logs-*"], "logs-1", true),
            (&["logs-*", "-logs-2"], "logs-1", false),
            (&["logs-app"], ".ds-logs-app-2024.01.31-000001", true),
            (&["logs-*"], ".ds-logs-app-000001", true),
            (&["west:logs-*"], "west:.ds-logs-app-2024.01.31-000001", true),
            (&["prod"], ".ds-logs-app-2024.01.31-000001", false),
            (&["logs-*"], ".ds-logs-app", false),
        ] {
            assert_eq!(is_direct(&target(indices), index), expected, "{indices:?} {index}");
        }
    }
}
