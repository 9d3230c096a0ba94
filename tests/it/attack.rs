//! What hostile clusters, receivers, modules, manifests and documents can do.
mod texts; // templates that take more than a text may
