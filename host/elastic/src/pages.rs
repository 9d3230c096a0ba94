use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinHandle};
use watchbell_contract::Rows;

use crate::{error::AskError, mapping_cache::MappingCache, proof::Proof, source::Source};

/// An answer, page by page in time order. While the reader works on one page, the next is fetched; there are never more
/// than two. Dropping it closes the search context in the background.
#[derive(Debug)]
pub struct Pages {
    pages: mpsc::Receiver<Result<Rows, AskError>>,
    task: Option<JoinHandle<()>>,
    unmapped: Vec<String>,
}

impl Pages {
    /// The fields that the question reads, measures or narrows by, and that no mapping of the searched indices defines;
    /// sorted. Empty if there are no indices.
    pub fn unmapped(&self) -> &[String] {
        &self.unmapped
    }

    /// The next page, never empty; `None` after the last.
    ///
    /// # Errors
    /// Why there is no next page. The answer is incomplete, and earlier pages must not be judged.
    pub async fn next(&mut self) -> Result<Option<Rows>, AskError> {
        self.pages.recv().await.transpose()
    }

    /// Waits until the search context is closed.
    pub async fn close(mut self) {
        self.pages.close();
        if let Some(task) = self.task.take() {
            // It fails only if the runtime shuts down, and then nobody waits.
            _ = task.await;
        }
    }

    /// A single known page.
    pub(crate) fn ready(rows: Option<Rows>) -> Self {
        let (to, pages) = mpsc::channel(1);
        if let Some(rows) = rows {
            // The channel has room for one.
            _ = to.try_send(Ok(rows));
        }
        Self { pages, task: None, unmapped: Vec::new() }
    }

    pub(crate) fn start(
        mappings: Arc<MappingCache>,
        mut source: Source,
        proof: Proof,
        unmapped: Vec<String>,
    ) -> Self {
        let (to, pages) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            // Reserve first, then fetch: otherwise a third page would be waiting.
            while let Ok(place) = to.reserve().await {
                let page = tokio::select! {
                    biased;
                    () = to.closed() => break,
                    page = async {
                        match source.next().await {
                            Ok(None) => proof.check(&mappings, &source).await.map(|()| None),
                            Ok(page) => Ok(page),
                            Err(cause) => Err(proof.cause(&mappings, cause).await),
                        }
                    } => page,
                };
                match page {
                    Ok(Some(rows)) => place.send(Ok(rows)),
                    Ok(None) => break,
                    Err(cause) => {
                        let target = &proof.asked.target;
                        place.send(Err(AskError::new(&mappings.session, target, cause)));
                        break;
                    }
                }
            }
            drop(to);
            source.close().await;
        });
        Self { pages, task: Some(task), unmapped }
    }
}
