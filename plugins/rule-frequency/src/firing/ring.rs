use serde::{Deserialize, Serialize};

/// How many events there were in each of the last cells. The oldest leaves as a new one begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ring {
    newest: i64,
    /// A cell stands at its number, modulo how many there are.
    counts: Box<[u32]>,
    total: u64,
}

impl Ring {
    pub(crate) fn new(cells: usize) -> Self {
        Self { newest: i64::MIN, counts: vec![0; cells.max(1)].into(), total: 0 }
    }

    /// Adds events of a cell; one that has left already counts no more.
    pub(crate) fn add(&mut self, cell: i64, events: u32) {
        self.advance(cell);
        if cell > self.newest.saturating_sub(self.counts.len() as i64) {
            let place = self.place(cell);
            let count = &mut self.counts[place];
            let sum = count.saturating_add(events);
            self.total += u64::from(sum - *count);
            *count = sum;
        }
    }

    /// Lets the last cell be `cell`, if it is later.
    pub(crate) fn advance(&mut self, cell: i64) {
        if cell <= self.newest {
            return;
        }
        let len = self.counts.len() as i64;
        for passed in self.newest.saturating_add(1).max(cell.saturating_sub(len - 1))..=cell {
            let place = self.place(passed);
            self.total -= u64::from(std::mem::take(&mut self.counts[place]));
        }
        self.newest = cell;
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.counts.len() * size_of::<u32>() + 16
    }

    /// About, while a cell holds fewer than 16,384 events.
    pub(crate) fn written_bytes(&self) -> usize {
        self.counts.len() * 2
    }

    fn place(&self, cell: i64) -> usize {
        cell.rem_euclid(self.counts.len() as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cells_count() {
        let mut ring = Ring::new(3);
        for (cell, events, total) in
            [(5, 1, 1), (6, 2, 3), (7, 4, 7), (8, 8, 14), (11, 1, 1), (10, 1, 2), (8, 1, 2)]
        {
            ring.add(cell, events);
            assert_eq!(ring.total(), total, "{cell}");
        }
        ring.advance(13);
        assert_eq!(ring.total(), 1);
        ring.advance(1_000_000_000_000);
        assert_eq!(ring.total(), 0);
        ring.advance(-1);
        assert_eq!(ring, Ring { newest: 1_000_000_000_000, ..Ring::new(3) });
    }
}
