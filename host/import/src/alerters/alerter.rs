//! How an alerter is carried over.
use super::context::Context;
use crate::yaml::Yaml;

pub(crate) struct Alerter {
    pub(crate) name: &'static str,
    /// Other names that `alert` knows it by.
    pub(crate) also: &'static [&'static str],
    pub(crate) options: &'static [&'static str],
    pub(crate) make: Make,
}

pub(crate) enum Make {
    /// Destinations; none: why stands in the options.
    Destinations(fn(&mut Context<'_>) -> Vec<Yaml>),
    Dropped(&'static str),
}
