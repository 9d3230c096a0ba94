//! Walks a query or a search along the lists.
use serde_json::{Map, Value};

use crate::aggregations::{self, AGGREGATIONS};
use crate::body::{self, PARTS, SCRIPT, SORT_OPTIONS, SORTS};
use crate::form::{Form, Key, Never};
use crate::names::fault_of_name;
use crate::queries::{self, INTERVALS, LIKE, QUERIES, REWRITES, TERMS_LOOKUP};
use crate::refused::{Reason, Refused};
use crate::scope::{Grant, Scope};

/// Levels of keys and lists.
const DEPTH_MAX: usize = 100;

const QUERY: &str = "a query";
const AGGREGATION: &str = "an aggregation";
const OPTION: &str = "an option";
const PART: &str = "a part of a search";

impl Scope {
    /// # Errors
    /// The first part of a query in Query DSL that is not listed, or that needs a grant which is not given.
    pub fn query(&self, query: &Value) -> Result<(), Refused> {
        Walk { scope: self, path: Vec::new() }.query(query)
    }

    /// # Errors
    /// `grant` is not given.
    pub fn needs(&self, grant: Grant) -> Result<(), Refused> {
        Walk { scope: self, path: Vec::new() }.needs(grant)
    }

    /// # Errors
    /// As for `query`, of the body of a search.
    pub fn search(&self, search: &Map<String, Value>) -> Result<(), Refused> {
        Walk { scope: self, path: Vec::new() }.listed(search, PARTS, &[], body::NEVER, PART)
    }
}

struct Walk<'a> {
    scope: &'a Scope,
    path: Vec<String>,
}

type Checked = Result<(), Refused>;

impl Walk<'_> {
    fn refuse<T>(&self, reason: Reason) -> Result<T, Refused> {
        Err(Refused { path: self.path.clone(), reason })
    }

    fn at(&mut self, step: impl Into<String>, check: impl FnOnce(&mut Self) -> Checked) -> Checked {
        self.path.push(step.into());
        if self.path.len() > DEPTH_MAX {
            return self.refuse(Reason::Expected("nested less than 100 levels deep"));
        }
        check(self)?;
        self.path.pop();
        Ok(())
    }

    fn map<'v>(&self, value: &'v Value) -> Result<&'v Map<String, Value>, Refused> {
        match value {
            Value::Object(map) => Ok(map),
            _ => self.refuse(Reason::Expected("a map")),
        }
    }

    /// The only member of a map.
    fn one<'v>(&self, value: &'v Value, what: &'static str) -> Result<(&'v String, &'v Value), Refused> {
        let mut members = self.map(value)?.iter();
        match (members.next(), members.next()) {
            (Some(member), None) => Ok(member),
            _ => self.refuse(Reason::Expected(what)),
        }
    }

    fn needs(&self, grant: Grant) -> Checked {
        if self.scope.grants(grant) { Ok(()) } else { self.refuse(Reason::Needs(grant)) }
    }

    fn each(&mut self, value: &Value, mut check: impl FnMut(&mut Self, &Value) -> Checked) -> Checked {
        let Value::Array(items) = value else { return check(self, value) };
        items
            .iter()
            .enumerate()
            .try_for_each(|(number, item)| self.at(number.to_string(), |walk| check(walk, item)))
    }

    fn query(&mut self, query: &Value) -> Checked {
        let (name, body) = self.one(query, "one query")?;
        self.at(name, |walk| {
            let key = walk.key(name, QUERIES, &[], queries::NEVER, QUERY)?;
            walk.value(body, &key.form)
        })
    }

    fn aggregations(&mut self, aggs: &Value) -> Checked {
        for (name, agg) in self.map(aggs)? {
            self.at(name, |walk| walk.aggregation(agg))?;
        }
        Ok(())
    }

    fn aggregation(&mut self, agg: &Value) -> Checked {
        for (name, body) in self.map(agg)? {
            self.at(name, |walk| match name.as_str() {
                "aggs" | "aggregations" => walk.aggregations(body),
                "meta" => Ok(()),
                _ => {
                    let key = walk.key(name, AGGREGATIONS, &[], aggregations::NEVER, AGGREGATION)?;
                    walk.value(body, &key.form)
                }
            })?;
        }
        Ok(())
    }

    /// The listed key of this name, which is allowed.
    fn key(
        &self,
        name: &str,
        keys: &'static [Key],
        more: &'static [Key],
        never: &[Never],
        what: &'static str,
    ) -> Result<&'static Key, Refused> {
        if let Some((_, why)) = never.iter().find(|(never, _)| *never == name) {
            return self.refuse(Reason::Never(why));
        }
        match keys.iter().chain(more).find(|key| key.name == name) {
            Some(key) => key.needs.map_or(Ok(()), |grant| self.needs(grant)).map(|()| key),
            None => self.refuse(Reason::Unlisted(what)),
        }
    }

    fn listed(
        &mut self,
        map: &Map<String, Value>,
        keys: &'static [Key],
        more: &'static [Key],
        never: &[Never],
        what: &'static str,
    ) -> Checked {
        for (name, value) in map {
            self.at(name, |walk| {
                let key = walk.key(name, keys, more, never, what)?;
                walk.value(value, &key.form)
            })?;
        }
        Ok(())
    }

    fn keys(&mut self, value: &Value, keys: &'static [Key], more: &'static [Key]) -> Checked {
        let map = self.map(value)?;
        self.listed(map, keys, more, &[], OPTION)
    }

    fn value(&mut self, value: &Value, form: &'static Form) -> Checked {
        match form {
            Form::Scalar => self.scalar(value),
            Form::Scalars => self.scalars(value),
            Form::Count => self.count(value),
            Form::Rewrite => match value.as_str().is_some_and(|word| REWRITES.contains(&word)) {
                true => Ok(()),
                false => self.scalar(value).and_then(|()| self.needs(Grant::WholeIndex)),
            },
            Form::Index => self.index(value),
            Form::Place => self.place(value),
            Form::Data => Ok(()),
            Form::Query => self.query(value),
            Form::Queries => self.each(value, Self::query),
            Form::Filters => match value {
                Value::Array(_) => self.each(value, Self::query),
                _ => self.value(value, &Form::Named(&Form::Query)),
            },
            Form::Terms => self.terms(value),
            Form::Likes => self.each(value, |walk, like| match like {
                Value::Object(_) => walk.lookup(like, LIKE),
                like => walk.scalar(like),
            }),
            Form::Interval => self.keys(value, INTERVALS, &[]),
            Form::Aggs => self.aggregations(value),
            Form::Sort => self.each(value, Self::sort),
            Form::Script => match value {
                Value::Object(_) => self.needs(Grant::Scripts).and_then(|()| self.keys(value, SCRIPT, &[])),
                value => self.needs(Grant::Scripts).and_then(|()| self.scalar(value)),
            },
            Form::Keys(keys) => self.keys(value, keys, &[]),
            Form::Options(keys) => self.keys(value, keys, queries::COMMON),
            Form::Measure(keys) => self.keys(value, keys, aggregations::COMMON),
            Form::Named(form) => {
                for (name, value) in self.map(value)? {
                    self.at(name, |walk| walk.value(value, form))?;
                }
                Ok(())
            }
            Form::Each(form) => self.each(value, |walk, value| walk.value(value, form)),
            Form::ScalarOr(form) => match value {
                Value::Object(_) | Value::Array(_) => self.value(value, form),
                _ => Ok(()),
            },
            Form::Fields(form, options) => {
                for (name, value) in self.map(value)? {
                    self.at(name, |walk| match options.iter().find(|option| option.name == name) {
                        Some(option) => walk.value(value, &option.form),
                        None => walk.value(value, form),
                    })?;
                }
                Ok(())
            }
        }
    }

    fn scalar(&self, value: &Value) -> Checked {
        match value {
            Value::Array(_) | Value::Object(_) => {
                self.refuse(Reason::Expected("a text, a number or a boolean"))
            }
            _ => Ok(()),
        }
    }

    fn scalars(&self, value: &Value) -> Checked {
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        match items.iter().any(|item| matches!(item, Value::Array(_) | Value::Object(_))) {
            true => self.refuse(Reason::Expected("a value or a list of values")),
            false => Ok(()),
        }
    }

    /// Servers also read texts and fractions as numbers.
    fn count(&self, value: &Value) -> Checked {
        match value.as_u64() {
            Some(1..) => Ok(()),
            _ => self.scalar(value).and_then(|()| self.needs(Grant::WholeIndex)),
        }
    }

    fn place(&mut self, value: &Value) -> Checked {
        const KEYS: [&str; 20] = [
            "lat",
            "lon",
            "x",
            "y",
            "z",
            "geohash",
            "type",
            "coordinates",
            "geometries",
            "radius",
            "orientation",
            "top_left",
            "top_right",
            "bottom_left",
            "bottom_right",
            "top",
            "left",
            "bottom",
            "right",
            "wkt",
        ];
        match value {
            Value::Array(_) => self.each(value, Self::place),
            Value::Object(map) => map.iter().try_for_each(|(name, value)| {
                self.at(name, |walk| match KEYS.contains(&name.as_str()) {
                    true => walk.place(value),
                    false => walk.refuse(Reason::Unlisted("part of a place")),
                })
            }),
            _ => Ok(()),
        }
    }

    fn terms(&mut self, value: &Value) -> Checked {
        match value {
            Value::Object(_) => self.lookup(value, TERMS_LOOKUP),
            value => self.scalars(value),
        }
    }

    /// A document elsewhere.
    fn lookup(&mut self, value: &Value, keys: &'static [Key]) -> Checked {
        self.needs(Grant::Lookups)?;
        self.keys(value, keys, &[])
    }

    /// An index that something is looked up in.
    fn index(&self, value: &Value) -> Checked {
        let Some(name) = value.as_str() else { return self.refuse(Reason::Expected("the name of an index")) };
        if fault_of_name(name).is_some() {
            return self.refuse(Reason::Expected("the name of an index"));
        }
        match self.scope.beyond(&[name.to_owned()]).is_empty() {
            true => Ok(()),
            false => self.refuse(Reason::Index(name.to_owned())),
        }
    }

    fn sort(&mut self, key: &Value) -> Checked {
        let Value::Object(map) = key else { return self.scalar(key) };
        for (name, options) in map {
            self.at(name, |walk| match SORTS.iter().find(|key| key.name == name) {
                Some(key) => {
                    key.needs.map_or(Ok(()), |grant| walk.needs(grant))?;
                    walk.value(options, &key.form)
                }
                None => match options {
                    Value::Object(_) => walk.keys(options, SORT_OPTIONS, &[]),
                    options => walk.scalar(options),
                },
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
