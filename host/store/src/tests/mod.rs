//! What a store guarantees, tested on files and in memory.
mod fixtures; // records with a default for everything
mod promises; // what is written can be read until it is pruned
mod ownership; // which parts of a commit are written
mod transitions; // what passes from the partitions to the notifier
mod files; // a store that is full, locked, removed or put back
mod refusals; // everything that `open` refuses, with its message
mod model; // random commits on a file and in memory
mod reading; // what `status` and `explain` see
mod upgrade; // stores written by older versions

use crate::{Memory, Sqlite, Store};

/// Every guarantee holds for every store.
fn on_each(check: impl Fn(&mut dyn Store)) {
    let folder = tempfile::tempdir().unwrap();
    check(&mut Sqlite::open(&folder.path().join("store.db")).unwrap());
    check(&mut Memory::new());
}
