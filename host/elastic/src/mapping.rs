//! The type of each field in each of the indices, from `_field_caps`.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use crate::error::ErrorKind;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mapping {
    /// Whether any index matched.
    pub(crate) has_index: bool,
    fields: BTreeMap<String, Caps>,
    /// Groups of indices with the same type for every requested field. One class without names if the server does not
    /// name them.
    classes: Vec<Vec<String>>,
    class_of: HashMap<String, usize>,
}

/// One field, in all indices.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Caps {
    /// More than one only if indices differ.
    pub(crate) types: Vec<String>,
    pub(crate) aggregatable: bool,
    /// Parallel to `types`.
    each: Vec<OfType>,
    /// Which of `types` each class has; empty: all have the only one.
    of_class: Vec<Option<usize>>,
}

#[derive(Clone, Debug, PartialEq)]
struct OfType {
    aggregatable: bool,
    /// Empty if the server does not say.
    indices: Vec<String>,
}

/// A class of indices, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(usize);

#[derive(Deserialize)]
struct Answer {
    /// Absent on servers before 7.2.
    indices: Option<OneOrMany>,
    fields: BTreeMap<String, BTreeMap<String, RawCaps>>,
    /// Indices that failed. Older servers leave them out silently.
    #[serde(default)]
    failed_indices: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct RawCaps {
    #[serde(default)]
    aggregatable: bool,
    indices: Option<OneOrMany>,
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}

impl Mapping {
    #[cfg(test)]
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ErrorKind> {
        Self::parse_all([body])
    }

    /// Merges the responses of one look-up whose fields did not fit into one request.
    pub(crate) fn parse_all<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ErrorKind> {
        let (mut indices, mut named) = (BTreeSet::new(), true);
        let mut fields = BTreeMap::new();
        for body in bodies {
            let answer: Answer = serde_json::from_slice(body)
                .map_err(|error| ErrorKind::Malformed { reason: format!("field capabilities: {error}") })?;
            if answer.failed_indices > 0 {
                let reason = format!("{} indices did not report their fields", answer.failed_indices);
                return Err(ErrorKind::MissingShards { reason });
            }
            match answer.indices {
                Some(names) => indices.extend(names.into_vec()),
                None => named = false,
            }
            for (name, types) in answer.fields {
                let mut caps = Caps { aggregatable: true, ..Caps::default() };
                // What a server lists under `unmapped` are the indices that no type names.
                for (kind, raw) in types.into_iter().filter(|(kind, _)| kind != "unmapped") {
                    caps.types.push(kind);
                    caps.aggregatable &= raw.aggregatable;
                    let indices = raw.indices.map(OneOrMany::into_vec).unwrap_or_default();
                    caps.each.push(OfType { aggregatable: raw.aggregatable, indices });
                }
                if !caps.types.is_empty() {
                    fields.insert(name, caps);
                }
            }
        }
        let has_index = !named || !indices.is_empty();
        let mut mapping = Self { has_index, fields, ..Self::default() };
        mapping.classify(if named { indices } else { BTreeSet::new() });
        Ok(mapping)
    }

    fn classify(&mut self, indices: BTreeSet<String>) {
        if indices.is_empty() {
            self.classes = vec![vec![]];
            return;
        }
        let uneven: Vec<HashMap<&str, usize>> =
            self.fields.values().filter(|caps| !caps.is_even()).map(Caps::by_index).collect();
        let mut known: HashMap<Vec<Option<usize>>, usize> = HashMap::new();
        let mut says: Vec<Vec<Option<usize>>> = vec![];
        for index in indices {
            let said: Vec<_> = uneven.iter().map(|types| types.get(index.as_str()).copied()).collect();
            let class = *known.entry(said.clone()).or_insert_with(|| {
                says.push(said);
                says.len() - 1
            });
            if class == self.classes.len() {
                self.classes.push(vec![]);
            }
            self.class_of.insert(index.clone(), class);
            self.classes[class].push(index);
        }
        for (place, caps) in self.fields.values_mut().filter(|caps| !caps.is_even()).enumerate() {
            caps.of_class = says.iter().map(|said| said[place]).collect();
        }
    }

    /// The fields to request: a field itself, its parent objects (one may be nested) and its `.keyword`.
    pub(crate) fn wanted<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut wanted = BTreeSet::new();
        for field in fields.filter(|field| !is_metadata(field)) {
            wanted.insert(field.to_owned());
            wanted.insert(format!("{field}.keyword"));
            wanted.extend(field.match_indices('.').map(|(dot, _)| field[..dot].to_owned()));
        }
        wanted.into_iter().filter(|name| !name.is_empty()).collect()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Caps> {
        self.fields.get(name)
    }

    pub(crate) fn classes(&self) -> impl Iterator<Item = Class> {
        (0..self.classes.len()).map(Class)
    }

    /// Empty if the server does not name them.
    pub(crate) fn indices(&self, class: Class) -> &[String] {
        &self.classes[class.0]
    }

    pub(crate) fn class_of(&self, index: &str) -> Option<Class> {
        self.class_of.get(index).copied().map(Class)
    }

    /// A field's type in a class, and whether it can be aggregated.
    ///
    /// # Errors
    /// Indices differ, and the server does not say which of them has which type.
    pub(crate) fn type_in(&self, name: &str, class: Class) -> Result<Option<(&str, bool)>, ErrorKind> {
        let Some(caps) = self.fields.get(name) else { return Ok(None) };
        let place = match caps.of_class.get(class.0) {
            Some(place) => *place,
            None if caps.types.len() == 1 => Some(0),
            None => return Err(caps.conflict(name)),
        };
        Ok(place.map(|place| {
            let kind = caps.types[place].as_str();
            (kind, caps.each[place].aggregatable && !is_text(kind))
        }))
    }

    /// A field's parent objects, outermost first.
    pub(crate) fn parents<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a Caps)> {
        name.match_indices('.')
            .filter_map(|(dot, _)| self.fields.get(&name[..dot]).map(|caps| (&name[..dot], caps)))
    }

    /// A field's outermost parent that is nested in any index.
    pub(crate) fn nested_root<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.parents(name).find(|(_, caps)| caps.is("nested")).map(|(root, _)| root)
    }

    pub(crate) fn is_nanos(&self, time_field: &str) -> bool {
        self.field(time_field).is_some_and(|caps| caps.is("date_nanos"))
    }

    /// Whether any index maps the time field.
    ///
    /// # Errors
    /// It is not a date in every index.
    pub(crate) fn check_time(&self, field: &str) -> Result<bool, ErrorKind> {
        match self.field(field) {
            None => Ok(false),
            Some(caps) if caps.types.iter().all(|kind| kind == "date" || kind == "date_nanos") => Ok(true),
            Some(caps) => {
                let problem = format!("is {}, not a date", caps.described());
                Err(ErrorKind::TimeField { field: field.into(), problem })
            }
        }
    }
}

impl Caps {
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.types.iter().any(|own| own == kind)
    }

    /// Each type with its indices, if the server names them.
    pub(crate) fn each_type(&self) -> Vec<(String, Vec<String>)> {
        self.types.iter().cloned().zip(self.each.iter().map(|of| of.indices.clone())).collect()
    }

    /// A `text` field with `fielddata` is reported as aggregatable, but its tokens are not its values.
    pub(crate) fn has_doc_values(&self) -> bool {
        self.aggregatable && !self.is_text()
    }

    pub(crate) fn is_text(&self) -> bool {
        self.types.iter().any(|kind| is_text(kind))
    }

    pub(crate) fn conflict(&self, field: &str) -> ErrorKind {
        ErrorKind::MappingConflict { field: field.into(), types: self.described() }
    }

    /// One type in all indices, or in those that the server does not distinguish.
    fn is_even(&self) -> bool {
        self.each.iter().all(|of| of.indices.is_empty())
    }

    fn by_index(&self) -> HashMap<&str, usize> {
        let each = self.each.iter().enumerate();
        each.flat_map(|(place, of)| of.indices.iter().map(move |index| (index.as_str(), place))).collect()
    }

    pub(crate) fn described(&self) -> String {
        let types = self.types.iter().zip(&self.each).map(|(kind, OfType { indices, .. })| {
            let named: Vec<_> = indices.iter().take(3).map(|name| format!("`{name}`")).collect();
            match (named.is_empty(), indices.len() > 3) {
                (true, _) => kind.clone(),
                (false, false) => format!("{kind} in {}", named.join(", ")),
                (false, true) => format!("{kind} in {} and others", named.join(", ")),
            }
        });
        types.collect::<Vec<_>>().join(", ")
    }
}

/// Fields that every document has and no mapping lists.
pub(crate) fn is_metadata(field: &str) -> bool {
    matches!(field, "_index" | "_id")
}

fn is_text(kind: &str) -> bool {
    kind.ends_with("text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_above_and_keywords_beside_are_asked_too() {
        assert_eq!(Mapping::wanted(["a.b.c", "_id"].into_iter()), ["a", "a.b", "a.b.c", "a.b.c.keyword"]);
    }

    #[test]
    fn text_is_counted_by_its_keyword() {
        let mapping = Mapping::parse(
            br#"{"indices":"x","fields":{
                "m":{"text":{"type":"text","aggregatable":false}},
                "m.keyword":{"keyword":{"type":"keyword","aggregatable":true}},
                "t":{"text":{"type":"text","aggregatable":false}}}}"#,
        )
        .unwrap();
        let all = mapping.classes().next().unwrap();
        assert_eq!(mapping.resolve("m", all).unwrap().unwrap().exact, "m.keyword");
        assert_eq!(
            mapping.resolve("t", all).unwrap_err().to_string(),
            "field `t` is of type text, which supports neither exact search nor aggregation"
        );
        assert_eq!(mapping.check_time("@timestamp"), Ok(false));
    }
}
