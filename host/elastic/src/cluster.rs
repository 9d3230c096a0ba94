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
    error::{AskError, Cause},
    evidence::{self, EvidenceAsk, EvidenceDocs, EvidenceFields},
    inspect::{self, Inspection},
    mapping_cache::MappingCache,
    pages::Pages,
    paging::Paging,
    server::{self, ServerInfo},
    session::Session,
    target::Target,
};

/// A cluster that can be asked. Clones share connections, concurrency and what was learnt.
#[derive(Clone, Debug)]
pub struct Cluster {
    session: Arc<Session>,
    mappings: Arc<MappingCache>,
    paging: Arc<Paging>,
}

impl Cluster {
    /// No request is sent yet.
    ///
    /// # Errors
    /// What of the configuration cannot be used.
    pub fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        let session = Arc::new(Session::new(config)?);
        let mappings = Arc::new(MappingCache::new(Arc::clone(&session)));
        let paging = Arc::new(Paging::new(Arc::clone(&session)));
        Ok(Self { session, mappings, paging })
    }

    pub fn name(&self) -> &str {
        &self.session.config().name
    }

    /// Which server this is. Some do not answer at `/`; then it is unknown, and no error.
    pub async fn info(&self) -> Result<ServerInfo, AskError> {
        server::info(&self.session).await.map_err(|cause| AskError::of_cluster(self.name(), cause))
    }

    /// The server's time to the second: it lies within the second that begins with what is returned.
    ///
    /// # Errors
    /// As `ask`; `Cause::Denied` where the cluster does not let this user ask.
    pub async fn time(&self, deadline: Instant) -> Result<Timestamp, AskError> {
        clock::time(&self.session, deadline).await.map_err(|cause| AskError::of_cluster(self.name(), cause))
    }

    /// Asks `question` of `target`; all of it ends at `deadline`.
    ///
    /// # Errors
    /// What is known before the first page: fields that cannot be asked, no index, no cluster.
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
    /// As `ask`; what cannot be asked is told in the answer.
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

    /// As if nothing had been learnt of field types: for indices that were made anew under their old names.
    pub fn forget_mappings(&self) {
        self.mappings.forget_all();
    }

    /// The newest documents behind a signal, at most ten and 64 KiB; of each, the `fields` that are wanted.
    ///
    /// # Errors
    /// Why there are none; a signal goes out without them.
    pub async fn evidence(
        &self,
        target: &Target,
        ask: EvidenceAsk<'_>,
        fields: EvidenceFields<'_>,
        deadline: Instant,
    ) -> Result<EvidenceDocs, AskError> {
        let fetch = evidence::newest(&self.mappings, target, ask, fields, deadline);
        fetch.await.map_err(|cause| self.error(target, cause))
    }

    /// The documents that signals name, by one search, in the order of `asks`; of each signal as `evidence`.
    ///
    /// # Errors
    /// Why there are none; the signals go out without them.
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

    /// Documents in `over`, oldest first: `size` of them after the first `from`; and how many there are in all. Whole
    /// trees of JSON, for people who look at few: no rule's rows come this way. Servers refuse `from + size` above
    /// 10,000.
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

    /// How many documents the indices have in `over`, whatever the target's filter says: 0 means no data.
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

    /// Creates one document. It is repeated as searches are; under its id it is created once.
    ///
    /// # Errors
    /// As `ask`, and `Cause::Document` for a document that no cluster would take.
    pub async fn create(&self, document: &Document, deadline: Instant) -> Result<Written, AskError> {
        let created = documents::create(&self.session, document, deadline).await;
        created.map_err(|cause| AskError::of_index(self.name(), &document.index, cause))
    }

    /// Creates documents, by requests of at most 1,000 documents and 5 MiB. Returns what became of each, in their order:
    /// some may be created and others refused. Those that the cluster was too busy for are sent again, with its pauses
    /// between, until `deadline`.
    pub async fn bulk(&self, documents: &[Document], deadline: Instant) -> Vec<Result<Written, AskError>> {
        let written = documents::bulk(&self.session, documents, deadline).await;
        let placed = written.into_iter().zip(documents).map(|(written, document)| {
            written.map_err(|cause| AskError::of_index(self.name(), &document.index, cause))
        });
        placed.collect()
    }

    /// One picture of the cluster, by six requests: what is judged first, what confirms it last.
    ///
    /// # Errors
    /// The first answer that is missing or cannot be read.
    pub async fn facts(&self, deadline: Instant) -> Result<Facts, AdminError> {
        admin::facts(&self.session, deadline).await.map_err(|fault| match fault {
            FactsFault::Ask(cause) => self.admin_error(cause),
            FactsFault::Unreadable(fault) => AdminError::Unreadable { cluster: self.name().into(), fault },
        })
    }

    /// The explanation of every one of `groups`, in their order, a few at a time. `done` is called with how many
    /// there are already.
    pub async fn explain(
        &self,
        groups: &[Group],
        deadline: Instant,
        done: impl FnMut(usize),
    ) -> Vec<Explained> {
        admin::explanations(&self.session, groups, deadline, done).await
    }

    /// Writes settings, all of them at once. Written twice they are as written once, so that it is repeated where an
    /// answer is lost.
    ///
    /// # Errors
    /// It is not known to have been written; it may have been.
    pub async fn write_settings(&self, change: &Change, deadline: Instant) -> Result<(), AdminError> {
        let written = admin::write_settings(&self.session, change, deadline).await;
        match written.map_err(|cause| self.admin_error(cause))? {
            true => Ok(()),
            false => Err(AdminError::NotAcknowledged { cluster: self.name().into() }),
        }
    }

    fn admin_error(&self, cause: Cause) -> AdminError {
        AskError::of_cluster(self.name(), cause.of_the_host()).into()
    }

    fn error(&self, target: &Target, cause: Cause) -> AskError {
        AskError::new(self.name(), target, cause)
    }
}
