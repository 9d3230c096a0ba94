//! Recent events: exact, or counted per cell of a grid.
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::grid::cell;
use crate::packed_counts::PackedCounts;
use crate::{Aged, Duration, Range, Timestamp};

/// The events of the last timeframe, on the data's clock. The window is half-open, so two events exactly a timeframe
/// apart are never in it together. Each new event drops those that are now too old; an event that is older than the
/// newest, but still within the window, is sorted in.
///
/// One or two instants fit into the window's own 16 bytes; more take about 100 bytes, plus 16 to 32 bytes each. Where
/// keys have thousands of events and checks lie on a grid, a [`Tally`] or [`Cells`](crate::Cells) is smaller.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// let minute = Duration::from_mins(1);
/// let mut window = EventWindow::default();
/// for secs in [0, 30, 59] {
///     window.push(Timestamp(secs * 1_000), minute);
/// }
/// assert_eq!(window.count(), 3);
/// window.push(Timestamp(60_000), minute); // the event of second 0 is a whole minute older
/// assert_eq!((window.count(), window.oldest()), (3, Some(Timestamp(30_000))));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventWindow {
    counts: PackedCounts,
}

/// Events counted by cells of a grid: exact for spans that begin and end on it, however many events there are.
/// Uses as much memory as an [`EventWindow`] with as many instants.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// let timeframe = Duration::from_mins(10);
/// let grid = Tally::grid(timeframe);
/// assert_eq!(grid, Duration::from_mins(1));
/// let mut tally = Tally::default();
/// for secs in 0..1_200 {
///     tally.add(Timestamp(secs * 1_000), grid);
/// }
/// let at = Timestamp(1_200_000); // a check
/// assert_eq!(tally.count(Range::new(at - timeframe, at), grid), 600);
/// tally.forget_before(at - timeframe, grid);
/// assert_eq!(tally.total(), 600);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    cells: PackedCounts,
}

impl EventWindow {
    /// Adds an event, and drops those that are older than the newest by `timeframe` or more.
    #[inline]
    pub fn push(&mut self, at: Timestamp, timeframe: Duration) {
        self.push_many(at, 1, timeframe);
    }

    /// Adds `count` events of one instant, as [`push`](Self::push) does.
    #[inline]
    pub fn push_many(&mut self, at: Timestamp, count: u32, timeframe: Duration) {
        if let Some(newest) = self.newest() {
            if at > newest {
                // Remove before adding: most windows never hold more than two.
                while self.oldest().is_some_and(|oldest| at.since(oldest) >= timeframe) {
                    self.counts.pop_oldest();
                }
            } else if newest.since(at) >= timeframe {
                return;
            }
        }
        self.counts.add(at.0, count);
    }

    /// The number of events in the window.
    #[inline]
    pub fn count(&self) -> u64 {
        self.counts.total()
    }

    /// Whether the window has no events.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The time of the oldest event in the window.
    #[inline]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.counts.oldest().map(Timestamp)
    }

    /// The time of the newest event in the window.
    #[inline]
    pub fn newest(&self) -> Option<Timestamp> {
        self.counts.newest().map(Timestamp)
    }

    /// The instants of its events, oldest first, each with its count.
    pub fn instants(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        self.counts.iter().map(|(at, count)| (Timestamp(at), count))
    }

    /// Removes all events.
    pub fn clear(&mut self) {
        self.counts = PackedCounts::default();
    }
}

impl Aged for EventWindow {
    #[inline]
    fn newest(&self) -> Option<Timestamp> {
        self.newest()
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        self.counts.heap_bytes()
    }

    #[inline]
    fn written_bytes(&self) -> usize {
        self.counts.written_bytes()
    }

    fn write_since<S: Serializer>(&self, base: Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        self.counts.write(base.0, serializer)
    }

    fn read_since<'de, D: Deserializer<'de>>(base: Timestamp, deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { counts: PackedCounts::read(base.0, deserializer)? })
    }
}

/// In cells, because it is only compared.
impl Aged for Tally {
    fn newest(&self) -> Option<Timestamp> {
        self.cells.newest().map(Timestamp)
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        self.cells.heap_bytes()
    }

    #[inline]
    fn written_bytes(&self) -> usize {
        self.cells.written_bytes()
    }

    fn write_since<S: Serializer>(&self, base: Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        self.cells.write(base.0, serializer)
    }

    fn read_since<'de, D: Deserializer<'de>>(base: Timestamp, deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { cells: PackedCounts::read(base.0, deserializer)? })
    }
}

impl Tally {
    /// A suitable grid for counting the events of a `timeframe` of whole seconds: the longest of 1, 2, 3, 4, 5, 6, 10,
    /// 12, 15, 20, 30 and 60 seconds that divides it and is at most a tenth of it, or 1 second. If that makes more than
    /// 120 cells, the smallest whole number of seconds that makes 60 or fewer.
    pub fn grid(timeframe: Duration) -> Duration {
        const SECS: [u64; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
        let secs = timeframe.millis() / 1_000;
        let fine = SECS.into_iter().find(|step| secs.is_multiple_of(*step) && step * 10 <= secs).unwrap_or(1);
        if secs / fine <= 120 {
            return Duration::from_secs(fine);
        }
        let coarse = (2..=60).rev().find(|cells| secs.is_multiple_of(*cells));
        Duration::from_secs(coarse.map_or(fine, |cells| secs / cells))
    }

    /// Counts an event in its grid cell.
    #[inline]
    pub fn add(&mut self, at: Timestamp, grid: Duration) {
        self.add_many(at, 1, grid);
    }

    /// Counts several events in one cell.
    #[inline]
    pub fn add_many(&mut self, at: Timestamp, count: u32, grid: Duration) {
        self.cells.add(cell(at, grid), count);
    }

    /// Removes an event from the grid cell that contains `at`; returns false if there is none.
    pub fn take(&mut self, at: Timestamp, grid: Duration) -> bool {
        self.cells.take(cell(at, grid))
    }

    /// The number of events in `over`, whose bounds must be on the grid.
    pub fn count(&self, over: Range, grid: Duration) -> u64 {
        let (start, end) = (cell(over.start, grid), cell(over.end, grid));
        let within = self.cells.iter().rev().skip_while(|(cell, _)| *cell >= end);
        within.take_while(|(cell, _)| *cell >= start).map(|(_, count)| u64::from(count)).sum()
    }

    /// The starts of the cells with events, oldest first, each with its count.
    pub fn places(&self, grid: Duration) -> impl Iterator<Item = (Timestamp, u32)> {
        let start = move |cell: i64| Timestamp(cell.saturating_mul(grid.signed().max(1)));
        self.cells.iter().map(move |(cell, count)| (start(cell), count))
    }

    /// The total number of events.
    pub fn total(&self) -> u64 {
        self.cells.total()
    }

    /// Drops everything before `at`, which must be on the grid.
    pub fn forget_before(&mut self, at: Timestamp, grid: Duration) {
        let first = cell(at, grid);
        while self.cells.oldest().is_some_and(|cell| cell < first) {
            self.cells.pop_oldest();
        }
    }

    /// Drops everything at or after `at`, which must be on the grid.
    pub fn forget_from(&mut self, at: Timestamp, grid: Duration) {
        let first = cell(at, grid);
        while self.cells.newest().is_some_and(|cell| cell >= first) {
            self.cells.pop_newest();
        }
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The bytes on the heap; for [`Aged`].
    pub fn heap_bytes(&self) -> usize {
        self.cells.heap_bytes()
    }
}

impl Serialize for EventWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.counts.write(0, serializer)
    }
}

impl<'de> Deserialize<'de> for EventWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { counts: PackedCounts::read(0, deserializer)? })
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.cells.write(0, serializer)
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { cells: PackedCounts::read(0, deserializer)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_window_is_half_open_and_slides_on_the_datas_clock() {
        let mut window = EventWindow::default();
        window.push(Timestamp(0), MINUTE);
        window.push(Timestamp(59_999), MINUTE);
        assert_eq!(window.count(), 2);
        window.push(Timestamp(60_000), MINUTE);
        assert_eq!((window.count(), window.oldest()), (2, Some(Timestamp(59_999))));
        window.push(Timestamp(0), MINUTE);
        assert_eq!(window.count(), 2, "too old: out at once");
        window.push(Timestamp(30_000), MINUTE);
        assert_eq!(
            (window.count(), window.oldest()),
            (3, Some(Timestamp(30_000))),
            "late but within: sorted in"
        );
        window.push_many(Timestamp(60_000), 5, MINUTE);
        assert_eq!(window.count(), 8);
        window.push(Timestamp(500_000), MINUTE);
        assert_eq!(window.count(), 1);
    }

    #[test]
    fn a_window_reads_back_small() {
        let mut window = EventWindow::default();
        for n in 0..1_000 {
            window.push(Timestamp(1_411_732_800_000 + n * 50), MINUTE);
        }
        let bytes = postcard::to_allocvec(&window).unwrap();
        assert!(bytes.len() < 3_100, "{}", bytes.len());
        assert_eq!(postcard::from_bytes::<EventWindow>(&bytes).unwrap(), window);
    }

    #[test]
    fn a_tally_counts_whole_cells() {
        let grid = Duration::from_secs(10);
        let mut tally = Tally::default();
        for at in [-1, 0, 9_999, 10_000, 25_000, 25_000] {
            tally.add(Timestamp(at), grid);
        }
        let over = |start, end| Range::new(Timestamp(start), Timestamp(end));
        assert_eq!(tally.count(over(0, 30_000), grid), 5);
        assert_eq!(tally.count(over(10_000, 20_000), grid), 1);
        assert_eq!(tally.count(over(-10_000, 0), grid), 1);
        tally.forget_before(Timestamp(10_000), grid);
        assert_eq!((tally.count(over(-10_000, 30_000), grid), tally.total()), (3, 3));
        assert!(tally.take(Timestamp(20_001), grid) && !tally.take(Timestamp(0), grid));
        assert_eq!(tally.total(), 2);
        tally.add_many(Timestamp(40_000), 3, grid);
        tally.forget_from(Timestamp(20_000), grid);
        assert_eq!(tally.total(), 1);
    }

    #[test]
    fn a_timeframe_has_ten_to_a_hundred_and_twenty_cells() {
        for (timeframe, grid) in
            [("10m", "1m"), ("5m", "30s"), ("5s", "1s"), ("2h", "1m"), ("1d", "24m"), ("7d", "2h48m")]
        {
            assert_eq!(Tally::grid(Duration::parse(timeframe).unwrap()).to_string(), grid, "{timeframe}");
        }
    }
}
