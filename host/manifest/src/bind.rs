//! Turns documents into typed values.
pub(crate) mod doc; // a document being bound
mod target; // what a rule queries, and whether it may
mod alert; // what it sends, and to whom
mod group; // how its messages are gathered
mod texts; // what its templates show
mod params; // warnings about valid parameters
mod schedule; // when it runs, and when it may alert
mod module; // what `use` names
mod rule; // a manifest → a bound rule
mod refs; // what an environment refers to
mod alerter; // what delivers to a destination
mod endpoint; // where a destination's messages go
mod access; // who may ask and command the host
mod acknowledge; // how messages are acknowledged
mod holds; // what an environment holds back
mod oncall; // who is on call
mod limit; // how many messages a destination is sent
mod fallback; // who gets what a destination did not take
mod environment; // an environment → where rules run
mod digest; // the digest of a value

pub(crate) use digest::digest;
pub(crate) use environment::environment;
pub(crate) use module::{is_allowed, module_file};
pub(crate) use rule::Bench;
