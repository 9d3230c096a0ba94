//! The values of one field, over several indices.
use serde_json::{Map, Value as Json};

use super::{Context, Entry};
use crate::dates::{Formats, Zone, to_millis};
use crate::doc_values::doc_value;
use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::mapping::{Field, FieldId, FieldKind};
use crate::search::no_field_data;
use crate::value::{Value, scalar_text};

pub(super) struct Column<'a> {
    /// Per index; `None` if the field is not mapped.
    ids: Vec<Option<FieldId>>,
    /// The field of the first mapping stands for all.
    pub(super) field: Option<&'a Field>,
    /// The value for documents without the field.
    missing: Option<Value>,
}

impl<'a> Column<'a> {
    pub(super) fn new(context: &Context<'a>, path: &str, missing: Option<&Json>) -> Answer<Self> {
        let mut column = Self { ids: Vec::new(), field: None, missing: None };
        for shard in context.shards {
            let found = shard.snapshot.mapping.field(path);
            if let Some((_, field)) = found {
                if !field.doc_values {
                    return Err(no_field_data(path, field.kind));
                }
                if field.kind == FieldKind::GeoPoint {
                    return Err(Refusal::unmodelled(format!("an aggregation of the points of [{path}]")));
                }
                if let Some(first) = column.field
                    && family(first.kind) != family(field.kind)
                {
                    return Err(Refusal::shard(format!(
                        "Failed trying to format bytes or numbers: [{path}] is of type [{}] in one index and [{}] in another",
                        first.kind.name(),
                        field.kind.name()
                    )));
                }
                column.field = column.field.or(Some(field));
            }
            if let Some(field) = shard.snapshot.mapping.opaque_above(path) {
                return Err(Refusal::unmodelled(format!("a part of the field [{}]", field.path)));
            }
            column.ids.push(found.map(|(id, _)| id));
        }
        column.missing = match (missing, column.field) {
            (Some(json), Some(field)) => Some(field.coerce(json).map_err(Refusal::illegal)?),
            // Without a mapping it is a keyword, until an aggregation needs more.
            (Some(json), None) => scalar_text(json).map(|text| Value::Str(text.into())),
            (None, _) => None,
        };
        Ok(column)
    }

    /// The values of a document, in the order of doc values.
    pub(super) fn values<'d>(&'d self, entry: &Entry<'d>) -> &'d [Value] {
        let values = self.ids[entry.shard as usize].map_or(&[][..], |id| entry.document.values(id));
        match &self.missing {
            Some(missing) if values.is_empty() => std::slice::from_ref(missing),
            _ => values,
        }
    }

    /// As `values`, without the replacement for missing ones.
    pub(super) fn of<'d>(&self, shard: u32, document: &'d Document) -> &'d [Value] {
        self.ids[shard as usize].map_or(&[][..], |id| document.values(id))
    }

    /// Servers miscount the keys of flattened objects there: all of them, or none.
    pub(super) fn unkeyed(self, agg: &str) -> Answer<Self> {
        match self.field.filter(|field| field.is_hidden()) {
            Some(field) => Err(Refusal::unmodelled(format!(
                "[{agg}] of a key of a field of type [{}]",
                field.kind.name()
            ))),
            None => Ok(self),
        }
    }

    /// Numbers, or a refusal in the aggregation's words.
    pub(super) fn numeric(mut self, path: &str, agg: &str) -> Answer<Self> {
        if let (None, Some(Value::Str(text))) = (self.field, &self.missing) {
            let number = text.trim().parse().map_err(|_| {
                Refusal::new(400, "number_format_exception", format!("For input string: \"{text}\""))
            })?;
            self.missing = Some(Value::Double(number));
        }
        match self.field.map(|field| field.kind) {
            Some(kind @ (FieldKind::Keyword(_) | FieldKind::Ip | FieldKind::Text { .. })) => {
                Err(Refusal::illegal(format!(
                    "Field [{path}] of type [{}] is not supported for aggregation [{agg}]",
                    kind.name()
                )))
            }
            _ => Ok(self),
        }
    }

    /// Dates, or numbers that represent them.
    pub(super) fn dates(mut self, path: &str, agg: &str) -> Answer<Self> {
        if let (None, Some(Value::Str(text))) = (self.field, &self.missing) {
            let at = match text.parse::<f64>() {
                Ok(millis) => millis as i64,
                Err(_) => Formats::default()
                    .parse(text, false, &Zone::UTC)
                    .map(to_millis)
                    .map_err(|reason| Refusal::new(400, "parse_exception", reason))?,
            };
            self.missing = Some(Value::Long(at));
            return Ok(self);
        }
        self.numeric(path, agg)
    }

    /// `key`, and `key_as_string` for values that are numbers inside and text outside.
    pub(super) fn key(&self, value: &Value, format: Option<&Formats>) -> Map<String, Json> {
        let mut key = Map::new();
        let shown = match (self.field, value) {
            (Some(field), value) => doc_value(field, value, format),
            (None, Value::Str(text)) => (&**text).into(),
            (None, _) => Json::Null,
        };
        match (value, self.field.map(|field| field.kind)) {
            (Value::Long(n), Some(kind @ (FieldKind::Boolean | FieldKind::Date | FieldKind::DateNanos))) => {
                let number = if kind == FieldKind::DateNanos { n.div_euclid(1_000_000) } else { *n };
                key.insert("key".into(), number.into());
                let text = shown.as_str().map_or_else(|| shown.to_string(), str::to_owned);
                key.insert("key_as_string".into(), text.into());
            }
            _ => drop(key.insert("key".into(), shown)),
        }
        key
    }

    /// Milliseconds of a date value.
    pub(super) fn millis(&self, value: &Value) -> Option<i64> {
        match (value, self.field.map(|field| field.kind)) {
            (Value::Long(n), Some(FieldKind::DateNanos)) => Some(n.div_euclid(1_000_000)),
            (Value::Long(n), _) => Some(*n),
            _ => None,
        }
    }

    /// What a metric shows beside a number that represents a date.
    pub(super) fn as_string(&self, number: f64) -> Option<String> {
        let field = self.field.filter(|field| field.kind.is_date())?;
        Some(field.formats.print(field.nanos(number as i64), &Zone::UTC))
    }

    /// What several metrics at once show beside a number that represents something else.
    pub(super) fn beside(&self, number: f64) -> Option<Json> {
        match self.field?.kind {
            FieldKind::Boolean => Some((number != 0.0).into()),
            _ => self.as_string(number).map(Into::into),
        }
    }
}

fn family(kind: FieldKind) -> u8 {
    match kind {
        FieldKind::Whole { .. } => 0,
        FieldKind::Real { .. } => 0,
        FieldKind::Keyword(_) | FieldKind::Text { .. } => 1,
        FieldKind::Boolean => 2,
        FieldKind::Date | FieldKind::DateNanos => 3,
        FieldKind::Ip => 4,
        FieldKind::GeoPoint => 5,
        FieldKind::Opaque(_) => 6,
    }
}
