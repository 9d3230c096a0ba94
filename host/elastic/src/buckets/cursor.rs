use std::sync::Arc;

use serde_json::{Value, value::RawValue};
use tokio::time::Instant;
use watchbell_contract::{Buckets, Range, Rows};
use watchbell_values::Precision;

use super::{read, shape::Shape};
use crate::{
    error::ErrorKind,
    hits::PageLimits,
    mapping::Mapping,
    paths::search_path,
    plan::ColumnKind,
    resolve::Field,
    session::{Session, off_thread},
    target::Target,
    transport::Request,
};

/// Bytes of the key after which buckets go on: as many fields as a rule may have, of the longest values that servers
/// index.
const AFTER_BYTES_MAX: usize = 4 << 20;

pub(crate) struct BucketsCursor {
    session: Arc<Session>,
    target: Target,
    deadline: Instant,
    pub(super) shape: Arc<Shape>,
    /// The request without `after`.
    body: Value,
    /// As the server wrote it: parsing and printing may change a double.
    after: Option<Box<RawValue>>,
    /// The time of the last bucket so far.
    newest: Option<i64>,
    pages: usize,
    size: usize,
    ended: bool,
    /// Whether there was any bucket.
    pub(crate) any: bool,
}

impl BucketsCursor {
    /// - `fields`: those of one group of `target`'s indices, from `groups`.
    pub(crate) fn new(
        session: Arc<Session>,
        target: Target,
        over: Range,
        filters: Vec<Value>,
        buckets: &Buckets,
        (mapping, fields): (&Mapping, &[Option<Field>]),
        deadline: Instant,
    ) -> Result<Self, ErrorKind> {
        let size = session.config().page_buckets;
        let mut shape = Shape::new(over, buckets, mapping)?;
        for (key, field) in shape.by.iter_mut().zip(fields) {
            let precision = field.as_ref().and_then(|field| Precision::of(&field.kind));
            if let (ColumnKind::Numbers, Some(precision)) = (key.kind, precision) {
                key.kind = ColumnKind::Rounded(precision);
            }
        }
        let body = shape.body(&target.time_field, filters, buckets, fields, size)?;
        Ok(Self {
            session,
            target,
            deadline,
            shape: Arc::new(shape),
            body,
            after: None,
            newest: None,
            pages: 0,
            size,
            ended: false,
            any: false,
        })
    }

    /// The next page, never empty; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>, ErrorKind> {
        if self.ended {
            return Ok(None);
        }
        let config = self.session.config();
        if self.pages == config.pages_max {
            return Err(ErrorKind::TooManyPages { max: config.pages_max });
        }
        self.pages += 1;
        let limits = PageLimits { rows: self.size, bytes: config.page_bytes_max };
        let request = Request::ask(search_path(&self.target, ""), self.asked(), self.deadline);
        let answer = self.session.page(&request).await?;
        let shape = Arc::clone(&self.shape);
        let page = off_thread(answer.len(), move || read::page(&shape, limits, &answer)).await?;
        page.envelope.check()?;
        if page.envelope.is_of_nothing() && !self.target.ignore_unavailable {
            return Err(ErrorKind::NoIndex { reason: String::new() });
        }
        self.advances(&page)?;
        match page.after {
            Some(after) if page.rows.len() >= self.size && !self.shape.whole => {
                self.after = Some(after);
            }
            _ => self.ended = true,
        }
        self.any |= !page.rows.is_empty();
        Ok((!page.rows.is_empty()).then_some(page.rows))
    }

    /// # Errors
    /// `Endless`: the server says what it said before, or that there is more of nothing.
    fn advances(&mut self, page: &read::BucketsPage) -> Result<(), ErrorKind> {
        if self.shape.whole {
            return Ok(());
        }
        let endless = |reason: &str| Err(ErrorKind::Endless { reason: reason.into() });
        if let Some(after) = &page.after {
            if page.rows.times.is_empty() {
                return endless("a page without buckets says that there are more");
            }
            if after.get().len() > AFTER_BYTES_MAX {
                return endless("the key after which buckets go on is too long to be sent back");
            }
            if self.after.as_ref().is_some_and(|before| before.get() == after.get()) {
                return endless("two pages of buckets end with the same key");
            }
        }
        if self.shape.is_sliced {
            for &time in &page.rows.times {
                if self.newest.is_some_and(|newest| time < newest) {
                    return endless("a page of buckets goes back in time");
                }
                self.newest = Some(time);
            }
        }
        Ok(())
    }

    /// The request for the next page.
    fn asked(&self) -> String {
        let mut text = self.body.to_string();
        if let Some(after) = &self.after {
            // The aggregation comes last, and begins with `composite`.
            let composite = self.body["aggs"]["page"]["composite"].to_string();
            if let Some(at) = text.rfind(&composite) {
                text.insert_str(at + 1, &format!("\"after\":{},", after.get()));
            }
        }
        text
    }
}
