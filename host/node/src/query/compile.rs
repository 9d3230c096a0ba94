//! Binds a query to one index: fields become ids, values become what the field compares.
use std::sync::Arc;

use super::ast::{Bool, Bound, Query, Range, Text};
use super::leaf;
use super::lucene::{Node, Occur};
use super::predicate::Predicate;
use super::strings::{Glob, StringTest};
use crate::errors::{Answer, Refusal};
use crate::mapping::{FieldId, Mapping};

/// As `indices.query.bool.max_clause_count`.
pub(crate) const CLAUSES_MAX: usize = 1_024;

/// What a query is bound to.
pub(crate) struct Scope<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) index: &'a str,
    /// Milliseconds since the epoch: what `now` means.
    pub(crate) now: i64,
}

pub(crate) struct Compiled {
    pub(crate) predicate: Predicate,
    /// For `matched_queries`.
    pub(crate) named: Vec<(String, Arc<Predicate>)>,
}

pub(crate) fn compile(query: &Query, scope: &Scope<'_>) -> Answer<Compiled> {
    let mut compiler = Compiler { scope, named: Vec::new() };
    let predicate = compiler.query(query)?;
    Ok(Compiled { predicate, named: compiler.named })
}

impl Scope<'_> {
    pub(crate) fn count(&self, clauses: usize) -> Answer<()> {
        if clauses <= CLAUSES_MAX {
            return Ok(());
        }
        let reason = format!("maxClauseCount is set to {CLAUSES_MAX}");
        Err(Refusal::shard(format!("failed to create query: {reason}")).caused_by("too_many_clauses", reason))
    }
}

struct Compiler<'a> {
    scope: &'a Scope<'a>,
    named: Vec<(String, Arc<Predicate>)>,
}

impl Compiler<'_> {
    fn query(&mut self, query: &Query) -> Answer<Predicate> {
        let scope = self.scope;
        let on = |path: &str| scope.mapping.field(path).map(|(id, _)| id);
        Ok(match query {
            Query::All => Predicate::All,
            Query::Nothing => Predicate::Nothing,
            Query::Bool(bool) => self.bool(bool)?,
            Query::Named { name, query } => {
                let shared = Arc::new(self.query(query)?);
                self.named.push((name.clone(), Arc::clone(&shared)));
                Predicate::Shared(shared)
            }
            Query::Ids(ids) => Predicate::Ids(ids.iter().map(|id| id.as_str().into()).collect()),
            Query::Text(text) => self.text(text)?,
            Query::Exists { field } => leaf::exists(scope, field),
            Query::Match { field, value, every, minimum, lenient } => {
                if let Some(special) = self.metadata(field, std::slice::from_ref(value)) {
                    return special;
                }
                let Some(id) = on(field) else { return Ok(Predicate::Nothing) };
                let found = leaf::matching(scope, id, value, |tokens| match minimum {
                    _ if *every => Predicate::and(tokens),
                    Some(minimum) => at_least(minimum.of(tokens.len()).max(1), tokens),
                    None => Predicate::or(tokens),
                });
                match found {
                    Ok(found) => found.unwrap_or(Predicate::Nothing),
                    Err(_) if *lenient => Predicate::Nothing,
                    Err(refusal) => return Err(refusal),
                }
            }
            Query::Phrase { field, value } => match on(field) {
                Some(id) => leaf::phrase(scope, id, value)?.unwrap_or(Predicate::Nothing),
                None => Predicate::Nothing,
            },
            Query::Term { field, value, fold } => {
                if let Some(special) = self.metadata(field, std::slice::from_ref(value)) {
                    return special;
                }
                on(field).map_or(Ok(Predicate::Nothing), |id| leaf::term(scope, id, value, *fold))?
            }
            Query::Terms { field, values } => {
                if let Some(special) = self.metadata(field, values) {
                    return special;
                }
                let Some(id) = on(field) else { return Ok(Predicate::Nothing) };
                let any: Vec<Predicate> =
                    values.iter().map(|value| leaf::term(scope, id, value, false)).collect::<Answer<_>>()?;
                whole_set(id, Predicate::or(any))
            }
            Query::Range { field, range } => {
                on(field).map_or(Ok(Predicate::Nothing), |id| leaf::range(scope, id, range))?
            }
            Query::Prefix { field, value, fold } => match (on(field), field.as_str()) {
                (None, "_index") => self.index_is(|name| name.starts_with(value.as_str())),
                (None, _) => Predicate::Nothing,
                (Some(id), _) => leaf::prefix(scope, id, value, *fold, false)?,
            },
            Query::Wildcard { field, pattern, fold } => match (on(field), field.as_str()) {
                (None, "_index") => {
                    self.index_is(|name| StringTest::Glob(Glob::new(pattern, false, false)).hit(name))
                }
                (None, _) => Predicate::Nothing,
                (Some(id), _) => leaf::wildcard(scope, id, pattern, *fold, false)?,
            },
            Query::Regexp { field, pattern, fold } => {
                on(field).map_or(Ok(Predicate::Nothing), |id| leaf::regexp(scope, id, pattern, *fold))?
            }
        })
    }

    fn index_is(&self, test: impl Fn(&str) -> bool) -> Predicate {
        if test(self.scope.index) { Predicate::All } else { Predicate::Nothing }
    }

    /// Terms on fields that every document has and no mapping lists.
    fn metadata(&self, field: &str, values: &[serde_json::Value]) -> Option<Answer<Predicate>> {
        let texts = || values.iter().filter_map(crate::value::scalar_text);
        Some(Ok(match field {
            "_id" => Predicate::Ids(texts().map(Into::into).collect()),
            "_index" => self.index_is(|name| texts().any(|text| crate::names::glob(&text, name))),
            "_ignored" => Predicate::Ignored(StringTest::OneOf(texts().map(Into::into).collect())),
            _ => return None,
        }))
    }

    fn bool(&mut self, bool: &Bool) -> Answer<Predicate> {
        let Bool { must, should, must_not, minimum } = bool;
        self.scope.count(must.len() + should.len() + must_not.len())?;
        if must.iter().any(|query| self.is_nowhere(query)) {
            return Ok(Predicate::Nothing);
        }
        let mut all = must.iter().map(|query| self.query(query)).collect::<Answer<Vec<_>>>()?;
        let any = should.iter().map(|query| self.query(query)).collect::<Answer<Vec<_>>>()?;
        for query in must_not {
            all.push(self.query(query)?.negate());
        }
        // A query of exclusions alone has no minimum; one that requires something has, and misses it where nothing is optional.
        let asked = minimum
            .filter(|_| !should.is_empty() || !must.is_empty())
            .map_or(0, |minimum| minimum.of(should.len()));
        let least = if must.is_empty() && !should.is_empty() { asked.max(1) } else { asked };
        if least > 0 {
            all.push(at_least(least, any));
        }
        Ok(Predicate::and(all))
    }

    /// Whether a clause asks for a field that this index has not. Servers see that before they read the clauses beside
    /// it, and so refuse none of those.
    fn is_nowhere(&self, query: &Query) -> bool {
        match query {
            Query::Nothing => true,
            Query::Named { query, .. } => self.is_nowhere(query),
            Query::Bool(bool) => bool.must.iter().any(|query| self.is_nowhere(query)),
            Query::Term { field, .. }
            | Query::Terms { field, .. }
            | Query::Range { field, .. }
            | Query::Prefix { field, .. }
            | Query::Wildcard { field, .. } => {
                !field.starts_with('_') && self.scope.mapping.field(field).is_none()
            }
            _ => false,
        }
    }

    fn text(&self, text: &Text) -> Answer<Predicate> {
        let Some(tree) = text.tree.as_ref().map_err(Clone::clone)? else { return Ok(Predicate::Nothing) };
        let everywhere = text.fields.is_empty() || text.fields == ["*"];
        let reader =
            TextReader { scope: self.scope, text, everywhere, lenient: text.lenient.unwrap_or(everywhere) };
        Ok(reader.node(tree)?.unwrap_or(Predicate::Nothing))
    }
}

fn at_least(count: usize, of: Vec<Predicate>) -> Predicate {
    match count {
        0 => Predicate::All,
        1 => Predicate::or(of),
        count if count > of.len() => Predicate::Nothing,
        count if count == of.len() => Predicate::and(of),
        count => Predicate::AtLeast(count, of),
    }
}

/// Single whole numbers of one field become one set.
fn whole_set(field: FieldId, predicate: Predicate) -> Predicate {
    match predicate {
        Predicate::Or(any)
            if any.iter().all(|one| matches!(one, Predicate::Long { low, high, .. } if low == high)) =>
        {
            let values = any
                .iter()
                .filter_map(|one| if let Predicate::Long { low, .. } = one { Some(*low) } else { None });
            Predicate::LongIn { field, values: values.collect() }
        }
        other => other,
    }
}

struct TextReader<'a> {
    scope: &'a Scope<'a>,
    text: &'a Text,
    everywhere: bool,
    lenient: bool,
}

impl TextReader<'_> {
    /// `None`: analysis left nothing of it, so that it is as if it had not been written.
    fn node(&self, node: &Node) -> Answer<Option<Predicate>> {
        match node {
            Node::Bool(clauses) => self.bool(clauses),
            Node::Term { field: Some(field), text, .. } if field == "_exists_" => {
                Ok(Some(leaf::exists(self.scope, text)))
            }
            Node::Term { field, text, quoted } => self.term(field.as_deref(), text, *quoted),
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
                // On what is not a string there are no terms to match, and no error either.
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

    fn bool(&self, clauses: &[(Occur, Node)]) -> Answer<Option<Predicate>> {
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
        if !required && !any.is_empty() {
            all.push(Predicate::or(any));
        }
        Ok(left.then(|| Predicate::and(all)))
    }

    /// The fields that are meant; those of a pattern or of everything only as far as they can be searched.
    fn fields(&self, field: Option<&str>) -> Vec<FieldId> {
        let searchable = |id: &FieldId| self.scope.mapping.get(*id).index;
        let mut found = Vec::new();
        let mut expand = |pattern: &str| {
            let pattern = pattern.split_once('^').map_or(pattern, |(name, _)| name);
            let ids = self.scope.mapping.matching(pattern);
            found.extend(ids.into_iter().filter(|id| !pattern.contains('*') || searchable(id)));
        };
        match field {
            Some(field) => expand(field),
            None if self.text.fields.is_empty() => expand("*"),
            None => self.text.fields.iter().for_each(|field| expand(field)),
        }
        found
    }

    /// Any of the fields; a field that cannot take the value is an error, or left out where that was allowed.
    fn over(
        &self,
        field: Option<&str>,
        ask: impl Fn(FieldId) -> Answer<Option<Predicate>>,
    ) -> Answer<Option<Predicate>> {
        let fields = self.fields(field);
        if fields.is_empty() {
            return Ok(Some(Predicate::Nothing));
        }
        self.scope.count(fields.len())?;
        let mut any = Vec::new();
        for id in fields {
            match ask(id) {
                Ok(Some(predicate)) => any.push(predicate),
                Ok(None) => {}
                Err(_) if self.lenient => any.push(Predicate::Nothing),
                Err(refusal) => return Err(refusal),
            }
        }
        Ok((!any.is_empty()).then(|| Predicate::or(any)))
    }

    fn term(&self, field: Option<&str>, text: &str, quoted: bool) -> Answer<Option<Predicate>> {
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
        self.over(field, |id| {
            if quoted {
                return leaf::phrase(self.scope, id, &value);
            }
            if self.scope.mapping.get(id).kind.is_date() && self.text.time_zone.is_some() {
                let bound = Some(Bound { value: value.clone(), inclusive: true });
                let time_zone = self.text.time_zone.clone();
                let range = Range { low: bound.clone(), high: bound, format: None, time_zone };
                return leaf::range(self.scope, id, &range).map(Some);
            }
            let every = self.text.every;
            leaf::matching(self.scope, id, &value, |tokens| {
                if every { Predicate::and(tokens) } else { Predicate::or(tokens) }
            })
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

    /// `field:*` asks whether the field is there; `*` and `*:*` ask nothing.
    fn anything(&self, field: Option<&str>) -> Answer<Predicate> {
        match field {
            Some("*") => Ok(Predicate::All),
            Some(field) => Ok(leaf::exists(self.scope, field)),
            None if self.everywhere => Ok(Predicate::All),
            None => Ok(Predicate::or(
                self.text.fields.iter().map(|field| leaf::exists(self.scope, field)).collect(),
            )),
        }
    }
}
