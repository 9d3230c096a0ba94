//! Events of the last while: exact, or counted by the cell of a grid.
use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Aged, Duration, Range, Timestamp};

/// The events of the last `timeframe`, on the data's clock: half-open, so that two events exactly a timeframe apart
/// are never in it together. An event older than that is out at once; one that comes late but within is sorted in.
///
/// Holds 16 bytes for each distinct instant within the timeframe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventWindow {
    runs: Runs,
    count: u64,
}

/// Events counted by cells of a grid: exact for spans that begin and end on it, however many events there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    cells: Runs,
}

/// Places in time with a number at each, in order; written as steps, so that it stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Runs(VecDeque<(i64, u32)>);

impl EventWindow {
    /// Adds an event, and lets go of those that are `timeframe` or more older than the newest.
    #[inline]
    pub fn push(&mut self, at: Timestamp, timeframe: Duration) {
        self.push_many(at, 1, timeframe);
    }

    /// Adds `count` events of one instant.
    #[inline]
    pub fn push_many(&mut self, at: Timestamp, count: u32, timeframe: Duration) {
        self.runs.add(at.0, count);
        self.count += u64::from(count);
        let newest = self.runs.0.back().map_or(at.0, |run| run.0);
        while let Some(&(oldest, count)) = self.runs.0.front() {
            if Timestamp(newest).since(Timestamp(oldest)) < timeframe {
                break;
            }
            self.runs.0.pop_front();
            self.count -= u64::from(count);
        }
    }

    #[inline]
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn oldest(&self) -> Option<Timestamp> {
        self.runs.0.front().map(|run| Timestamp(run.0))
    }

    pub fn newest(&self) -> Option<Timestamp> {
        self.runs.0.back().map(|run| Timestamp(run.0))
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.runs.0.clear();
        self.count = 0;
    }
}

impl Aged for EventWindow {
    fn newest(&self) -> Option<Timestamp> {
        self.newest()
    }

    fn heap_bytes(&self) -> usize {
        self.runs.heap_bytes()
    }
}

impl Tally {
    /// Counts an event in its cell of the grid.
    #[inline]
    pub fn add(&mut self, at: Timestamp, grid: Duration) {
        self.cells.add(cell(at, grid), 1);
    }

    /// How many events lie in `over`, whose ends must be on the grid.
    pub fn count(&self, over: Range, grid: Duration) -> u64 {
        let (start, end) = (cell(over.start, grid), cell(over.end, grid));
        let within = self.cells.0.iter().rev().skip_while(|(cell, _)| *cell >= end);
        within.take_while(|(cell, _)| *cell >= start).map(|(_, count)| u64::from(*count)).sum()
    }

    /// Lets go of what lies before `at`, which must be on the grid.
    pub fn forget_before(&mut self, at: Timestamp, grid: Duration) {
        let first = cell(at, grid);
        while self.cells.0.front().is_some_and(|(cell, _)| *cell < first) {
            self.cells.0.pop_front();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.cells.0.is_empty()
    }

    /// The bytes that it holds besides its own size; for [`Aged`].
    pub fn heap_bytes(&self) -> usize {
        self.cells.heap_bytes()
    }
}

fn cell(at: Timestamp, grid: Duration) -> i64 {
    at.0.div_euclid(grid.signed().max(1))
}

impl Runs {
    /// With what an allocator adds, and as if it were doubled: the next event may do that.
    fn heap_bytes(&self) -> usize {
        16 + self.0.capacity().max(self.0.len() * 2) * size_of::<(i64, u32)>()
    }

    #[inline]
    fn add(&mut self, place: i64, count: u32) {
        match self.0.back_mut() {
            Some(last) if last.0 == place => last.1 = last.1.saturating_add(count),
            Some(last) if last.0 > place => self.insert(place, count),
            _ => self.0.push_back((place, count)),
        }
    }

    #[cold]
    fn insert(&mut self, place: i64, count: u32) {
        match self.0.binary_search_by_key(&place, |run| run.0) {
            Ok(index) => self.0[index].1 = self.0[index].1.saturating_add(count),
            Err(index) => self.0.insert(index, (place, count)),
        }
    }
}

impl Serialize for Runs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        serializer.collect_seq(self.0.iter().map(|&(place, count)| {
            let step = place.wrapping_sub(last);
            last = place;
            (step, count)
        }))
    }
}

impl<'de> Deserialize<'de> for Runs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut runs = VecDeque::<(i64, u32)>::deserialize(deserializer)?;
        let mut last = 0_i64;
        for run in &mut runs {
            last = last.wrapping_add(run.0);
            run.0 = last;
        }
        Ok(Self(runs))
    }
}

impl Serialize for EventWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.runs.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EventWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let runs = Runs::deserialize(deserializer)?;
        let count = runs.0.iter().map(|run| u64::from(run.1)).sum();
        Ok(Self { runs, count })
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
        assert_eq!(tally.count(over(-10_000, 30_000), grid), 3);
    }
}
