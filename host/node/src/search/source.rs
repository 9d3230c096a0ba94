//! Source filtering: what `_source` includes and excludes.
use serde_json::{Map, Value as Json};

use crate::errors::{Answer, Refusal};
use crate::names::glob;

#[derive(Clone, Debug, Default)]
pub(crate) struct SourceFilter {
    pub(crate) hidden: bool,
    pub(crate) includes: Vec<String>,
    pub(crate) excludes: Vec<String>,
}

impl SourceFilter {
    pub(crate) fn none() -> Self {
        Self { hidden: true, ..Self::default() }
    }

    pub(crate) fn parse(value: &Json) -> Answer<Self> {
        let list = |value: &Json| -> Answer<Vec<String>> {
            let texts: Option<Vec<String>> = match value {
                Json::String(text) => Some(vec![text.clone()]),
                Json::Array(all) => all.iter().map(|one| one.as_str().map(Into::into)).collect(),
                _ => None,
            };
            texts.ok_or_else(|| Refusal::parsing(format!("Unknown key for a value in [_source]: [{value}]")))
        };
        match value {
            Json::Bool(shown) => Ok(Self { hidden: !shown, ..Self::default() }),
            Json::Object(body) => {
                let mut filter = Self::default();
                for (key, value) in body {
                    match key.as_str() {
                        "includes" | "include" => filter.includes = list(value)?,
                        "excludes" | "exclude" => filter.excludes = list(value)?,
                        other => {
                            return Err(Refusal::parsing(format!(
                                "Unknown key for a START_ARRAY in [{other}]."
                            )));
                        }
                    }
                }
                Ok(filter)
            }
            value => Ok(Self { includes: list(value)?, ..Self::default() }),
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.includes.is_empty() && self.excludes.is_empty()
    }

    pub(crate) fn apply(&self, source: &Json) -> Json {
        self.object("", source, self.includes.is_empty()).unwrap_or_else(|| Json::Object(Map::new()))
    }

    fn object(&self, path: &str, value: &Json, included: bool) -> Option<Json> {
        match value {
            Json::Object(entries) => {
                let mut kept = Map::new();
                for (name, value) in entries {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    if self.excludes.iter().any(|pattern| glob(pattern, &path)) {
                        continue;
                    }
                    let included = included || self.includes.iter().any(|pattern| glob(pattern, &path));
                    if let Some(value) = self.object(&path, value, included) {
                        kept.insert(name.clone(), value);
                    }
                }
                (included || !kept.is_empty()).then_some(Json::Object(kept))
            }
            Json::Array(items) if items.iter().any(Json::is_object) => {
                let kept: Vec<Json> =
                    items.iter().filter_map(|item| self.object(path, item, included)).collect();
                (included || !kept.is_empty()).then_some(Json::Array(kept))
            }
            scalar => included.then(|| scalar.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn includes_and_excludes() {
        let source = json!({"a": {"b": 1, "c": 2}, "d": [{"e": 1, "f": 2}], "g": 3});
        let filter = |value: Json| SourceFilter::parse(&value).unwrap().apply(&source);
        assert_eq!(filter(json!("a.b")), json!({"a": {"b": 1}}));
        assert_eq!(filter(json!(["a", "d.f"])), json!({"a": {"b": 1, "c": 2}, "d": [{"f": 2}]}));
        assert_eq!(
            filter(json!({"excludes": ["*.c", "g"]})),
            json!({"a": {"b": 1}, "d": [{"e": 1, "f": 2}]})
        );
        assert_eq!(filter(json!({"includes": ["a.*"], "excludes": ["a.c"]})), json!({"a": {"b": 1}}));
        assert!(SourceFilter::parse(&json!(false)).unwrap().hidden);
    }
}
