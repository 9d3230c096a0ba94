use watchbell_contract::Timestamp;

use crate::limit::{Bounds, Limit, LimitSpan};
use crate::record::Counted;
use crate::spec::DestinationName;

/// As many messages as a limit allows were sent in one of its spans. Said once for each span.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) destination: DestinationName,
    pub(crate) span: LimitSpan,
    pub(crate) most: u32,
    pub(crate) bounds: Bounds,
}

/// Until when `limit` has no room, if `more` messages are sent besides those that are counted.
pub(super) fn full_until(
    counts: &[Counted; 3],
    limit: &Limit,
    more: usize,
    now: Timestamp,
) -> Option<Timestamp> {
    let more = u32::try_from(more).unwrap_or(u32::MAX);
    let ends = LimitSpan::ALL.into_iter().zip(counts).filter_map(|(span, counted)| {
        let most = limit.most(span)?.get();
        let bounds = limit.bounds(span, now);
        (counted.within(bounds).saturating_add(more) >= most).then_some(bounds.end)
    });
    ends.max()
}

/// Counts a message that is sent for the first time. Gives the spans in which the limit is reached with it.
pub(super) fn count(
    counts: &mut [Counted; 3],
    limit: &Limit,
    now: Timestamp,
) -> Vec<(LimitSpan, u32, Bounds)> {
    let mut reached = Vec::new();
    for (span, counted) in LimitSpan::ALL.into_iter().zip(counts) {
        let bounds = limit.bounds(span, now);
        counted.count = counted.within(bounds).saturating_add(1);
        counted.start = counted.start.max(bounds.start);
        let Some(most) = limit.most(span).map(|most| most.get()).filter(|most| counted.count >= *most) else {
            continue;
        };
        let before = counted.reached_until.replace(bounds.end);
        let is_told = before.is_some_and(|before| before >= bounds.end);
        // A flood fills one minute after the other: the first of them is said.
        let goes_on = span != LimitSpan::Day && before == Some(bounds.start);
        if !is_told && !goes_on {
            reached.push((span, most, bounds));
        }
    }
    reached
}

/// A message that was counted was not sent after all.
pub(super) fn uncount(counts: &mut [Counted; 3], limit: &Limit, now: Timestamp) {
    for (span, counted) in LimitSpan::ALL.into_iter().zip(counts) {
        counted.count = counted.within(limit.bounds(span, now)).saturating_sub(1);
    }
}

impl Counted {
    /// How many of the span with these bounds. A clock that went back since goes on in the later span.
    fn within(&self, bounds: Bounds) -> u32 {
        if self.start >= bounds.start { self.count } else { 0 }
    }
}
