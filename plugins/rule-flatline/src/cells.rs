//! Counts of grid cells, packed: two bytes for a small count of the next cell.

/// Cells before a newest one, newest first: of each how many cells it lies before the next newer one, and its count.
/// Both are written seven bits at a time, so that 200,000 keys may have a few.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Cells(Box<[u8]>);

impl Cells {
    /// Adds a cell that is newer than all, `gap` before the newest.
    pub(crate) fn push(&mut self, gap: u64, count: u32) {
        let mut bytes = Vec::with_capacity(self.0.len() + 4);
        write(gap, &mut bytes);
        write(u64::from(count), &mut bytes);
        bytes.extend_from_slice(&self.0);
        self.0 = bytes.into();
    }

    /// The cells and their counts, newest first, before the cell `newest`.
    pub(crate) fn iter(&self, newest: i64) -> impl Iterator<Item = (i64, u32)> {
        let mut bytes = &self.0[..];
        let mut cell = newest;
        std::iter::from_fn(move || {
            let (gap, count) = (read(&mut bytes)?, read(&mut bytes)?);
            cell = cell.saturating_sub_unsigned(gap);
            Some((cell, u32::try_from(count).unwrap_or(u32::MAX)))
        })
    }

    /// Keeps the newest `count` cells.
    pub(crate) fn truncate(&mut self, count: usize) {
        let mut rest = &self.0[..];
        for _ in 0..count * 2 {
            if read(&mut rest).is_none() {
                return;
            }
        }
        if !rest.is_empty() {
            self.0 = self.0[..self.0.len() - rest.len()].into();
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        watchbell_sdk::held_bytes(self.0.len())
    }
}

fn write(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// `None` at the end, and where the bytes are no number.
fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_read_back_newest_first() {
        let mut cells = Cells::default();
        assert_eq!((cells.iter(9).count(), cells.heap_bytes()), (0, 0));
        for (gap, count) in [(1, 7), (300, 127), (2, 128), (1 << 60, u32::MAX)] {
            cells.push(gap, count);
        }
        let far = 10 - (1 << 60);
        let expected = [(far, u32::MAX), (far - 2, 128), (far - 302, 127), (far - 303, 7)];
        assert_eq!(cells.iter(10).collect::<Vec<_>>(), expected);
        for count in (0..6).rev() {
            cells.truncate(count);
            assert_eq!(cells.iter(10).collect::<Vec<_>>(), expected[..count.min(4)]);
        }
        assert_eq!(cells.heap_bytes(), 0);
    }

    #[test]
    fn bytes_that_are_no_cells_end_them() {
        for bytes in [&[5][..], &[0x80], &[0xff; 30], &[1, 2, 3]] {
            let mut cells = Cells(bytes.into());
            assert!(cells.iter(0).count() <= 1);
            cells.truncate(3);
        }
    }
}
