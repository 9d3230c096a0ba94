//! Modules that misbehave, and what an operator reads of it. `in_process` needs no toolchain but this one; `built`
//! takes the components that `cargo xtask plugins` makes of `tests/guests`.
#![expect(clippy::disallowed_methods, reason = "what is measured here is time")]
mod support; // sandboxes, runs and intents
mod wat; // rules written by hand
mod receiver; // an HTTP server on loopback
mod in_process; // rules of `wat`
mod loading; // modules that are not accepted
mod built; // guests of `tests/guests`
