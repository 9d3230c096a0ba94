//! Documents that keep coming while nodes go and return, and a record of those that the cluster accepted.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use crate::world::hit;

/// Between two documents.
const BEAT: Duration = Duration::from_millis(500);

/// How long one node has to take a document, before another one is asked with a new time.
const TRY_MAX: Duration = Duration::from_secs(3);

pub(crate) struct Writer {
    /// Held while a document is under way, so that whoever takes it knows the fate of all of them.
    pub(crate) pause: Arc<Mutex<()>>,
    end: oneshot::Sender<()>,
    task: JoinHandle<BTreeSet<String>>,
}

impl Writer {
    /// Writes documents with `Status` 500 into `index`, each for a host of its own.
    pub(crate) fn start(urls: Vec<String>, index: &'static str) -> Self {
        let pause = Arc::new(Mutex::new(()));
        let (end, mut ended) = oneshot::channel();
        let http = reqwest::Client::builder().no_proxy().timeout(TRY_MAX).build().expect("a client");
        let held = Arc::clone(&pause);
        let task = tokio::spawn(async move {
            let mut written = BTreeSet::new();
            let mut beats = tokio::time::interval(BEAT);
            while ended.try_recv().is_err() {
                beats.tick().await;
                let _under_way = held.lock().await;
                let name = format!("host-{}", written.len());
                // Whoever answers first: a node may be down, or its shard without a primary for a while.
                for url in urls.iter().cycle() {
                    if written_to(&http, url, index, &name).await {
                        break;
                    }
                    beats.tick().await;
                }
                written.insert(name);
            }
            written
        });
        Self { pause, end, task }
    }

    /// Ends it: the hosts whose documents the cluster has.
    pub(crate) async fn stop(self) -> BTreeSet<String> {
        self.end.send(()).expect("it writes until it is told to end");
        self.task.await.expect("no panic")
    }
}

/// Whether the document is in the index: written now, or by an attempt whose answer was lost.
async fn written_to(http: &reqwest::Client, url: &str, index: &str, name: &str) -> bool {
    let document: Value = hit(watchbell::clock::wall().0, 500, name);
    let request = http.put(format!("{url}/{index}/_create/{name}?timeout=1s")).json(&document);
    match request.send().await {
        Ok(answer) => matches!(answer.status().as_u16(), 200 | 201 | 409),
        Err(_) => false,
    }
}
