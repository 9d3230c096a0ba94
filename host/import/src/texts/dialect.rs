//! What a template is written for.

/// Whose template it is: the rule's title and body, or a destination's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Message,
    Webhook,
}
