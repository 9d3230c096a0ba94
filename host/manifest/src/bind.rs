//! Documents become what they mean.
pub(crate) mod doc; // a document on its way
mod target; // what a rule asks, and whether it may
mod alert; // what it says, and to whom
mod texts; // what its templates show
mod params; // what to say of parameters that are valid
mod schedule; // when it runs, and when it may speak
mod module; // what `use` names
mod rule; // a manifest's document → a bound rule
mod refs; // what an environment refers to
mod endpoint; // where a destination's messages go
mod environment; // an environment's document → where rules run
mod digest; // what a value says, as one short name

pub(crate) use digest::digest;
pub(crate) use environment::environment;
pub(crate) use rule::Bench;
