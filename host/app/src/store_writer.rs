//! The thread that owns the store. What the coordinator asks of it is carried out in order, off the shell's loop.
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use tokio::sync::mpsc::UnboundedSender;
use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::input::{Input, Persisted};
use watchbell_pipeline::record::{Commit, Epoch, HostId, Position};
use watchbell_store::{Store, TakeoverError};

use crate::clock::{self, Clock};
use crate::failpoint::{self, Step};
use crate::metrics::Metrics;
use crate::shell_event::ShellEvent;

/// Episodes that ended and deliveries that were made stay readable for this long.
const HISTORY: Duration = Duration::from_hours(24 * 30);
/// How many rows of a kind one sweep takes.
const SWEEP_ROWS_MAX: u32 = 1_000;
/// How often what is older is swept.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// How long the end of a host waits for the commit under way. A store that hangs does not hold the process: what it
/// has not finished is as after a crash, and nothing that it acknowledged is lost.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// How many transitions of a partition are read at once.
const TRANSITIONS_MAX: u32 = 1_000;

/// What the store's thread is asked for.
pub(crate) enum StoreRequest {
    Commit(Box<Commit>),
    ReadTransitions(Vec<Position>),
    /// If it is still owned under this epoch.
    RetakeNotifier(Epoch),
}

pub(crate) struct StoreWriter {
    requests: Sender<StoreRequest>,
    /// Says nothing: it closes when the thread has closed the store.
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
            let thread = Thread { store, host, clock, metrics, events, swept: Timestamp::MIN };
            thread.run(&inbox);
            drop::<Sender<()>>(closing);
        })?;
        Ok(Self { requests, closed })
    }

    pub(crate) fn ask(&self, request: StoreRequest) {
        // The thread ends only after this sender: it cannot be gone.
        let _ = self.requests.send(request);
    }
}

impl Drop for StoreWriter {
    /// Closes the store: the last commit is written and the lock released when this returns, unless the store hangs.
    fn drop(&mut self) {
        // The thread ends when nobody can send to it any more.
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
}

impl Thread {
    fn run(mut self, inbox: &Receiver<StoreRequest>) {
        while let Ok(request) = inbox.recv() {
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

    fn commit(&mut self, commit: &Commit) -> Input {
        failpoint::reach(Step::Writing);
        let began = clock::monotonic();
        let outcome = self.store.commit(commit);
        self.metrics.committed(began.elapsed());
        let outcome = match outcome {
            Ok(lost) => {
                failpoint::reach(Step::Written);
                Persisted::Written { lost }
            }
            Err(error) => {
                let error = crate::chain(&error);
                tracing::error!(error, "the store did not take a commit; it is tried again");
                Persisted::Unknown
            }
        };
        Input::Persisted { nonce: commit.nonce, outcome }
    }

    fn transitions(&mut self, after: &[Position]) -> Input {
        Input::Transitions(self.store.transitions(after, TRANSITIONS_MAX).unwrap_or_else(|error| {
            tracing::error!(
                error = crate::chain(&error),
                "transitions could not be read; they are read again"
            );
            Vec::new()
        }))
    }

    /// `None`: another host has it now. A store that fails is asked again until it answers.
    fn retake_notifier(&mut self, seen: Epoch) -> Option<Input> {
        match self.store.take_notifier(&self.host, Some(seen)) {
            Ok(snapshot) => Some(Input::NotifierTaken(snapshot)),
            Err(TakeoverError::Superseded { .. }) => None,
            Err(TakeoverError::Store(error)) => {
                tracing::error!(error = crate::chain(&error), "the notifier could not be taken over again");
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
            // More to sweep: go on after the next request, so that none waits for long.
            Ok(pruned) => self.swept = if pruned.more { self.swept } else { now },
            Err(error) => {
                self.swept = now;
                tracing::warn!(error = crate::chain(&error), "old records could not be swept");
            }
        }
    }
}
