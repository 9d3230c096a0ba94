//! Dynamic templates: the mapping of undefined fields.
use regex::Regex;
use serde_json::{Map, Value as Json};

use crate::errors::{Answer, Refusal};
use crate::names::glob;

#[derive(Clone, Debug)]
pub(crate) struct Template {
    name: String,
    kinds: Option<Vec<String>>,
    not_kinds: Vec<String>,
    names: Option<Names>,
    not_names: Option<Names>,
    paths: Option<Vec<String>>,
    not_paths: Vec<String>,
    mapping: Map<String, Json>,
}

#[derive(Clone, Debug)]
enum Names {
    Globs(Vec<String>),
    Regexp(Regex),
}

impl Names {
    fn read(value: &Json, regex: bool) -> Option<Self> {
        if !regex {
            return list(value).map(Self::Globs);
        }
        Regex::new(&format!("^(?:{})$", value.as_str()?)).ok().map(Self::Regexp)
    }

    fn hold(&self, name: &str) -> bool {
        match self {
            Self::Globs(globs) => globs.iter().any(|pattern| glob(pattern, name)),
            Self::Regexp(regex) => regex.is_match(name),
        }
    }
}

/// A text or a list of texts.
fn list(value: &Json) -> Option<Vec<String>> {
    match value {
        Json::String(text) => Some(vec![text.clone()]),
        Json::Array(all) => all.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Names used by `match_mapping_type`.
const KINDS: &[&str] = &["object", "string", "long", "double", "boolean", "date", "binary", "*"];

impl Template {
    pub(super) fn read_all(value: &Json) -> Answer<Vec<Self>> {
        let broken = || {
            Refusal::mapper_parsing("A dynamic template must be defined with a name, in a list of objects")
        };
        let mut read = Vec::new();
        for one in value.as_array().ok_or_else(broken)? {
            let entry = one.as_object().filter(|one| one.len() == 1).and_then(|one| one.iter().next());
            let (name, body) = entry.ok_or_else(broken)?;
            read.push(Self::read(name, body.as_object().ok_or_else(broken)?)?);
        }
        Ok(read)
    }

    fn read(name: &str, body: &Map<String, Json>) -> Answer<Self> {
        let wrong = |key: &str, value: &Json| {
            Refusal::mapper_parsing(format!(
                "Illegal dynamic template parameter: [{key}: {value}] of dynamic template [{name}]"
            ))
        };
        let regex = match body.get("match_pattern").map(|pattern| pattern.as_str()) {
            None | Some(Some("simple")) => false,
            Some(Some("regex")) => true,
            Some(_) => return Err(wrong("match_pattern", &body["match_pattern"])),
        };
        let mut template = Self {
            name: name.to_owned(),
            kinds: None,
            not_kinds: Vec::new(),
            names: None,
            not_names: None,
            paths: None,
            not_paths: Vec::new(),
            mapping: Map::new(),
        };
        for (key, value) in body {
            let refuse = || wrong(key, value);
            match key.as_str() {
                "match_pattern" => {}
                "match_mapping_type" | "unmatch_mapping_type" => {
                    let kinds = list(value).ok_or_else(refuse)?;
                    if kinds.iter().any(|kind| !KINDS.contains(&kind.as_str())) {
                        return Err(refuse());
                    }
                    if key == "match_mapping_type" {
                        template.kinds = Some(kinds).filter(|kinds| !kinds.iter().any(|kind| kind == "*"));
                    } else {
                        template.not_kinds = kinds;
                    }
                }
                "match" => template.names = Some(Names::read(value, regex).ok_or_else(refuse)?),
                "unmatch" => template.not_names = Some(Names::read(value, regex).ok_or_else(refuse)?),
                "path_match" => template.paths = Some(list(value).ok_or_else(refuse)?),
                "path_unmatch" => template.not_paths = list(value).ok_or_else(refuse)?,
                "mapping" => template.mapping = value.as_object().cloned().ok_or_else(refuse)?,
                _ => return Err(refuse()),
            }
        }
        if !body.contains_key("mapping") {
            return Err(Refusal::mapper_parsing(format!(
                "template [{name}] must have either mapping or runtime set"
            )));
        }
        Ok(template)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn fits(&self, path: &str, kind: &str) -> bool {
        let name = path.rsplit('.').next().unwrap_or(path);
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|one| one == kind))
            && !self.not_kinds.iter().any(|one| one == kind)
            && self.names.as_ref().is_none_or(|names| names.hold(name))
            && !self.not_names.as_ref().is_some_and(|names| names.hold(name))
            && self.paths.as_ref().is_none_or(|paths| paths.iter().any(|pattern| glob(pattern, path)))
            && !self.not_paths.iter().any(|pattern| glob(pattern, path))
    }
}

/// The definition for a new field by the first matching template. `kind`: its name in `match_mapping_type`.
pub(super) fn definition(
    templates: &[Template],
    path: &str,
    kind: &str,
    plain: &str,
) -> Option<Map<String, Json>> {
    let template = templates.iter().find(|template| template.fits(path, kind))?;
    let name = path.rsplit('.').next().unwrap_or(path);
    let fill = |text: &str| {
        text.replace("{name}", name).replace("{dynamic_type}", plain).replace("{dynamicType}", plain)
    };
    let mut definition = filled(&template.mapping, &fill);
    if !definition.contains_key("type") {
        definition.insert("type".into(), plain.into());
    }
    Some(definition)
}

fn filled(body: &Map<String, Json>, fill: &dyn Fn(&str) -> String) -> Map<String, Json> {
    let one = |value: &Json| match value {
        Json::String(text) => fill(text).into(),
        Json::Object(body) => Json::Object(filled(body, fill)),
        other => other.clone(),
    };
    body.iter().map(|(key, value)| (fill(key), one(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_template_that_fits_decides() {
        let templates = Template::read_all(&json!([
            {"ids": {"match": "*_id", "unmatch": "no_id", "match_mapping_type": "long", "mapping": {"type": "keyword"}}},
            {"labels": {"path_match": "labels.*", "match_mapping_type": "*", "mapping": {"type": "keyword", "meta": {"of": "{name}"}}}},
            {"numbered": {"match_pattern": "regex", "match": "^n\\d+$", "mapping": {"index": false}}},
        ]))
        .unwrap();
        let of =
            |path: &str, kind: &str, plain: &str| definition(&templates, path, kind, plain).map(Json::from);
        assert_eq!(of("user_id", "long", "long"), Some(json!({"type": "keyword"})));
        assert_eq!(of("no_id", "long", "long"), None);
        assert_eq!(of("user_id", "string", "text"), None);
        assert_eq!(
            of("labels.env", "string", "text"),
            Some(json!({"type": "keyword", "meta": {"of": "env"}}))
        );
        assert_eq!(of("n12", "double", "float"), Some(json!({"index": false, "type": "float"})));
    }

    #[test]
    fn a_broken_template_is_refused() {
        for body in [
            json!({}),
            json!([{"a": {}}]),
            json!([{"a": {"mapping": {}, "match_mapping_type": "text"}}]),
            json!([{"a": {"mapping": {}, "runtime": {}}}]),
            json!([{"a": {"mapping": {}, "match_pattern": "regex", "match": "("}}]),
        ] {
            assert!(Template::read_all(&body).is_err(), "{body}");
        }
    }
}
