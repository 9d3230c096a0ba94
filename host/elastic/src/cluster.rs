use std::{
    collections::{BTreeSet, HashMap, HashSet},
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

use crate::{
    buckets::BucketsCursor,
    config::{ClusterConfig, ConfigError},
    cursor::{HitsCursor, ignoring},
    error::{AskError, Cause},
    evidence::{self, EvidenceAsk, EvidenceDocs},
    mapping::Mapping,
    pages::{Pages, Source},
    plan::FieldPlan,
    query::{self, Narrow},
    raw,
    target::Target,
    transport::{Request, Transport, index_path},
    view,
    whole::{Extent, search_path},
};

/// What of a cluster is remembered at most; then it is learnt anew.
const REMEMBERED_MAX: usize = 100_000;
/// Evidence is worth no longer wait.
const EVIDENCE_WAIT_MAX: Duration = Duration::from_secs(2);
const INFO_WAIT_MAX: Duration = Duration::from_secs(10);

/// A cluster that can be asked. Clones share connections, concurrency and what was learnt.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    transport: Transport,
    mappings: Mutex<HashMap<MappingKey, (Instant, Arc<Mapping>)>>,
    paging: AtomicU8,
    /// Questions whose last answer was longer than one page.
    long: Mutex<HashSet<u64>>,
}

type MappingKey = (Vec<String>, bool, Vec<String>);

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    pub flavor: Flavor,
    /// Empty if the server does not say.
    pub version: String,
    pub cluster_name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Elasticsearch,
    OpenSearch,
    /// The embedded search node.
    Node,
    Unknown,
}

/// What is known of a field before a rule runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    pub name: String,
    /// Empty: in no mapping. More than one: the indices disagree.
    pub types: Vec<String>,
    /// Longer values are missing from doc values, and so from columns and groups. The smallest of all indices.
    pub ignore_above: Option<u64>,
    /// Analysed: read from the source, and counted by its `keyword`.
    pub text: bool,
    /// The `.keyword` beside it.
    pub keyword: Option<String>,
    /// The nested object it lies in.
    pub nested: Option<String>,
    /// Why it cannot be asked as a column.
    pub problem: Option<String>,
}

impl Cluster {
    /// No request is sent yet.
    ///
    /// # Errors
    /// What of the configuration cannot be used.
    pub fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        let inner = Inner {
            transport: Transport::new(config)?,
            mappings: Mutex::default(),
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
        let only = question.only.iter().map(|any_of| any_of.field.as_str());
        let named: Vec<&str> = match &question.ask {
            Ask::Hits(hits) => hits.fields.iter().map(String::as_str).collect(),
            Ask::Buckets(buckets) => {
                let metrics = buckets.metrics.iter().map(|metric| metric.field.as_str());
                buckets.by.iter().map(String::as_str).chain(metrics).collect()
            }
            Ask::Search(_) | Ask::Cluster(_) => vec![],
        };
        let fields: Vec<&str> =
            std::iter::once(target.time_field.as_str()).chain(only).chain(named).collect();
        let mapping = inner.mapping(target, &fields, deadline).await?;
        if !mapping.has_index {
            return inner.none_asked(target, deadline).await.map(|()| Pages::ready(None));
        }
        mapping.check_time(&target.time_field)?;
        let narrow = Narrow { over: question.over, only: &question.only, filter: question.filter.as_deref() };
        let filters = query::filters(target, &narrow, &mapping)?;
        let source = match &question.ask {
            Ask::Hits(hits) => {
                let plan = FieldPlan::new(hits, &mapping, &target.time_field)?;
                let (inner, target) = (Arc::clone(inner), target.clone());
                let named = hits.filters.clone();
                let cursor = HitsCursor::new(inner, target, question.over, filters, named, plan, deadline);
                Source::Hits(Box::new(cursor))
            }
            Ask::Buckets(buckets) => {
                let (inner, target) = (Arc::clone(inner), target.clone());
                let cursor =
                    BucketsCursor::new(inner, target, question.over, filters, buckets, &mapping, deadline)?;
                Source::Buckets(Box::new(cursor))
            }
            Ask::Search(search) => {
                let rows = raw::ask(inner, target, search, question.over, filters, deadline).await?;
                return Ok(Pages::ready(Some(rows)));
            }
            Ask::Cluster(_) => return Ok(Pages::ready(None)),
        };
        Ok(Pages::start(Arc::clone(inner), target.clone(), source))
    }

    /// Which server this is. Some do not answer at `/`; then it is unknown, and no error.
    pub async fn info(&self) -> Result<ServerInfo, AskError> {
        let deadline = Instant::now() + INFO_WAIT_MAX;
        let get = async |path: &str| -> Result<Value, Cause> {
            let request =
                Request { method: Method::Get, path: path.into(), body: None, repeatable: true, deadline };
            let body = self.inner.send(&request).await?;
            serde_json::from_slice(&body).map_err(|error| Cause::Malformed { reason: error.to_string() })
        };
        let text = |value: &Value, pointer: &str| -> String {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().into()
        };
        let root = match get("/").await {
            Ok(root) => root,
            Err(Cause::Refused { status: 400 | 404 | 405, .. }) => {
                let nodes = get("/_nodes/_local").await.unwrap_or_default();
                let node =
                    nodes.get("nodes").and_then(Value::as_object).and_then(|nodes| nodes.values().next());
                let version = node.map(|node| text(node, "/version")).unwrap_or_default();
                let cluster_name = text(&nodes, "/cluster_name");
                return Ok(ServerInfo { flavor: Flavor::Unknown, version, cluster_name });
            }
            Err(cause) => return Err(AskError::of_cluster(self.name(), cause)),
        };
        let version = text(&root, "/version/number");
        let flavor = match text(&root, "/version/distribution").as_str() {
            "opensearch" => Flavor::OpenSearch,
            other if other.contains("watchbell") => Flavor::Node,
            _ if version.is_empty() => Flavor::Unknown,
            _ => Flavor::Elasticsearch,
        };
        Ok(ServerInfo { flavor, version, cluster_name: text(&root, "/cluster_name") })
    }

    /// The newest documents behind a signal, at most ten and 64 KiB, within two seconds; of each, those of its `fields`.
    ///
    /// # Errors
    /// Why there are none; a signal goes out without them.
    pub async fn evidence(
        &self,
        target: &Target,
        ask: EvidenceAsk<'_>,
        fields: Option<&BTreeSet<String>>,
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
        fields: Option<&BTreeSet<String>>,
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
            let (time, inner) = (target.time_field.as_str(), &self.inner);
            let mapping = inner.mapping(target, &[time], deadline).await?;
            // An index that nothing was written to may not know its fields yet.
            if !mapping.has_index {
                return inner.none_asked(target, deadline).await.map(|()| (Vec::new(), 0));
            }
            if mapping.field(time).is_none() && target.ignore_unavailable {
                return Ok((Vec::new(), 0));
            }
            mapping.check_time(time)?;
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

    /// What the indices know of `fields`, in their order.
    ///
    /// # Errors
    /// As `ask`; a field that is in no mapping is none.
    pub async fn fields(
        &self,
        target: &Target,
        fields: &[String],
        deadline: Instant,
    ) -> Result<Vec<FieldInfo>, AskError> {
        let look = async {
            let names: Vec<&str> = fields.iter().map(String::as_str).collect();
            let mapping = self.inner.mapping(target, &names, deadline).await?;
            if !mapping.has_index && !target.ignore_unavailable {
                return Err(Cause::NoIndex { reason: String::new() });
            }
            let ignored = self.inner.ignore_above(target, &names, deadline).await?;
            Ok(fields.iter().map(|name| FieldInfo::new(name, &mapping, &ignored)).collect())
        };
        look.await.map_err(|cause| self.error(target, cause))
    }

    fn error(&self, target: &Target, cause: Cause) -> AskError {
        AskError::new(self.name(), target, cause)
    }
}

fn total(answer: &Value) -> Result<u64, Cause> {
    let total = answer.pointer("/hits/total");
    // A number on servers before 7.0.
    let total = total.and_then(|total| total.get("value").unwrap_or(total).as_u64());
    total.ok_or_else(|| Cause::Malformed { reason: "no `hits.total` in the answer".into() })
}

impl FieldInfo {
    fn new(name: &str, mapping: &Mapping, ignored: &HashMap<String, u64>) -> Self {
        let caps = mapping.field(name);
        let keyword = format!("{name}.keyword");
        Self {
            name: name.into(),
            types: caps.map(|caps| caps.types.clone()).unwrap_or_default(),
            ignore_above: ignored.get(name).copied(),
            text: caps.is_some_and(|caps| caps.is_text()),
            nested: mapping.parents(name).find(|(_, caps)| caps.is("nested")).map(|(root, _)| root.into()),
            problem: caps.and_then(|caps| crate::plan::kind(name, caps).err()).map(|cause| cause.to_string()),
            keyword: mapping.field(&keyword).is_some_and(|caps| caps.has_doc_values()).then_some(keyword),
        }
    }
}

impl Inner {
    pub(crate) fn config(&self) -> &ClusterConfig {
        self.transport.config()
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
    async fn none_asked(&self, target: &Target, deadline: Instant) -> Result<(), Cause> {
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

    pub(crate) async fn mapping(
        &self,
        target: &Target,
        fields: &[&str],
        deadline: Instant,
    ) -> Result<Arc<Mapping>, Cause> {
        let wanted = Mapping::wanted(fields.iter().copied());
        let key = (target.indices.clone(), target.ignore_unavailable, wanted);
        let now = Instant::now();
        if let Some((until, mapping)) = lock(&self.mappings).get(&key)
            && *until > now
        {
            return Ok(Arc::clone(mapping));
        }
        let list = encoded(&key.2.join(","));
        let index = index_path(&target.indices);
        let path = format!("{index}/_field_caps?fields={list}{}", ignoring(target, '&'));
        let request = Request { method: Method::Get, path, body: None, repeatable: true, deadline };
        let mapping = Arc::new(Mapping::parse(&self.send(&request).await?)?);
        // Indices that are yet to come, and a time field without its first document, are looked for each time.
        if mapping.has_index && mapping.check_time(&target.time_field).is_ok() {
            let mut mappings = lock(&self.mappings);
            if mappings.len() >= REMEMBERED_MAX {
                mappings.clear();
            }
            mappings.insert(key, (now + self.config().mapping_ttl, Arc::clone(&mapping)));
        }
        Ok(mapping)
    }

    /// The smallest `ignore_above` of each field, where one is set.
    async fn ignore_above(
        &self,
        target: &Target,
        fields: &[&str],
        deadline: Instant,
    ) -> Result<HashMap<String, u64>, Cause> {
        let list = encoded(&fields.join(","));
        let index = index_path(&target.indices);
        let path = format!("{index}/_mapping/field/{list}{}", ignoring(target, '?'));
        let request = Request { method: Method::Get, path, body: None, repeatable: true, deadline };
        let body = self.send(&request).await?;
        let answer: HashMap<String, Value> =
            serde_json::from_slice(&body).map_err(|error| Cause::Malformed { reason: error.to_string() })?;
        let mut ignored = HashMap::new();
        for mappings in answer.values().filter_map(|index| index.get("mappings")?.as_object()) {
            for (name, field) in mappings {
                let leaf =
                    field.get("mapping").and_then(Value::as_object).and_then(|leaf| leaf.values().next());
                if let Some(above) = leaf.and_then(|leaf| leaf.get("ignore_above")?.as_u64()) {
                    let least = ignored.entry(name.clone()).or_insert(above);
                    *least = above.min(*least);
                }
            }
        }
        Ok(ignored)
    }

    /// What was believed of field types may be the reason for a failure: it is asked again next time.
    pub(crate) fn forget(&self, target: &Target, cause: &Cause) {
        let suspect = matches!(
            cause,
            Cause::Refused { .. }
                | Cause::PartialShards { .. }
                | Cause::MissingShards { .. }
                | Cause::Malformed { .. }
                | Cause::Misfit { .. }
                | Cause::NoIndex { .. }
                | Cause::MappingConflict { .. }
                | Cause::FieldType { .. }
        );
        if suspect {
            lock(&self.mappings).retain(|(indices, ..), _| *indices != target.indices);
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
