//! One delivery: an intent, the destination's alerter, the receiver's answer.
use watchbell_contract::{Intent, Receipt, Refusal};

use crate::bind::Destination;
use crate::chain;

/// Hands `intent` to the destination's alerter.
///
/// A fault of the alerter itself (a trap, a limit) returns the intent to the outbox: the module may be mended before
/// the deadline makes it a dead letter.
pub(crate) async fn deliver(intent: &Intent, to: &Destination) -> Result<Receipt, Refusal> {
    match to.module.deliver(&to.product, &to.params, intent, &to.endpoint, &to.limits).await {
        Ok(outcome) => outcome,
        Err(fault) => Err(Refusal::Unavailable {
            reason: format!("alerter `{}`: {}", to.product, chain(&fault)),
            retry_after: None,
        }),
    }
}
