//! What hostile clusters, receivers, modules, manifests and documents can do, and what they cannot.
mod doors; // whoever reaches the port of health and metrics
mod modules; // whoever gets a module into a manifest
mod store; // whoever may touch the store's folder
