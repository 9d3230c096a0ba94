//! The capability to send HTTP requests to one's own destination. The guest says what; where, as whom and how is the
//! host's.
mod address; // which addresses may be reached
mod destination; // where, as whom and how
mod request; // what the guest asks for, checked
mod send; // sends it
mod signature; // over the body
#[cfg(test)]
mod trial; // all of it, against a receiver

pub use destination::{Algorithm, Auth, Destination, DestinationError, DestinationSettings, Grants};

pub(crate) use send::Capability;
