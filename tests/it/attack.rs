//! What hostile clusters, receivers, modules, manifests and documents can do.
mod flood; // a rule with thousands of messages beside a quiet one
mod templates; // the same, in a host that runs
mod texts; // templates that take more than a text may
