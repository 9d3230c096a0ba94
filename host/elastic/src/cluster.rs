mod server; // which server it is
mod fields; // what is known of fields before a rule runs

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use elasticsearch::http::Method;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use watchbell_contract::{Ask, Question, Range};

pub use self::{
    fields::{FieldInfo, Inspection, Role},
    server::{Flavor, ServerInfo},
};
use crate::{
    buckets::{BucketsCursor, MergedCursor},
    config::{ClusterConfig, ConfigError},
    cursor::HitsCursor,
    error::{AskError, Cause},
    evidence::{self, EvidenceAsk, EvidenceDocs, EvidenceFields},
    looks::Looks,
    pages::{Pages, Source},
    prepared::{Asked, Prepared, Proof, Shape},
    query::{self, Narrow},
    raw, reached,
    resolve::Group,
    target::Target,
    transport::{Request, Transport},
    view,
    whole::{Extent, search_path},
};

/// What of a cluster is remembered at most; then it is learnt anew.
const REMEMBERED_MAX: usize = 100_000;
/// Evidence is worth no longer wait.
const EVIDENCE_WAIT_MAX: Duration = Duration::from_secs(2);

/// A cluster that can be asked. Clones share connections, concurrency and what was learnt.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    transport: Transport,
    looks: Looks,
    paging: AtomicU8,
    /// Questions whose last answer was longer than one page.
    long: Mutex<HashSet<u64>>,
}

/// How a long answer is continued; learnt by trying once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Paging {
    Unknown,
    /// Elasticsearch from 7.12 on.
    Pit,
    /// OpenSearch from 2.4 on.
    PointInTime,
    Scroll,
}

impl Cluster {
    /// No request is sent yet.
    ///
    /// # Errors
    /// What of the configuration cannot be used.
    pub fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        let inner = Inner {
            transport: Transport::new(config)?,
            looks: Looks::default(),
            paging: AtomicU8::new(Paging::Unknown as u8),
            long: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub fn name(&self) -> &str {
        &self.inner.config().name
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
        self.begin(target, question, deadline).await.map_err(|cause| {
            self.inner.forget(target, &cause);
            self.error(target, cause)
        })
    }

    async fn begin(&self, target: &Target, question: &Question, deadline: Instant) -> Result<Pages, Cause> {
        let inner = &self.inner;
        if let Ask::Cluster(what) = &question.ask {
            return Ok(Pages::ready(Some(view::ask(inner, *what, question.over, deadline).await?)));
        }
        let asked = Asked::new(target, question);
        let began = Instant::now();
        let Some(mut mapping) = inner.mapping_of_data(target, &asked.fields(), deadline).await? else {
            return Ok(Pages::ready(None));
        };
        let mut prepared = Prepared::new(&asked, &mapping);
        if prepared.is_err() {
            // The index that it failed for may be gone by now.
            mapping = inner.mapping_since(target, &asked.fields(), began, deadline).await?;
            prepared = Prepared::new(&asked, &mapping);
        }
        let prepared = prepared?;
        let (shared, owned) = (Arc::clone(inner), target.clone());
        let (over, filters) = (question.over, prepared.filters.clone());
        let source = match (&question.ask, &prepared.shape) {
            (Ask::Hits(hits), Shape::Hits(plan)) => {
                let (named, plan) = (hits.filters.clone(), plan.clone());
                let cursor = HitsCursor::new(shared, owned, over, filters, named, plan, deadline);
                Source::Hits(Box::new(cursor))
            }
            (Ask::Buckets(buckets), Shape::Buckets(groups)) => match &groups[..] {
                [Group { indices: None, parts }] => {
                    let fields = (&*mapping, &parts[..]);
                    let cursor = BucketsCursor::new(shared, owned, over, filters, buckets, fields, deadline)?;
                    Source::Buckets(Box::new(cursor))
                }
                groups => {
                    let indices: Vec<&String> =
                        groups.iter().filter_map(|group| group.indices.as_ref()).flatten().collect();
                    let aliases = reached::filters(inner, target, &indices, deadline).await?;
                    let fields = (&*mapping, groups);
                    let filters = (&filters[..], &aliases);
                    let cursor = MergedCursor::new(inner, target, over, filters, buckets, fields, deadline)?;
                    Source::Merged(Box::new(cursor))
                }
            },
            (Ask::Search(search), _) => {
                let rows = raw::ask(inner, target, search, over, filters, deadline).await?;
                Source::Ready(Some(rows))
            }
            _ => return Ok(Pages::ready(None)),
        };
        let proof = Proof::new(asked, prepared, mapping, deadline);
        Ok(Pages::start(Arc::clone(inner), source, proof))
    }

    /// As if nothing had been learnt of field types: for indices that were made anew under their old names.
    pub fn forget_mappings(&self) {
        self.inner.looks.forget_all();
    }

    /// The newest documents behind a signal, at most ten and 64 KiB, within two seconds; of each, the `fields` that are wanted.
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
        let deadline = deadline.min(Instant::now() + EVIDENCE_WAIT_MAX);
        let fetch = evidence::newest(&self.inner, target, ask, fields, deadline);
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
        let deadline = deadline.min(Instant::now() + EVIDENCE_WAIT_MAX);
        let fetch = evidence::named(&self.inner, target, asks, fields, deadline);
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
        let look = async {
            let time = target.time_field.as_str();
            let Some(mapping) = self.inner.mapping_of_data(target, &[time], deadline).await? else {
                return Ok((Vec::new(), 0));
            };
            let narrow = Narrow { over, only: &[], filter: None };
            let order = json!({ "order": "asc", "unmapped_type": "date", "numeric_type": "date" });
            let body = json!({
                "from": from, "size": size, "track_total_hits": true, "sort": [{ time: order }],
                "query": query::query(query::filters(target, &narrow, &mapping)?, &[]),
            });
            let mut answer = self.inner.search(target, &body, deadline).await?;
            let total = total(&answer)?;
            let hits = answer.pointer_mut("/hits/hits").and_then(Value::as_array_mut).map(std::mem::take);
            let documents = hits.into_iter().flatten().map(|mut hit| hit["_source"].take()).collect();
            Ok((documents, total))
        };
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
        let count = async {
            let body = json!({
                "size": 0,
                "track_total_hits": true,
                "query": query::query(vec![query::range(&target.time_field, over)], &[]),
            });
            let answer = self.inner.search(target, &body, deadline).await.map_err(Cause::of_the_host)?;
            if answer.pointer("/_shards/total").and_then(Value::as_u64) == Some(0)
                && !target.ignore_unavailable
            {
                return Err(Cause::NoIndex { reason: String::new() });
            }
            total(&answer)
        };
        count.await.map_err(|cause| self.error(target, cause))
    }

    fn error(&self, target: &Target, cause: Cause) -> AskError {
        AskError::new(self.name(), target, cause)
    }
}

pub(crate) fn total(answer: &Value) -> Result<u64, Cause> {
    let total = answer.pointer("/hits/total");
    // A number on servers before 7.0.
    let total = total.and_then(|total| total.get("value").unwrap_or(total).as_u64());
    total.ok_or_else(|| Cause::Malformed { reason: "no `hits.total` in the answer".into() })
}

impl Inner {
    pub(crate) fn config(&self) -> &ClusterConfig {
        self.transport.config()
    }

    pub(crate) fn looks(&self) -> &Looks {
        &self.looks
    }

    pub(crate) async fn send(&self, request: &Request) -> Result<Bytes, Cause> {
        self.transport.send(request).await
    }

    /// A search whose answer is small enough to be a tree, checked for being whole.
    pub(crate) async fn search(
        &self,
        target: &Target,
        body: &Value,
        deadline: Instant,
    ) -> Result<Value, Cause> {
        let path = search_path(target, "");
        let body = Some(Bytes::from(body.to_string()));
        let request = Request { method: Method::Post, path, body, repeatable: true, deadline };
        let body = self.send(&request).await?;
        Extent::of(&body)?;
        serde_json::from_slice(&body).map_err(|error| Cause::Malformed { reason: error.to_string() })
    }

    /// That no index is there to be asked, and that the target lets it be so. The capabilities of fields do not prove
    /// it: Elasticsearch 7 and OpenSearch leave out an index whose shards are missing.
    pub(crate) async fn none_asked(&self, target: &Target, deadline: Instant) -> Result<(), Cause> {
        let path = search_path(target, "");
        let body = Some(Bytes::from_static(br#"{"size":0,"track_total_hits":false}"#));
        let request = Request { method: Method::Post, path, body, repeatable: true, deadline };
        let extent: Extent = serde_json::from_slice(&self.send(&request).await?).unwrap_or_default();
        if extent.shards.is_some() {
            extent.check()?;
        }
        // One that has come since is known next time.
        match target.ignore_unavailable && extent.is_of_nothing() {
            true => Ok(()),
            false => Err(Cause::NoIndex { reason: String::new() }),
        }
    }

    pub(crate) fn paging(&self) -> Paging {
        match self.paging.load(Ordering::Relaxed) {
            1 => Paging::Pit,
            2 => Paging::PointInTime,
            3 => Paging::Scroll,
            _ => Paging::Unknown,
        }
    }

    pub(crate) fn learn(&self, paging: Paging) {
        if self.paging.swap(paging as u8, Ordering::Relaxed) != paging as u8 {
            tracing::debug!(cluster = self.config().name, ?paging, "learnt how long answers are continued");
        }
    }

    pub(crate) fn is_long(&self, question: u64) -> bool {
        lock(&self.long).contains(&question)
    }

    pub(crate) fn set_long(&self, question: u64, is_long: bool) {
        let mut long = lock(&self.long);
        if !is_long {
            long.remove(&question);
        } else {
            if long.len() >= REMEMBERED_MAX {
                long.clear();
            }
            long.insert(question);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
