//! Alerter modules and deliveries.
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use watchbell_contract::{AlerterAbout, Fault, Intent, Receipt, Refusal};

use crate::bindings::AlerterComponent;
use crate::bindings::alerter::AlerterComponentPre;
use crate::call::{self, Step};
use crate::convert;
use crate::fault::{GuestFault, RunError};
use crate::guest::Guest;
use crate::http::{Capability, Destination};
use crate::inspect::Inspection;
use crate::limits::Limits;

/// An alerter, compiled and linked. Cheap to clone; deliveries share nothing but code.
#[derive(Clone)]
pub struct AlerterModule(pub(crate) Arc<Compiled>);

pub(crate) struct Compiled {
    pub(crate) pre: AlerterComponentPre<Guest>,
    pub(crate) tick: Duration,
    pub(crate) about: AlerterAbout,
    pub(crate) inspection: Inspection,
}

impl AlerterModule {
    pub fn about(&self) -> &AlerterAbout {
        &self.0.about
    }

    /// SHA-256 of the module's bytes, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.0.inspection.digest
    }

    pub fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    /// Checks a destination's parameters (a JSON object that the product's schema allows). Does no IO.
    ///
    /// # Errors
    /// The inner error is the module's verdict on the parameters, the outer one a failure of the module itself.
    pub fn prepare(&self, product: &str, params: &str) -> Result<Result<(), Vec<Fault>>, RunError> {
        let work = async {
            let mut guest = Instance::new(&self.0.pre, self.0.tick, &Limits::default(), None).await?;
            call::enter(&mut guest.store, guest.tick);
            let outcome = guest
                .bindings
                .watchbell_plugin_alerter()
                .call_prepare(&mut guest.store, product, params)
                .await;
            guest.leave(outcome)
        };
        Ok(without_waiting(work)?.map_err(convert::faults))
    }

    /// Delivers one message.
    ///
    /// - `product`: one of `about().products`.
    /// - The guest computes on the task that polls; while it waits for its receiver nothing is held up, and its clock
    ///   stands still. Waiting ends with the destination's timeout.
    ///
    /// # Errors
    /// The inner error is the alerter's own word, the outer one a failure of the module itself.
    pub async fn deliver(
        &self,
        product: &str,
        params: &str,
        intent: &Intent,
        destination: &Destination,
        limits: &Limits,
    ) -> Result<Result<Receipt, Refusal>, RunError> {
        let way = Capability::new(destination.clone());
        let mut guest = Instance::new(&self.0.pre, self.0.tick, limits, Some(way)).await?;
        call::enter(&mut guest.store, guest.tick);
        let intent = convert::intent(intent);
        let outcome = guest
            .bindings
            .watchbell_plugin_alerter()
            .call_deliver(&mut guest.store, product, params, &intent)
            .await;
        let outcome = guest.leave(outcome)?;
        let logs = guest.store.data_mut().logs.take();
        for line in &logs.lines {
            tracing::debug!(product, level = line.level, "{}", line.message);
        }
        Ok(outcome.map(convert::receipt).map_err(convert::refusal))
    }
}

impl std::fmt::Debug for AlerterModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AlerterModule").field(&self.about().name).field(&self.digest()).finish()
    }
}

/// A store and the one instance in it.
pub(crate) struct Instance {
    pub(crate) store: Store<Guest>,
    pub(crate) bindings: AlerterComponent,
    pub(crate) tick: Duration,
}

impl Instance {
    pub(crate) async fn new(
        pre: &AlerterComponentPre<Guest>,
        tick: Duration,
        limits: &Limits,
        way: Option<Capability>,
    ) -> Result<Self, RunError> {
        let mut store = call::store(pre.engine(), tick, limits, Guest::new(limits, way));
        call::enter(&mut store, tick);
        let bindings = pre.instantiate_async(&mut store).await;
        match call::leave(&mut store, bindings, Step::Start) {
            Ok(bindings) => Ok(Self { store, bindings, tick }),
            Err(fault) => Err(call::end(&mut store, fault)),
        }
    }

    pub(crate) fn leave<T>(&mut self, outcome: wasmtime::Result<T>) -> Result<T, RunError> {
        call::leave(&mut self.store, outcome, Step::Call).map_err(|fault| self.end(fault))
    }

    fn end(&mut self, fault: GuestFault) -> RunError {
        call::end(&mut self.store, fault)
    }
}

/// Runs a call that never waits: without a destination, every request is answered at once.
pub(crate) fn without_waiting<T>(work: impl Future<Output = Result<T, RunError>>) -> Result<T, RunError> {
    futures::FutureExt::now_or_never(work).unwrap_or_else(|| {
        Err(RunError {
            fault: GuestFault::Host("the alerter waited where nothing is to be waited for".into()),
            logs: Vec::new(),
            logs_dropped: 0,
            guest_time: Duration::ZERO,
        })
    })
}
