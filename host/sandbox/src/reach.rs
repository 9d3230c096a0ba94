//! How far before its window a rule may ask.
use serde_json::Value;
use watchbell_contract::{Context, Duration};

use crate::RuleModule;
use crate::limits::HISTORY_MAX;

impl RuleModule {
    /// How far before its window a rule with these parameters may ask: the history that it declares, or the longest of
    /// the parameters that its schema marks with `x-watchbell-past`, at most 400 days. `known`: the history if the
    /// module cannot say.
    pub fn reach(&self, params: &str, context: &Context, known: Duration) -> Duration {
        let history = match self.prepare(params, context) {
            Ok(Ok(plan)) => plan.history.max(known),
            _ => known,
        };
        let schema = serde_json::from_str(&self.about().params_schema).unwrap_or_default();
        let params = serde_json::from_str(params).unwrap_or_default();
        history.max(past(&schema, &params)).min(HISTORY_MAX)
    }
}

/// The longest parameter that says how far a rule looks back.
pub(crate) fn past(schema: &Value, params: &Value) -> Duration {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let marked = properties.filter(|(_, property)| property["x-watchbell-past"] == true);
    let spans = marked.filter_map(|(name, property)| {
        let value = params.get(name).filter(|value| !value.is_null()).unwrap_or(&property["default"]);
        let span: watchbell_sdk::Duration = serde_json::from_value(value.clone()).ok()?;
        Some(Duration(span.millis()))
    });
    spans.max().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marked_parameters_say_how_far_a_rule_looks_back() {
        let schema = json!({ "properties": {
            "over": { "type": "string", "x-watchbell-past": true },
            "every": { "type": "string", "x-watchbell-past": true, "default": "2m" },
            "kept": { "type": "string" },
        } });
        let minutes = |minutes| Duration::from_mins(minutes);
        assert_eq!(past(&schema, &json!({ "over": "10m", "kept": "30d" })), minutes(10));
        assert_eq!(past(&schema, &json!({ "over": null })), minutes(2));
        assert_eq!(past(&schema, &json!({ "every": "5m", "over": 7 })), minutes(5));
        assert_eq!(past(&json!({}), &json!({ "over": "10m" })), Duration::ZERO);
    }
}
