//! How a long answer is read to its end: in a point in time where the server has one, else by scroll.
mod learnt; // how a cluster continues long answers
mod context; // a search that stands still between two pages
mod cursor; // from the first hit to the last

pub(crate) use self::{cursor::HitsCursor, learnt::Paging};
