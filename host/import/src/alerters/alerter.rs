//! How to carry over one of ElastAlert's alerters.
use super::context::Context;
use super::destination::Destination;

pub(crate) struct Alerter {
    pub(crate) name: &'static str,
    /// Other names for it in `alert`.
    pub(crate) also: &'static [&'static str],
    pub(crate) options: &'static [&'static str],
    pub(crate) make: Make,
}

pub(crate) enum Make {
    /// Returns the destinations; if there are none, the options' findings say why.
    Destinations(fn(&mut Context<'_>) -> Vec<Destination>),
    Dropped(&'static str),
}
