//! Who hears of what: the one place in which that is decided.
pub(crate) mod escalation; // who is told of an episode, and when
pub(crate) mod hold; // what holds it back
pub(crate) mod templates; // in whose words
pub(crate) mod outbox; // what is owed to whom, and what became of it
