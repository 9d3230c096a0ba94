use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{Explanation, Status};

/// The JSON Schema of `Status`, which `watchbell status --json` and `GET /status` fit.
pub fn schema_status() -> Value {
    schema::<Status>()
}

/// The JSON Schema of `Explanation`, which `watchbell explain --json` and `GET /explain/{rule}` fit.
pub fn schema_explain() -> Value {
    schema::<Explanation>()
}

/// As it is written: a member that is null is there.
fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}
