//! Binds a query to an index: fields become ids, values become what the field compares.
use std::sync::Arc;

use super::ast::{Bool, Query, Text};
use super::glob::Glob;
use super::predicate::{Predicate, at_least};
use super::scope::Scope;
use super::strings::StringTest;
use super::text::TextReader;
use super::{leaf, words};
use crate::errors::{Answer, Refusal};
use crate::mapping::FieldId;

pub struct Compiled {
    pub predicate: Predicate,
    /// For `matched_queries`.
    pub named: Vec<(String, Arc<Predicate>)>,
}

pub fn compile(query: &Query, scope: &Scope<'_>) -> Answer<Compiled> {
    let mut compiler = Compiler { scope, named: Vec::new(), inside: None };
    let predicate = compiler.query(query)?;
    Ok(Compiled { predicate, named: compiler.named })
}

struct Compiler<'a> {
    scope: &'a Scope<'a>,
    named: Vec<(String, Arc<Predicate>)>,
    /// The nested path whose objects are matched.
    inside: Option<String>,
}

impl Compiler<'_> {
    fn query(&mut self, query: &Query) -> Answer<Predicate> {
        let scope = self.scope;
        let on = |path: &str| scope.mapping.field(path).map(|(id, _)| id);
        if let Query::Match { field, .. }
        | Query::Term { field, .. }
        | Query::Terms { field, .. }
        | Query::Range { field, .. }
        | Query::Exists { field }
        | Query::Prefix { field, .. }
        | Query::Wildcard { field, .. }
        | Query::Regexp { field, .. }
        | Query::Fuzzy { field, .. }
        | Query::Within { field, .. } = query
        {
            leaf::modelled_path(scope, field)?;
        }
        Ok(match query {
            Query::All => Predicate::All,
            Query::Nothing => Predicate::Nothing,
            Query::Bool(bool) => self.bool(bool)?,
            Query::Named { name, query } => {
                let shared = Arc::new(self.query(query)?);
                self.named.push((name.clone(), Arc::clone(&shared)));
                Predicate::Shared(shared)
            }
            Query::Nested { path, query, ignore_unmapped } => self.nested(path, query, *ignore_unmapped)?,
            Query::Ids(ids) => Predicate::Ids(ids.iter().map(|id| id.as_str().into()).collect()),
            Query::Text(text) => self.text(text)?,
            Query::Exists { field } => leaf::exists(scope, field)?,
            Query::Match { field, matching } => {
                if let Some(special) = self.metadata(field, std::slice::from_ref(&matching.text)) {
                    return special;
                }
                let Some(id) = on(field) else { return Ok(Predicate::Nothing) };
                let empty = if matching.all_if_empty { Predicate::All } else { Predicate::Nothing };
                match words::matching(scope, id, matching) {
                    Ok(found) => found.unwrap_or(empty),
                    Err(refusal) if matching.lenient == Some(true) && !refusal.is_unmodelled() => {
                        Predicate::Nothing
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
            Query::MultiMatch { fields, matching } => {
                let everywhere = fields.is_empty() || fields.iter().any(|field| field == "*");
                let lenient = matching.lenient.unwrap_or(everywhere);
                let mut any = Vec::new();
                for id in super::text::fields_named(scope, fields) {
                    match words::matching(scope, id, matching) {
                        Ok(Some(found)) => any.push(found),
                        Ok(None) if matching.all_if_empty => return Ok(Predicate::All),
                        Ok(None) => {}
                        Err(refusal) if lenient && !refusal.is_unmodelled() => {}
                        Err(refusal) => return Err(refusal),
                    }
                }
                Predicate::or(any)
            }
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
            Query::Within { kind, field, area, ignore_unmapped } => {
                leaf::within(scope, field, area, kind, *ignore_unmapped)?
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
            Query::Fuzzy { field, value, fuzzy } => {
                on(field).map_or(Ok(Predicate::Nothing), |id| words::fuzzy(scope, id, value, fuzzy, false))?
            }
            Query::Regexp { field, pattern, fold } => {
                on(field).map_or(Ok(Predicate::Nothing), |id| leaf::regexp(scope, id, pattern, *fold))?
            }
        })
    }

    fn nested(&mut self, path: &str, query: &Query, ignore_unmapped: bool) -> Answer<Predicate> {
        if !self.scope.mapping.is_nested(path) {
            if ignore_unmapped {
                return Ok(Predicate::Nothing);
            }
            return Err(Refusal::shard(format!("[nested] failed to find nested object under path [{path}]")));
        }
        // Objects at one path can only reach objects nested in them.
        let below = |outer: &str| path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        if let Some(outer) = self.inside.as_deref().filter(|outer| !below(outer)) {
            return Err(Refusal::unmodelled(format!(
                "a [nested] query of [{path}] inside of one of [{outer}]"
            )));
        }
        let around = self.inside.replace(path.to_owned());
        let inner = self.query(query);
        self.inside = around;
        Ok(match inner? {
            Predicate::Nothing => Predicate::Nothing,
            inner => Predicate::Nested { path: path.into(), inner: Box::new(inner) },
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
        let Bool { must, should, must_not, .. } = bool;
        self.scope.count(must.len() + should.len() + must_not.len())?;
        if must.iter().any(|query| self.is_nowhere(query)) || must_not.iter().any(is_everything) {
            return Ok(Predicate::Nothing);
        }
        // Errors beside a date range that matches no document are not reported.
        match self.clauses(bool) {
            Err(refusal) if refusal.is_unmodelled() || !must.iter().any(|query| self.is_beside(query)) => {
                Err(refusal)
            }
            Err(_) => Ok(Predicate::Nothing),
            found => found,
        }
    }

    fn clauses(&mut self, bool: &Bool) -> Answer<Predicate> {
        let Bool { must, should, must_not, minimum } = bool;
        let mut all = must.iter().map(|query| self.query(query)).collect::<Answer<Vec<_>>>()?;
        let any = should.iter().map(|query| self.query(query)).collect::<Answer<Vec<_>>>()?;
        for query in must_not {
            all.push(self.query(query)?.negate());
        }
        // Exclusions alone have no minimum. With a required minimum and no optional clause, nothing matches.
        let asked = minimum
            .as_ref()
            .filter(|_| !should.is_empty() || !must.is_empty())
            .map_or(0, |minimum| minimum.of(should.len()));
        let least = if must.is_empty() && !should.is_empty() { asked.max(1) } else { asked };
        if least > 0 {
            all.push(at_least(least, any));
        }
        Ok(Predicate::and(all))
    }

    fn is_beside(&self, query: &Query) -> bool {
        match query {
            Query::Range { field, range } => leaf::is_beside(self.scope, field, range),
            Query::Named { query, .. } => self.is_beside(query),
            Query::Bool(bool) => bool.must.iter().any(|query| self.is_beside(query)),
            _ => false,
        }
    }

    /// Whether a clause names a field that this index lacks. Servers notice that before they read the other clauses,
    /// and so refuse none of those.
    fn is_nowhere(&self, query: &Query) -> bool {
        let nowhere = |field: &str| {
            let mapping = self.scope.mapping;
            !field.starts_with('_') && mapping.field(field).is_none() && mapping.opaque_above(field).is_none()
        };
        match query {
            Query::Nothing => true,
            Query::Named { query, .. } => self.is_nowhere(query),
            Query::Bool(bool) => {
                bool.must.iter().any(|query| self.is_nowhere(query))
                    || bool.must_not.iter().any(is_everything)
            }
            Query::Exists { field } => {
                nowhere(field) && matches!(leaf::exists(self.scope, field), Ok(Predicate::Nothing))
            }
            Query::Term { field, .. }
            | Query::Fuzzy { field, .. }
            | Query::Terms { field, .. }
            | Query::Range { field, .. }
            | Query::Prefix { field, .. }
            | Query::Wildcard { field, .. } => nowhere(field),
            _ => false,
        }
    }

    fn text(&self, text: &Text) -> Answer<Predicate> {
        let Some(tree) = text.tree.as_ref().map_err(Clone::clone)? else { return Ok(Predicate::Nothing) };
        Ok(TextReader::new(self.scope, text).root(tree)?.unwrap_or(Predicate::Nothing))
    }
}

/// Whether a clause obviously matches everything.
fn is_everything(query: &Query) -> bool {
    match query {
        Query::All => true,
        Query::Named { query, .. } => is_everything(query),
        Query::Bool(bool) => bool.must.is_empty() && bool.should.is_empty() && bool.must_not.is_empty(),
        _ => false,
    }
}

/// Single integers of one field become one set.
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
