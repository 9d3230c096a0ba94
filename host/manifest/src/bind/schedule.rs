//! When a rule runs, and when it may alert.
use std::collections::BTreeSet;

use watchbell_contract::{Duration, Plan, Timestamp};
use watchbell_pipeline::active::{Active, ActiveFault, Outside, Written};
use watchbell_pipeline::schedule::{Cron, CronFault};
use watchbell_pipeline::spec::Schedule;

use super::doc::Doc;
use crate::limits::EVERY_MIN;
use crate::raw;
use crate::schema::lower;

pub(super) fn schedule(
    doc: &mut Doc<'_>,
    every: Option<raw::Span>,
    cron: Option<String>,
    timezone: Option<String>,
) -> Option<Schedule> {
    match (every, cron) {
        (Some(_), Some(_)) => {
            doc.fault("/cron", "`every` and `cron` cannot be combined").hint("keep one of them").push(doc);
            None
        }
        (None, None) if doc.was_wrong("/every") || doc.was_wrong("/cron") => None,
        (None, None) => {
            doc.fault("", "`every` or `cron` is missing").hint("for example `every: 1m`").push(doc);
            None
        }
        (Some(_), None) => {
            let every = doc.positive("/every", every, Duration::ZERO);
            if !every.is_zero() && every < EVERY_MIN {
                doc.fault("/every", format!("`every` must be at least {EVERY_MIN}")).push(doc);
            }
            Some(Schedule::Every(every))
        }
        (None, Some(expression)) => {
            let timezone = timezone.unwrap_or_else(|| "UTC".into());
            calendar(doc, "", expression, timezone)
        }
    }
}

/// A calendar, written as `cron` and `timezone` of the map at `at`.
pub(super) fn calendar(
    doc: &mut Doc<'_>,
    at: &str,
    expression: String,
    timezone: String,
) -> Option<Schedule> {
    let Err(fault) = Cron::parse(&expression, &timezone) else {
        return Some(Schedule::Cron { expression, timezone });
    };
    let (key, message) = match &fault {
        CronFault::Timezone { .. } => ("timezone", fault.to_string()),
        // The first lines of a multi-line message repeat the expression.
        CronFault::Syntax { message, .. } => {
            let last = message.trim().lines().last().unwrap_or_default().trim_end_matches('.');
            ("cron", format!("cron expression `{expression}`: {}", lower(last)))
        }
        _ => ("cron", fault.to_string()),
    };
    doc.fault(&format!("{at}/{key}"), message).push(doc);
    None
}

/// The hours of `active:` or of a step's `when:`, in the rule's time zone unless they name their own.
pub(super) fn hours(
    doc: &mut Doc<'_>,
    at: &str,
    raw: raw::Active,
    zone: Option<String>,
    has_cron: bool,
) -> Option<Active> {
    let names_zone = raw.timezone.is_some();
    let timezone = raw.timezone.or(zone).unwrap_or_else(|| "UTC".into());
    let written = Written {
        hours: &raw.hours,
        days: &raw.days,
        holidays: &raw.holidays,
        timezone: &timezone,
        outside: match raw.outside {
            Some(raw::Outside::Later) => Outside::Later,
            Some(raw::Outside::Skip) | None => Outside::Skip,
        },
    };
    let fault = match Active::parse(written) {
        Ok(active) => return Some(active),
        Err(fault) => fault,
    };
    let pointer = match &fault {
        ActiveFault::Hours { index, .. } => format!("{at}/hours/{index}"),
        ActiveFault::Days { index, .. } => format!("{at}/days/{index}"),
        ActiveFault::Holiday { index, .. } => format!("{at}/holidays/{index}"),
        // Already reported for `cron`.
        ActiveFault::Timezone { .. } if !names_zone && has_cron => return None,
        ActiveFault::Timezone { .. } if !names_zone => "/timezone".into(),
        ActiveFault::Timezone { .. } => format!("{at}/timezone"),
        ActiveFault::Never => at.to_owned(),
    };
    doc.fault(&pointer, fault.to_string()).push(doc);
    None
}

/// If the cells of the next instant do not align, a module that counts by cells starts counting again. That is correct,
/// but expensive if it happens at every instant.
pub(super) fn warn_of_grids(doc: &mut Doc<'_>, schedule: &Schedule, plan: Plan) {
    const INSTANTS: usize = 24;
    const GRIDS_MAX: usize = 3;
    let Schedule::Cron { expression, timezone } = schedule else { return };
    let Ok(cron) = Cron::parse(expression, timezone) else { return };
    let Some(grid) = plan.grid.filter(|_| !plan.history.is_zero()) else { return };
    let next = |after: &Timestamp| cron.next_after(*after);
    let instants = std::iter::successors(next(&Timestamp(0)), next).take(INSTANTS);
    let grids: BTreeSet<Duration> = instants.map(|at| at.since(at.floor(grid))).collect();
    if grids.len() > GRIDS_MAX {
        let message =
            format!("its instants are not multiples of {grid} apart: each run reads {} again", plan.history);
        doc.warn("/cron", message, &format!("use `every`, or instants that are multiples of {grid} apart"));
    }
}

/// The interval between checks. Cron windows end on minutes, or on seconds if the expression names them.
pub(super) fn grid(schedule: &Schedule, plan: Plan) -> Duration {
    match (plan.grid, schedule) {
        (Some(grid), _) => grid,
        (None, Schedule::Every(every)) => *every,
        (None, Schedule::Cron { expression, .. }) if expression.split_whitespace().count() == 6 => {
            Duration::from_secs(1)
        }
        (None, Schedule::Cron { .. }) => Duration::from_mins(1),
    }
}
