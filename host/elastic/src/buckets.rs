//! Counts and metrics per group and slice of time: composite aggregations, paged to the last bucket.
mod fold; // what of several groups can be added up
mod groups; // indices that agree on what is counted
mod shape; // what is asked, and what its parts become
mod read; // answers, straight into columns
mod cursor; // one group of indices, to the last bucket
mod merge; // groups of indices that disagree, added up

pub(crate) use self::{
    cursor::BucketsCursor,
    groups::{groups, measured},
    merge::MergedCursor,
};

#[cfg(test)]
mod tests;
