//! The lists as Markdown.
use crate::aggregations::{self, AGGREGATIONS};
use crate::body::{self, PARTS};
use crate::form::{Form, Key, Never};
use crate::queries::{self, QUERIES};
use crate::scope::Grant;

/// What a search may hold, what needs a grant, and what is never allowed.
pub fn listing() -> String {
    let mut out = String::from("## Grants\n\n| grant | what it allows | which parts |\n|---|---|---|\n");
    for grant in Grant::ALL {
        let mut parts = Vec::new();
        for keys in [PARTS, QUERIES, AGGREGATIONS] {
            keys.iter().for_each(|key| granted(key, "", grant, &mut parts));
        }
        parts.extend(special(grant).map(str::to_owned));
        let parts: Vec<String> = parts.iter().map(|part| format!("`{part}`")).collect();
        out.push_str(&format!("| `{}` | what {} | {} |\n", grant.name(), grant.why(), parts.join(", ")));
    }
    section(&mut out, "Parts of a search", PARTS, body::NEVER);
    section(&mut out, "Queries", QUERIES, queries::NEVER);
    section(&mut out, "Aggregations", AGGREGATIONS, aggregations::NEVER);
    out
}

/// Values, rather than parts, that need a grant.
fn special(grant: Grant) -> impl Iterator<Item = &'static str> {
    let parts: &[&str] = match grant {
        Grant::Scripts => &["script (of any aggregation)", "_script (a sort key)"],
        Grant::Lookups => &["index, id, path (of terms)", "_index, _id (of more_like_this)"],
        Grant::WholeIndex => &["min_doc_count: 0", "rewrite: top_terms_N"],
        _ => &[],
    };
    parts.iter().copied()
}

fn granted(key: &'static Key, above: &str, grant: Grant, found: &mut Vec<String>) {
    let path = if above.is_empty() { key.name.to_owned() } else { format!("{above}.{}", key.name) };
    if key.needs == Some(grant) {
        found.push(path);
    } else {
        options(&key.form).for_each(|option| granted(option, &path, grant, found));
    }
}

fn section(out: &mut String, title: &str, keys: &'static [Key], never: &[Never]) {
    out.push_str(&format!("\n## {title}\n\n| name | options |\n|---|---|\n"));
    for key in keys.iter().filter(|key| key.needs.is_none()) {
        let names: Vec<String> = options(&key.form)
            .filter(|option| option.needs.is_none())
            .map(|option| format!("`{}`", option.name))
            .collect();
        out.push_str(&format!("| `{}` | {} |\n", key.name, names.join(", ")));
    }
    let names: Vec<String> = never.iter().map(|(name, _)| format!("`{name}`")).collect();
    out.push_str(&format!("\nNever allowed: {}.\n", names.join(", ")));
}

/// The options of a part, one level down.
fn options(form: &'static Form) -> Box<dyn Iterator<Item = &'static Key>> {
    match form {
        Form::Keys(keys) | Form::Options(keys) => Box::new(keys.iter()),
        Form::Measure(keys) => {
            Box::new(keys.iter().chain(aggregations::COMMON.iter().filter(|key| key.needs.is_none())))
        }
        Form::Fields(form, keys) => {
            let is_common = |key: &&Key| queries::COMMON.iter().any(|common| common.name == key.name);
            Box::new(keys.iter().filter(move |key| !is_common(key)).chain(options(form)))
        }
        Form::Each(form) | Form::Named(form) | Form::ScalarOr(form) => options(form),
        _ => Box::new(std::iter::empty()),
    }
}
