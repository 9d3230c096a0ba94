//! Modules in OCI registries: one layer of `application/wasm`, as in the CNCF's Wasm OCI artifact, fetched by digest
//! and kept in a local store.
mod reference; // where a module lies
mod artifact; // what a manifest in a registry says
mod store; // what was fetched, by digest
mod access; // how a registry is spoken to, and what goes wrong
mod credentials; // whose they are, and who may see them
mod answer; // what a registry says, bounded and without secrets
mod elsewhere; // hosts that a registry sends us to
mod session; // requests to a registry, with what it wants to know first
mod client; // push and pull
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing; // readers of answers, for the fuzz targets

pub use access::{Access, RegistryFault};
pub use client::{Parcel, Pulled, Pushed, pull, push};
pub use reference::{Reference, ReferenceFault};
pub use store::{Module, Store, StoreFault};
