//! What a module may import beside the contract's types.
pub(crate) mod http; // to reach one's own destination
