//! The JSON Schema of parameters.
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// The JSON Schema of a type, without additional properties at its root: an unknown parameter is probably a mistake.
pub(crate) fn schema<T: JsonSchema>() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    if let Some(object) = schema.as_object_mut()
        && !object.contains_key("unevaluatedProperties")
    {
        object.entry("additionalProperties").or_insert(false.into());
    }
    schema.as_value().to_string()
}
