//! What ends the reading of a page: a value that its column cannot hold, or more values than may be kept.
use std::cell::Cell;

/// Why a value does not fit its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misfit(pub(crate) &'static str);

/// What ends the reading of a page.
#[derive(Debug)]
pub(crate) struct Misfits {
    /// The first value that does not fit, by its column.
    first: Cell<Option<(usize, Misfit)>>,
    /// How many more values the page may have: a document may have any number, of two bytes each.
    room: Cell<usize>,
}

/// Bytes of a value in its column.
const VALUE_BYTES: usize = 8;

impl Misfits {
    /// For a page whose values take at most `bytes_max`.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { first: Cell::default(), room: Cell::new(bytes_max / VALUE_BYTES) }
    }

    pub(crate) fn set(&self, column: usize, misfit: Misfit) {
        self.first.set(Some((column, misfit)));
    }

    pub(crate) fn first(&self) -> Option<(usize, Misfit)> {
        self.first.get()
    }

    /// Counts a value; whether there was room for it.
    pub(crate) fn count(&self) -> bool {
        let room = self.room.get().checked_sub(1);
        self.room.set(room.unwrap_or_default());
        room.is_some()
    }

    /// Whether the page has more values than may be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.room.get() == 0
    }
}
