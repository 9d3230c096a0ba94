use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{EpisodeExplanation, Explanation, Status};

/// The JSON Schema of `Status`, as returned by `watchbell status --json` and `GET /status`.
pub fn schema_status() -> Value {
    schema::<Status>()
}

/// The JSON Schema of `Explanation`, as returned by `watchbell explain --json` and `GET /explain/{rule}`.
pub fn schema_explain() -> Value {
    schema::<Explanation>()
}

/// The JSON Schema of `EpisodeExplanation`, as returned by `watchbell explain EPISODE --json` and
/// `GET /api/v1/episodes/{id}`.
pub fn schema_explain_episode() -> Value {
    schema::<EpisodeExplanation>()
}

/// The schema as serialized: null members are present.
fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}
