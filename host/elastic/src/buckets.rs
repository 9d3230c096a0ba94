//! Counts and metrics per group and slice of time: composite aggregations, paged to the last bucket.
mod fold; // combining metrics of several groups
mod groups; // indices that agree on the fields
mod shape; // the request, and the columns of its parts
mod read; // responses, straight into columns
mod cursor; // one group of indices, to the last bucket
mod merge; // groups of indices that differ, combined

pub(crate) use self::{
    cursor::BucketsCursor,
    groups::{groups, measured},
    merge::MergedCursor,
};

#[cfg(feature = "fuzzing")]
pub(crate) use self::read::read_page;

#[cfg(test)]
mod tests;
