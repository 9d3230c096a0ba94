//! What is known of fields before a rule runs.
use std::collections::HashMap;

use elasticsearch::http::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::{Cluster, Inner, encoded};
use crate::{
    cursor::ignoring,
    error::{AskError, Cause},
    mapping::Mapping,
    target::Target,
    transport::{Request, index_path},
};

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
}
