//! A value per cell of a grid: what rules that evaluate on a grid keep, however many events there are.
use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::aged::held_by;
use crate::grid::{cell, cell_start};
use crate::{Aged, Duration, Range, Timestamp};

/// A value for each non-empty cell of a grid, in order of time. Ranges that begin and end on the grid are exact. Every
/// call must be given the same grid.
///
/// Each cell takes 8 bytes in addition to its value. For counts alone, a [`Tally`](crate::Tally) is smaller.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// let grid = Duration::from_mins(1);
/// let mut busiest = Cells::<f64>::default();
/// for (secs, load) in [(5, 0.5), (50, 0.9), (70, 0.2)] {
///     let cell = busiest.entry(Timestamp(secs * 1_000), grid);
///     *cell = cell.max(load);
/// }
/// let over = Range::new(Timestamp(0), Timestamp(120_000));
/// assert_eq!(busiest.over(over, grid).copied().collect::<Vec<_>>(), [0.9, 0.2]);
/// busiest.forget_before(Timestamp(60_000), grid);
/// assert_eq!(busiest.over(over, grid).sum::<f64>(), 0.2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cells<T>(VecDeque<(i64, T)>);

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Cells<T> {
    /// The value of the cell that contains `at`, created if there is none.
    #[inline]
    pub fn entry(&mut self, at: Timestamp, grid: Duration) -> &mut T
    where
        T: Default,
    {
        let place = cell(at, grid);
        let index = match self.0.back() {
            Some(last) if last.0 == place => self.0.len() - 1,
            Some(last) if last.0 > place => match self.0.binary_search_by_key(&place, |cell| cell.0) {
                Ok(index) => index,
                Err(index) => {
                    self.0.insert(index, (place, T::default()));
                    index
                }
            },
            _ => {
                self.0.push_back((place, T::default()));
                self.0.len() - 1
            }
        };
        &mut self.0[index].1
    }

    /// The values of the cells within `over`, whose bounds must be on the grid.
    pub fn over(&self, over: Range, grid: Duration) -> impl Iterator<Item = &T> {
        let (start, end) = (cell(over.start, grid), cell(over.end, grid));
        let first = self.0.partition_point(|(place, _)| *place < start);
        self.0.range(first..).take_while(move |(place, _)| *place < end).map(|(_, value)| value)
    }

    /// Drops everything before `at`, which must be on the grid.
    pub fn forget_before(&mut self, at: Timestamp, grid: Duration) {
        let first = cell(at, grid);
        while self.0.front().is_some_and(|(place, _)| *place < first) {
            self.0.pop_front();
        }
    }

    /// Whether all cells are empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The start of the newest cell.
    pub fn newest(&self, grid: Duration) -> Option<Timestamp> {
        self.newest_place().map(|place| cell_start(place, grid))
    }

    /// The number of the newest cell. It grows with time, which is enough for [`Aged`](crate::Aged) when the grid is
    /// not available.
    pub fn newest_place(&self) -> Option<i64> {
        self.0.back().map(|cell| cell.0)
    }

    /// The bytes that it uses besides its own size, as if its capacity were doubled, because the next event may do
    /// that. For [`Aged`](crate::Aged).
    pub fn heap_bytes(&self) -> usize {
        if self.0.capacity() == 0 {
            return 0;
        }
        16 + self.0.capacity().max(self.0.len() * 2) * size_of::<(i64, T)>()
    }
}

/// In cells, because it is only compared.
impl<T: Aged> Aged for Cells<T> {
    fn newest(&self) -> Option<Timestamp> {
        self.newest_place().map(Timestamp)
    }

    fn heap_bytes(&self) -> usize {
        self.heap_bytes() + held_by(self.0.iter().map(|(_, value)| value))
    }
}

/// Encoded as steps from cell to cell, to keep it small.
impl<T: Serialize> Serialize for Cells<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        serializer.collect_seq(self.0.iter().map(|(place, value)| {
            let step = place.wrapping_sub(last);
            last = *place;
            (step, value)
        }))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Cells<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut cells = VecDeque::<(i64, T)>::deserialize(deserializer)?;
        let mut last = 0_i64;
        for cell in &mut cells {
            last = last.wrapping_add(cell.0);
            cell.0 = last;
        }
        Ok(Self(cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell_end;

    const GRID: Duration = Duration::from_secs(10);

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1_000)
    }

    fn sum(cells: &Cells<u32>, start: i64, end: i64) -> u32 {
        cells.over(Range::new(at(start), at(end)), GRID).sum()
    }

    #[test]
    fn cells_are_half_open_and_sorted() {
        let mut cells = Cells::<u32>::default();
        for secs in [0, 9, 10, 25, 31, 12, -1] {
            *cells.entry(at(secs), GRID) += 1;
        }
        assert_eq!(
            [sum(&cells, 0, 10), sum(&cells, 10, 20), sum(&cells, 20, 40), sum(&cells, -10, 0)],
            [2, 2, 2, 1]
        );
        assert_eq!((cells.newest(GRID), cell_end(at(31), GRID)), (Some(at(30)), at(40)));
        cells.forget_before(at(20), GRID);
        assert_eq!(sum(&cells, -100, 100), 2);
        cells.forget_before(at(40), GRID);
        assert!(cells.is_empty() && cells.newest(GRID).is_none());
    }

    #[test]
    fn cells_are_kept_as_steps() {
        let mut cells = Cells::<u32>::default();
        for secs in 0..1_000 {
            *cells.entry(at(1_700_000_000 + secs * 10), GRID) += 1;
        }
        let bytes = postcard::to_allocvec(&cells).unwrap();
        assert!(bytes.len() < 2_100, "{}", bytes.len());
        assert_eq!(postcard::from_bytes::<Cells<u32>>(&bytes).unwrap(), cells);
    }
}
