//! What the host says of itself, kept beside the loop. The loop hands over what has changed, at most once a second; all
//! else is done here, at whatever size: who asks often does not slow down the rules.
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::body::Bytes;
use tokio::sync::{mpsc, watch};
use watchbell_contract::Duration;
use watchbell_view::{Model, Snapshot, Update};

use crate::clock;
use crate::metrics::Metrics;

/// The loop turns at least once a second; after this long without a turn it is stuck.
const BEAT_MAX: Duration = Duration::from_secs(5);

/// A snapshot, and what was rendered of it: each once, however often it is asked for.
pub(crate) struct Published {
    pub(crate) snapshot: Snapshot,
    status: OnceLock<Bytes>,
    metrics: OnceLock<Bytes>,
}

/// The sign that the loop turns.
pub(crate) struct Pulse {
    started: Instant,
    /// Milliseconds since `started`.
    beat: AtomicU64,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { started: clock::monotonic(), beat: AtomicU64::new(0) }
    }

    pub(crate) fn beat(&self) {
        self.beat.store(self.millis(), Ordering::Relaxed);
    }

    /// How long the loop has not turned, if that is too long.
    pub(crate) fn stuck(&self) -> Option<Duration> {
        let since = Duration(self.millis().saturating_sub(self.beat.load(Ordering::Relaxed)));
        (since > BEAT_MAX).then_some(since)
    }

    fn millis(&self) -> u64 {
        Duration::from(self.started.elapsed()).millis()
    }
}

/// Where the newest snapshot is found; `None` before the first.
pub(crate) type Newest = watch::Receiver<Option<Arc<Published>>>;

/// Starts to follow a loop. Updates go in, snapshots come out.
pub(crate) fn start() -> (mpsc::UnboundedSender<Update>, Newest) {
    let (updates, mut inbox) = mpsc::unbounded_channel();
    let (publish, newest) = watch::channel(None);
    tokio::spawn(async move {
        let mut model = Model::default();
        while let Some(update) = inbox.recv().await {
            model.apply(update);
            while let Ok(next) = inbox.try_recv() {
                model.apply(next);
            }
            publish.send_replace(model.snapshot().map(Published::new).map(Arc::new));
        }
    });
    (updates, newest)
}

impl Published {
    fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, status: OnceLock::new(), metrics: OnceLock::new() }
    }

    /// As JSON.
    pub(crate) fn status(&self) -> Bytes {
        // A view of strings and numbers can always be written.
        let render = || serde_json::to_vec(&self.snapshot.status()).unwrap_or_default().into();
        self.status.get_or_init(render).clone()
    }

    /// In the text format that Prometheus reads.
    pub(crate) fn metrics(&self, metrics: &Metrics) -> Bytes {
        self.metrics.get_or_init(|| metrics.render(&self.snapshot.status()).into()).clone()
    }
}
