//! ElastAlert's writeback indices: every alert is a document, and so is every mute by `realert`.
use std::collections::HashSet;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use watchbell_contract::{Range, Timestamp};
use watchbell_elastic::{Cluster, Target};

/// Documents per request; each contains the document that matched.
const PAGE: u32 = 500;
/// Servers return no more than this with `from` and `size`.
const DOCUMENTS_MAX: u64 = 10_000;
const ANSWER_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// An alert that ElastAlert sent, or would have sent had its alerters worked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alert {
    /// The rule's name in ElastAlert.
    pub(crate) rule: String,
    /// The time of the match, not of the alert.
    pub(crate) at: Timestamp,
    /// The document that matched.
    pub(crate) body: Value,
}

/// A time in which ElastAlert muted a rule, or one key of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mute {
    /// `RULE`, `RULE.KEY` or `RULE._silence`.
    pub(crate) what: String,
    pub(crate) over: Range,
}

#[derive(Deserialize)]
struct AlertDocument {
    rule_name: String,
    match_time: String,
    #[serde(default)]
    match_body: Value,
}

#[derive(Deserialize)]
struct MuteDocument {
    rule_name: String,
    #[serde(rename = "@timestamp")]
    since: String,
    until: String,
}

/// What ElastAlert stored for `over` in `index` and its `_silence`.
pub(crate) async fn read(
    cluster: &Cluster,
    index: &str,
    over: Range,
) -> anyhow::Result<(Vec<Alert>, Vec<Mute>)> {
    let mut target = Target::new("(alerts of ElastAlert)", index);
    target.time_field = "match_time".to_owned();
    let mut alerts = Vec::new();
    for document in documents(cluster, &target, over).await? {
        let read: AlertDocument = serde_json::from_value(document)
            .with_context(|| format!("a document in `{index}` is not an ElastAlert alert"))?;
        alerts.push(Alert { rule: read.rule_name, at: instant(&read.match_time)?, body: read.match_body });
    }
    // An alert that could not be sent is written again with every attempt.
    let mut seen = HashSet::new();
    alerts.retain(|alert| seen.insert((alert.rule.clone(), alert.at, alert.body.to_string())));
    let silence = format!("{index}_silence");
    let mut target = Target::new("(alerts of ElastAlert)", silence.as_str());
    target.time_field = "until".to_owned();
    // ElastAlert creates it when the first rule mutes.
    target.ignore_unavailable = true;
    // Everything that ends after `over` begins, because the length of a mute is unknown.
    let ends = Range::new(over.start, Timestamp(over.end.0.saturating_add(YEAR_MS)));
    let mut mutes = Vec::new();
    for document in documents(cluster, &target, ends).await? {
        let read: MuteDocument = serde_json::from_value(document)
            .with_context(|| format!("a document in `{silence}` was not written by ElastAlert"))?;
        let (since, until) = (instant(&read.since)?, instant(&read.until)?);
        if since < over.end && since <= until {
            mutes.push(Mute { what: read.rule_name, over: Range::new(since, until) });
        }
    }
    Ok((alerts, mutes))
}

const YEAR_MS: i64 = 366 * 86_400_000;

async fn documents(cluster: &Cluster, target: &Target, over: Range) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    loop {
        let deadline = Instant::from_std(crate::clock::monotonic() + ANSWER_WITHIN);
        let from = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let (page, total) = cluster.documents(target, over, from, PAGE, deadline).await?;
        if total > DOCUMENTS_MAX {
            bail!(
                "`{}` holds {total} documents of that time, more than {DOCUMENTS_MAX}\n\nhint: choose a shorter time",
                target.indices.join(",")
            );
        }
        let last = page.is_empty();
        all.extend(page);
        if last || all.len() as u64 >= total {
            return Ok(all);
        }
    }
}

/// ElastAlert writes UTC, with or without a suffix.
fn instant(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let civil: jiff::civil::DateTime =
        text.parse().with_context(|| format!("ElastAlert wrote `{text}`, which is not a time"))?;
    Ok(Timestamp(jiff::tz::TimeZone::UTC.to_timestamp(civil)?.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_whether_they_say_so_or_not() {
        for text in ["2026-11-20T08:00:00Z", "2026-11-20T08:00:00.000000Z", "2026-11-20T08:00:00"] {
            assert_eq!(instant(text).unwrap(), Timestamp(1_795_161_600_000), "{text}");
        }
        assert_eq!(instant("2026-11-20T09:00:00+01:00").unwrap(), Timestamp(1_795_161_600_000));
        assert!(instant("soon").unwrap_err().to_string().contains("`soon`"));
    }
}
