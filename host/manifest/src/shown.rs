//! The details, documents and labels that texts show, and whether they exist.
mod fields; // field names, and what is below them

use serde_json::Value;
use watchbell_text::{Name, NameKind};

use crate::report::list;
use crate::{BoundRule, Bundle, Diagnostic, Environment, Place};

pub use fields::Fields;

/// A field that a text shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    pub place: Place,
    /// Which text: `alert.body`, `destinations.tickets.params.body.user`.
    pub text: String,
    pub of: ShownOf,
    /// Its dotted name, without list positions.
    pub field: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShownOf {
    /// In a destination's templates; a rule's labels are checked against its own `key` when they are read.
    Label,
    Detail,
    Document,
}

/// What is known about the documents that a rule reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownDocuments {
    pub fields: Fields,
    /// Whether its tests and its indices' mappings were consulted.
    pub tests: bool,
    pub mappings: bool,
}

impl Shown {
    /// The field that `name` shows. `None`: none, or all of them.
    pub(crate) fn of(name: &Name) -> Option<(ShownOf, String)> {
        if name.kind != NameKind::Variable {
            return None;
        }
        let path: Vec<&str> = name.path.iter().map(String::as_str).collect();
        let (of, field) = match path.as_slice() {
            ["label", field @ ..] => (ShownOf::Label, field),
            ["document", field @ ..] => (ShownOf::Document, field),
            ["documents", number, field @ ..] | ["details", "documents", number, field @ ..]
                if is_number(number) =>
            {
                (ShownOf::Document, field)
            }
            // The host adds them.
            ["details", "documents" | "documents_note", ..] => return None,
            ["details", field @ ..] => (ShownOf::Detail, field),
            _ => return None,
        };
        let names: Vec<&str> = field.iter().copied().filter(|part| !is_number(part)).collect();
        // A pattern is not a name.
        let is_name = !names.is_empty() && !names.iter().any(|part| part.contains(['*', '\\', ',']));
        is_name.then(|| (of, names.join(".")))
    }
}

/// A list position, counted from either end.
fn is_number(part: &str) -> bool {
    part.parse::<i64>().is_ok()
}

/// The details of a module's signals, as listed in its schema (`x-watchbell-details`): a list of names, and parameters
/// marked `true`, whose values are names. `None` if the schema lists none.
pub fn details(schema: &Value, params: &Value) -> Option<Fields> {
    const SAYS: &str = "x-watchbell-details";
    let mut fields = Fields::default();
    schema.get(SAYS)?.as_array()?.iter().filter_map(Value::as_str).for_each(|name| fields.add_open(name));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if property.get(SAYS) != Some(&Value::Bool(true)) {
            continue;
        }
        let named = match &params[name] {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        named.iter().filter_map(Value::as_str).for_each(|name| fields.add_open(name));
    }
    Some(fields)
}

/// Warns about fields that texts show but nothing has. `documents` is what is known about a rule's documents; `None`:
/// there is nothing to compare with. A destination's text is wrong only if it is wrong for every rule that names the
/// destination.
pub fn unknown(bundle: &Bundle, documents: &dyn Fn(&BoundRule) -> Option<KnownDocuments>) -> Vec<Diagnostic> {
    let rules: Vec<Knowledge<'_>> =
        bundle.rules.iter().map(|rule| Knowledge { rule, documents: documents(rule) }).collect();
    let mut found = Vec::new();
    for of in &rules {
        found.extend(of.rule.shown.iter().filter_map(|shown| shown.warning(&[of])));
    }
    for (name, destination) in &bundle.environment.destinations {
        let users: Vec<&Knowledge<'_>> =
            rules.iter().filter(|of| of.tells(&bundle.environment, name)).collect();
        found.extend(destination.shown.iter().filter_map(|shown| shown.warning(&users)));
    }
    found.sort();
    found.dedup();
    found
}

struct Knowledge<'a> {
    rule: &'a BoundRule,
    documents: Option<KnownDocuments>,
}

impl Knowledge<'_> {
    fn tells(&self, environment: &Environment, destination: &str) -> bool {
        environment.reached(&self.rule.spec.alert).iter().any(|to| to.0 == destination)
    }

    /// The known fields of a kind; `None` if they are unknown.
    fn fields(&self, of: ShownOf) -> Option<Fields> {
        match of {
            ShownOf::Label => {
                let mut labels = Fields::default();
                // The last is the host's own label for a silent index.
                let names = self.rule.spec.key.iter().map(String::as_str).chain(["no_data"]);
                names.for_each(|name| labels.add(name));
                Some(labels)
            }
            ShownOf::Detail => self.rule.details.clone(),
            ShownOf::Document => self.documents.as_ref().map(|documents| documents.fields.clone()),
        }
    }
}

impl Shown {
    /// `None` if one of `rules` has it or may have it, or if there are no rules.
    fn warning(&self, rules: &[&Knowledge<'_>]) -> Option<Diagnostic> {
        let mut known = Fields::default();
        for of in rules {
            let fields = of.fields(self.of)?;
            if fields.has(&self.field) {
                return None;
            }
            known.extend(&fields);
        }
        let (first, one) = (rules.first()?, rules.len() == 1);
        let (text, field) = (&self.text, &self.field);
        let message = match self.of {
            ShownOf::Label if one => {
                format!(
                    "`label.{field}` is always empty: `key` of rule `{}` does not name it",
                    first.rule.spec.name
                )
            }
            ShownOf::Label => {
                format!(
                    "`label.{field}` is always empty: no rule that names this destination has it in its `key`"
                )
            }
            ShownOf::Detail if one => {
                format!("`details.{field}` is always empty: `{}` does not report it", first.rule.module)
            }
            ShownOf::Detail => {
                format!("`details.{field}` is always empty: no rule that names this destination reports it")
            }
            ShownOf::Document => {
                let asked = |which: fn(&KnownDocuments) -> bool| {
                    rules.iter().filter_map(|of| of.documents.as_ref()).any(which)
                };
                let places = match (asked(|of| of.tests), asked(|of| of.mappings)) {
                    (true, true) => "no test document and no mapping has it",
                    (true, false) => "no test document has it",
                    (false, _) => "no mapping has it",
                };
                format!("`document.{field}`: {places}")
            }
        };
        let hint = match (known.nearest(field), self.of) {
            (Some(near), _) => Some(format!("did you mean `{near}`?")),
            (None, ShownOf::Detail) if !known.is_empty() => {
                Some(format!("it reports {}", list(known.names())))
            }
            (None, ShownOf::Document) => {
                Some("add the field to a test document, or remove it from the text".to_owned())
            }
            (None, _) => None,
        };
        Some(Diagnostic::warning(&self.place, format!("`{text}`: {message}")).maybe_hint(hint))
    }
}
