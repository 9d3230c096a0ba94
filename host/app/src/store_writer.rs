//! The thread that owns the store. It carries out the coordinator's requests in order, outside the shell's loop.
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use tokio::sync::mpsc::UnboundedSender;
use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::input::{Input, Persisted};
use watchbell_pipeline::record::{Commit, Epoch, HostId, Position};
use watchbell_store::{CommitError, Store, TakeoverError};

use crate::clock::{self, Clock};
use crate::failpoint::{self, Step};
use crate::metrics::Metrics;
use crate::shell_event::ShellEvent;

/// How long resolved episodes and completed deliveries stay readable.
pub(crate) const HISTORY: Duration = Duration::from_hours(24 * 30);
/// The maximum rows of a kind deleted in one sweep.
const SWEEP_ROWS_MAX: u32 = 1_000;
/// How often the store's file is looked at while nothing is written.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How often older rows are deleted.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// How long a stopping host waits for the commit in progress. A store that hangs does not keep the process alive: an
/// unfinished commit is as after a crash, and nothing acknowledged is lost.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// The maximum transitions of a partition read at once.
const TRANSITIONS_MAX: u32 = 1_000;

/// A request to the store's thread.
pub(crate) enum StoreRequest {
    Commit(Box<Commit>),
    ReadTransitions(Vec<Position>),
    /// If it is still owned under this epoch.
    RetakeNotifier(Epoch),
}

pub(crate) struct StoreWriter {
    requests: Sender<StoreRequest>,
    /// Carries no messages: it closes when the thread has closed the store.
    closed: Receiver<()>,
}

impl StoreWriter {
    pub(crate) fn start(
        store: Box<dyn Store>,
        host: HostId,
        clock: Clock,
        metrics: Arc<Metrics>,
        events: UnboundedSender<ShellEvent>,
    ) -> std::io::Result<Self> {
        let (requests, inbox) = channel();
        let (closing, closed) = channel();
        std::thread::Builder::new().name("store".into()).spawn(move || {
            let thread = Thread { store, host, clock, metrics, events, swept: Timestamp::MIN, fault: None };
            thread.run(&inbox);
            drop::<Sender<()>>(closing);
        })?;
        Ok(Self { requests, closed })
    }

    pub(crate) fn ask(&self, request: StoreRequest) {
        // The thread ends only after this sender is dropped, so it is still there.
        let _ = self.requests.send(request);
    }
}

impl Drop for StoreWriter {
    /// Closes the store: when this returns, the last commit is written and the lock released, unless the store hangs.
    fn drop(&mut self) {
        // The thread ends when the last sender is dropped.
        let (nobody, _) = channel();
        self.requests = nobody;
        if self.closed.recv_timeout(CLOSE_MAX.std()) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the store did not finish its last commit within {CLOSE_MAX}");
        }
    }
}

struct Thread {
    store: Box<dyn Store>,
    host: HostId,
    clock: Clock,
    metrics: Arc<Metrics>,
    events: UnboundedSender<ShellEvent>,
    swept: Timestamp,
    /// What is wrong with the store, as the shell was told.
    fault: Option<Fault>,
}

/// What is wrong with the store, and what found it: a check knows less than a commit.
struct Fault {
    text: String,
    by_check: bool,
}

impl Thread {
    fn run(mut self, inbox: &Receiver<StoreRequest>) {
        loop {
            let request = match inbox.recv_timeout(CHECK_EVERY.std()) {
                Ok(request) => request,
                Err(RecvTimeoutError::Timeout) => {
                    self.check();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let input = match request {
                StoreRequest::Commit(commit) => Some(self.commit(&commit)),
                StoreRequest::ReadTransitions(after) => Some(self.transitions(&after)),
                StoreRequest::RetakeNotifier(seen) => self.retake_notifier(seen),
            };
            if input.is_some_and(|input| self.events.send(ShellEvent::Input(input)).is_err()) {
                return;
            }
            self.sweep();
        }
    }

    /// Looks whether the store is still in its place.
    fn check(&mut self) {
        match self.store.check() {
            Ok(()) if self.fault.as_ref().is_some_and(|fault| fault.by_check) => self.tell(None),
            Ok(()) => {}
            Err(error) => self.tell(Some(Fault { text: crate::chain(&error), by_check: true })),
        }
    }

    /// Tells the shell if something has changed.
    fn tell(&mut self, fault: Option<Fault>) {
        if let (Some(known), Some(found)) = (&mut self.fault, &fault)
            && known.text == found.text
        {
            known.by_check |= found.by_check;
            return;
        }
        if fault.is_none() && self.fault.is_none() {
            return;
        }
        match &fault {
            Some(fault) if fault.by_check => {
                tracing::error!(error = fault.text, "nothing is committed or sent any more");
            }
            Some(_) => {}
            None => tracing::info!("the store is usable again"),
        }
        let text = fault.as_ref().map(|fault| fault.text.clone());
        // The shell may have ended by now; then nobody waits for this.
        let _ = self.events.send(ShellEvent::Store(text));
        self.fault = fault;
    }

    fn commit(&mut self, commit: &Commit) -> Input {
        failpoint::reach(Step::Writing);
        let began = clock::monotonic();
        let outcome = self.store.commit(commit);
        self.metrics.committed(began.elapsed());
        let outcome = match outcome {
            Ok(lost) => {
                failpoint::reach(Step::Written);
                self.tell(None);
                Persisted::Written { lost }
            }
            Err(error) => {
                tracing::error!(error = crate::chain(&error), "a commit failed; retrying");
                let (CommitError::Unknown(why) | CommitError::Refused(why)) = &error;
                self.tell(Some(Fault { text: crate::chain(why), by_check: false }));
                Persisted::Unknown
            }
        };
        Input::Persisted { nonce: commit.nonce, outcome }
    }

    fn transitions(&mut self, after: &[Position]) -> Input {
        Input::Transitions(self.store.transitions(after, TRANSITIONS_MAX).unwrap_or_else(|error| {
            tracing::error!(error = crate::chain(&error), "cannot read transitions; retrying");
            Vec::new()
        }))
    }

    /// `None`: another host owns it now. A store that fails is retried until it responds.
    fn retake_notifier(&mut self, seen: Epoch) -> Option<Input> {
        match self.store.take_notifier(&self.host, Some(seen)) {
            Ok(snapshot) => Some(Input::NotifierTaken(snapshot)),
            Err(TakeoverError::Superseded { .. }) => None,
            Err(TakeoverError::Store(error)) => {
                tracing::error!(error = crate::chain(&error), "cannot take over the notifier again");
                Some(Input::NotifierNotTaken { seen })
            }
        }
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        if now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        match self.store.prune(now - HISTORY, SWEEP_ROWS_MAX) {
            // There is more to delete: continue after the next request, so that none waits for long.
            Ok(pruned) => self.swept = if pruned.more { self.swept } else { now },
            Err(error) => {
                self.swept = now;
                tracing::warn!(error = crate::chain(&error), "cannot delete old records");
            }
        }
    }
}
