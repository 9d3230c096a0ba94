//! What a store promises, tried on files and in memory.
mod fixtures; // records with a default for everything
mod promises; // what is written is what is read, until it is pruned
mod ownership; // which parts of a commit are written
mod transitions; // what passes from the partitions to the notifier
mod files; // a store that is full, held, removed or put back
mod refusals; // all that `open` turns down, in words
mod model; // random commits on a file and in memory
mod reading; // what `status` and `explain` see
mod upgrade; // what older versions wrote

use crate::{Memory, Sqlite, Store};

/// Every promise holds for every store.
fn on_each(check: impl Fn(&mut dyn Store)) {
    let folder = tempfile::tempdir().unwrap();
    check(&mut Sqlite::open(&folder.path().join("store.db")).unwrap());
    check(&mut Memory::new());
}
