//! The worst few of what was named.
use watchbell_sdk::prelude::*;

/// How many of the worst are named.
const WORST_MAX: usize = 10;

/// Names of nodes, indices and tasks are written by people, and `details` are of limited size.
pub(crate) fn word(row: &Row<'_>, field: &str) -> String {
    row.value(field).map(|value| value.to_string()).unwrap_or_default()
}

/// Sorts `one` in and lets go of the least bad: in the same order whatever order they came in.
pub(crate) fn keep<T>(worst: &mut Vec<T>, one: T, order: impl Fn(&T, &T) -> std::cmp::Ordering) {
    let place = worst.partition_point(|other| order(other, &one).is_lt());
    worst.insert(place, one);
    worst.truncate(WORST_MAX);
}
