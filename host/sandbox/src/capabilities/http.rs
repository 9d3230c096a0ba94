//! `http`: requests to the delivery's own destination. The guest chooses the content; the host owns URL, credentials
//! and limits.
mod address; // which addresses may be connected to
mod auth; // how the host authenticates
mod body; // a credential in the body
mod signature; // HMAC of the body
mod sigv4; // AWS's signature
mod method; // which methods requests may have
mod destination; // URL, credentials and limits
mod request; // the guest's request, checked
mod draft; // keeps it instead of sending it
mod send; // sends it
#[cfg(test)]
mod trial; // tests against a receiver

use crate::bytes::Size;
use crate::limits::{PAIRS_MAX, REQUEST_BYTES_MAX, REQUESTS_MAX};

pub use auth::{Algorithm, Auth};
pub use destination::{Destination, DestinationError, DestinationSettings, Grants};
pub use draft::{Draft, Drafts};
pub use method::{Method, Methods};
pub use sigv4::SigV4;

pub(crate) use send::{HttpAccess, HttpHost, link};

const IN_ITS_PLACE: &str = "requests go through `watchbell:plugin/http`, in an alerter";
pub(super) const INSTEAD_OF: &[(&str, &str)] = &[("wasi:http", IN_ITS_PLACE), ("wasi:sockets", IN_ITS_PLACE)];

/// What a delivery may send. The destination limits response size and time.
pub(super) fn limits() -> String {
    format!(
        "{REQUESTS_MAX} requests per delivery, each with a body of {} and {PAIRS_MAX} headers, parameters or fields; all within the destination's `timeout`",
        Size(REQUEST_BYTES_MAX)
    )
}
