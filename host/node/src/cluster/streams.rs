//! Data streams: one name for append-only indices.
use serde_json::{Value as Json, json};

use super::{Cluster, Op};
use crate::dates::{Formats, Zone, from_millis};
use crate::errors::{Answer, Refusal};
use crate::names;

/// A stream's time field; every document has exactly one value.
pub(crate) const TIME_FIELD: &str = "@timestamp";

pub(crate) struct Stream {
    /// The backing indices, the write index last.
    pub(crate) backing: Vec<String>,
    template: String,
    generation: u64,
}

impl Stream {
    pub(crate) fn is_of(&self, template: &str) -> bool {
        self.template == template
    }

    pub(crate) fn show(&self, name: &str, cluster: &Cluster) -> Json {
        let uuid = |index: &String| cluster.indices.get(index).map(|index| index.uuid.clone());
        let indices: Vec<Json> = self
            .backing
            .iter()
            .map(|index| json!({"index_name": index, "index_uuid": uuid(index)}))
            .collect();
        json!({
            "name": name, "timestamp_field": {"name": TIME_FIELD}, "indices": indices,
            "generation": self.generation, "status": "GREEN", "template": self.template, "hidden": false,
        })
    }
}

impl Cluster {
    /// The template for a stream of that name, if any.
    pub(super) fn stream_template(&self, name: &str) -> Option<&str> {
        let (template, body) = self.template_for(name)?;
        body.get("data_stream").is_some().then_some(template)
    }

    pub(crate) fn create_stream(&mut self, name: &str, now: i64) -> Answer<()> {
        names::check(name)?;
        if self.streams.contains_key(name) {
            let reason = format!("data_stream [{name}] already exists");
            return Err(Refusal::new(400, "resource_already_exists_exception", reason));
        }
        if self.indices.contains_key(name) {
            return Err(Refusal::illegal(format!(
                "data stream [{name}] conflicts with an index of that name"
            )));
        }
        let template = self.stream_template(name).ok_or_else(|| {
            Refusal::illegal(format!("no matching index template found for data stream [{name}]"))
        })?;
        let stream = Stream { backing: Vec::new(), template: template.to_owned(), generation: 0 };
        self.streams.insert(name.to_owned(), stream);
        match self.roll_over(name, now) {
            Ok(_) => Ok(()),
            Err(refusal) => {
                self.streams.remove(name);
                Err(refusal)
            }
        }
    }

    /// Adds a backing index, which becomes the write index; returns the names of the previous and the new one.
    pub(crate) fn roll_over(&mut self, name: &str, now: i64) -> Answer<(Option<String>, String)> {
        let missing = || Refusal::missing_index(name);
        let stream = self.streams.get(name).ok_or_else(missing)?;
        let generation = stream.generation + 1;
        let day = Formats::new("yyyy.MM.dd").map_err(Refusal::illegal)?.print(from_millis(now), &Zone::UTC);
        let index = format!(".ds-{name}-{day}-{generation:06}");
        let time = json!({"mappings": {"properties": {TIME_FIELD: {"type": "date"}}}});
        let mut bodies = vec![time];
        bodies.extend(self.composed(name)?);
        self.create_from(&index, bodies)?;
        let stream = self.streams.get_mut(name).ok_or_else(missing)?;
        let old = stream.backing.last().cloned();
        stream.generation = generation;
        stream.backing.push(index.clone());
        Ok((old, index))
    }

    pub(crate) fn delete_stream(&mut self, name: &str) {
        for index in self.streams.remove(name).map(|stream| stream.backing).unwrap_or_default() {
            self.indices.remove(&index);
        }
    }

    /// What a document needs to be added to a stream.
    pub(super) fn check_streamed(op: Op, source: &str) -> Answer<()> {
        if op != Op::Create {
            return Err(Refusal::illegal(
                "only write ops with an op_type of create are allowed in data streams",
            ));
        }
        let document: Json = serde_json::from_str(source).unwrap_or_default();
        let wrong = |what: &str| {
            let reason = format!("data stream timestamp field [{TIME_FIELD}] {what}");
            Err(Refusal::mapper_parsing("failed to parse").caused_by("illegal_argument_exception", reason))
        };
        match document.get(TIME_FIELD) {
            Some(Json::Array(all)) if all.len() > 1 => wrong("encountered multiple values"),
            None | Some(Json::Null) => wrong("is missing"),
            Some(_) => Ok(()),
        }
    }
}
