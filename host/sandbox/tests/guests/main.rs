//! Modules that misbehave, and the errors that operators see. `in_process` needs no additional toolchain; `built` uses
//! the components that `cargo xtask plugins` builds from `tests/guests`.
#![expect(clippy::disallowed_methods, reason = "what is measured here is time")]
mod support; // sandboxes, runs and intents
mod wat; // rules written by hand
mod receiver; // an HTTP server on loopback
mod in_process; // rules of `wat`
mod loading; // modules that are not accepted
mod built; // guests of `tests/guests`
