//! What a search or a bucket requests of hits: their order, a page, and what is shown of each.
use serde_json::Value as Json;

use super::sort::Spec;
use super::source::SourceFilter;
use crate::errors::{Answer, Refusal};

pub(crate) struct Asked {
    pub(crate) from: usize,
    pub(crate) size: usize,
    pub(crate) sort: Vec<Spec>,
    pub(crate) source: SourceFilter,
    pub(crate) doc_values: Vec<FieldAsk>,
    pub(crate) fields: Vec<FieldAsk>,
    pub(crate) version: bool,
    pub(crate) seq_no: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct FieldAsk {
    pub(crate) field: String,
    pub(crate) format: Option<String>,
}

impl Asked {
    /// The first `size` hits in write order, with their sources.
    pub(crate) fn first(size: usize) -> Self {
        Self {
            from: 0,
            size,
            sort: Vec::new(),
            source: SourceFilter::default(),
            doc_values: Vec::new(),
            fields: Vec::new(),
            version: false,
            seq_no: false,
        }
    }

    /// Reads a key of a body. `false`: it belongs elsewhere.
    pub(crate) fn read(&mut self, key: &str, value: &Json) -> Answer<bool> {
        match key {
            "from" => self.from = count(key, value)?,
            "size" => self.size = count(key, value)?,
            "sort" => self.sort = Spec::parse_all(value)?,
            "_source" => self.source = SourceFilter::parse(value)?,
            "docvalue_fields" => self.doc_values = asks(key, value)?,
            "fields" => self.fields = asks(key, value)?,
            "version" => self.version = value == &Json::Bool(true),
            "seq_no_primary_term" => self.seq_no = value == &Json::Bool(true),
            "track_scores" | "explain" if value == &Json::Bool(false) => {}
            "track_scores" | "explain" => {
                return Err(Refusal::unmodelled(format!("search key [{key}]")));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

pub(crate) fn count(key: &str, value: &Json) -> Answer<usize> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
        Refusal::illegal(format!("[{key}] parameter cannot be negative or not a number, found [{value}]"))
    })
}

fn asks(key: &str, value: &Json) -> Answer<Vec<FieldAsk>> {
    let list = value.as_array().ok_or_else(|| Refusal::parsing(format!("[{key}] must be a list")))?;
    let one = |item: &Json| match item {
        Json::String(field) => Ok(FieldAsk { field: field.clone(), format: None }),
        Json::Object(body) => {
            let mut ask = FieldAsk { field: String::new(), format: None };
            for (name, value) in body {
                match (name.as_str(), value) {
                    ("field", Json::String(field)) => ask.field = field.clone(),
                    ("format", Json::String(format)) => ask.format = Some(format.clone()),
                    ("format", Json::Null) => {}
                    (other, _) => return Err(Refusal::parsing(format!("[{key}] unknown field [{other}]"))),
                }
            }
            if ask.field.is_empty() {
                return Err(Refusal::illegal(format!("[{key}] Required [field]")));
            }
            Ok(ask)
        }
        other => Err(Refusal::parsing(format!("[{key}] malformed entry [{other}]"))),
    };
    list.iter().map(one).collect()
}
