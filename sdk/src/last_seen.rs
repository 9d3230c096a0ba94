//! When something was last seen, to the precision of a grid cell: four bytes.
use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Aged, Duration, Timestamp, grid};

/// The grid cell in which something was last seen, for maps of a million values that stay known for a while. The grid
/// itself is not stored; the rule must always use the same one. With a grid of a second, cells are distinct within 68
/// years before and after 1970; beyond that they saturate.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// let day = Duration::from_days(1);
/// let mut known = KeyMap::<LastSeen>::default();
/// let alice = Key::of([Some("alice")]);
/// let seen = LastSeen::new(Timestamp(0) + day * 20_000, day);
/// known.entry_with(alice, || seen);
/// let now = LastSeen::new(Timestamp(0) + day * 20_030, day);
/// assert_eq!(known.get(alice).map(|seen| seen.cells_until(now)), Some(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LastSeen(NonZeroU32);

/// The cell that begins at 1970 is in the middle.
const MIDDLE: i64 = 1 << 31;

impl LastSeen {
    /// Seen at `at`, rounded down to the cell of `grid`.
    #[inline]
    pub fn new(at: Timestamp, grid: Duration) -> Self {
        Self::of_cell(grid::cell(at, grid))
    }

    /// The number of cells from this one to `later`; zero if `later` is not after it.
    #[inline]
    pub fn cells_until(self, later: Self) -> u32 {
        later.0.get().saturating_sub(self.0.get())
    }

    /// The start of the cell.
    pub fn start(self, grid: Duration) -> Timestamp {
        grid::cell_start(self.cell(), grid)
    }

    fn cell(self) -> i64 {
        i64::from(self.0.get()) - MIDDLE
    }

    fn of_cell(cell: i64) -> Self {
        let number = cell.saturating_add(MIDDLE).clamp(1, i64::from(u32::MAX));
        Self(u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN))
    }
}

impl Aged for LastSeen {
    const HAS_HEAP: bool = false;

    /// In cells, because it is only compared.
    fn newest(&self) -> Option<Timestamp> {
        Some(Timestamp(self.cell()))
    }

    /// For maps of at most 64 cells.
    fn written_bytes(&self) -> usize {
        1
    }

    fn write_since<S: Serializer>(&self, base: Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(base.0.saturating_sub(self.cell()))
    }

    fn read_since<'de, D: Deserializer<'de>>(base: Timestamp, deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(|back| Self::of_cell(base.0.saturating_sub(back)))
    }
}

impl Serialize for LastSeen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.get().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LastSeen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NonZeroU32::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_counted_and_read_back() {
        let grid = Duration::from_mins(60 * 24);
        let seen = |days: i64| LastSeen::new(Timestamp(days * 86_400_000 + 5), grid);
        assert_eq!(seen(19_723).cells_until(seen(19_753)), 30);
        assert_eq!(seen(3).cells_until(seen(2)), 0);
        assert_eq!(seen(-1).cells_until(seen(1)), 2);
        assert_eq!(seen(-7).start(grid), Timestamp(-7 * 86_400_000));
        assert_eq!(size_of::<Option<LastSeen>>(), 4);
        let far = LastSeen::new(Timestamp(i64::MAX), Duration(1));
        assert_eq!(far.cells_until(LastSeen::new(Timestamp(i64::MAX - 9), Duration(1))), 0);
        for seen in [seen(-5), seen(0), seen(20_000), far] {
            assert_eq!(postcard::from_bytes::<LastSeen>(&postcard::to_allocvec(&seen).unwrap()), Ok(seen));
        }
    }
}
