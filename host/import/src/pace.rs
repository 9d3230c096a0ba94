//! How often a rule notifies: `realert`, `exponential_realert` and `aggregation`.
use watchbell_pipeline::schedule::Cron;

use crate::duration::{self, Span};
use crate::mask::tokens;
use crate::node::Data;
use crate::options::Options;
use crate::yaml::Yaml;

/// `alert.group` and `alert.repeat` of a rule.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) group: Option<Yaml>,
    pub(crate) repeat: Option<Yaml>,
}

/// The longest time for which messages are gathered without a calendar.
const GATHERED_MAX_MILLIS: u64 = 86_400_000;
/// What ElastAlert mutes a rule for if nothing is said.
const REALERT_MILLIS: u64 = 60_000;
/// Spans of a growing `repeat`; the last one is the cap.
const REPEATS_MAX: usize = 20;

/// `key`: the rule's `key`, which groups are made of.
pub(crate) fn pace(options: &mut Options, module: &str, key: &[String]) -> Pace {
    options.dropped("realert_key", "episodes are kept per value of `key`");
    let group = group(options, key);
    let repeat = match group {
        Some(_) => {
            options.drop_all(
                &["realert", "exponential_realert"],
                "a group is not repeated: each of its messages says what is new",
            );
            None
        }
        None => repeat(options, module),
    };
    Pace { group, repeat }
}

fn group(options: &mut Options, key: &[String]) -> Option<Yaml> {
    options.drop_all(
        &[
            "summary_table_fields",
            "summary_table_type",
            "summary_table_max_rows",
            "summary_prefix",
            "summary_suffix",
        ],
        "there is no table: a group's message names its keys, each with its state",
    );
    let pace = gathered(options);
    if pace.is_none() {
        options.drop_all(
            &[
                "aggregation_key",
                "aggregate_by_match_time",
                "aggregation_alert_time_compared_with_timestamp_field",
            ],
            "has no effect without `aggregation`",
        );
    }
    let pace = pace?;
    options.changed(
        "aggregate_by_match_time",
        "`wait` runs from when the first message of a group is decided; windows are seconds behind the documents",
    );
    options.dropped(
        "aggregation_alert_time_compared_with_timestamp_field",
        "`wait` runs from when the first message of a group is decided",
    );
    let by = options.texts("aggregation_key").unwrap_or_default();
    let (by, other): (Vec<String>, Vec<String>) = by.into_iter().partition(|field| key.contains(field));
    if other.is_empty() {
        options.carried("aggregation_key", "`alert.group.by`");
    } else {
        let other = other.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        options.changed(
            "aggregation_key",
            format!("`alert.group.by` without {other}: a group is of fields of `key`, which is `query_key`"),
        );
    }
    let entries = [("by".to_string(), Yaml::texts(by))].into_iter().chain(pace);
    Some(Yaml::Map(entries.collect()))
}

/// `wait` and `interval`, or `cron`.
fn gathered(options: &mut Options) -> Option<Vec<(String, Yaml)>> {
    let node = options.node("aggregation")?;
    let schedule = match &node.data {
        Data::Map(_) => node.get("schedule"),
        _ => None,
    };
    if let Some(schedule) = schedule {
        let cron = schedule.text().unwrap_or_default();
        if tokens(&cron).is_empty()
            && let Err(why) = Cron::parse(&cron, "UTC")
        {
            options.dropped("aggregation", format!("`schedule` is not one that a digest can have: {why}"));
            return None;
        }
        options.carried("aggregation", "`alert.group.cron`, in UTC: a digest");
        return Some(vec![("cron".to_string(), Yaml::Text(cron))]);
    }
    let span = options.span("aggregation")?;
    let text = match span.millis {
        Some(0) => {
            options.carried("aggregation", "nothing is gathered");
            return None;
        }
        Some(millis) if millis > GATHERED_MAX_MILLIS => {
            options.changed(
                "aggregation",
                "`alert.group` with a `wait` of 24 hours, the longest: for a longer time write a digest, `cron:`",
            );
            "24h".to_string()
        }
        _ => {
            options.changed(
                "aggregation",
                format!(
                    "`alert.group`: the first message of a group waits for {} for others, and so does each later one",
                    span.text
                ),
            );
            span.text
        }
    };
    Some(vec![("wait".to_string(), Yaml::text(text.clone())), ("interval".to_string(), Yaml::Text(text))])
}

fn repeat(options: &mut Options, module: &str) -> Option<Yaml> {
    let realert = options.span("realert");
    let cap = options.span("exponential_realert");
    if matches!(module, "any" | "blacklist" | "whitelist" | "change" | "new_term") {
        let why = "every match notifies once: a rule that reports documents mutes none of them";
        options.dropped("exponential_realert", why);
        match realert {
            Some(Span { millis: Some(0), .. }) => options.carried("realert", "every match notifies"),
            _ => options.dropped("realert", why),
        }
        return None;
    }
    if realert.as_ref().is_some_and(|span| span.millis == Some(0)) {
        options.changed(
            "realert",
            "no `repeat`: an episode notifies when it opens and when it ends, however many matches it has",
        );
        options.dropped("exponential_realert", "nothing grows: `realert` is 0");
        return None;
    }
    if let Some(cap) = &cap {
        let first = realert.as_ref().map_or(Some(REALERT_MILLIS), |span| span.millis);
        if let (Some(first), Some(most)) = (first, cap.millis.filter(|most| *most > 0)) {
            let spans = growing(first, most);
            let shown = spans.join(", ");
            options.changed(
                "exponential_realert",
                format!("`alert.repeat: [{shown}]`: the last span goes on; an episode's end starts again"),
            );
            options.changed("realert", "the first span of `alert.repeat`; nothing is muted");
            return Some(Yaml::texts(spans));
        }
        options.dropped(
            "exponential_realert",
            "a span that depends on a token does not grow: write `alert.repeat: [5m, 15m, 1h]`",
        );
    }
    let span = realert?;
    let what = format!(
        "`alert.repeat: {}`: an episode notifies when it opens and again at this interval while it lasts; nothing is muted",
        span.text
    );
    options.changed("realert", what);
    Some(Yaml::Text(span.text))
}

/// Each span is twice the one before it, up to `most`.
fn growing(first: u64, most: u64) -> Vec<String> {
    let mut spans = Vec::new();
    let mut span = first.min(most);
    while span < most && spans.len() + 1 < REPEATS_MAX {
        spans.push(duration::of_millis(span));
        span = span.saturating_mul(2);
    }
    spans.push(duration::of_millis(most));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `group` and `repeat` of a rule of the type `frequency` by `host`.
    fn of(text: &str) -> (String, String, Vec<String>) {
        let document = crate::tree::parse(&"x.yaml".into(), text).unwrap();
        let mut options = Options::new("x.yaml".into());
        document.entries.iter().for_each(|entry| options.lay(entry, false));
        let made = pace(&mut options, "frequency", &["host".into()]);
        let shown = |value: Option<Yaml>| {
            value.map_or_else(String::new, |value| crate::yaml::document("", &[("k".into(), value)]))
        };
        let fates = options
            .findings
            .iter()
            .map(|finding| format!("{} {}", finding.outcome.fate, finding.outcome.option));
        (shown(made.group), shown(made.repeat), fates.collect())
    }

    #[test]
    fn what_is_gathered_is_a_group() {
        for (text, group) in [
            ("aggregation: { minutes: 5 }", "k: { by: [], wait: 5m, interval: 5m }\n"),
            (
                "aggregation: { hours: 2 }\naggregation_key: host",
                "k: { by: [host], wait: 2h, interval: 2h }\n",
            ),
            ("aggregation: { days: 3 }\naggregation_key: user", "k: { by: [], wait: 24h, interval: 24h }\n"),
            ("aggregation: { schedule: \"2 4 * * mon,fri\" }", "k: { by: [], cron: \"2 4 * * mon,fri\" }\n"),
            ("aggregation: { schedule: \"every day\" }", ""),
            ("aggregation: { minutes: 0 }", ""),
            ("aggregation_key: host", ""),
        ] {
            assert_eq!(of(text).0, group, "{text}");
        }
        let (group, repeat, fates) = of("aggregation: { minutes: 5 }\nrealert: { minutes: 1 }");
        assert!(!group.is_empty() && repeat.is_empty());
        assert!(fates.contains(&"dropped realert".to_string()), "{fates:?}");
    }

    #[test]
    fn what_is_told_again_grows_up_to_its_cap() {
        for (text, repeat) in [
            ("realert: { minutes: 5 }", "k: 5m\n"),
            ("realert: { minutes: 5 }\nexponential_realert: { hours: 1 }", "k: [5m, 10m, 20m, 40m, 1h]\n"),
            ("exponential_realert: { minutes: 3 }", "k: [1m, 2m, 3m]\n"),
            ("realert: { hours: 2 }\nexponential_realert: { hours: 1 }", "k: [1h]\n"),
            ("realert: { minutes: 0 }\nexponential_realert: { hours: 1 }", ""),
            ("realert: { minutes: @@M@@ }\nexponential_realert: { hours: 1 }", "k: \"@@M@@m\"\n"),
            ("", ""),
        ] {
            assert_eq!(of(text).1, repeat, "{text}");
        }
        assert_eq!(growing(1, u64::MAX).len(), REPEATS_MAX);
    }
}
