//! Time intervals: as the hours of `when:`, and as maintenance windows.
use std::collections::BTreeMap;

use super::account::{Account, entry, items, texts};
use crate::node::Node;
use crate::report::Fate;
use crate::yaml::Yaml;

/// A named interval: any of its spans.
#[derive(Debug, Default)]
pub(super) struct Interval {
    spans: Vec<Span>,
    /// Why it cannot be carried.
    fault: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Span {
    /// Minutes of a day: from, until.
    times: Vec<(u32, u32)>,
    /// As cron writes them: `mon-fri`.
    weekdays: Vec<String>,
    days: Vec<String>,
    months: Vec<String>,
    timezone: Option<String>,
}

const DAY_MINUTES: u32 = 24 * 60;
const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

pub(super) fn intervals(root: &Node, account: &mut Account<'_>) -> BTreeMap<String, Interval> {
    let mut made = BTreeMap::new();
    for key in ["time_intervals", "mute_time_intervals"] {
        let Some(all) = entry(root, key) else { continue };
        for node in items(Some(&all.value)) {
            let Some(name) = node.get("name").and_then(Node::text) else { continue };
            let mut interval = Interval::default();
            for span in items(node.get("time_intervals")) {
                match read(span) {
                    Ok(span) => interval.spans.push(span),
                    Err(why) => interval.fault = Some(why),
                }
            }
            let (fate, what) = match &interval.fault {
                Some(why) => (Fate::Dropped, why.clone()),
                None => (Fate::Changed, "written where a route names it".to_string()),
            };
            node.entries().iter().for_each(|entry| account.told(&entry.place, fate, what.clone()));
            made.insert(name, interval);
        }
    }
    made
}

fn read(node: &Node) -> Result<Span, String> {
    let mut span = Span::default();
    for entry in node.entries() {
        let listed = texts(Some(&entry.value));
        match entry.key.as_str() {
            "times" => {
                for time in items(Some(&entry.value)) {
                    let of = |key: &str| time.get(key).and_then(Node::text);
                    let from = of("start_time").as_deref().and_then(minute);
                    let until = of("end_time").as_deref().and_then(minute);
                    match (from, until) {
                        (Some(from), Some(until)) if from < until => span.times.push((from, until)),
                        _ => return Err("`times` needs a `start_time` before its `end_time`".into()),
                    }
                }
            }
            "weekdays" => span.weekdays = ranges(&listed, &WEEKDAYS, |at| WEEKDAYS[at][..3].to_string())?,
            "months" => span.months = ranges(&listed, &MONTHS, |at| (at + 1).to_string())?,
            "days_of_month" => {
                for range in &listed {
                    let (first, last) = range.split_once(':').unwrap_or((range, range));
                    match (day(first), day(last)) {
                        (Some(first), Some(last)) if first <= last => {
                            span.days.push(format!("{first}-{last}"))
                        }
                        _ => {
                            return Err(format!(
                                "`days_of_month`: `{range}` counts from the end of a month, or is no range"
                            ));
                        }
                    }
                }
            }
            "location" => span.timezone = entry.value.text(),
            "years" => {
                return Err("`years`: a recurring window has no years; write `from` and `until`".into());
            }
            other => return Err(format!("`{other}` is not known here")),
        }
    }
    if let Some(zone) = &span.timezone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        return Err(format!("there is no time zone `{zone}`: write one such as `Europe/Berlin`"));
    }
    Ok(span)
}

fn day(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|day| (1..=31).contains(day))
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    if hour > 24 || minute > 59 {
        return None;
    }
    Some(hour * 60 + minute).filter(|total| *total <= DAY_MINUTES)
}

/// `monday:friday` as `mon-fri`.
fn ranges(listed: &[String], names: &[&str], shown: impl Fn(usize) -> String) -> Result<Vec<String>, String> {
    let position = |text: &str| {
        let text = text.trim().to_lowercase();
        let number = text.parse::<usize>().ok().filter(|_| names.len() == 12);
        number
            .and_then(|number| number.checked_sub(1))
            .or_else(|| names.iter().position(|name| *name == text))
    };
    let mut made = Vec::new();
    for range in listed {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        match (position(first), position(last)) {
            (Some(first), Some(last)) if first <= last && last < names.len() => {
                made.push(match first == last {
                    true => shown(first),
                    false => format!("{}-{}", shown(first), shown(last)),
                })
            }
            _ => return Err(format!("`{range}` is not a range")),
        }
    }
    Ok(made)
}

impl Interval {
    /// Recurring windows: `cron`, `timezone` and `lasts`.
    pub(super) fn windows(&self) -> Result<Vec<Vec<(String, Yaml)>>, String> {
        if let Some(why) = &self.fault {
            return Err(why.clone());
        }
        let mut made = Vec::new();
        for span in &self.spans {
            if !span.days.is_empty() && !span.weekdays.is_empty() {
                return Err(
                    "weekdays and days of the month together are more than a calendar expression says".into(),
                );
            }
            let field = |list: &[String]| if list.is_empty() { "*".to_string() } else { list.join(",") };
            // Sunday is the first of a week in Alertmanager, and 0 or 7 in cron: names are neither.
            let (days, months, weekdays) =
                (field(&span.days), field(&span.months), field(&split_sunday(&span.weekdays)));
            let whole = [(0, DAY_MINUTES)];
            for (from, until) in if span.times.is_empty() { &whole[..] } else { &span.times } {
                let cron = format!("{} {} {days} {months} {weekdays}", from % 60, from / 60);
                let mut entries = vec![("cron".to_string(), Yaml::Text(cron))];
                entries.extend(span.timezone.clone().map(|zone| ("timezone".to_string(), Yaml::Text(zone))));
                let millis = u64::from(until - from) * 60_000;
                entries.push(("lasts".to_string(), Yaml::Text(crate::duration::of_millis(millis))));
                made.push(entries);
            }
        }
        Ok(made)
    }

    /// The hours of a step's `when:`; only what is one set of hours and weekdays has some.
    pub(super) fn when(&self) -> Result<Yaml, String> {
        if let Some(why) = &self.fault {
            return Err(why.clone());
        }
        let [span] = self.spans.as_slice() else {
            return Err("several intervals are not one `when:`".into());
        };
        if !span.days.is_empty() || !span.months.is_empty() {
            return Err("`when:` has hours and weekdays, not days of the month or months".into());
        }
        let shown = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let hours = span.times.iter().map(|(from, until)| format!("{}-{}", shown(*from), shown(*until)));
        let hours: Vec<String> = hours.collect();
        let mut entries = Vec::new();
        if !hours.is_empty() {
            entries.push(("hours".to_string(), Yaml::texts(hours)));
        }
        if !span.weekdays.is_empty() {
            entries.push(("days".to_string(), Yaml::texts(split_sunday(&span.weekdays))));
        }
        entries.extend(span.timezone.clone().map(|zone| ("timezone".to_string(), Yaml::Text(zone))));
        Ok(Yaml::Map(entries))
    }
}

/// `sun-tue` as `sun` and `mon-tue`: here a week begins on Monday.
fn split_sunday(weekdays: &[String]) -> Vec<String> {
    let split = |range: &String| match range.strip_prefix("sun-") {
        Some("mon") => vec!["sun".to_string(), "mon".to_string()],
        Some(last) => vec!["sun".to_string(), format!("mon-{last}")],
        None => vec![range.clone()],
    };
    weekdays.iter().flat_map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(text: &str) -> Interval {
        let document = crate::tree::parse(&"x".into(), text).unwrap();
        let root =
            Node { place: document.entries[0].place.clone(), data: crate::node::Data::Map(document.entries) };
        let mut account = Account::of(&root);
        intervals(&root, &mut account).remove("x").unwrap()
    }

    fn of(span: &str) -> Interval {
        interval(&format!("time_intervals: [{{ name: x, time_intervals: [{span}] }}]"))
    }

    fn windows(span: &str) -> String {
        let shown = |entries: Vec<(String, Yaml)>| {
            let mut texts = Vec::new();
            Yaml::Map(entries).visit(&mut |text| texts.push(text.to_string()));
            texts.join(" | ")
        };
        match of(span).windows() {
            Ok(made) => made.into_iter().map(shown).collect::<Vec<_>>().join("; "),
            Err(why) => why,
        }
    }

    #[test]
    fn an_interval_is_a_window() {
        for (span, expected) in [
            ("{ weekdays: ['saturday', 'sunday'] }", "0 0 * * sat,sun | 1d"),
            ("{ weekdays: ['sunday:tuesday'] }", "0 0 * * sun,mon-tue | 1d"),
            (
                "{ times: [{ start_time: '22:30', end_time: '24:00' }], location: Europe/Berlin }",
                "30 22 * * * | Europe/Berlin | 1h30m",
            ),
            ("{ days_of_month: ['1:5'], months: ['january', '3:4'] }", "0 0 1-5 1,3-4 * | 1d"),
        ] {
            assert_eq!(windows(span), expected, "{span}");
        }
    }

    #[test]
    fn what_no_calendar_says_is_told() {
        for (span, part) in [
            ("{ days_of_month: ['-1'] }", "end of a month"),
            ("{ years: ['2026'] }", "`years`"),
            ("{ days_of_month: ['1'], weekdays: ['monday'] }", "together"),
            ("{ location: Nowhere/Land }", "time zone"),
            ("{ times: [{ start_time: '10:00', end_time: '09:00' }] }", "before"),
            ("{ weekdays: ['friday:monday'] }", "not a range"),
            ("{ times: [{ start_time: '4294967295:00', end_time: '09:00' }] }", "before"),
        ] {
            assert!(windows(span).contains(part), "{span}: {}", windows(span));
        }
    }

    #[test]
    fn hours_are_those_of_a_step() {
        let when =
            of("{ weekdays: ['monday:friday'], times: [{ start_time: '08:00', end_time: '18:00' }] }").when();
        let shown = crate::yaml::document("", &[("when".into(), when.unwrap())]);
        assert_eq!(shown, "when: { hours: [\"08:00-18:00\"], days: [mon-fri] }\n");
        assert!(of("{ months: ['may'] }").when().is_err());
    }
}
