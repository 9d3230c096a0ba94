//! How indexed values are shown.
use serde_json::Value as Json;

use crate::dates::{Formats, Zone};
use crate::mapping::{Field, FieldKind};
use crate::value::{Value, print_ip};

/// A value as doc values show it.
pub(crate) fn doc_value(field: &Field, value: &Value, format: Option<&Formats>) -> Json {
    match (value, field.kind) {
        (Value::Long(n), FieldKind::Boolean) => (*n == 1).into(),
        (Value::Long(n), kind) if kind.is_date() => {
            format.unwrap_or(&field.formats).print(field.nanos(*n), &Zone::UTC).into()
        }
        (Value::Long(n), _) => (*n).into(),
        (Value::Double(n), _) => (*n).into(),
        (Value::Str(text), _) => (&**text).into(),
        (Value::Ip(ip), _) => print_ip(*ip).into(),
        (Value::Point(point), _) => point.text().into(),
        (Value::Tokens(_), _) => Json::Null,
    }
}
