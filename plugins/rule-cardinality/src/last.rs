//! When a value was seen last: the cell of the grid, and the instant within it where that is known.
use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{cell, cell_start};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) cell: LastSeen,
    /// Milliseconds since the cell began.
    within: u32,
}

impl Last {
    #[inline]
    pub(crate) fn new(at: Timestamp, grid: Duration) -> Self {
        let within = at.since(cell_start(cell(at, grid), grid)).millis();
        Self { cell: LastSeen::new(at, grid), within: u32::try_from(within).unwrap_or(u32::MAX) }
    }

    #[inline]
    pub(crate) fn at(self, grid: Duration) -> Timestamp {
        self.cell.start(grid) + Duration(u64::from(self.within))
    }

    /// The same without the instant: it is written shorter.
    pub(crate) fn coarse(self) -> Self {
        Self { within: 0, ..self }
    }
}

impl Aged for Last {
    /// In cells: it is only ever compared.
    fn newest(&self) -> Option<Timestamp> {
        self.cell.newest()
    }

    fn written_bytes(&self) -> usize {
        if self.within == 0 { 1 } else { 4 }
    }

    /// A number alone where there is no instant.
    fn write_since<S: Serializer>(&self, base: Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        let back = base.0.saturating_sub(self.newest().unwrap_or_default().0).max(0) as u64;
        let has_instant = self.within > 0;
        let mut tuple = serializer.serialize_tuple(1 + usize::from(has_instant))?;
        tuple.serialize_element(&(back << 1 | u64::from(has_instant)))?;
        if has_instant {
            tuple.serialize_element(&self.within)?;
        }
        tuple.end()
    }

    fn read_since<'de, D: Deserializer<'de>>(base: Timestamp, deserializer: D) -> Result<Self, D::Error> {
        struct Reader(Timestamp);
        impl<'de> Visitor<'de> for Reader {
            type Value = Last;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("when a value was seen last")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Last, A::Error> {
                let cut = || serde::de::Error::custom("when a value was seen last is cut short");
                let head = parts.next_element::<u64>()?.ok_or_else(cut)?;
                let within = if head & 1 > 0 { parts.next_element::<u32>()?.ok_or_else(cut)? } else { 0 };
                // A cell is its own number on a grid of one.
                let cell = self.0.0.saturating_sub_unsigned(head >> 1);
                Ok(Last { cell: LastSeen::new(Timestamp(cell), Duration(1)), within })
            }
        }
        deserializer.deserialize_tuple(2, Reader(base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_back_and_a_cell_costs_a_byte() {
        let grid = Duration::from_secs(60);
        let at = Timestamp(1_704_067_255_123);
        let last = Last::new(at, grid);
        assert_eq!((last.at(grid), last.coarse().at(grid)), (at, Timestamp(1_704_067_200_000)));
        let mut values: KeyMap<Last> = KeyMap::default();
        for n in 0..100 {
            let seen = Last::new(at - Duration(n * 1_000), grid);
            *values.entry_with(Key::of([Some(n.to_string().as_str())]), || seen) =
                if n < 50 { seen } else { seen.coarse() };
        }
        let bytes = postcard::to_allocvec(&values).unwrap();
        let read: KeyMap<Last> = postcard::from_bytes(&bytes).unwrap();
        for n in 0..100 {
            let key = Key::of([Some(n.to_string().as_str())]);
            assert_eq!(read.get(key), values.get(key), "{n}");
        }
        assert!(bytes.len() < 100 * 10 + 50 * 4 + 20, "{}", bytes.len());
    }
}
