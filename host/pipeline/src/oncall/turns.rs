use jiff::Span;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use watchbell_contract::Timestamp;

/// Turns of whole days by the calendar of a zone. A week is as long as its days are: 167 or 169 hours when the clock
/// changes.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    /// The day on which the first one begins.
    pub(super) starts: Date,
    pub(super) hand_over: Time,
    /// Never zero.
    pub(super) days: i64,
    pub(super) zone: TimeZone,
}

impl Turns {
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whose turn it is, of `people`: a place. The first one's before the first turn, and beyond the calendar.
    pub(super) fn at(&self, at: Timestamp, people: usize) -> usize {
        let turn = self.number(at).and_then(|turn| usize::try_from(turn).ok()).unwrap_or(0);
        turn % people.max(1)
    }

    /// When the next turn begins. The first person is on call before the first turn, so nothing changes with it.
    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.begins(self.number(after)?.max(0) + 1)
    }

    /// The number of the turn at an instant; below zero before the first.
    fn number(&self, at: Timestamp) -> Option<i64> {
        let instant = jiff::Timestamp::from_millisecond(at.0).ok()?;
        let days = self.starts.until(self.zone.to_datetime(instant).date()).ok()?.get_days();
        let turn = i64::from(days).div_euclid(self.days);
        // The day's hand-over may still come. It may also be over although the clock is before it, if the clock went back.
        [turn + 1, turn, turn - 1]
            .into_iter()
            .find(|turn| self.begins(*turn).is_some_and(|begins| begins <= at))
    }

    /// When a turn begins. A time that the clock skips comes when the gap ends; of a time that it repeats, the first
    /// counts.
    fn begins(&self, turn: i64) -> Option<Timestamp> {
        let days = Span::new().try_days(turn.checked_mul(self.days)?).ok()?;
        let local = self.starts.checked_add(days).ok()?.to_datetime(self.hand_over);
        let instant = match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok()?,
            AmbiguousOffset::Gap { after, .. } => {
                self.zone.following(after.to_timestamp(local).ok()?).next()?.timestamp()
            }
        };
        Some(Timestamp(instant.as_millisecond()))
    }

    /// The instant of a local time, by the same rules.
    pub(super) fn instant(zone: &TimeZone, local: jiff::civil::DateTime) -> Option<Timestamp> {
        let turns = Self { starts: local.date(), hand_over: local.time(), days: 1, zone: zone.clone() };
        turns.begins(0)
    }
}
