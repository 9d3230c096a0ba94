use std::sync::Arc;

use serde_json::{Value, value::RawValue};
use tokio::time::Instant;
use watchbell_contract::{Buckets, Range, Rows};
use watchbell_values::Precision;

use super::{read, shape::Shape};
use crate::{
    error::ErrorKind, mapping::Mapping, paths::search_path, plan::ColumnKind, resolve::Field,
    session::Session, target::Target, transport::Request,
};

pub(crate) struct BucketsCursor {
    session: Arc<Session>,
    target: Target,
    deadline: Instant,
    pub(super) shape: Shape,
    /// The request without `after`.
    body: Value,
    /// As the server wrote it: parsing and printing may change a double.
    after: Option<Box<RawValue>>,
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
        Ok(Self { session, target, deadline, shape, body, after: None, size, ended: false, any: false })
    }

    /// The next page, never empty; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>, ErrorKind> {
        if self.ended {
            return Ok(None);
        }
        let request = Request::ask(search_path(&self.target, ""), self.asked(), self.deadline);
        let answer = self.session.send(&request).await?;
        let page = read::page(&self.shape, &answer)?;
        page.envelope.check()?;
        if page.envelope.is_of_nothing() && !self.target.ignore_unavailable {
            return Err(ErrorKind::NoIndex { reason: String::new() });
        }
        match page.after {
            Some(after) if page.rows.len() >= self.size && !self.shape.whole => {
                self.after = Some(after);
            }
            _ => self.ended = true,
        }
        self.any |= !page.rows.is_empty();
        Ok((!page.rows.is_empty()).then_some(page.rows))
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
