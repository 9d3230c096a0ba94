//! Which documents behind a signal its texts show; only those are fetched.
use std::collections::BTreeSet;

use super::macros::{Macros, reached};
use super::names::NameKind;

/// The maximum documents that a message shows.
pub const DOCUMENTS_MAX: u32 = 10;

/// The documents that texts need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How many, newest first; at most [`DOCUMENTS_MAX`].
    pub count: u32,
    /// The fields they name; `None` means all.
    pub fields: Option<BTreeSet<String>>,
    /// The fields they name, even where all are needed.
    pub named: BTreeSet<String>,
}

impl Wanted {
    /// As many as allowed, complete: for a receiver that takes a signal's details as they are.
    pub fn all() -> Self {
        Self::whole(DOCUMENTS_MAX)
    }

    fn whole(count: u32) -> Self {
        Self { count, ..Self::default() }
    }

    /// For a rule's texts.
    pub fn by(title: &str, body: &str, macros: &Macros) -> Self {
        Self::of_all(title, macros).and(Self::of_all(body, macros))
    }

    /// For a template without macros of files. If in doubt, it returns more rather than less.
    pub fn of(source: &str) -> Self {
        Self::of_all(source, &Macros::default())
    }

    fn of_all(source: &str, macros: &Macros) -> Self {
        let reached = reached(source, macros);
        let variables = reached.iter().filter(|(_, name)| name.kind == NameKind::Variable);
        variables.fold(Self::default(), |wanted, (source, name)| {
            let path: Vec<&str> = name.path.iter().map(String::as_str).collect();
            wanted.and(Self::of_path(&path, source))
        })
    }

    fn of_path(path: &[&str], source: &str) -> Self {
        match path {
            // The fields of the newest document, by name.
            ["rows", ..] => Self::whole(1),
            ["document", field @ ..] => Self::of_field(1, field),
            ["documents", rest @ ..] | ["details", "documents", rest @ ..] => match rest {
                [number, field @ ..] if number.parse::<u32>().is_ok() => {
                    let index: u32 = number.parse().unwrap_or(DOCUMENTS_MAX);
                    Self::of_field(index.saturating_add(1).min(DOCUMENTS_MAX), field)
                }
                _ => Self::all(),
            },
            // Any use of it counts.
            ["details"] if source.contains("documents") => Self::all(),
            _ => Self::default(),
        }
    }

    fn of_field(count: u32, path: &[&str]) -> Self {
        // A position in a list is not a field.
        let path: Vec<&str> = path.iter().copied().take_while(|part| part.parse::<u32>().is_err()).collect();
        // It would be taken for a pattern.
        let is_name = !path.is_empty() && !path.iter().any(|part| part.contains(['*', '\\']));
        let fields = is_name.then(|| BTreeSet::from([path.join(".")]));
        Self { count, named: fields.clone().unwrap_or_default(), fields }
    }

    pub fn and(mut self, other: Self) -> Self {
        if self.count == 0 {
            return other;
        }
        if other.count == 0 {
            return self;
        }
        let fields = self.fields.zip(other.fields).map(|(mut fields, more)| {
            fields.extend(more);
            fields
        });
        self.named.extend(other.named);
        Self { count: self.count.max(other.count), fields, named: self.named }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> (u32, Option<Vec<String>>) {
        let Wanted { count, fields, .. } = Wanted::of(source);
        (count, fields.map(|fields| fields.into_iter().collect()))
    }

    fn some<const N: usize>(count: u32, fields: [&str; N]) -> (u32, Option<Vec<String>>) {
        (count, Some(fields.map(str::to_owned).into()))
    }

    #[test]
    fn a_text_without_documents_wants_none() {
        for text in
            ["", "document", "{{ summary }} of documents", "{{ details.count }} {{ details['count'] }}"]
        {
            assert_eq!(of(text).0, 0, "{text}");
        }
        assert_eq!(of("{% set document = summary %}{{ document }} {{ documents_note }}").0, 0);
    }

    #[test]
    fn named_fields_alone_are_wanted() {
        assert_eq!(of("a document: {{ document.user.name | default('x') }}"), some(1, ["user.name"]));
        assert_eq!(
            of("{{ document['user.name'] }}{% if document.a.b[0] > 1 %}x{% endif %}"),
            some(1, ["a.b", "user.name"])
        );
        assert_eq!(
            of("{{ documents[2].message }} {{ document.host['name'] }}"),
            some(3, ["host.name", "message"])
        );
        assert_eq!(of("{{ details.documents[0].user }}"), some(1, ["user"]));
        assert_eq!(of("{{ details['documents'][1].user }}"), some(2, ["user"]));
    }

    #[test]
    fn names_are_known_also_where_all_is_wanted() {
        let wanted = Wanted::of("{{ document.who }} {{ documents | length }}").and(Wanted::all());
        assert_eq!((wanted.count, wanted.fields), (DOCUMENTS_MAX, None));
        assert_eq!(wanted.named, BTreeSet::from(["who".to_owned()]));
    }

    #[test]
    fn what_is_unknown_counts_as_all() {
        for text in [
            "{% for d in documents %}{{ d.user }}{% endfor %}",
            "{{ documents | length }}",
            "{{ details.documents }}",
            "{{ documents[n].user }}",
            "{% set name = 'documents' %}{{ details[name] }}",
        ] {
            assert_eq!(of(text), (DOCUMENTS_MAX, None), "{text}");
        }
        for text in
            ["{{ document }}", "{{ document[labels.x] }}", "{{ document.items() }}", "{{ document['a*'] }}"]
        {
            assert_eq!(of(text), (1, None), "{text}");
        }
        assert_eq!(of("{{ document.user }} {{ document | tojson }}"), (1, None));
        assert_eq!(of("{{ documents[99].a }}").0, DOCUMENTS_MAX);
    }

    #[test]
    fn a_rule_without_a_body_shows_the_newest_document() {
        use crate::{BODY, TITLE};
        let by = |title, body| Wanted::by(title, body, &Macros::default());
        assert_eq!(by(TITLE, BODY), Wanted { count: 1, ..Wanted::default() });
        assert_eq!(by(TITLE, "{{ details.count }}").count, 0);
        assert_eq!(by("{{ document.user }}", "{{ details.count }}").count, 1);
    }

    #[test]
    fn what_a_macro_shows_is_wanted_by_those_that_use_it() {
        let macros: Macros = [
            ("a", "{% macro who() %}{{ document.user }}{% endmacro %}{% macro all() %}{{ documents }}{% endmacro %}"),
            ("b", "{% import 'a' as a %}{% macro by() %}by {{ a.who() }}{% endmacro %}"),
        ]
        .into_iter()
        .collect();
        let by = |body| {
            let Wanted { count, fields, .. } = Wanted::by("", body, &macros);
            (count, fields.map(|fields| fields.into_iter().collect()))
        };
        assert_eq!(by("{% import 'a' as a %}").0, 0);
        assert_eq!(by("{% import 'a' as a %}{{ a.who() }}"), some(1, ["user"]));
        assert_eq!(by("{% from 'b' import by as c %}{{ c() }}"), some(1, ["user"]));
        assert_eq!(by("{% import 'a' as a %}{{ a.all() }}"), (DOCUMENTS_MAX, None));
        // As a whole it may be used in any way.
        assert_eq!(by("{% import 'a' as a %}{% set b = a %}{{ b.who() }}").0, DOCUMENTS_MAX);
        assert_eq!(by("{% import 'a' as a %}{{ a | length }}").0, DOCUMENTS_MAX);
    }
}
