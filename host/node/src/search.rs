//! A search, from left to right: read, matched, sorted, fetched.
mod asked; // order, page, and what is shown of each hit
mod request; // the rest of a search request
mod shard; // the indices searched
mod run; // matching and ordering
mod sort; // sort keys
mod fetch; // what is shown of each hit
mod source; // `_source` filtering
mod fields; // doc values and `fields`
mod views; // points in time and scrolls

pub(crate) use asked::Asked;
pub(crate) use fetch::write_hits;
pub(crate) use request::{Request, keep_alive};
pub(crate) use run::{Plan, Sorted, bind, run, sort_all};
pub(crate) use shard::{Hit, Shard};
pub(crate) use sort::no_field_data;
pub(crate) use views::{Cursor, Views};
