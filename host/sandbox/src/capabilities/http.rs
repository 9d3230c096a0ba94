//! `http`: requests to one's own destination. The guest says what; where, as whom and how is the host's.
mod address; // which addresses may be reached
mod destination; // where, as whom and how
mod request; // what the guest asks for, checked
mod send; // sends it
mod signature; // over the body
#[cfg(test)]
mod trial; // all of it, against a receiver

use crate::bytes::Size;
use crate::limits::{PAIRS_MAX, REQUEST_BYTES_MAX, REQUESTS_MAX};

pub use destination::{Algorithm, Auth, Destination, DestinationError, DestinationSettings, Grants};

pub(crate) use send::{HttpAccess, HttpHost, link};

const IN_ITS_PLACE: &str = "requests go through `watchbell:plugin/http`, in an alerter";
pub(super) const INSTEAD_OF: &[(&str, &str)] = &[("wasi:http", IN_ITS_PLACE), ("wasi:sockets", IN_ITS_PLACE)];

/// What a delivery may send. The response's size and the time are the destination's.
pub(super) fn limits() -> String {
    format!(
        "{REQUESTS_MAX} requests in a delivery, each with a body of {} and {PAIRS_MAX} headers, parameters or fields, all within the destination's `timeout`",
        Size(REQUEST_BYTES_MAX)
    )
}
