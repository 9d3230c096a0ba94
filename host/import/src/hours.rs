//! `limit_execution`: a cron expression whose hours and weekdays limit when a rule may notify.
use crate::yaml::Yaml;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `active:` of an expression that names spans of hours or weekdays; `None` if it names single times, or days of the
/// year: that is a schedule.
pub(crate) fn active(cron: &str) -> Option<Yaml> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else { return None };
    if !is_free(day) || !is_free(month) {
        return None;
    }
    let hours = numbers(hour, 23, &[])?;
    let weekdays = numbers(weekday, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"])?;
    // At a minute of several hours: from the first to the last of them.
    let minute = match minute {
        minute if minute.starts_with('*') => None,
        minute => Some(minute.parse::<u8>().ok().filter(|minute| *minute < 60)?),
    };
    let spans = runs(&hours);
    if minute.is_some() && spans.iter().any(|(first, last)| first == last) {
        return None;
    }
    let mut active = Vec::new();
    if hours.iter().any(|is_set| !is_set) {
        let span = |(first, last): &(usize, usize)| match minute {
            None => format!("{first:02}:00-{:02}:00", last + 1),
            Some(minute) => format!("{first:02}:{minute:02}-{last:02}:{minute:02}"),
        };
        active.push(("hours", Yaml::texts(spans.iter().map(span))));
    }
    // Both 0 and 7 are Sunday, and the week begins on Monday.
    let mut week: Vec<bool> = weekdays[1..7].to_vec();
    week.push(weekdays[0] || weekdays[7]);
    if week.iter().any(|is_set| !is_set) {
        let span = |(first, last): &(usize, usize)| match first == last {
            true => DAYS[*first].to_owned(),
            false => format!("{}-{}", DAYS[*first], DAYS[*last]),
        };
        active.push(("days", Yaml::texts(runs(&week).iter().map(span))));
    }
    if active.is_empty() {
        return None;
    }
    Some(Yaml::Map(active.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}

fn is_free(field: &str) -> bool {
    matches!(field, "*" | "?" | "*/1")
}

/// Which numbers from 0 to `most` a field names.
fn numbers(field: &str, most: usize, names: &[&str]) -> Option<Vec<bool>> {
    let number = |text: &str| match names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        Some(number) => Some(number),
        None => text.parse::<usize>().ok().filter(|number| *number <= most),
    };
    let mut set = vec![false; most + 1];
    for part in field.split(',') {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, step.parse::<usize>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match span.split_once('-') {
            _ if is_free(span) => (0, most),
            Some((first, last)) => (number(first)?, number(last)?),
            None if step > 1 => (number(span)?, most),
            None => (number(span)?, number(span)?),
        };
        (first..=last).step_by(step).for_each(|number| set[number] = true);
    }
    set.contains(&true).then_some(set)
}

/// The first and the last of each run of what is set.
fn runs(set: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (number, _) in set.iter().enumerate().filter(|(_, is_set)| **is_set) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(cron: &str) -> String {
        let Some(Yaml::Map(entries)) = active(cron) else { return String::new() };
        let texts = |value: &Yaml| {
            let mut texts = Vec::new();
            value.visit(&mut |text| texts.push(text.to_owned()));
            texts.join(",")
        };
        entries.iter().map(|(key, value)| format!("{key} {}", texts(value))).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn spans_of_hours_and_weekdays_are_hours() {
        for (cron, hours) in [
            ("* 8-17 * * 1-5", "hours 08:00-18:00; days mon-fri"),
            ("*/5 8-17 * * MON-FRI", "hours 08:00-18:00; days mon-fri"),
            ("0 8-18 * * 1-5", "hours 08:00-18:00; days mon-fri"),
            ("30 8-18 * * *", "hours 08:30-18:30"),
            ("* 0-5,22,23 * * *", "hours 00:00-06:00,22:00-24:00"),
            ("* * * * 0,6", "days sat-sun"),
            ("* * * * 7", "days sun"),
            ("* * * * *", ""),
        ] {
            assert_eq!(made(cron), hours, "{cron}");
        }
    }

    #[test]
    fn single_times_are_a_schedule() {
        for cron in [
            "0 9 * * 1-5",
            "0 9,17 * * *",
            "0 8-18/2 * * *",
            "* * 1 * *",
            "* 8-17 * 12 *",
            "0 0",
            "* x * * *",
        ] {
            assert_eq!(made(cron), "", "{cron}");
        }
    }
}
