//! The thread that owns the store. Commits are written one after the other, off the engine's loop.
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use tokio::sync::mpsc::UnboundedSender;
use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::order::Event;
use watchbell_pipeline::record::Commit;
use watchbell_store::{CommitError, Store};

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

pub(crate) struct StoreWriter {
    commits: Sender<Box<Commit>>,
    /// Says nothing: it closes when the thread has closed the store.
    closed: Receiver<()>,
}

impl StoreWriter {
    pub(crate) fn start(
        store: Box<dyn Store>,
        clock: Clock,
        metrics: Arc<Metrics>,
        events: UnboundedSender<ShellEvent>,
    ) -> std::io::Result<Self> {
        let (commits, inbox) = channel();
        let (closing, closed) = channel();
        std::thread::Builder::new().name("store".into()).spawn(move || {
            write_all(store, &inbox, clock, &metrics, &events);
            drop::<Sender<()>>(closing);
        })?;
        Ok(Self { commits, closed })
    }

    pub(crate) fn write(&self, commit: Box<Commit>) {
        // The thread ends only after this sender: it cannot be gone.
        let _ = self.commits.send(commit);
    }
}

impl Drop for StoreWriter {
    /// Closes the store: the last commit is written and the lock released when this returns, unless the store hangs.
    fn drop(&mut self) {
        // The thread ends when nobody can send to it any more.
        let (nobody, _) = channel();
        self.commits = nobody;
        if self.closed.recv_timeout(CLOSE_MAX.std()) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the store did not finish its last commit within {CLOSE_MAX}");
        }
    }
}

fn write_all(
    mut store: Box<dyn Store>,
    inbox: &Receiver<Box<Commit>>,
    clock: Clock,
    metrics: &Metrics,
    events: &UnboundedSender<ShellEvent>,
) {
    let mut swept = Timestamp::MIN;
    while let Ok(commit) = inbox.recv() {
        failpoint::reach(Step::Writing);
        let began = clock::monotonic();
        let outcome = store.commit(&commit);
        metrics.committed(began.elapsed());
        let event = match outcome {
            Ok(()) => {
                failpoint::reach(Step::Written);
                ShellEvent::Event(Event::Persisted { nonce: commit.nonce, written: true })
            }
            Err(superseded @ CommitError::Superseded { .. }) => {
                ShellEvent::Superseded(superseded.to_string())
            }
            Err(error) => {
                tracing::error!(
                    error = crate::chain(&error),
                    "the store did not take a commit; it is tried again"
                );
                ShellEvent::Event(Event::Persisted { nonce: commit.nonce, written: false })
            }
        };
        if events.send(event).is_err() {
            return;
        }
        let now = clock.now();
        if now.since(swept) >= SWEEP_EVERY {
            match store.prune(now - HISTORY, SWEEP_ROWS_MAX) {
                // More to sweep: go on after the next commit, so that none waits for long.
                Ok(pruned) => swept = if pruned.more { swept } else { now },
                Err(error) => {
                    swept = now;
                    tracing::warn!(error = crate::chain(&error), "old records could not be swept");
                }
            }
        }
    }
}
