//! How a rule's messages are gathered.
use watchbell_contract::Duration;
use watchbell_pipeline::spec::{GroupSpec, Pace, Schedule};

use super::doc::Doc;
use super::schedule;
use crate::raw;
use crate::report::suggest;

/// The longest time for which messages are gathered without a calendar.
const GATHERED_MAX: Duration = Duration::from_hours(24);

/// `zone` is the rule's.
pub(super) fn group(
    doc: &mut Doc<'_>,
    typed: Option<raw::Group>,
    key: &[String],
    zone: Option<&str>,
) -> Option<GroupSpec> {
    let typed = typed?;
    let known: Vec<&str> = key.iter().map(String::as_str).collect();
    for (index, name) in typed.by.iter().enumerate().filter(|(_, name)| !key.contains(name)) {
        let hint = suggest(name, &known).unwrap_or_else(|| {
            format!("add `{name}` to `key`, or write `by: []` to gather all messages of the rule")
        });
        doc.fault(&format!("/alert/group/by/{index}"), format!("`key` does not have the field `{name}`"))
            .hint(hint)
            .push(doc);
    }
    let pace = match typed.cron {
        Some(expression) => {
            for (name, is_written) in [("wait", typed.wait.is_some()), ("interval", typed.interval.is_some())]
            {
                if is_written {
                    doc.fault(
                        &format!("/alert/group/{name}"),
                        format!("`alert.group.{name}` and `alert.group.cron` cannot be combined"),
                    )
                    .hint("a digest is sent at the instants of `cron` alone: keep one of them")
                    .push(doc);
                }
            }
            let is_inherited = typed.timezone.is_none();
            let timezone = typed.timezone.or_else(|| zone.map(str::to_owned)).unwrap_or_else(|| "UTC".into());
            // A zone of the rule that does not exist is reported there.
            if is_inherited && jiff::tz::TimeZone::get(&timezone).is_err() {
                return None;
            }
            match schedule::calendar(doc, "/alert/group", expression, timezone)? {
                Schedule::Cron { expression, timezone } => Pace::Digest { expression, timezone },
                Schedule::Every(_) => return None,
            }
        }
        None => {
            if typed.timezone.is_some() {
                doc.fault("/alert/group/timezone", "`alert.group.timezone` belongs to `alert.group.cron`")
                    .hint("remove it, or write a digest: `cron: \"0 9 * * mon-fri\"`")
                    .push(doc);
            }
            let wait = doc.span("/alert/group/wait", typed.wait, GroupSpec::WAIT);
            let interval = doc.positive("/alert/group/interval", typed.interval, GroupSpec::INTERVAL);
            for (name, span) in [("wait", wait), ("interval", interval)] {
                if span > GATHERED_MAX {
                    doc.fault(
                        &format!("/alert/group/{name}"),
                        format!("`alert.group.{name}` must be at most {GATHERED_MAX}"),
                    )
                    .hint("a digest is sent by a calendar: `cron: \"0 9 * * mon-fri\"`")
                    .push(doc);
                }
            }
            Pace::Interval { wait, interval }
        }
    };
    Some(GroupSpec { by: typed.by, pace })
}
