//! Sort keys: read from JSON, taken from documents, compared, shown.
use std::cmp::Ordering;

use serde_json::Value as Json;

use crate::dates::{Formats, Zone, parse_math, to_millis};
use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::mapping::{FieldId, FieldKind, Flavour, Mapping};
use crate::value::{Value, parse_ip, print_ip};

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) by: By,
    pub(crate) descending: bool,
    missing_first: bool,
    missing_value: Option<Json>,
    format: Option<Formats>,
    /// `numeric_type`: `date` or `date_nanos` for either kind of date.
    resolution: Option<FieldKind>,
    unmapped: Option<String>,
    /// Of several values the greatest instead of the smallest.
    greatest: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum By {
    Field(String),
    /// Write order.
    Doc,
    /// Write order, as a value that works in `search_after`.
    ShardDoc,
    Score,
    Index,
    Id,
}

/// Missing numbers become the largest number, as in Lucene; a missing string stays `None`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key {
    Long(i64),
    Double(f64),
    Str(Option<Box<str>>),
    Ip(Option<u128>),
}

/// The source of one key in one index.
pub(crate) enum Slot {
    Field { id: FieldId, kind: FieldKind, nanos: Option<bool> },
    Unmapped(Key),
    Doc,
    Index,
    Id,
    Score,
}

impl Spec {
    pub(crate) fn shard_doc() -> Self {
        Self::plain(By::ShardDoc)
    }

    fn plain(by: By) -> Self {
        Self {
            descending: by == By::Score,
            by,
            missing_first: false,
            missing_value: None,
            format: None,
            resolution: None,
            unmapped: None,
            greatest: None,
        }
    }

    pub(crate) fn parse_all(value: &Json) -> Answer<Vec<Self>> {
        match value {
            Json::Array(all) => all.iter().map(Self::parse_one).collect(),
            one => Ok(vec![Self::parse_one(one)?]),
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::plain(match name {
            "_doc" => By::Doc,
            "_shard_doc" => By::ShardDoc,
            "_score" => By::Score,
            "_index" => By::Index,
            "_id" => By::Id,
            field => By::Field(field.to_owned()),
        })
    }

    pub(crate) fn direct(&mut self, order: &str) -> Answer<()> {
        self.descending = match order.to_ascii_lowercase().as_str() {
            "asc" => false,
            "desc" => true,
            other => return Err(Refusal::illegal(format!("Unknown SortOrder [{other}]"))),
        };
        Ok(())
    }

    fn parse_one(value: &Json) -> Answer<Self> {
        let malformed = || {
            Refusal::parsing(
                "malformed sort format, within the sort array, an object, or an actual string are allowed",
            )
        };
        let object = match value {
            Json::String(name) => return Ok(Self::named(name)),
            Json::Object(object) if object.len() == 1 => object,
            _ => return Err(malformed()),
        };
        let (name, options) = object.iter().next().ok_or_else(malformed)?;
        let mut spec = Self::named(name);
        let options = match options {
            Json::String(order) => {
                spec.direct(order)?;
                return Ok(spec);
            }
            Json::Object(options) => options,
            _ => return Err(malformed()),
        };
        for (key, value) in options {
            match (key.as_str(), value) {
                ("order", Json::String(order)) => spec.direct(order)?,
                ("missing", Json::String(text)) if text == "_last" => spec.missing_first = false,
                ("missing", Json::String(text)) if text == "_first" => spec.missing_first = true,
                ("missing", value) => spec.missing_value = Some(value.clone()),
                ("format", Json::String(text)) => {
                    spec.format = Some(Formats::new(text).map_err(Refusal::illegal)?)
                }
                ("numeric_type", Json::String(text)) if text == "date" => {
                    spec.resolution = Some(FieldKind::Date)
                }
                ("numeric_type", Json::String(text)) if text == "date_nanos" => {
                    spec.resolution = Some(FieldKind::DateNanos)
                }
                ("numeric_type", value) => {
                    return Err(Refusal::unmodelled(format!("numeric_type [{value}]")));
                }
                ("unmapped_type", Json::String(text)) => spec.unmapped = Some(text.clone()),
                ("mode", Json::String(text)) if text == "min" => spec.greatest = Some(false),
                ("mode", Json::String(text)) if text == "max" => spec.greatest = Some(true),
                ("mode", value) => return Err(Refusal::unmodelled(format!("sort mode [{value}]"))),
                (other, _) => return Err(Refusal::content(format!("[field_sort] unknown field [{other}]"))),
            }
        }
        Ok(spec)
    }

    pub(crate) fn slot(&self, mapping: &Mapping) -> Answer<Slot> {
        let path = match &self.by {
            By::Doc | By::ShardDoc => return Ok(Slot::Doc),
            By::Score => return Ok(Slot::Score),
            By::Index => return Ok(Slot::Index),
            By::Id => return Ok(Slot::Id),
            By::Field(path) => path,
        };
        let Some((id, field)) = mapping.field(path) else {
            return match self.unmapped.as_deref() {
                Some("keyword" | "ip" | "boolean_string") => Ok(Slot::Unmapped(Key::Str(None))),
                Some("double" | "float" | "half_float" | "scaled_float") => {
                    Ok(Slot::Unmapped(self.missing_double()))
                }
                Some("integer" | "short" | "byte") => Ok(Slot::Unmapped(self.missing_int())),
                Some(_) => Ok(Slot::Unmapped(self.missing_long())),
                None => Err(Refusal::shard(format!("No mapping found for [{path}] in order to sort on"))),
            };
        };
        if !field.doc_values {
            return Err(no_field_data(path, field.kind));
        }
        if field.kind == FieldKind::GeoPoint {
            return Err(Refusal::illegal(
                "can't sort on geo_point field without using specific sorting feature, like geo_distance",
            ));
        }
        if mapping.nested_above(&field.path).is_some() {
            return Err(Refusal::shard(format!(
                "it is mandatory to set the [nested] context on the nested sort field: [{path}]."
            )));
        }
        let nanos = match (self.resolution, field.kind) {
            (None, _) => None,
            (Some(FieldKind::DateNanos), FieldKind::Date) => Some(true),
            (Some(FieldKind::Date), FieldKind::DateNanos) => Some(false),
            (Some(_), kind) if kind.is_date() => None,
            (Some(_), _) => {
                return Err(Refusal::illegal(format!("[numeric_type] is not supported on field [{path}]")));
            }
        };
        Ok(Slot::Field { id, kind: field.kind, nanos })
    }

    fn missing_long(&self) -> Key {
        let greatest = self.missing_first == self.descending;
        Key::Long(if greatest { i64::MAX } else { i64::MIN })
    }

    /// Fields of up to 32 bits are sorted as such; their largest number is smaller.
    fn missing_int(&self) -> Key {
        let greatest = self.missing_first == self.descending;
        Key::Long(if greatest { i32::MAX } else { i32::MIN }.into())
    }

    fn missing_double(&self) -> Key {
        let greatest = self.missing_first == self.descending;
        Key::Double(if greatest { f64::INFINITY } else { f64::NEG_INFINITY })
    }

    fn missing(&self, kind: FieldKind) -> Key {
        match (&self.missing_value, kind) {
            (Some(value), FieldKind::Keyword(_)) => {
                Key::Str(crate::value::scalar_text(value).map(Into::into))
            }
            (Some(value), FieldKind::Real { .. }) => Key::Double(value.as_f64().unwrap_or(f64::INFINITY)),
            (
                Some(value),
                FieldKind::Whole { .. } | FieldKind::Boolean | FieldKind::Date | FieldKind::DateNanos,
            ) if value.is_i64() => Key::Long(value.as_i64().unwrap_or(i64::MAX)),
            (_, FieldKind::Keyword(_) | FieldKind::Text { .. }) => Key::Str(None),
            (_, FieldKind::Ip) => Key::Ip(None),
            (_, FieldKind::Real { .. }) => self.missing_double(),
            (_, FieldKind::Whole { max, .. }) if max <= i32::MAX.into() => self.missing_int(),
            _ => self.missing_long(),
        }
    }

    pub(crate) fn key(&self, slot: &Slot, document: &Document, index: &str, place: i64) -> Key {
        match slot {
            Slot::Doc => Key::Long(place),
            Slot::Score => Key::Double(1.0),
            Slot::Index => Key::Str(Some(index.into())),
            Slot::Id => Key::Str(Some(document.id.clone())),
            Slot::Unmapped(key) => key.clone(),
            Slot::Field { id, kind, nanos } => {
                let values = document.values(*id);
                let greatest = self.greatest.unwrap_or(self.descending);
                match (if greatest { values.last() } else { values.first() }, nanos) {
                    (None, _) => self.missing(*kind),
                    (Some(Value::Long(n)), Some(true)) => Key::Long(n.saturating_mul(1_000_000)),
                    (Some(Value::Long(n)), Some(false)) => Key::Long(n.div_euclid(1_000_000)),
                    (Some(Value::Long(n)), None) => Key::Long(*n),
                    (Some(Value::Double(n)), _) => Key::Double(*n),
                    (Some(Value::Str(text)), _) => Key::Str(Some(text.clone())),
                    (Some(Value::Ip(ip)), _) => Key::Ip(Some(*ip)),
                    (Some(Value::Tokens(_) | Value::Point(_)), _) => Key::Str(None),
                }
            }
        }
    }

    pub(crate) fn compare(&self, a: &Key, b: &Key) -> Ordering {
        let last = |missing_first: bool| if missing_first { Ordering::Less } else { Ordering::Greater };
        let order = match (a, b) {
            (Key::Str(None) | Key::Ip(None), Key::Str(None) | Key::Ip(None)) => return Ordering::Equal,
            (Key::Str(None) | Key::Ip(None), _) => return last(self.missing_first),
            (_, Key::Str(None) | Key::Ip(None)) => return last(self.missing_first).reverse(),
            (Key::Long(a), Key::Long(b)) => a.cmp(b),
            (Key::Double(a), Key::Double(b)) => a.total_cmp(b),
            (Key::Long(a), Key::Double(b)) => (*a as f64).total_cmp(b),
            (Key::Double(a), Key::Long(b)) => a.total_cmp(&(*b as f64)),
            (Key::Str(Some(a)), Key::Str(Some(b))) => a.as_bytes().cmp(b.as_bytes()),
            (Key::Ip(a), Key::Ip(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        };
        if self.descending { order.reverse() } else { order }
    }

    /// A value of `search_after`, as a key of this order.
    pub(crate) fn after(&self, value: &Json, slot: Option<&Slot>, mapping: Option<&Mapping>) -> Answer<Key> {
        let failed = || {
            Refusal::illegal(format!(
                "Failed to parse search_after value for field [{:?}]: [{value}]",
                self.by
            ))
        };
        let field = match (slot, mapping) {
            (Some(Slot::Field { id, .. }), Some(mapping)) => Some(mapping.get(*id)),
            _ => None,
        };
        let kind = match (slot, field) {
            (Some(Slot::Index | Slot::Id), _) => FieldKind::Keyword(Flavour::Plain),
            (Some(Slot::Unmapped(Key::Str(_))), _) => FieldKind::Keyword(Flavour::Plain),
            (_, Some(field)) => field.kind,
            _ => FieldKind::Whole { name: "long", min: i64::MIN, max: i64::MAX },
        };
        match (kind, value) {
            (FieldKind::Keyword(_) | FieldKind::Text { .. }, Json::Null) => Ok(Key::Str(None)),
            (FieldKind::Ip, Json::Null) => Ok(Key::Ip(None)),
            (kind, Json::Null) => Ok(self.missing(kind)),
            (FieldKind::Keyword(_) | FieldKind::Text { .. }, value) => {
                crate::value::scalar_text(value).map(|text| Key::Str(Some(text.into()))).ok_or_else(failed)
            }
            (FieldKind::Ip, Json::String(text)) => {
                parse_ip(text).map(|ip| Key::Ip(Some(ip))).ok_or_else(failed)
            }
            (FieldKind::Real { .. }, value) => {
                let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
                number.map(Key::Double).ok_or_else(failed)
            }
            (FieldKind::Boolean, Json::Bool(flag)) => Ok(Key::Long((*flag).into())),
            (FieldKind::Date | FieldKind::DateNanos, Json::String(text)) => {
                let formats =
                    self.format.as_ref().or(field.map(|field| &field.formats)).ok_or_else(failed)?;
                let at = parse_math(text, formats, 0, false, &Zone::UTC).map_err(|_| failed())?;
                let nanos = matches!(self.resolution.unwrap_or(kind), FieldKind::DateNanos);
                Ok(Key::Long(if nanos { i64::try_from(at).map_err(|_| failed())? } else { to_millis(at) }))
            }
            (_, value) => {
                value.as_i64().or_else(|| value.as_str()?.parse().ok()).map(Key::Long).ok_or_else(failed)
            }
        }
    }

    pub(crate) fn show(&self, key: &Key, slot: &Slot) -> Json {
        match (key, slot) {
            (Key::Long(n), Slot::Field { kind, nanos, .. }) if kind.is_date() && self.format.is_some() => {
                let is_nanos = nanos.unwrap_or(matches!(kind, FieldKind::DateNanos));
                let at = if is_nanos { i128::from(*n) } else { crate::dates::from_millis(*n) };
                self.format.as_ref().map_or(Json::Null, |format| format.print(at, &Zone::UTC).into())
            }
            (Key::Long(n), _) => (*n).into(),
            (Key::Double(n), _) if n.is_infinite() => if *n > 0.0 { "Infinity" } else { "-Infinity" }.into(),
            (Key::Double(n), _) => (*n).into(),
            (Key::Str(text), _) => text.as_deref().into(),
            (Key::Ip(ip), _) => ip.map(print_ip).into(),
        }
    }
}

impl Key {
    fn rank(&self) -> u8 {
        match self {
            Self::Long(_) | Self::Double(_) => 0,
            Self::Str(_) => 1,
            Self::Ip(_) => 2,
        }
    }
}

pub(crate) fn no_field_data(path: &str, kind: FieldKind) -> Refusal {
    if kind.is_text() {
        Refusal::illegal(format!(
            "Fielddata is disabled on [{path}]. Text fields are not optimised for operations that require per-document field \
             data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead."
        ))
    } else {
        Refusal::illegal(format!(
            "Can't load fielddata on [{path}] because fielddata is unsupported on fields of type [{}]. Use doc values instead.",
            kind.name()
        ))
    }
}
