//! The fields of an index.
mod define; // from a mapping's JSON
mod print; // and back
mod infer; // from the first value
mod templates; // dynamic templates

use std::collections::{BTreeMap, HashMap};

use crate::dates::Formats;
use crate::errors::{Answer, Refusal};

/// A field's position in its mapping; stable for the life of the index.
pub type FieldId = u32;

/// As `index.mapping.total_fields.limit`.
pub const FIELDS_MAX: usize = 1_000;
/// Over all flattened objects of an index. Servers have no such limit.
const KEYS_MAX: usize = 10_000;
/// As `index.mapping.nested_fields.limit`.
pub const NESTED_MAX: usize = 100;
/// As `index.mapping.depth.limit`.
pub const DEPTH_MAX: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldKind {
    Keyword(Flavour),
    Text {
        match_only: bool,
    },
    Whole {
        name: &'static str,
        min: i64,
        max: i64,
    },
    Real {
        name: &'static str,
        single: bool,
        scaling: Option<f64>,
    },
    Boolean,
    Date,
    DateNanos,
    Ip,
    GeoPoint,
    /// Known only by name: documents may have it, but it cannot be queried.
    Opaque(&'static str),
}

/// The same for every query; only storage differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flavour {
    Plain,
    /// Without a maximum term length.
    Wildcard,
    /// One value, shared by every document of the index.
    Constant,
    /// The leaves of an object, under any key.
    Flattened,
    /// The leaves of a flattened object at one key. Not listed in the mapping.
    Keyed,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub path: String,
    pub kind: FieldKind,
    pub index: bool,
    pub doc_values: bool,
    /// In UTF-16 units, as Java counts; longer values are not indexed.
    pub ignore_above: usize,
    /// The maximum depth of objects in a flattened one.
    pub depth_limit: usize,
    pub ignore_malformed: bool,
    /// The normalizer `lowercase`.
    pub lowercase: bool,
    pub formats: Formats,
    pub null_value: Option<serde_json::Value>,
    /// For a `constant_keyword`, once it is known.
    pub constant: Option<Box<str>>,
    /// Multi-fields, which have the same values.
    pub subs: Vec<FieldId>,
    /// The field that this multi-field belongs to.
    pub parent: Option<FieldId>,
    /// The definition as written, without `fields`.
    pub definition: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Dynamic {
    #[default]
    Yes,
    No,
    Strict,
}

#[derive(Clone, Debug, Default)]
pub struct Mapping {
    pub fields: Vec<Field>,
    by_path: HashMap<String, FieldId>,
    /// Keys of flattened objects that occur in documents.
    keyed: HashMap<String, FieldId>,
    /// Aliases of fields, which documents cannot use.
    aliases: BTreeMap<String, FieldId>,
    objects: BTreeMap<String, Object>,
    pub dynamic: Dynamic,
    pub no_date_detection: bool,
    pub numeric_detection: bool,
    date_formats: Option<Vec<String>>,
    templates: Vec<templates::Template>,
    /// The templates as written.
    templates_written: Vec<serde_json::Value>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Object {
    /// `None`: inherited.
    pub dynamic: Option<Dynamic>,
    pub disabled: bool,
    /// Each value is a separate document belonging to the one around it.
    pub nested: bool,
}

impl Mapping {
    pub fn field(&self, path: &str) -> Option<(FieldId, &Field)> {
        self.listed(path).or_else(|| {
            let (root, _) = self.flattened_above(path)?;
            // A key that no document has exists all the same, without values.
            let id = self.known_key(path).unwrap_or(root + 1);
            Some((id, self.get(id)))
        })
    }

    /// As `field`, without keys of flattened objects.
    pub fn listed(&self, path: &str) -> Option<(FieldId, &Field)> {
        let id = *self.by_path.get(path).or_else(|| self.aliases.get(path))?;
        Some((id, &self.fields[id as usize]))
    }

    fn flattened_above(&self, path: &str) -> Option<(FieldId, &Field)> {
        let above = path.rmatch_indices('.').find_map(|(dot, _)| self.listed(&path[..dot]));
        above.filter(|(_, field)| field.kind == FieldKind::Keyword(Flavour::Flattened))
    }

    /// The field of a flattened object's key that occurs in documents.
    pub fn known_key(&self, path: &str) -> Option<FieldId> {
        self.keyed.get(path).copied()
    }

    /// Adds the field of a new key.
    pub fn add_key(&mut self, root: FieldId, path: &str) -> Answer<FieldId> {
        if self.keyed.len() >= KEYS_MAX {
            return Err(Refusal::unmodelled(format!("a mapping with more than [{KEYS_MAX}] flattened keys")));
        }
        let id = self.add_hidden(root, path.to_owned());
        self.keyed.insert(path.to_owned(), id);
        Ok(id)
    }

    fn add_hidden(&mut self, root: FieldId, path: String) -> FieldId {
        let mut field = Field::plain(path, FieldKind::Keyword(Flavour::Keyed));
        let Field { index, doc_values, .. } = self.fields[root as usize];
        (field.index, field.doc_values, field.parent) = (index, doc_values, Some(root));
        self.fields.push(field);
        self.fields.len() as FieldId - 1
    }

    /// Field aliases, with their targets.
    pub fn aliases(&self) -> impl Iterator<Item = (&String, &Field)> {
        self.aliases.iter().map(|(alias, id)| (alias, self.get(*id)))
    }

    pub fn is_alias(&self, path: &str) -> bool {
        self.aliases.contains_key(path)
    }

    /// The constants, as far as they are known.
    pub fn constants(&self) -> impl Iterator<Item = (FieldId, &str)> {
        self.fields.iter().zip(0..).filter_map(|(field, id)| Some((id, field.constant.as_deref()?)))
    }

    pub fn get(&self, id: FieldId) -> &Field {
        &self.fields[id as usize]
    }

    pub fn object(&self, path: &str) -> Option<Object> {
        self.objects.get(path).copied()
    }

    /// The innermost nested object on a path.
    pub fn nested_above<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('.') {
            if self.is_nested(parent) {
                return Some(parent);
            }
            above = parent;
        }
        None
    }

    pub fn is_nested(&self, path: &str) -> bool {
        self.objects.get(path).is_some_and(|object| object.nested)
    }

    /// The field known only by name whose values include this path.
    pub fn opaque_above(&self, path: &str) -> Option<&Field> {
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('.') {
            let found = self.field(parent).map(|(_, field)| field);
            if let Some(field) = found.filter(|field| matches!(field.kind, FieldKind::Opaque(_))) {
                return Some(field);
            }
            above = parent;
        }
        None
    }

    /// How an unknown field directly below this object is treated.
    pub fn dynamic_at(&self, mut path: &str) -> Dynamic {
        loop {
            if let Some(Object { dynamic: Some(dynamic), .. }) = self.objects.get(path) {
                return *dynamic;
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return self.dynamic,
            }
        }
    }

    /// Every field below an object.
    pub fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = FieldId> + 'a {
        self.fields.iter().zip(0..).filter_map(move |(field, id)| {
            let rest = field.path.strip_prefix(path)?;
            (rest.starts_with('.') && !field.is_hidden()).then_some(id)
        })
    }

    /// The fields that match a pattern such as `http.*`, by path.
    pub fn matching(&self, pattern: &str) -> Vec<FieldId> {
        if !pattern.contains('*') {
            return self.field(pattern).map(|(id, _)| id).into_iter().collect();
        }
        let mut found: Vec<FieldId> = (0..self.fields.len() as FieldId)
            .filter(|id| {
                let field = &self.fields[*id as usize];
                !field.is_hidden() && crate::names::glob(pattern, &field.path)
            })
            .chain(
                self.aliases.iter().filter(|(path, _)| crate::names::glob(pattern, path)).map(|(_, id)| *id),
            )
            .collect();
        found.sort_unstable();
        found.dedup();
        found.sort_by(|a, b| self.get(*a).path.cmp(&self.get(*b).path));
        found
    }

    pub fn add(&mut self, field: Field) -> Answer<FieldId> {
        if self.fields.iter().filter(|field| !field.is_hidden()).count() >= FIELDS_MAX {
            return Err(Refusal::illegal(format!("Limit of total fields [{FIELDS_MAX}] has been exceeded")));
        }
        if field.path.split('.').count() > DEPTH_MAX {
            return Err(Refusal::illegal(format!("Limit of mapping depth [{DEPTH_MAX}] has been exceeded")));
        }
        let id = self.fields.len() as FieldId;
        if field.parent.is_none() {
            let mut path = field.path.as_str();
            while let Some((parent, _)) = path.rsplit_once('.') {
                if self.by_path.contains_key(parent) {
                    return Err(Refusal::illegal(format!(
                        "can't merge a non object mapping [{parent}] with an object mapping"
                    )));
                }
                self.objects.entry(parent.to_owned()).or_default();
                path = parent;
            }
        }
        let is_flattened = field.kind == FieldKind::Keyword(Flavour::Flattened);
        self.by_path.insert(field.path.clone(), id);
        self.fields.push(field);
        if is_flattened {
            let path = format!("{}._keyed", self.get(id).path);
            self.add_hidden(id, path);
        }
        Ok(id)
    }

    pub fn add_object(&mut self, path: String, object: Object) {
        let mut parent = path.as_str();
        while let Some((up, _)) = parent.rsplit_once('.') {
            self.objects.entry(up.to_owned()).or_default();
            parent = up;
        }
        let slot = self.objects.entry(path).or_default();
        if object.dynamic.is_some() {
            slot.dynamic = object.dynamic;
        }
        slot.disabled |= object.disabled;
        slot.nested |= object.nested;
    }

    /// Sets the value of a `constant_keyword` from its first document.
    pub fn fix(&mut self, id: FieldId, value: &str) {
        let field = &mut self.fields[id as usize];
        field.constant = Some(value.into());
        field.definition.insert("value".into(), value.into());
    }

    pub fn object_paths(&self) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.iter()
    }
}

impl Field {
    /// Whether an array is one value: the longitude and latitude of a point.
    pub fn is_point(&self, items: &[serde_json::Value]) -> bool {
        self.kind == FieldKind::GeoPoint && items.first().is_some_and(serde_json::Value::is_number)
    }

    /// Whether no mapping or pattern shows it.
    pub fn is_hidden(&self) -> bool {
        self.kind == FieldKind::Keyword(Flavour::Keyed)
    }
}

impl FieldKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Keyword(Flavour::Plain) => "keyword",
            Self::Keyword(Flavour::Wildcard) => "wildcard",
            Self::Keyword(Flavour::Constant) => "constant_keyword",
            Self::Keyword(Flavour::Flattened | Flavour::Keyed) => "flattened",
            Self::Text { match_only: false } => "text",
            Self::Text { match_only: true } => "match_only_text",
            Self::Whole { name, .. } | Self::Real { name, .. } => name,
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateNanos => "date_nanos",
            Self::Ip => "ip",
            Self::GeoPoint => "geo_point",
            Self::Opaque(name) => name,
        }
    }

    pub fn article(self) -> String {
        match self.name() {
            name @ "integer" => format!("an {name}"),
            name => format!("a {name}"),
        }
    }

    pub fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::DateNanos)
    }

    pub fn is_string(self) -> bool {
        matches!(self, Self::Keyword(_) | Self::Text { .. })
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text { .. })
    }
}
