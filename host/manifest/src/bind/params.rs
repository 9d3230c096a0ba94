//! What is said of parameters that are valid by their schema.
use serde_json::Value;
use watchbell_confine::Grant;
use watchbell_contract::{Duration, Plan};
use watchbell_values::is_date_math;

use super::doc::Doc;
use crate::TargetSpec;
use crate::limits::{GRID_MAX, HISTORY_MAX};
use crate::overlay::join;
use crate::report::Diagnostic;

/// Warns about parameters that the schema marks as `deprecated`: the module accepts but ignores them.
pub(super) fn without_effect(doc: &mut Doc<'_>, schema: &Value, params: &Value) {
    for name in params.as_object().into_iter().flatten().map(|(name, _)| name) {
        let property = &schema["properties"][name];
        if property["deprecated"] == true {
            let why = property["description"].as_str().unwrap_or("remove it");
            doc.warn(&format!("/params/{name}"), format!("`params.{name}` has no effect any more"), why);
        }
    }
}

/// Reports parameters that reach beyond the rule's index, filter and range. The schema marks those that are searches,
/// and those that need a grant.
pub(super) fn confine(doc: &mut Doc<'_>, schema: &Value, params: &Value, target: &TargetSpec) {
    for (name, value) in params.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let property = &schema["properties"][name];
        let searched = match value {
            Value::Object(search) if property["x-watchbell-search"] == true => target.scope.search(search),
            _ => Ok(()),
        };
        let needed = Grant::ALL.into_iter().find(|grant| property["x-watchbell-needs"] == grant.name());
        let checked = searched.and_then(|()| needed.map_or(Ok(()), |grant| target.scope.needs(grant)));
        if let Err(refused) = checked {
            let pointer = format!("{}{}", join("/params", name), refused.pointer());
            let message = format!("`{}` {}", crate::schema::path(&pointer), refused.reason);
            let remedy = refused.remedy(&format!("the cluster `{}`", target.cluster));
            doc.faults.push(Diagnostic::error(doc.spans.key(&pointer), message).hint(remedy));
        }
    }
}

/// Warns about list values that YAML reads differently from how they look, where any type is allowed.
pub(super) fn doubt(doc: &mut Doc<'_>, schema: &Value, value: &Value, pointer: &str) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let schema = schema.pointer(&join("/properties", key)).unwrap_or(&Value::Null);
                doubt(doc, schema, value, &join(pointer, key));
            }
        }
        Value::Array(items) => {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            let only_numbers = schema["type"] == "number" || schema["type"] == "integer";
            for (index, item) in items.iter().enumerate() {
                let at = format!("{pointer}/{index}");
                match doc.spans.doubtful(&at) {
                    Some(typed) if !only_numbers => {
                        let name = crate::schema::path(pointer);
                        let kind = match item {
                            Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                                Some(number) => format!("the number {number}"),
                                None => format!("the number {number}"),
                            },
                            Value::Bool(truth) => truth.to_string(),
                            _ => "a string, not a boolean".to_owned(),
                        };
                        let hint = format!("put it in quotes to get the string: \"{typed}\"");
                        let message = format!("`{typed}` in `{name}` is {kind}");
                        doc.faults.push(Diagnostic::warning(doc.spans.value(&at), message).hint(hint));
                    }
                    _ => doubt(doc, schema, item, &at),
                }
                // A word without another meaning may be intended.
                if let Some(text) = item.as_str().filter(|text| *text != "now" && is_date_math(text)) {
                    let name = crate::schema::path(pointer);
                    let message =
                        format!("`{text}` in `{name}` is not read as date math: it matches no date");
                    let hint = "write a date, or compare with the time in `filter`";
                    doc.faults.push(Diagnostic::warning(doc.spans.value(&at), message).hint(hint));
                }
            }
        }
        _ => {}
    }
}

/// Limits the plan: with a parameter of centuries the rule would read everything before its first result.
pub(super) fn within(doc: &mut Doc<'_>, plan: Plan) -> Option<Plan> {
    let bounds = [
        ("use a history of", plan.history, HISTORY_MAX, "400 days"),
        ("use a check interval of", plan.grid.unwrap_or(Duration::ZERO), GRID_MAX, "7 days"),
    ];
    let before = doc.errors();
    for (what, asked, max, named) in bounds {
        if asked > max {
            doc.fault("/params", format!("`params` make the module {what} {asked}; the maximum is {named}"))
                .hint("shorten its timeframes")
                .push(doc);
        }
    }
    (doc.errors() == before).then_some(plan)
}
