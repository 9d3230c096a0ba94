//! What hostile clusters, receivers, modules, manifests and documents can do.
mod confined; // manifests that would read what their environment does not allow
