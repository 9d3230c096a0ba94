//! What a store promises, tried on files.
mod fixtures; // records with a default for everything
mod promises; // take over, commit, repeat, prune
mod refusals; // all that `open` turns down, in words
mod model; // random commits on a file and in memory
mod reading; // what `status` and `explain` see
mod upgrade; // what older versions wrote
