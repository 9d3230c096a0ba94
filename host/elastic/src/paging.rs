//! Reads long answers to their end: in a point in time where the server has one, else by scroll.
mod memory; // what was learned about a cluster
mod context; // point in time or scroll
mod cursor; // from the first hit to the last

pub(crate) use self::{cursor::HitsCursor, memory::Paging};
