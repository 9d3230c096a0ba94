//! What the host reports about itself, computed outside the loop. The loop sends changes at most once a second;
//! everything else happens here, whatever its size, so that frequent requests do not slow down the rules.
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

/// The loop makes a turn at least once a second; after this long without one it is stuck.
const BEAT_MAX: Duration = Duration::from_secs(5);

/// A snapshot with its renderings, each made once however often it is requested.
pub(crate) struct Published {
    pub(crate) snapshot: Snapshot,
    status: OnceLock<Bytes>,
    metrics: OnceLock<Bytes>,
}

/// Shows that the loop is running.
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

    /// How long the loop has been stuck, if it is.
    pub(crate) fn stuck(&self) -> Option<Duration> {
        let since = Duration(self.millis().saturating_sub(self.beat.load(Ordering::Relaxed)));
        (since > BEAT_MAX).then_some(since)
    }

    fn millis(&self) -> u64 {
        Duration::from(self.started.elapsed()).millis()
    }
}

/// The newest snapshot; `None` before the first.
pub(crate) type Newest = watch::Receiver<Option<Arc<Published>>>;

/// Starts to follow a loop: updates go in, snapshots come out.
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
        // A view of strings and numbers can always be serialized.
        let render = || serde_json::to_vec(&self.snapshot.status()).unwrap_or_default().into();
        self.status.get_or_init(render).clone()
    }

    /// In the Prometheus text format.
    pub(crate) fn metrics(&self, metrics: &Metrics) -> Bytes {
        self.metrics.get_or_init(|| metrics.render(&self.snapshot.status()).into()).clone()
    }
}
