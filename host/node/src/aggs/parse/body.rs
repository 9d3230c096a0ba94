//! The unread rest of an aggregation's body.
use serde_json::{Map, Value as Json};

use crate::dates::{Formats, Zone};
use crate::errors::{Answer, Refusal};

/// The unread rest of an aggregation's body; what nobody reads is unknown.
pub(super) struct Body<'a> {
    pub(super) kind: &'a str,
    pub(super) rest: Map<String, Json>,
}

impl Body<'_> {
    pub(super) fn take(&mut self, key: &str) -> Option<Json> {
        self.rest.shift_remove(key)
    }

    pub(super) fn wrong(&self, key: &str, value: &Json) -> Refusal {
        Refusal::parsing(format!("[{}] failed to parse field [{key}]: [{value}]", self.kind))
    }

    pub(super) fn text(&mut self, key: &str) -> Answer<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, &other)),
        }
    }

    pub(super) fn field(&mut self) -> Answer<String> {
        let field = self.text("field")?;
        // A script is the alternative.
        field.ok_or_else(|| {
            Refusal::illegal(format!(
                "Required one of fields [field, script], but none were specified in [{}]",
                self.kind
            ))
        })
    }

    pub(super) fn count(&mut self, key: &str, default: usize) -> Answer<usize> {
        match self.take(key) {
            None => Ok(default),
            Some(value) => {
                let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
                number.ok_or_else(|| self.wrong(key, &value))
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Answer<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(key, &other)),
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Answer<Option<f64>> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(key, &value)),
        }
    }

    pub(super) fn format(&mut self) -> Answer<Option<Formats>> {
        self.text("format")?.map(|text| Formats::new(&text).map_err(Refusal::illegal)).transpose()
    }

    pub(super) fn zone(&mut self) -> Answer<Zone> {
        match self.text("time_zone")? {
            None => Ok(Zone::UTC),
            Some(text) => {
                Zone::parse(&text).ok_or_else(|| Refusal::illegal(format!("Unknown time-zone ID: {text}")))
            }
        }
    }

    pub(super) fn finish(&self) -> Answer<()> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(key) => Err(Refusal::content(format!("[{}] unknown field [{key}]", self.kind))),
        }
    }
}
