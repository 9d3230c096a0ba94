//! One search, left to right: read, matched, sorted, fetched.
mod asked; // an order, a page, and what of each hit is shown
mod request; // and what is asked for beside the query
mod shard; // the indices it is asked of
mod run; // which documents, in which order
mod sort; // the keys of the order
mod fetch; // what of each hit is shown
mod source; // parts of `_source`
mod fields; // doc values and `fields`
mod views; // points in time and scrolls

pub(crate) use asked::Asked;
pub(crate) use fetch::write_hits;
pub(crate) use request::{Request, keep_alive};
pub(crate) use run::{Plan, Sorted, bind, run, sort_all};
pub(crate) use shard::{Hit, Shard};
pub(crate) use sort::no_field_data;
pub(crate) use views::{Cursor, Views};
