//! Path, parameters and body of one request.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use crate::errors::{Answer, Refusal};
use crate::names::Lookup;

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) path: Vec<String>,
    parameters: BTreeMap<String, String>,
    pub(crate) body: String,
    /// Parameters that the endpoint reads; others are unknown to it.
    read: RefCell<BTreeSet<String>>,
}

/// Accepted everywhere, without effect here.
const COMMON: &[&str] = &["pretty", "human", "error_trace", "master_timeout", "timeout"];

impl Request {
    pub(crate) fn new(method: &str, path: &str, query: Option<&str>, body: &[u8]) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let parameters = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Self {
            method: method.to_owned(),
            uri: path.to_owned(),
            path: path.split('/').filter(|part| !part.is_empty()).map(decode).collect(),
            parameters: parameters.collect(),
            // Invalid UTF-8 becomes a replacement character, which JSON carries as text.
            body: String::from_utf8_lossy(body).into_owned(),
            read: RefCell::default(),
        }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.read.borrow_mut().insert(name.to_owned());
        self.parameters.get(name).map(String::as_str)
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Answer<bool> {
        match self.parameter(name) {
            None => Ok(default),
            Some("" | "true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(Refusal::illegal(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// Accepts parameters without effect here.
    pub(crate) fn ignore(&self, names: &[&str]) {
        self.read.borrow_mut().extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// Refuses every parameter that the endpoint did not read.
    pub(crate) fn finish(&self) -> Answer<()> {
        let read = self.read.borrow();
        match self.parameters.keys().find(|key| !read.contains(*key) && !COMMON.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(Refusal::illegal(format!(
                "request [{}] contains unrecognized parameter: [{key}]",
                self.uri
            ))),
        }
    }

    pub(crate) fn lookup(&self) -> Answer<Lookup> {
        self.ignore(&["ignore_throttled"]);
        match self.parameter("expand_wildcards") {
            None | Some("open" | "all" | "open,hidden") => {}
            Some(other) => return Err(Refusal::unmodelled(format!("expand_wildcards [{other}]"))),
        }
        Ok(Lookup {
            ignore_unavailable: self.flag("ignore_unavailable", false)?,
            allow_no_indices: self.flag("allow_no_indices", true)?,
        })
    }

    /// The body as an object; an empty body is an empty object.
    pub(crate) fn object(&self) -> Answer<Map<String, Json>> {
        if self.body.trim().is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_str(&self.body) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(Refusal::parsing("Expected [START_OBJECT] but found another token")),
            Err(error) => Err(Refusal::new(400, "json_parse_exception", error.to_string())),
        }
    }
}
