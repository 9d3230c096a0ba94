//! The query string languages, bound to an index.
use super::ast::{Bound, Edits, Fuzzy, How, Matching, Minimum, Range, Text};
use super::lucene::{Node, Occur};
use super::predicate::{Predicate, at_least};
use super::scope::Scope;
use super::{leaf, words};
use crate::errors::{Answer, Refusal};
use crate::mapping::{FieldId, FieldKind};

pub(crate) struct TextReader<'a> {
    scope: &'a Scope<'a>,
    text: &'a Text,
    everywhere: bool,
    lenient: bool,
}

impl<'a> TextReader<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>, text: &'a Text) -> Self {
        let everywhere = text.fields.is_empty() || text.fields == ["*"];
        Self { scope, text, everywhere, lenient: text.lenient.unwrap_or(everywhere) }
    }

    /// The whole text: its minimum of clauses applies to the outermost ones.
    pub(crate) fn root(&self, node: &Node) -> Answer<Option<Predicate>> {
        match node {
            Node::Bool(clauses) => self.bool(clauses, self.text.minimum.as_ref()),
            Node::Term { field, text, quoted, slop } if field.as_deref() != Some("_exists_") => {
                let alone = self.fields(field.as_deref()).len() == 1;
                let minimum = self.text.minimum.as_ref().filter(|_| alone);
                self.term(field.as_deref(), text, *quoted, *slop, minimum)
            }
            node => self.node(node),
        }
    }

    /// `None`: analysis removed it, as if it had not been written.
    fn node(&self, node: &Node) -> Answer<Option<Predicate>> {
        match node {
            Node::All => Ok(Some(Predicate::All)),
            Node::Nothing => Ok(Some(Predicate::Nothing)),
            Node::Bool(clauses) => self.bool(clauses, None),
            Node::Without(node) => Ok(self.node(node)?.map(Predicate::negate)),
            Node::Term { field: Some(field), text, .. } if field == "_exists_" => {
                leaf::exists(self.scope, text).map(Some)
            }
            Node::Term { field, text, quoted, slop } => {
                self.term(field.as_deref(), text, *quoted, *slop, None)
            }
            Node::Fuzzy { field, text, edits } => {
                let fuzzy = self.fuzzy(edits.as_deref())?;
                let value = serde_json::Value::from(text.as_str());
                self.over(field.as_deref(), |id| words::fuzzy(self.scope, id, &value, &fuzzy, true).map(Some))
            }
            Node::Range { field, low, high } => {
                let bound = |bound: &Option<(String, bool)>| {
                    bound
                        .as_ref()
                        .map(|(text, inclusive)| Bound { value: text.as_str().into(), inclusive: *inclusive })
                };
                self.range(field.as_deref(), bound(low), bound(high)).map(Some)
            }
            Node::Wildcard { field, pattern } if pattern == "*" => self.anything(field.as_deref()).map(Some),
            Node::Wildcard { field, pattern } => {
                if !self.text.leading_wildcard && pattern.starts_with(['*', '?']) {
                    return Err(
                        self.broken("'*' or '?' not allowed as first character in WildcardQuery".into())
                    );
                }
                self.over(field.as_deref(), |id| {
                    leaf::wildcard(self.scope, id, pattern, false, true).map(Some)
                })
            }
            Node::Prefix { field, text } => {
                self.over(field.as_deref(), |id| leaf::prefix(self.scope, id, text, false, true).map(Some))
            }
            Node::Regexp { field, pattern } => self.over(field.as_deref(), |id| {
                // What is not a string has no terms to match, which is not an error either.
                if leaf::strings_only(self.scope.mapping.get(id), "regexp").is_err() {
                    return Ok(Some(Predicate::Nothing));
                }
                leaf::regexp(self.scope, id, pattern, false).map(Some)
            }),
        }
    }

    fn broken(&self, reason: String) -> Refusal {
        Refusal::shard(format!("Failed to parse query [{}]", self.text.source))
            .caused_by("parse_exception", reason)
    }

    /// A bare `~` uses the request's setting.
    fn fuzzy(&self, edits: Option<&str>) -> Answer<Fuzzy> {
        let Some(edits) = edits else { return Ok(self.text.fuzzy) };
        let refuse = |reason: String| {
            Refusal::shard(format!("failed to create query: {reason}"))
                .caused_by("illegal_argument_exception", reason)
        };
        match edits.parse::<f32>() {
            Ok(count) if count == 0.0 || count == 1.0 || count == 2.0 => {
                Ok(Fuzzy { edits: Edits::Count(count as usize), ..self.text.fuzzy })
            }
            Ok(count) if count > 2.0 => {
                Err(refuse(format!("Valid edit distances are [0, 1, 2] but was [{edits}]")))
            }
            _ => Err(refuse(format!("fuzziness needs to be one of 0.0, 1.0 or 2.0 but was {edits}"))),
        }
    }

    fn bool(&self, clauses: &[(Occur, Node)], minimum: Option<&Minimum>) -> Answer<Option<Predicate>> {
        self.scope.count(clauses.len())?;
        let (mut all, mut any) = (Vec::new(), Vec::new());
        let (mut required, mut left) = (false, false);
        for (occur, node) in clauses {
            let Some(predicate) = self.node(node)? else { continue };
            left = true;
            match occur {
                Occur::Must => {
                    required = true;
                    all.push(predicate);
                }
                Occur::Should => any.push(predicate),
                Occur::Not => all.push(predicate.negate()),
            }
        }
        let asked = minimum.map_or(0, |minimum| minimum.of(any.len()));
        let least = if required || any.is_empty() { asked } else { asked.max(1) };
        if least > 0 {
            all.push(at_least(least, any));
        }
        Ok(left.then(|| Predicate::and(all)))
    }

    fn fields(&self, field: Option<&str>) -> Vec<FieldId> {
        match field {
            Some(field) => fields_named(self.scope, &[field.to_owned()]),
            None => fields_named(self.scope, &self.text.fields),
        }
    }

    /// Any of the fields; a field that cannot take the value is an error, or left out if the request is lenient.
    fn over(
        &self,
        field: Option<&str>,
        ask: impl Fn(FieldId) -> Answer<Option<Predicate>>,
    ) -> Answer<Option<Predicate>> {
        let fields = self.fields(field);
        if fields.is_empty() {
            if let Some(field) = field {
                leaf::modelled_path(self.scope, field)?;
            }
            return Ok(Some(Predicate::Nothing));
        }
        self.scope.count(fields.len())?;
        let mut any = Vec::new();
        for id in fields {
            match ask(id) {
                Ok(Some(predicate)) => any.push(predicate),
                Ok(None) => {}
                Err(refusal) if self.lenient && !refusal.is_unmodelled() => any.push(Predicate::Nothing),
                Err(refusal) => return Err(refusal),
            }
        }
        Ok((!any.is_empty()).then(|| Predicate::or(any)))
    }

    fn term(
        &self,
        field: Option<&str>,
        text: &str,
        quoted: bool,
        slop: Option<usize>,
        minimum: Option<&Minimum>,
    ) -> Answer<Option<Predicate>> {
        if !quoted && let Some(field) = field {
            for (sign, inclusive, low) in
                [(">=", true, true), ("<=", true, false), (">", false, true), ("<", false, false)]
            {
                let Some(value) = text.strip_prefix(sign).filter(|value| !value.is_empty()) else { continue };
                let bound = Some(Bound { value: value.into(), inclusive });
                return if low {
                    self.range(Some(field), bound, None)
                } else {
                    self.range(Some(field), None, bound)
                }
                .map(Some);
            }
        }
        match field {
            Some("_id") => return Ok(Some(Predicate::Ids([text.into()].into()))),
            Some("_index") => {
                let hit = crate::names::glob(text, self.scope.index);
                return Ok(Some(if hit { Predicate::All } else { Predicate::Nothing }));
            }
            _ => {}
        }
        let value = serde_json::Value::from(text);
        let matching = Matching {
            text: value.clone(),
            how: match self.text.how {
                _ if quoted => How::Phrase { slop: slop.unwrap_or(self.text.slop) },
                How::Phrase { .. } => How::Phrase { slop: self.text.slop },
                How::PhrasePrefix { expansions, .. } => {
                    How::PhrasePrefix { slop: self.text.slop, expansions }
                }
                how => how,
            },
            every: self.text.every,
            minimum: minimum.cloned(),
            lenient: None,
            all_if_empty: false,
            fuzzy: None,
        };
        self.over(field, |id| {
            if !quoted && self.scope.mapping.get(id).kind.is_date() && self.text.time_zone.is_some() {
                let bound = Some(Bound { value: value.clone(), inclusive: true });
                let time_zone = self.text.time_zone.clone();
                let range = Range { low: bound.clone(), high: bound, format: None, time_zone };
                return leaf::range(self.scope, id, &range).map(Some);
            }
            words::matching(self.scope, id, &matching)
        })
    }

    fn range(&self, field: Option<&str>, low: Option<Bound>, high: Option<Bound>) -> Answer<Predicate> {
        let found = self.over(field, |id| {
            let lower = |bound: &Option<Bound>| {
                let mut bound = bound.clone()?;
                // The analyzer normalizes what is compared with its words.
                if self.scope.mapping.get(id).kind.is_text()
                    && let Some(text) = bound.value.as_str()
                {
                    bound.value = text.to_lowercase().into();
                }
                Some(bound)
            };
            let range = Range {
                low: lower(&low),
                high: lower(&high),
                format: None,
                time_zone: self.text.time_zone.clone().filter(|_| self.scope.mapping.get(id).kind.is_date()),
            };
            leaf::range(self.scope, id, &range).map(Some)
        })?;
        Ok(found.unwrap_or(Predicate::Nothing))
    }

    /// `field:*` tests whether the field exists; `*` and `*:*` match everything.
    fn anything(&self, field: Option<&str>) -> Answer<Predicate> {
        match field {
            Some("*") => Ok(Predicate::All),
            Some(field) => leaf::exists(self.scope, field),
            None if self.everywhere => Ok(Predicate::All),
            None => Ok(Predicate::or(
                self.text
                    .fields
                    .iter()
                    .map(|field| leaf::exists(self.scope, field))
                    .collect::<Answer<_>>()?,
            )),
        }
    }
}

/// The fields to search, all if none is named; for a pattern only those that are searchable.
pub(crate) fn fields_named(scope: &Scope<'_>, names: &[String]) -> Vec<FieldId> {
    let searchable = |id: &FieldId| {
        let field = scope.mapping.get(*id);
        field.index && field.kind != FieldKind::GeoPoint
    };
    let everything = ["*".to_owned()];
    let names = if names.is_empty() { &everything } else { names };
    let mut found = Vec::new();
    for name in names {
        let pattern = name.split_once('^').map_or(name.as_str(), |(name, _)| name);
        let ids = scope.mapping.matching(pattern);
        found.extend(ids.into_iter().filter(|id| !pattern.contains('*') || searchable(id)));
    }
    found
}
