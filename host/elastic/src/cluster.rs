use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;
use watchbell_contract::{Question, Range, Timestamp};
use watchbell_gate::{Change, Explained, Facts, Group};

use crate::{
    admin::{self, AdminError, FactsFault},
    ask, browse, clock,
    config::{ClusterConfig, ConfigError},
    documents::{self, Document, Written},
    error::{AskError, ErrorKind},
    evidence::{self, EvidenceAsk, EvidenceDocs, EvidenceFields},
    inspect::{self, Inspection},
    mapping_cache::MappingCache,
    pages::Pages,
    paging::Paging,
    server::{self, ServerInfo},
    session::Session,
    target::Target,
};

/// A cluster's public API. Clones share connections, concurrency and what was learned.
#[derive(Clone, Debug)]
pub struct Cluster {
    session: Arc<Session>,
    mappings: Arc<MappingCache>,
    paging: Arc<Paging>,
}

impl Cluster {
    /// Creates a client, without sending a request.
    ///
    /// # Errors
    /// The configuration is invalid.
    pub fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        let session = Arc::new(Session::new(config)?);
        let mappings = Arc::new(MappingCache::new(Arc::clone(&session)));
        let paging = Arc::new(Paging::new(Arc::clone(&session)));
        Ok(Self { session, mappings, paging })
    }

    pub fn name(&self) -> &str {
        &self.session.config().name
    }

    /// Which server this is. Some do not answer at `/`; then it is `Unknown`, not an error.
    pub async fn info(&self) -> Result<ServerInfo, AskError> {
        server::info(&self.session).await.map_err(|cause| AskError::of_cluster(&self.session, cause))
    }

    /// The server's time to the second: it is within the second that begins with the returned time.
    ///
    /// # Errors
    /// As `ask`; `ErrorKind::Denied` if the user may not ask.
    pub async fn time(&self, deadline: Instant) -> Result<Timestamp, AskError> {
        clock::time(&self.session, deadline).await.map_err(|cause| AskError::of_cluster(&self.session, cause))
    }

    /// Asks `question` of `target`. Everything ends at `deadline`.
    ///
    /// # Errors
    /// What is known before the first page: fields that cannot be queried, no index, no connection.
    pub async fn ask(
        &self,
        target: &Target,
        question: &Question,
        deadline: Instant,
    ) -> Result<Pages, AskError> {
        ask::ask(&self.mappings, &self.paging, target, question, deadline).await.map_err(|cause| {
            self.mappings.forget(target, &cause);
            self.error(target, cause)
        })
    }

    /// What the indices know of the fields that `questions` depend on, of `key` and of those that texts show.
    ///
    /// # Errors
    /// As `ask`. Questions that cannot be asked are part of the result.
    pub async fn inspect(
        &self,
        target: &Target,
        key: &[String],
        questions: &[Question],
        shown: &[&str],
        deadline: Instant,
    ) -> Result<Inspection, AskError> {
        let inspection = inspect::inspect(&self.mappings, target, key, questions, shown, deadline);
        inspection.await.map_err(|cause| self.error(target, cause))
    }

    /// Forgets all field types: for indices that were recreated under their old names.
    pub fn forget_mappings(&self) {
        self.mappings.forget_all();
    }

    /// The documents behind a signal, named or the newest of a selection, at most ten and 64 KiB; of each, the wanted
    /// `fields`.
    ///
    /// # Errors
    /// Why they could not be fetched; a signal is sent without them.
    pub async fn evidence(
        &self,
        target: &Target,
        ask: EvidenceAsk<'_>,
        fields: EvidenceFields<'_>,
        deadline: Instant,
    ) -> Result<EvidenceDocs, AskError> {
        let fetch = evidence::of_one(&self.mappings, target, ask, fields, deadline);
        fetch.await.map_err(|cause| self.error(target, cause))
    }

    /// The documents that signals name, by one search, in the order of `asks`; limited per signal as `evidence`.
    ///
    /// # Errors
    /// Why they could not be fetched; the signals are sent without them.
    pub async fn named_evidence(
        &self,
        target: &Target,
        asks: &[EvidenceAsk<'_>],
        fields: EvidenceFields<'_>,
        deadline: Instant,
    ) -> Result<Vec<EvidenceDocs>, AskError> {
        let fetch = evidence::named(&self.mappings, target, asks, fields, deadline);
        fetch.await.map_err(|cause| self.error(target, cause))
    }

    /// Documents in `over`, oldest first: `size` of them after the first `from`, and the total. JSON trees for people
    /// to look at; no rule's rows come this way. Servers reject `from + size` above 10,000.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn documents(
        &self,
        target: &Target,
        over: Range,
        from: u32,
        size: u32,
        deadline: Instant,
    ) -> Result<(Vec<Value>, u64), AskError> {
        let look = browse::documents(&self.mappings, target, over, from, size, deadline);
        look.await.map_err(|cause| self.error(target, cause))
    }

    /// The number of documents in `over`, ignoring the target's filter: 0 means there is no data.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn count_without_filter(
        &self,
        target: &Target,
        over: Range,
        deadline: Instant,
    ) -> Result<u64, AskError> {
        let count = browse::count_without_filter(&self.session, target, over, deadline);
        count.await.map_err(|cause| self.error(target, cause))
    }

    /// Creates one document, with the retries of a search. Retrying creates no second document of the same id.
    ///
    /// # Errors
    /// As `ask`, and `ErrorKind::Document` for a document that no cluster would accept.
    pub async fn create(&self, document: &Document, deadline: Instant) -> Result<Written, AskError> {
        let created = documents::create(&self.session, document, deadline).await;
        created.map_err(|cause| AskError::of_index(&self.session, &document.index, cause))
    }

    /// Creates documents, in requests of at most 1,000 documents and 5 MiB. Returns the outcome of each, in order: some
    /// may be created and others refused. Documents that the cluster was too busy for are retried, with its backoff,
    /// until `deadline`.
    pub async fn bulk(&self, documents: &[Document], deadline: Instant) -> Vec<Result<Written, AskError>> {
        let written = documents::bulk(&self.session, documents, deadline).await;
        let mut placed = Vec::with_capacity(documents.len());
        for (written, document) in written.into_iter().zip(documents) {
            placed.push(written.map_err(|cause| AskError::of_index(&self.session, &document.index, cause)));
        }
        placed
    }

    /// Reads the cluster's state by six requests: what is judged first, what confirms it last.
    ///
    /// # Errors
    /// The first response that is missing or unreadable.
    pub async fn facts(&self, deadline: Instant) -> Result<Facts, AdminError> {
        admin::facts(&self.session, deadline).await.map_err(|fault| match fault {
            FactsFault::Ask(cause) => self.admin_error(cause),
            FactsFault::Unreadable(fault) => {
                AdminError::Unreadable { cluster: self.name().into(), fault: self.session.readable(fault) }
            }
        })
    }

    /// The explanation of each of `groups`, in order, a few at a time. `done` is called with the number explained so
    /// far.
    pub async fn explain(
        &self,
        groups: &[Group],
        deadline: Instant,
        done: impl FnMut(usize),
    ) -> Vec<Explained> {
        admin::explanations(&self.session, groups, deadline, done).await
    }

    /// Writes all settings at once. Idempotent, so it is retried if a response is lost.
    ///
    /// # Errors
    /// The settings may or may not have been written.
    pub async fn write_settings(&self, change: &Change, deadline: Instant) -> Result<(), AdminError> {
        let written = admin::write_settings(&self.session, change, deadline).await;
        match written.map_err(|cause| self.admin_error(cause))? {
            true => Ok(()),
            false => Err(AdminError::NotAcknowledged { cluster: self.name().into() }),
        }
    }

    fn admin_error(&self, cause: ErrorKind) -> AdminError {
        AskError::of_cluster(&self.session, cause.of_the_host()).into()
    }

    fn error(&self, target: &Target, cause: ErrorKind) -> AskError {
        AskError::new(&self.session, target, cause)
    }
}
