//! One search, left to right: read, matched, sorted, fetched.
mod request; // what was asked for beside the query
mod run; // which documents, in which order
mod sort; // the keys of the order
mod fetch; // what of each hit is shown
mod source; // parts of `_source`
mod fields; // doc values and `fields`

pub(crate) use fetch::write_hits;
pub(crate) use fields::doc_value;
pub(crate) use request::{Request, keep_alive};
pub(crate) use run::{Hit, Plan, Shard, Sorted, bind, run, sort_all};
pub(crate) use sort::no_field_data;
