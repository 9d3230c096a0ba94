//! Refusals, in the shape that Elasticsearch uses.
use serde_json::{Map, Value, json};

/// A refusal: Elasticsearch's `type` and `reason`, and the HTTP status.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct Refusal {
    pub status: u16,
    pub kind: &'static str,
    pub reason: String,
    /// Extra keys of the error object, such as `index`.
    pub more: Vec<(&'static str, String)>,
    /// Whether the request itself was refused, before any shard saw it.
    pub of_request: bool,
    /// The inner exception, if Elasticsearch wraps one.
    pub cause: Option<(&'static str, String)>,
}

pub type Answer<T> = Result<T, Refusal>;

/// Refused by shards: queries that can be parsed but not run.
const SHARD_KINDS: &[&str] =
    &["query_shard_exception", "too_many_clauses", "parse_exception", "number_format_exception"];

/// The end of a reason why something is not modelled.
pub(crate) const UNMODELLED: &str = " is not modelled by the embedded node";

impl Refusal {
    pub fn new(status: u16, kind: &'static str, reason: impl Into<String>) -> Self {
        Self { status, kind, reason: reason.into(), more: Vec::new(), of_request: false, cause: None }
    }

    pub fn parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "parsing_exception", reason)
    }

    /// As `parsing`, for parts that Elasticsearch reads by a table of keys.
    pub fn content(reason: impl Into<String>) -> Self {
        Self::new(400, "x_content_parse_exception", reason)
    }

    pub fn illegal(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    /// A request that is refused as a whole, for the first thing wrong with it.
    pub fn validation(reason: impl std::fmt::Display) -> Self {
        Self::new(400, "action_request_validation_exception", format!("Validation Failed: 1: {reason};"))
    }

    pub fn no_body() -> Self {
        Self { of_request: true, ..Self::new(400, "parse_exception", "request body is required") }
    }

    pub fn mapper_parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "mapper_parsing_exception", reason)
    }

    /// A query that parsed but has no meaning in this index.
    pub fn shard(reason: impl Into<String>) -> Self {
        Self::new(400, "query_shard_exception", reason)
    }

    /// Part of Elasticsearch but not modelled here: refused rather than answered wrongly.
    pub fn unmodelled(what: impl std::fmt::Display) -> Self {
        Self::new(400, "illegal_argument_exception", format!("{what}{UNMODELLED}"))
    }

    /// Whether the node itself does not model it; leniency does not apply then.
    pub fn is_unmodelled(&self) -> bool {
        self.reason.ends_with(UNMODELLED)
    }

    pub fn missing_index(name: &str) -> Self {
        Self::new(404, "index_not_found_exception", format!("no such index [{name}]"))
            .with("resource.type", "index_or_alias")
            .with("resource.id", name)
            .with("index_uuid", "_na_")
            .with("index", name)
    }

    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.more.push((key, value.into()));
        self
    }

    pub fn caused_by(mut self, kind: &'static str, reason: impl Into<String>) -> Self {
        self.cause = Some((kind, reason.into()));
        self
    }

    /// The object under `error` of a bulk item, and under `root_cause` of a whole response.
    pub fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".into(), self.kind.into());
        object.insert("reason".into(), self.reason.clone().into());
        for (key, value) in &self.more {
            object.insert((*key).into(), value.clone().into());
        }
        Value::Object(object)
    }

    pub fn body(&self) -> Value {
        let root = self.object();
        // What fails while a shard runs the query is wrapped by the phase that ran it.
        let mut error = if SHARD_KINDS.contains(&self.kind) && !self.of_request {
            let mut cause = root.clone();
            self.put_cause(&mut cause);
            json!({
                "root_cause": [root],
                "type": "search_phase_execution_exception",
                "reason": "all shards failed",
                "phase": "query",
                "grouped": true,
                "failed_shards": [{"shard": 0, "node": "watchbell-node", "reason": cause}],
            })
        } else {
            // A phase without any shard has no root cause.
            let roots =
                if self.kind == "search_phase_execution_exception" { vec![] } else { vec![root.clone()] };
            let mut error = json!({ "root_cause": roots });
            if let (Some(into), Value::Object(from)) = (error.as_object_mut(), root) {
                into.extend(from);
            }
            error
        };
        self.put_cause(&mut error);
        json!({ "error": error, "status": self.status })
    }

    fn put_cause(&self, object: &mut Value) {
        if let (Some((kind, reason)), Some(object)) = (&self.cause, object.as_object_mut()) {
            object.insert("caused_by".into(), json!({"type": kind, "reason": reason}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_shape_of_elasticsearch() {
        let body = Refusal::parsing("unknown query [foo]").body();
        assert_eq!(body["status"], 400);
        assert_eq!(body["error"]["type"], "parsing_exception");
        assert_eq!(body["error"]["root_cause"][0]["reason"], "unknown query [foo]");
        let body = Refusal::shard("failed to create query: x").body();
        assert_eq!(body["error"]["type"], "search_phase_execution_exception");
        assert_eq!(body["error"]["failed_shards"][0]["reason"]["type"], "query_shard_exception");
    }
}
