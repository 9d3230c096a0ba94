//! One delivery: an intent, the way to its destination, the receiver's answer.
use watchbell_contract::{Intent, Receipt, RecordedCall, Refusal};
use watchbell_pipeline::spec::DestinationName;

use crate::bind::{ByModule, Destination, Way};
use crate::metrics::Metrics;
use crate::{chain, event_log};

/// Delivers `intent`. Returns the outcome, and the responses that a next attempt gets again.
pub(crate) async fn deliver(
    intent: &Intent,
    name: &DestinationName,
    to: &Destination,
    metrics: &Metrics,
) -> (Result<Receipt, Refusal>, Vec<RecordedCall>) {
    match &to.way {
        Way::Module(way) => by_module(intent, name, to, way, metrics).await,
        Way::Program(program) => (program.now().await.deliver(intent).await, Vec::new()),
        Way::Stdout(console) => (console.deliver(intent).await, Vec::new()),
    }
}

/// A failure of the alerter itself (a trap, a limit) returns the intent to the outbox: the module may be fixed before
/// the deadline makes it a dead letter.
async fn by_module(
    intent: &Intent,
    name: &DestinationName,
    to: &Destination,
    way: &ByModule,
    metrics: &Metrics,
) -> (Result<Receipt, Refusal>, Vec<RecordedCall>) {
    let endpoint = way.endpoint.now().await;
    let delivery = way.module.deliver(&to.alerter.product, &way.params, intent, &endpoint, &way.limits).await;
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
