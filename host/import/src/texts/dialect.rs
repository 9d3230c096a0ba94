//! Which templates a text is written for.

/// The rule's title and body, or a destination's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Message,
    Webhook,
}
