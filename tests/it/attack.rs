//! What hostile clusters, receivers, modules, manifests and documents can do.
mod hostile_cluster; // a server that answers as no server should
mod clusters; // what its answers cost, and what they show
