//! The fields that templates show, with their positions.
use serde_json::Value;
use watchbell_text as text;

use super::doc::Doc;
use crate::overlay::join;
use crate::shown::Shown;

/// The prefix that turns an expression into a template.
const BEFORE: &str = "{{ ";

/// The fields of a template at `pointer`.
pub(crate) fn shown(doc: &Doc<'_>, pointer: &str, text: &str) -> Vec<Shown> {
    // An error at the end of the text may be reported on the line after it.
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX).max(1);
    let shown = |name: &text::Name| {
        let (of, field) = Shown::of(name)?;
        let place = doc.spans.within(pointer, text, name.line.min(lines), name.column);
        Some(Shown { place, text: crate::schema::path(pointer), of, field })
    };
    text::names(text).iter().filter_map(shown).collect()
}

/// The fields of a destination's parameters, whose strings are templates or, in `$if` and `$each`, expressions.
pub(crate) fn shown_by_params(doc: &Doc<'_>, pointer: &str, params: &Value) -> Vec<Shown> {
    match params {
        Value::String(text) if pointer.ends_with("/$if") || pointer.ends_with("/$each") => {
            let mut shown = shown(doc, pointer, &format!("{BEFORE}{text} }}}}"));
            let first = doc.spans.value(pointer).column;
            shown.iter_mut().for_each(|shown| {
                shown.place.column = shown.place.column.saturating_sub(BEFORE.len() as u32).max(first);
            });
            shown
        }
        Value::String(text) => shown(doc, pointer, text),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .flat_map(|(index, item)| shown_by_params(doc, &format!("{pointer}/{index}"), item))
                .collect()
        }
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| shown_by_params(doc, &join(pointer, name), member))
            .collect(),
        _ => Vec::new(),
    }
}
