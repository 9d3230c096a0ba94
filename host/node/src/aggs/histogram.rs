//! A bucket per interval of time or of numbers.
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::column::Column;
use super::sorted::Order;
use super::{Agg, BUCKETS_MAX, Context, Entry, shown};
use crate::dates::{Formats, Unit, Zone, from_millis};
use crate::errors::{Answer, Refusal};
use crate::value::Value;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Interval {
    /// Milliseconds.
    Fixed(i64),
    Calendar(Unit),
}

impl Interval {
    /// The start of the interval that contains `at`; all in milliseconds.
    pub(super) fn floor(self, at: i64, offset: i64, zone: &Zone) -> i64 {
        let moved = at.saturating_sub(offset);
        let start = match self {
            Self::Fixed(span) => {
                // Fixed intervals are counted on the local clock.
                let shift = zone.offset_at(moved.div_euclid(1_000)).saturating_mul(1_000);
                let local = moved.saturating_add(shift);
                local - local.rem_euclid(span) - shift
            }
            Self::Calendar(unit) => unit.floor(moved.div_euclid(1_000), zone).saturating_mul(1_000),
        };
        start.saturating_add(offset)
    }

    fn next(self, start: i64, offset: i64, zone: &Zone) -> i64 {
        match self {
            Self::Fixed(span) => {
                let next = start.saturating_add(span);
                // A clock change in between moves the next start.
                let rounded = self.floor(next, offset, zone);
                if rounded > start { rounded } else { next }
            }
            Self::Calendar(unit) => {
                let seconds = start.saturating_sub(offset).div_euclid(1_000);
                unit.plus(seconds, 1, zone).saturating_mul(1_000).saturating_add(offset)
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct DateHistogram {
    pub(super) field: String,
    pub(super) interval: Interval,
    pub(super) offset: i64,
    pub(super) zone: Zone,
    pub(super) format: Option<Formats>,
    pub(super) min_doc_count: usize,
    pub(super) order: Option<Order>,
    pub(super) keyed: bool,
    pub(super) missing: Option<Json>,
    pub(super) extended: Option<(Json, Json)>,
    pub(super) hard: Option<(Json, Json)>,
}

impl DateHistogram {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let column =
            Column::new(context, &self.field, self.missing.as_ref())?.dates(&self.field, "date_histogram")?;
        let formats =
            self.format.clone().or(column.field.map(|field| field.formats.clone())).unwrap_or_default();
        let bound = |json: &Json, round_up: bool| -> Answer<i64> {
            let text =
                crate::value::scalar_text(json).ok_or_else(|| Refusal::parsing("a bound must be a date"))?;
            crate::dates::parse_math(&text, &formats, context.now, round_up, &self.zone)
                .map(crate::dates::to_millis)
                .map_err(Refusal::illegal)
        };
        let bounds = |pair: &Option<(Json, Json)>| -> Answer<Option<(i64, i64)>> {
            pair.as_ref().map(|(low, high)| Ok((bound(low, false)?, bound(high, false)?))).transpose()
        };
        let (extended, hard) = (bounds(&self.extended)?, bounds(&self.hard)?);
        let mut buckets: BTreeMap<i64, Vec<Entry<'_>>> = BTreeMap::new();
        for entry in entries {
            let mut last = None;
            for value in column.values(entry) {
                let Some(at) = column.millis(value) else { continue };
                if hard.is_some_and(|(low, high)| at < low || at >= high) {
                    continue;
                }
                let start = self.interval.floor(at, self.offset, &self.zone);
                if last != Some(start) {
                    buckets.entry(start).or_default().push(*entry);
                }
                last = Some(start);
            }
        }
        if self.min_doc_count == 0 {
            let low = extended.map(|(low, _)| self.interval.floor(low, self.offset, &self.zone));
            let high = extended.map(|(_, high)| self.interval.floor(high, self.offset, &self.zone));
            let first = buckets.keys().next().copied().into_iter().chain(low).min();
            let last = buckets.keys().next_back().copied().into_iter().chain(high).max();
            if let (Some(mut at), Some(last)) = (first, last) {
                while at <= last {
                    buckets.entry(at).or_default();
                    if buckets.len() > BUCKETS_MAX {
                        context.count(buckets.len())?;
                    }
                    at = self.interval.next(at, self.offset, &self.zone);
                }
            }
        }
        let mut made = Vec::new();
        for (start, entries) in buckets {
            if entries.len() < self.min_doc_count {
                continue;
            }
            let text = formats.print(from_millis(start), &self.zone);
            let mut key = Map::new();
            key.insert("key_as_string".into(), text.clone().into());
            key.insert("key".into(), start.into());
            let count = entries.len();
            made.push((start, count, text, context.bucket(key, subs, &entries)?));
        }
        if let Some(order) = &self.order {
            made.sort_by(|a, b| order.compare(&a.3, &b.3, (a.1, b.1), a.0.cmp(&b.0)));
        }
        let made = made.into_iter().map(|(_, _, text, bucket)| (text, bucket)).collect();
        Ok(shown(context.piped(subs, made)?, self.keyed))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    pub(super) field: String,
    pub(super) interval: f64,
    pub(super) offset: f64,
    pub(super) min_doc_count: usize,
    pub(super) keyed: bool,
    pub(super) missing: Option<Json>,
}

impl Histogram {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let column =
            Column::new(context, &self.field, self.missing.as_ref())?.numeric(&self.field, "histogram")?;
        let mut buckets: BTreeMap<i64, Vec<Entry<'_>>> = BTreeMap::new();
        for entry in entries {
            let mut last = None;
            for number in column.values(entry).iter().filter_map(Value::number) {
                let step = ((number - self.offset) / self.interval).floor() as i64;
                if last != Some(step) {
                    buckets.entry(step).or_default().push(*entry);
                }
                last = Some(step);
            }
        }
        if self.min_doc_count == 0
            && let (Some(first), Some(last)) =
                (buckets.keys().next().copied(), buckets.keys().next_back().copied())
        {
            let gaps = usize::try_from(last.saturating_sub(first)).unwrap_or(usize::MAX);
            if gaps > BUCKETS_MAX {
                context.count(gaps)?;
            }
            for step in first..=last {
                buckets.entry(step).or_default();
            }
        }
        let mut made = Vec::new();
        for (step, entries) in buckets {
            if entries.len() < self.min_doc_count {
                continue;
            }
            let start = step as f64 * self.interval + self.offset;
            let mut key = Map::new();
            key.insert("key".into(), start.into());
            made.push((format!("{start:?}"), context.bucket(key, subs, &entries)?));
        }
        Ok(shown(context.piped(subs, made)?, self.keyed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_start_where_the_local_clock_says() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let noon = 1_720_000_000_000; // 2024-07-03T09:46:40Z
        let day = Interval::Calendar(Unit::Day).floor(noon, 0, &berlin);
        assert_eq!(day, 1_719_957_600_000); // 2024-07-02T22:00:00Z
        assert_eq!(Interval::Fixed(3_600_000).floor(noon, 900_000, &Zone::UTC), 1_719_998_100_000);
        assert_eq!(Interval::Fixed(60_000).floor(-1, 0, &Zone::UTC), -60_000);
    }
}
