//! What a new index starts with: composable templates with components, or legacy templates if none of those matches.
use serde_json::Value as Json;

use super::Cluster;
use crate::errors::{Answer, Refusal};
use crate::names::glob;

/// Whether one of a template's patterns matches the name.
fn fits(template: &Json, name: &str) -> bool {
    let fits = |pattern: &Json| pattern.as_str().is_some_and(|pattern| glob(pattern, name));
    match template.get("index_patterns") {
        Some(Json::Array(patterns)) => patterns.iter().any(fits),
        Some(pattern) => fits(pattern),
        None => false,
    }
}

fn number(template: &Json, key: &str) -> u64 {
    template.get(key).and_then(Json::as_u64).unwrap_or(0)
}

impl Cluster {
    /// The matching composable template with the highest priority.
    pub(super) fn template_for(&self, name: &str) -> Option<(&str, &Json)> {
        let fitting = self.templates.iter().filter(|(_, template)| fits(template, name));
        fitting.max_by_key(|(_, body)| number(body, "priority")).map(|(name, body)| (name.as_str(), body))
    }

    /// Bodies for a new index of that name, later ones overriding earlier ones.
    pub(super) fn composed(&self, name: &str) -> Answer<Vec<Json>> {
        if let Some((_, template)) = self.template_for(name) {
            return self.parts(template);
        }
        let mut old: Vec<&Json> =
            self.old_templates.values().filter(|template| fits(template, name)).collect();
        old.sort_by_key(|template| number(template, "order"));
        let kept = ["settings", "mappings", "aliases"];
        let body = |template: &Json| {
            let parts = kept.iter().filter_map(|key| Some(((*key).to_owned(), template.get(*key)?.clone())));
            Json::Object(parts.collect())
        };
        Ok(old.into_iter().map(body).collect())
    }

    /// The components of a template, then the template's own body.
    pub(crate) fn parts(&self, template: &Json) -> Answer<Vec<Json>> {
        let mut parts = Vec::new();
        for name in template.get("composed_of").and_then(Json::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            let component = self.components.get(name).ok_or_else(|| {
                Refusal::new(
                    400,
                    "invalid_index_template_exception",
                    format!("index_template invalid, cause [index template specifies component templates [{name}] that do not exist]"),
                )
            })?;
            parts.extend(component.get("template").cloned());
        }
        parts.extend(template.get("template").cloned());
        Ok(parts)
    }
}
