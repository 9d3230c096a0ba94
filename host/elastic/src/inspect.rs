//! Field information for checks before a rule runs.
use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tokio::time::Instant;
use watchbell_contract::Question;

use crate::{
    error::ErrorKind,
    mapping::{Caps, Mapping, is_metadata},
    mapping_cache::MappingCache,
    paths::{encoded, ignoring, index_path},
    prepared::{Asked, Prepared},
    session::Session,
    target::Target,
    transport::Request,
};

/// What is known of a rule's questions before they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// All fields that the questions depend on, each once.
    pub fields: Vec<FieldInfo>,
    /// Why questions could not be asked now.
    pub refused: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    pub name: String,
    pub role: Role,
    /// Empty: not mapped. More than one: the indices differ.
    pub types: Vec<String>,
    /// Which indices have which type, if they differ.
    pub differs: Option<String>,
    /// Longer values are missing from doc values, and so from columns and groups. The smallest over all indices.
    pub ignore_above: Option<u64>,
    /// The normalizer that changes values in some index.
    pub normalizer: Option<String>,
    /// `text` in some index: read from the source, and aggregated by its `keyword`.
    pub text: bool,
    /// The `.keyword` beside it, if every index with the field has that too.
    pub keyword: Option<String>,
}

/// How a rule uses a field; of several ways the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Time,
    Key,
    /// Read, measured or used to narrow.
    Asked,
    /// Named only in a filter.
    Filter,
    /// Shown only in texts.
    Shown,
}

/// What the indices know of the fields that `questions` depend on, of `key` and of those that texts show.
pub(crate) async fn inspect(
    mappings: &MappingCache,
    target: &Target,
    key: &[String],
    questions: &[Question],
    shown: &[&str],
    deadline: Instant,
) -> Result<Inspection, ErrorKind> {
    let asked: Vec<Asked> = questions.iter().map(|question| Asked::new(target, question)).collect();
    let mut roles = vec![(target.time_field.as_str(), Role::Time)];
    roles.extend(key.iter().map(|field| (field.as_str(), Role::Key)));
    roles.extend(asked.iter().flat_map(Asked::own).map(|field| (field, Role::Asked)));
    roles.extend(asked.iter().flat_map(Asked::of_filters).map(|field| (field, Role::Filter)));
    let mut known = HashSet::new();
    roles.retain(|(field, _)| !is_metadata(field) && known.insert(*field));
    let read: Vec<&str> = roles.iter().map(|(field, _)| *field).collect();
    let shown = shown.iter().copied().filter(|field| known.insert(*field));
    roles.extend(shown.map(|field| (field, Role::Shown)));
    let names: Vec<&str> = roles.iter().map(|(field, _)| *field).collect();
    let Some(mapping) = mappings.mapping_of_data(target, &names, deadline).await? else {
        return Ok(Inspection::default());
    };
    let held = held(&mappings.session, target, &read, deadline).await?;
    let fields = roles.iter().map(|(name, role)| FieldInfo::new(name, *role, &mapping, &held));
    let refused = asked.iter().filter_map(|asked| Prepared::new(asked, &mapping).err());
    let refused = refused.chain(key.iter().filter_map(|field| keyless(field, &mapping)));
    let mut refused: Vec<String> = refused.map(|cause| cause.to_string()).collect();
    refused.sort_unstable();
    refused.dedup();
    Ok(Inspection { fields: fields.collect(), refused })
}

/// Why a field cannot be a key: its values could not be found again.
fn keyless(field: &str, mapping: &Mapping) -> Option<ErrorKind> {
    mapping.field(field).filter(|caps| caps.is("geo_point"))?;
    let cannot = "cannot be a key";
    Some(ErrorKind::FieldType { field: field.into(), kind: "geo_point".into(), cannot })
}

impl FieldInfo {
    fn new(name: &str, role: Role, mapping: &Mapping, held: &HashMap<String, Held>) -> Self {
        let caps = mapping.field(name);
        let types = match caps {
            Some(caps) => caps.types.clone(),
            // No mapping lists the members of such an object.
            None if role == Role::Shown && mapping.below_flattened(name) => vec!["flattened".into()],
            None => Vec::new(),
        };
        let keyword = format!("{name}.keyword");
        let mut exact = mapping.classes().map(|class| mapping.resolve(name, class));
        let has_keyword = caps.is_some()
            && exact.all(|field| field.is_ok_and(|of| of.is_none_or(|of| of.exact == keyword)));
        Self {
            name: name.into(),
            role,
            types,
            differs: caps.filter(|caps| caps.types.len() > 1).map(Caps::described),
            ignore_above: held.get(name).and_then(|held| held.ignore_above),
            normalizer: held.get(name).and_then(|held| held.normalizer.clone()),
            text: caps.is_some_and(Caps::is_text),
            keyword: has_keyword.then_some(keyword),
        }
    }
}

/// Mapping parameters that field capabilities do not include.
#[derive(Default)]
struct Held {
    /// The smallest over all indices.
    ignore_above: Option<u64>,
    normalizer: Option<String>,
}

async fn held(
    session: &Session,
    target: &Target,
    fields: &[&str],
    deadline: Instant,
) -> Result<HashMap<String, Held>, ErrorKind> {
    let list = encoded(&fields.join(","));
    let index = index_path(&target.indices);
    let path = format!("{index}/_mapping/field/{list}{}", ignoring(target, '?'));
    let body = session.send(&Request::get(path, deadline)).await?;
    let answer: HashMap<String, Value> =
        serde_json::from_slice(&body).map_err(|error| ErrorKind::Malformed { reason: error.to_string() })?;
    let mut held: HashMap<String, Held> = HashMap::new();
    for mappings in answer.values().filter_map(|index| index.get("mappings")?.as_object()) {
        for (name, field) in mappings {
            let leaf = field.get("mapping").and_then(Value::as_object).and_then(|leaf| leaf.values().next());
            let Some(leaf) = leaf else { continue };
            let held = held.entry(name.clone()).or_default();
            let above = leaf.get("ignore_above").and_then(Value::as_u64);
            held.ignore_above = [held.ignore_above, above].into_iter().flatten().min();
            let normalizer = leaf.get("normalizer").and_then(Value::as_str).map(str::to_owned);
            held.normalizer = held.normalizer.take().or(normalizer);
        }
    }
    Ok(held)
}
