//! Reads all hits of a question, oldest first. Most answers fit one page and cost one plain search. A longer one is
//! continued in a fixed context: a point in time where the server has them, else a scroll. `search_after` alone would
//! lose documents of the same instant.
use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use bytes::Bytes;
use elasticsearch::http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use watchbell_contract::{Range, Rows, Timestamp};

use super::{
    context::{Context, KEEP_ALIVE, is_sendable, vanished},
    memory::{Continuation, Paging},
};
use crate::{
    error::ErrorKind,
    hits::{self, HitsAnswer, Last, PageLimits},
    page::PageBuilder,
    paths::{WHOLE, search_path},
    plan::FieldPlan,
    query,
    session::off_thread,
    target::Target,
    transport::Request,
};

/// Pages are not made smaller than this.
const PAGE_HITS_MIN: usize = 100;

pub(crate) struct HitsCursor {
    paging: Arc<Paging>,
    target: Target,
    over: Range,
    /// All filters; the first is the range.
    filters: Vec<Value>,
    named: Vec<Value>,
    plan: Arc<FieldPlan>,
    deadline: Instant,
    /// The indices of all hits read so far.
    pub(crate) seen: BTreeSet<String>,
    context: Context,
    /// Hits requested per page.
    size: usize,
    after: Option<Last>,
    /// The id of the document at `after`.
    after_id: String,
    /// Requests sent.
    pages: usize,
    /// Whether the last page of a scroll was not full, so that only an empty one may follow.
    is_short: bool,
    /// Rows of the last instant so far: more of them may follow.
    held: Option<PageBuilder>,
    warned: bool,
    /// Where the question begins; `over` begins later once a page was read.
    asked_from: Timestamp,
    /// Rows with a smaller key were read before the context was opened. A document with several times matches by any of
    /// them, and is sorted by its first.
    read_to: Option<i64>,
}

impl HitsCursor {
    pub(crate) fn new(
        paging: Arc<Paging>,
        target: Target,
        over: Range,
        filters: Vec<Value>,
        named: Vec<Value>,
        plan: FieldPlan,
        deadline: Instant,
    ) -> Self {
        let size = paging.session.config().page_hits;
        let (context, plan) = (Context::Unasked, Arc::new(plan));
        Self {
            paging,
            target,
            over,
            filters,
            named,
            plan,
            deadline,
            seen: BTreeSet::new(),
            context,
            size,
            after: None,
            after_id: String::new(),
            pages: 0,
            is_short: false,
            held: None,
            warned: false,
            asked_from: over.start,
            read_to: None,
        }
    }

    /// The next page, never empty; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>, ErrorKind> {
        loop {
            let page = match self.context {
                Context::Ended => return Ok(None),
                Context::Unasked => self.first().await?,
                Context::Pit(..) | Context::Scroll(_) => self.further().await?,
            };
            if page.len() > 0 {
                page.note_indices(&mut self.seen);
                let mut rows = page.finish(&self.plan);
                // The time appears to be in another unit, as it is in an index created after the look-up.
                if let Some(beyond) = rows.times.last().filter(|time| **time >= self.over.end.0) {
                    let reason =
                        format!("a document of {beyond} ms in an answer up to {} ms", self.over.end.0);
                    return Err(ErrorKind::Malformed { reason });
                }
                // The first time of a document with several may lie before the range; it then counts at the range's
                // start.
                let early = rows.times.iter_mut().take_while(|time| **time < self.asked_from.0);
                early.for_each(|time| *time = self.asked_from.0);
                return Ok(Some(rows));
            }
        }
    }

    /// One plain search; if there is more, a context from the last instant on.
    async fn first(&mut self) -> Result<PageBuilder, ErrorKind> {
        let known_long = self.paging.is_long(self.key());
        if known_long {
            self.open().await?;
            return Ok(PageBuilder::new(&self.plan));
        }
        let path = search_path(&self.target, "");
        let (mut page, answer) = self.search(Method::Post, path, |cursor| cursor.body(false)).await?;
        if answer.hits == 0 && answer.envelope.is_of_nothing() {
            vanished(&self.target)?;
        }
        if answer.hits < self.size {
            self.context = Context::Ended;
            page.settle_ties();
            return Ok(page);
        }
        self.paging.set_long(self.key(), true);
        // The last instant is read again inside the context: it may have more documents.
        let unit = if self.plan.nanos { 1_000_000 } else { 1 };
        let last = page.last_instant(unit);
        self.over.start = Timestamp(page.keys[last].div_euclid(unit));
        self.filters[0] = query::range(&self.target.time_field, self.over);
        self.read_to = Some(self.over.start.0.saturating_mul(unit));
        page.truncate(last);
        page.settle_ties();
        self.open().await?;
        Ok(page)
    }

    /// Opens a context, without reading anything.
    async fn open(&mut self) -> Result<(), ErrorKind> {
        self.context = Context::open(&self.paging, &self.target, self.deadline).await?;
        Ok(())
    }

    async fn further(&mut self) -> Result<PageBuilder, ErrorKind> {
        let (mut page, answer) = match &self.context {
            Context::Pit(kind, _) => {
                let kind = *kind;
                let unproven =
                    kind == Continuation::PointInTime && self.paging.continuation() == Continuation::Unknown;
                match self.search(Method::Post, format!("/_search?{WHOLE}"), |cursor| cursor.body(true)).await
                {
                    // A point in time, but no tiebreaker for documents of one instant (OpenSearch before 3.3), without
                    // which paging would lose some.
                    Err(ErrorKind::Refused { status: 400, reason, .. })
                        if unproven && reason.contains("_shard_doc") =>
                    {
                        self.close().await;
                        self.paging.learn(Continuation::Scroll);
                        self.context = Context::Scroll(String::new());
                        return Ok(self.nothing());
                    }
                    answer => {
                        if answer.is_ok() && unproven {
                            self.paging.learn(Continuation::PointInTime);
                        }
                        answer?
                    }
                }
            }
            Context::Scroll(id) if id.is_empty() => {
                let path = search_path(&self.target, &format!("&scroll={KEEP_ALIVE}"));
                self.search(Method::Post, path, |cursor| cursor.body(false)).await?
            }
            Context::Scroll(id) => {
                let body = json!({ "scroll": KEEP_ALIVE, "scroll_id": id });
                self.search(Method::Post, "/_search/scroll".into(), |_| body.clone()).await?
            }
            Context::Unasked | Context::Ended => return Ok(self.nothing()),
        };
        if let Some(read_to) = self.read_to {
            let again = page.keys.partition_point(|&key| key < read_to);
            if again > 0 {
                let mut rest = self.nothing();
                rest.adopt(&page, again..page.len());
                page = rest;
            }
        }
        // A context over no index opens without an error, and Elasticsearch 7 returns no id for such a scroll.
        if answer.hits == 0 && answer.envelope.is_of_nothing() {
            self.paging.set_long(self.key(), false);
            self.close().await;
            page.settle_ties();
            return vanished(&self.target).map(|()| page);
        }
        let is_scroll = matches!(self.context, Context::Scroll(_));
        self.advances(&answer)?;
        [&answer.pit_id, &answer.scroll_id].into_iter().flatten().try_for_each(|id| is_sendable(id))?;
        match &mut self.context {
            Context::Pit(_, id) => {
                if let Some(newer) = answer.pit_id {
                    *id = newer;
                }
            }
            Context::Scroll(id) => match answer.scroll_id {
                Some(newer) => *id = newer,
                None if id.is_empty() => {
                    return Err(ErrorKind::Malformed { reason: "no `_scroll_id` in the response".into() });
                }
                None => {}
            },
            Context::Unasked | Context::Ended => {}
        }
        // A scroll ends with an empty page, everything else with one that is not full.
        let ended = answer.hits == 0 || (!is_scroll && answer.hits < self.size);
        if ended {
            self.paging.set_long(self.key(), self.after.is_some());
            self.close().await;
        } else {
            if !is_scroll && answer.last.as_ref().is_none_or(|last| last.tie.is_none()) {
                return Err(ErrorKind::Malformed {
                    reason: "hits without the tiebreaker that was asked for".into(),
                });
            }
            self.is_short = answer.hits < self.size;
            self.after = answer.last;
            self.after_id = answer.last_id;
            self.hold_back(&mut page);
        }
        page.settle_ties();
        Ok(page)
    }

    /// # Errors
    /// `Endless`: a page of a context is one that was read before, or comes after the last.
    fn advances(&self, answer: &HitsAnswer) -> Result<(), ErrorKind> {
        let (Some(before), Some(last)) = (&self.after, &answer.last) else { return Ok(()) };
        let endless = |reason: &str| Err(ErrorKind::Endless { reason: reason.into() });
        if last.time < before.time {
            return endless("a page of hits goes back in time");
        }
        if last == before && self.after_id == answer.last_id {
            return endless("two pages of hits end with the same document");
        }
        // Elasticsearch numbers all documents of a search.
        let is_numbered = matches!(self.context, Context::Pit(Continuation::Pit, _));
        if is_numbered && last.time == before.time && last.tie <= before.tie {
            return endless("a page of hits goes back within an instant");
        }
        match self.is_short {
            true => endless("a scroll has hits after its last page"),
            false => Ok(()),
        }
    }

    /// Holds back the last instant's rows until the next page shows whether there are more of them.
    fn hold_back(&mut self, page: &mut PageBuilder) {
        let last = page.last_instant(1);
        let max = self.paging.session.config().tie_rows_max;
        if page.len() - last > max {
            if !self.warned {
                self.warned = true;
                tracing::warn!(
                    rule = self.target.rule,
                    cluster = self.paging.session.config().name,
                    rows = page.len() - last,
                    "one instant has more documents than can be held back and sorted; they stay in the server's order"
                );
            }
            return;
        }
        let mut held = self.nothing();
        held.adopt(page, last..page.len());
        page.truncate(last);
        self.held = Some(held);
    }

    fn nothing(&self) -> PageBuilder {
        PageBuilder::new(&self.plan)
    }

    /// Sends a search and appends its hits to what was held back. A page that is too large is requested again in
    /// smaller parts, except in a scroll, whose page size is fixed.
    async fn search(
        &mut self,
        method: Method,
        path: String,
        body: impl Fn(&Self) -> Value,
    ) -> Result<(PageBuilder, HitsAnswer), ErrorKind> {
        let config = self.paging.session.config();
        let (pages_max, bytes_max) = (config.pages_max, config.page_bytes_max);
        loop {
            if self.pages == pages_max {
                return Err(ErrorKind::TooManyPages { max: pages_max });
            }
            self.pages += 1;
            let answer = match self.send(method, path.clone(), &body(self)).await {
                Ok(bytes) => {
                    let mut builder = self.nothing();
                    if let Some(held) = &self.held {
                        builder.adopt(held, 0..held.len());
                    }
                    let plan = Arc::clone(&self.plan);
                    let limits = PageLimits { rows: self.size, bytes: bytes_max };
                    let length = bytes.len();
                    let read = move || {
                        hits::read(&bytes, &plan, limits, &mut builder).map(|answer| (builder, answer))
                    };
                    off_thread(length, read).await
                }
                Err(cause) => Err(cause),
            };
            match answer {
                Err(ErrorKind::PageTooLarge { .. } | ErrorKind::MemoryTooLarge { .. })
                    if self.size > PAGE_HITS_MIN && !matches!(self.context, Context::Scroll(_)) =>
                {
                    self.size = (self.size / 4).max(PAGE_HITS_MIN);
                }
                Err(cause) if self.size > PAGE_HITS_MIN && is_wide(&cause) => {
                    self.size = (self.size / 4).max(PAGE_HITS_MIN);
                }
                answer => {
                    let (builder, answer) = answer?;
                    self.held = None;
                    answer.envelope.check()?;
                    return Ok((builder, answer));
                }
            }
        }
    }

    async fn send(&self, method: Method, path: String, body: &Value) -> Result<Bytes, ErrorKind> {
        // The next page of a scroll contains nothing from the rule.
        let of_the_host = path == "/_search/scroll";
        let body = Some(Bytes::from(body.to_string()));
        let request = Request { method, path, body, repeatable: !of_the_host, deadline: self.deadline };
        let answer = self.paging.session.page(&request).await;
        if of_the_host { answer.map_err(ErrorKind::of_the_host) } else { answer }
    }

    /// The body of a search. `in_pit`: inside a point in time, after what was read.
    fn body(&self, in_pit: bool) -> Value {
        let (doc_values, fields) = self.plan.asked();
        // Nanoseconds are requested only if some index has them: they end in 2262.
        let mut time =
            json!({ "order": "asc", "unmapped_type": if self.plan.nanos { "date_nanos" } else { "date" } });
        if self.plan.nanos {
            time["numeric_type"] = "date_nanos".into();
        }
        let mut sort = vec![json!({ &self.target.time_field: time })];
        let mut body = json!({
            "size": self.size,
            "_source": false,
            "query": query::query(self.filters.clone(), &self.named),
        });
        if in_pit && let Context::Pit(kind, id) = &self.context {
            // In OpenSearch 3.8 equally numbered shards of two indices share `_shard_doc` values: without sorting by
            // index first, 9 of 600 documents were lost in a test. Elasticsearch numbers all shards of a search.
            let by_index = *kind == Continuation::PointInTime;
            if by_index {
                sort.push(json!({ "_index": "asc" }));
            }
            sort.push(json!({ "_shard_doc": "asc" }));
            body["pit"] = json!({ "id": id, "keep_alive": KEEP_ALIVE });
            if let Some(Last { time, tie, index }) = &self.after {
                body["search_after"] = if by_index { json!([time, index, tie]) } else { json!([time, tie]) };
            }
        }
        // Counting is wasted work, but servers require it in a scroll.
        if !matches!(self.context, Context::Scroll(_)) {
            body["track_total_hits"] = false.into();
        }
        body["sort"] = sort.into();
        if !doc_values.is_empty() {
            body["docvalue_fields"] = doc_values.into();
        }
        if !fields.is_empty() {
            body["fields"] = fields.into();
        }
        body
    }

    /// Closes the context.
    pub(crate) async fn close(&mut self) {
        self.context.close(&self.paging.session).await;
    }

    /// Identifies this question across runs.
    fn key(&self) -> u64 {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        hasher.hash_one((&self.target.rule, &self.target.indices, self.plan.columns.len()))
    }
}

/// How servers report that an index returns fewer hits at once (`index.max_result_window`).
fn is_wide(cause: &ErrorKind) -> bool {
    matches!(cause, ErrorKind::Refused { reason, .. }
        if reason.contains("Result window is too large") || reason.contains("Batch size is too large"))
}
