//! One delivery: an intent, the destination's alerter, the receiver's answer.
use watchbell_contract::{Intent, Receipt, RecordedCall, Refusal};
use watchbell_pipeline::spec::DestinationName;

use crate::bind::Destination;
use crate::metrics::Metrics;
use crate::{chain, event_log};

/// Passes `intent` to the destination's alerter. Returns the outcome, and the responses that a next attempt gets again.
///
/// A failure of the alerter itself (a trap, a limit) returns the intent to the outbox: the module may be fixed before
/// the deadline makes it a dead letter.
pub(crate) async fn deliver(
    intent: &Intent,
    name: &DestinationName,
    to: &Destination,
    metrics: &Metrics,
) -> (Result<Receipt, Refusal>, Vec<RecordedCall>) {
    let endpoint = to.endpoint.now().await;
    let delivery = to.module.deliver(&to.alerter.product, &to.params, intent, &endpoint, &to.limits).await;
    let outcome = match delivery.outcome {
        Ok(outcome) => outcome,
        Err(fault) => {
            metrics.alerter_fault(&name.0);
            event_log::guest_lines(&format!("destination `{name}`"), &fault.logs, fault.logs_dropped);
            Err(Refusal::Unavailable {
                reason: format!("alerter `{}`: {}", to.alerter, chain(&fault)),
                retry_after: None,
            })
        }
    };
    for refused in &delivery.refused {
        tracing::warn!(
            destination = name.0,
            recipient = refused.address,
            reason = refused.reason,
            "a recipient was refused, others have the message"
        );
    }
    (outcome, delivery.recorded)
}
