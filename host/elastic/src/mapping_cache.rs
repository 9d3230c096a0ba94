//! The field types learned, per index pattern. All rules of a pattern share one look-up: a request for the union of
//! their fields. A look-up may be older than the answer it was used for; a second one, begun after the answer, shows
//! whether that answer stands. Only one look-up per pattern runs at a time; whoever comes meanwhile waits for the next
//! one and shares it.
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

use crate::{
    envelope::Envelope,
    error::ErrorKind,
    mapping::Mapping,
    paths::{encoded, ignoring, index_path, search_path},
    session::{Session, total},
    target::Target,
    transport::{Request, lock},
};

/// Patterns remembered. Beyond that the cache is emptied.
const PATTERNS_MAX: usize = 10_000;
/// Servers accept 4,096 bytes in a request line.
const LINE_BYTES_MAX: usize = 3_500;
const FIELDS_BYTES_MIN: usize = 500;
/// Fields remembered per pattern. Beyond that only those of the current question are looked up.
const FIELDS_MAX: usize = 10_000;
/// A look-up over a thousand indices is work for the cluster. One that took longer than this is followed by a pause of
/// this many times its length, during which more rules join the next one.
const LIGHT_LOOK_MAX: Duration = Duration::from_millis(10);
const PAUSE_TIMES: u32 = 4;
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A field that nobody asked for during this many mapping lifetimes is no longer looked up.
const UNASKED_LIVES: u32 = 3;

/// Index names and patterns, and whether missing ones are ignored.
type Asked = (Vec<String>, bool);

#[derive(Debug)]
pub(crate) struct MappingCache {
    pub(crate) session: Arc<Session>,
    patterns: Mutex<HashMap<Asked, Arc<Pattern>>>,
    /// Servers before 7.2 do not report which indices lack a field.
    without_unmapped: AtomicBool,
}

#[derive(Debug, Default)]
struct Pattern {
    /// When each field was last asked for.
    asked: Mutex<HashMap<String, Instant>>,
    last: Mutex<Option<Look>>,
    /// Held during a look-up.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Look {
    began: Instant,
    ended: Instant,
    fields: BTreeSet<String>,
    found: Result<Arc<Mapping>, ErrorKind>,
}

impl Pattern {
    /// The mapping of `wanted` from a look-up begun at `since` or later.
    fn seen(&self, wanted: &[String], since: Instant) -> Option<Arc<Mapping>> {
        let last = lock(&self.last);
        let look = last.as_ref().filter(|look| look.began >= since)?;
        let mapping = look.found.as_ref().ok()?;
        wanted.iter().all(|field| look.fields.contains(field)).then(|| Arc::clone(mapping))
    }

    /// Why a look-up begun since `arrived` failed, unless its own deadline passed: otherwise all waiters would fail one
    /// after the other.
    fn failed(&self, arrived: Instant) -> Option<ErrorKind> {
        let last = lock(&self.last);
        let look = last.as_ref().filter(|look| look.began >= arrived)?;
        look.found.as_ref().err().filter(|cause| !matches!(cause, ErrorKind::Deadline { .. })).cloned()
    }

    /// Until when no new look-up begins.
    fn rests(&self) -> Option<Instant> {
        let last = lock(&self.last);
        let (began, ended) = last.as_ref().map(|look| (look.began, look.ended))?;
        let took = ended - began;
        (took > LIGHT_LOOK_MAX).then(|| ended + (took * PAUSE_TIMES).min(PAUSE_MAX))
    }
}

impl MappingCache {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session, patterns: Mutex::default(), without_unmapped: AtomicBool::new(false) }
    }

    fn pattern(&self, target: &Target) -> Arc<Pattern> {
        let mut patterns = lock(&self.patterns);
        let key = (target.indices.clone(), target.ignore_unavailable);
        if patterns.len() >= PATTERNS_MAX && !patterns.contains_key(&key) {
            patterns.clear();
        }
        Arc::clone(patterns.entry(key).or_default())
    }

    pub(crate) fn forget_all(&self) {
        lock(&self.patterns).clear();
    }
}

/// Whether outdated field types may be the cause of a failure.
pub(crate) fn may_explain(cause: &ErrorKind) -> bool {
    matches!(
        cause,
        ErrorKind::Refused { .. }
            | ErrorKind::PartialShards { .. }
            | ErrorKind::MissingShards { .. }
            | ErrorKind::Malformed { .. }
            | ErrorKind::Misfit { .. }
            | ErrorKind::NoIndex { .. }
            | ErrorKind::MappingConflict { .. }
            | ErrorKind::FieldType { .. }
            | ErrorKind::Question { .. }
    )
}

impl MappingCache {
    /// Drops the mapping if it may be the cause of a failure, so that the next question looks it up again.
    pub(crate) fn forget(&self, target: &Target, cause: &ErrorKind) {
        if may_explain(cause) {
            *lock(&self.pattern(target).last) = None;
        }
    }

    /// What the indices know of `fields`. `None`: there are no documents, either because there is no index and that is
    /// allowed, or because the indices have not received their first document and so do not map its time.
    pub(crate) async fn mapping_of_data(
        &self,
        target: &Target,
        fields: &[&str],
        deadline: Instant,
    ) -> Result<Option<Arc<Mapping>>, ErrorKind> {
        let time = target.time_field.as_str();
        let mapping = self.mapping(target, fields, deadline).await?;
        if !mapping.has_index {
            return self.none_asked(target, deadline).await.map(|()| None);
        }
        if mapping.check_time(time)? {
            return Ok(Some(mapping));
        }
        let all = json!({ "size": 0, "track_total_hits": true, "query": { "match_all": {} } });
        let found = self.session.search(target, &all, deadline).await.map_err(ErrorKind::of_no_window)?;
        if total(&found)? == 0 {
            return Ok(None);
        }
        // The first document may have arrived after the look-up.
        let mapping = self.mapping_since(target, fields, Instant::now(), deadline).await?;
        if mapping.check_time(time)? {
            return Ok(Some(mapping));
        }
        let problem = "is not mapped in any of the indices".into();
        Err(ErrorKind::TimeField { field: time.into(), problem })
    }

    /// Checks that the target matches no index and may do so. Field capabilities do not prove it: Elasticsearch 7 and
    /// OpenSearch leave out an index whose shards are missing.
    async fn none_asked(&self, target: &Target, deadline: Instant) -> Result<(), ErrorKind> {
        let body = &br#"{"size":0,"track_total_hits":false}"#[..];
        let answer = self.session.send(&Request::ask(search_path(target, ""), body, deadline)).await?;
        let envelope: Envelope = serde_json::from_slice(&answer).unwrap_or_default();
        if envelope.shards.is_some() {
            envelope.check()?;
        }
        // An index created since is found next time.
        match target.ignore_unavailable && envelope.is_of_nothing() {
            true => Ok(()),
            false => Err(ErrorKind::NoIndex { reason: String::new() }),
        }
    }

    /// What the indices know of `fields`, at most as old as a mapping's lifetime.
    pub(crate) async fn mapping(
        &self,
        target: &Target,
        fields: &[&str],
        deadline: Instant,
    ) -> Result<Arc<Mapping>, ErrorKind> {
        let now = Instant::now();
        let since = now.checked_sub(self.session.config().mapping_ttl).unwrap_or(now);
        let mapping = self.mapping_since(target, fields, since, deadline).await?;
        // Indices that do not exist yet, and a time field without its first document, are looked up each time.
        if mapping.has_index && mapping.field(&target.time_field).is_some() {
            return Ok(mapping);
        }
        self.mapping_since(target, fields, now, deadline).await
    }

    /// What the indices know of `fields`, as of `since` or later.
    pub(crate) async fn mapping_since(
        &self,
        target: &Target,
        fields: &[&str],
        since: Instant,
        deadline: Instant,
    ) -> Result<Arc<Mapping>, ErrorKind> {
        let wanted = Mapping::wanted(fields.iter().copied());
        let pattern = self.pattern(target);
        let now = Instant::now();
        lock(&pattern.asked).extend(wanted.iter().map(|field| (field.clone(), now)));
        if let Some(mapping) = pattern.seen(&wanted, since) {
            return Ok(mapping);
        }
        let Ok(_turn) = timeout_at(deadline, pattern.turn.lock()).await else {
            return Err(ErrorKind::Deadline { last: None });
        };
        if let Some(mapping) = pattern.seen(&wanted, since) {
            return Ok(mapping);
        }
        if let Some(cause) = pattern.failed(now) {
            return Err(cause);
        }
        if let Some(until) = pattern.rests() {
            sleep_until(until.min(deadline)).await;
        }
        let fields = self.union(&pattern, &wanted);
        let began = Instant::now();
        let found = self.look(target, &fields, deadline).await.map(Arc::new);
        let ended = Instant::now();
        *lock(&pattern.last) = Some(Look { began, ended, fields, found: found.clone() });
        found
    }

    /// All fields that rules asked for lately, including `wanted`.
    fn union(&self, pattern: &Pattern, wanted: &[String]) -> BTreeSet<String> {
        let life = self.session.config().mapping_ttl.max(Duration::from_secs(1)) * UNASKED_LIVES;
        let mut asked = lock(&pattern.asked);
        asked.retain(|_, last| last.elapsed() < life);
        if asked.len() > FIELDS_MAX {
            asked.retain(|field, _| wanted.contains(field));
        }
        asked.keys().cloned().collect()
    }

    async fn look(
        &self,
        target: &Target,
        fields: &BTreeSet<String>,
        deadline: Instant,
    ) -> Result<Mapping, ErrorKind> {
        let index = index_path(&target.indices);
        let room = LINE_BYTES_MAX.saturating_sub(index.len()).max(FIELDS_BYTES_MIN);
        let mut bodies: Vec<Bytes> = vec![];
        for list in lists(fields, room) {
            let ask = async |more: &str| {
                let ignoring = ignoring(target, '&');
                let path = format!("{index}/_field_caps?fields={list}{more}{ignoring}");
                self.session.send(&Request::get(path, deadline)).await
            };
            let unmapped = &self.without_unmapped;
            let answer = match unmapped.load(Ordering::Relaxed) {
                true => ask("").await,
                false => match ask("&include_unmapped=true").await {
                    Err(ErrorKind::Refused { status: 400, reason, .. })
                        if reason.contains("include_unmapped") =>
                    {
                        unmapped.store(true, Ordering::Relaxed);
                        ask("").await
                    }
                    answer => answer,
                },
            };
            bodies.push(answer?);
        }
        Mapping::parse_all(bodies.iter().map(|body| &body[..]))
    }
}

/// Comma-separated names, as many per list as fit into `room`.
fn lists(fields: &BTreeSet<String>, room: usize) -> Vec<String> {
    let mut lists: Vec<String> = vec![];
    for field in fields {
        let field = encoded(field);
        match lists.last_mut().filter(|list| list.len() + field.len() + 3 <= room) {
            Some(list) => {
                list.push_str("%2C");
                list.push_str(&field);
            }
            None => lists.push(field),
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_so_many_fields() {
        let fields = ["a", "b c", "d"].map(String::from).into();
        assert_eq!(lists(&fields, 100), ["a%2Cb%20c%2Cd"]);
        assert_eq!(lists(&fields, 9), ["a%2Cb%20c", "d"]);
        assert_eq!(lists(&fields, 1), ["a", "b%20c", "d"]);
    }
}
