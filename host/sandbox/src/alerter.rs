//! Alerter modules and deliveries.
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use wasmtime::{Engine, Store};
use watchbell_contract::{AlerterAbout, Fault, Intent, Receipt, RecordedCall, Refusal};

use crate::call::{self, Step};
use crate::capabilities::Receiver;
use crate::contract::{AlerterExports, AlerterInstance};
use crate::fault::{GuestFault, RunError};
use crate::guest::{Access, Guest};
use crate::inspect::Inspection;
use crate::limits::Limits;

/// An alerter, compiled and linked. Cheap to clone; deliveries share only code.
#[derive(Clone)]
pub struct AlerterModule(pub(crate) Arc<Compiled>);

pub(crate) struct Compiled {
    pub(crate) engine: Engine,
    pub(crate) exports: Box<dyn AlerterExports>,
    pub(crate) tick: Duration,
    pub(crate) about: AlerterAbout,
    pub(crate) inspection: Inspection,
}

/// What became of an attempt to deliver a message.
#[derive(Debug)]
pub struct Delivery {
    /// The inner error is the alerter's own refusal; the outer one is a failure of the module itself, with its log lines.
    pub outcome: Result<Result<Receipt, Refusal>, RunError>,
    /// The responses that the next attempt gets again, those of earlier attempts among them.
    pub recorded: Vec<RecordedCall>,
    /// Recipients that were refused in this attempt although others were accepted, each with the reason.
    pub refused: Vec<watchbell_mail::Refusal>,
}

impl Compiled {
    async fn instance(&self, limits: &Limits, access: Option<Access>) -> Result<Instance, RunError> {
        Instance::new(&self.engine, &*self.exports, self.tick, limits, access).await
    }
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
    /// The inner error is the module's verdict on the parameters; the outer one is a failure of the module itself.
    pub fn prepare(&self, product: &str, params: &str) -> Result<Result<(), Vec<Fault>>, RunError> {
        let work = async {
            let mut guest = self.0.instance(&Limits::default(), None).await?;
            guest.enter();
            let outcome = guest.alerter.prepare(&mut guest.store, product, params).await;
            guest.leave(outcome)
        };
        without_waiting(work)
    }

    /// Delivers one message.
    ///
    /// - `product`: one of `about().products`.
    /// - Call it on a tokio runtime. The guest computes on threads that may block, never on the task that polls. While
    ///   it waits for its receiver it occupies no thread, and its clock is stopped. Waiting ends with the destination's
    ///   timeout.
    /// - The module's log lines go to the log, as warnings after a fault.
    pub async fn deliver(
        &self,
        product: &str,
        params: &str,
        intent: &Intent,
        receiver: impl Into<Receiver>,
        limits: &Limits,
    ) -> Delivery {
        let (module, limits) = (Arc::clone(&self.0), *limits);
        let (named, params, intent) = (product.to_owned(), params.to_owned(), intent.clone());
        let access = Access::new(receiver.into(), &intent);
        let earlier = intent.recorded.clone();
        let delivery = async move {
            let mut guest = module.instance(&limits, Some(access)).await?;
            guest.enter();
            let called = guest.alerter.deliver(&mut guest.store, &named, &params, &intent).await;
            let outcome = guest.leave(called);
            let state = guest.store.data_mut();
            let interrupted = state.access.as_ref().is_some_and(Access::is_interrupted);
            let outcome = outcome.map(|outcome| match outcome {
                // The alerter only knows that it has no response; the host knows whether a request was sent.
                Err(Refusal::Unavailable { reason, retry_after }) if interrupted => {
                    Err(Refusal::Unanswered { reason, retry_after })
                }
                outcome => outcome,
            });
            let recorded = state.access.as_mut().map(Access::take_recorded).unwrap_or_default();
            let refused = state.access.as_mut().map(Access::take_refused).unwrap_or_default();
            Ok((Delivery { outcome, recorded, refused }, state.logs.take()))
        };
        let (delivery, logs) = match off_the_workers(delivery).await {
            Ok((delivery, logs)) => (delivery, logs.lines),
            // The instance could not be made, or the host failed.
            Err(error) => {
                (Delivery { outcome: Err(error), recorded: earlier, refused: Vec::new() }, Vec::new())
            }
        };
        for line in &logs {
            tracing::debug!(product, level = line.level, "{}", line.message);
        }
        for line in delivery.outcome.as_ref().err().into_iter().flat_map(|error| &error.logs) {
            tracing::warn!(product, level = line.level, "{}", line.message);
        }
        delivery
    }
}

/// Polls `work` on threads that may block, and occupies none in between. On a task of the runtime, a computing guest
/// would delay everything else on that worker.
async fn off_the_workers<T: Send + 'static>(
    work: impl Future<Output = Result<T, RunError>> + Send + 'static,
) -> Result<T, RunError> {
    let woken = Arc::new(Woken(Notify::new()));
    let waker = Waker::from(Arc::clone(&woken));
    let mut work: Pin<Box<dyn Future<Output = Result<T, RunError>> + Send>> = Box::pin(work);
    loop {
        let waker = waker.clone();
        let step = tokio::task::spawn_blocking(move || {
            let poll = work.as_mut().poll(&mut Context::from_waker(&waker));
            (work, poll)
        });
        match step.await {
            Ok((_, Poll::Ready(outcome))) => return outcome,
            Ok((rest, Poll::Pending)) => work = rest,
            Err(lost) => return Err(failed(format!("the host failed while it called the alerter: {lost}"))),
        }
        woken.0.notified().await;
    }
}

/// Remembers a wake-up that arrives before anyone waits for it.
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
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
    pub(crate) alerter: Box<dyn AlerterInstance>,
    tick: Duration,
}

impl Instance {
    pub(crate) async fn new(
        engine: &Engine,
        exports: &dyn AlerterExports,
        tick: Duration,
        limits: &Limits,
        access: Option<Access>,
    ) -> Result<Self, RunError> {
        let mut store = call::store(engine, tick, limits, Guest::new(limits, access));
        call::enter(&mut store, tick);
        let alerter = exports.instantiate(&mut store).await;
        match call::leave(&mut store, alerter, Step::Start) {
            Ok(alerter) => Ok(Self { store, alerter, tick }),
            Err(fault) => Err(call::end(&mut store, fault)),
        }
    }

    pub(crate) fn enter(&mut self) {
        call::enter(&mut self.store, self.tick);
    }

    pub(crate) fn leave<T>(&mut self, outcome: wasmtime::Result<T>) -> Result<T, RunError> {
        call::leave(&mut self.store, outcome, Step::Call).map_err(|fault| self.end(fault))
    }

    fn end(&mut self, fault: GuestFault) -> RunError {
        call::end(&mut self.store, fault)
    }
}

/// Runs a call that never waits: without a destination, every request fails at once.
pub(crate) fn without_waiting<T>(work: impl Future<Output = Result<T, RunError>>) -> Result<T, RunError> {
    futures::FutureExt::now_or_never(work)
        .unwrap_or_else(|| Err(failed("the alerter waited although there is nothing to wait for".into())))
}

fn failed(why: String) -> RunError {
    RunError { fault: GuestFault::Host(why), logs: Vec::new(), logs_dropped: 0, guest_time: Duration::ZERO }
}
