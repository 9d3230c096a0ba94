//! A query bound to a mapping: a tree that tests documents and cannot fail.
use std::collections::HashSet;
use std::sync::Arc;

use super::phrase::Near;
use super::strings::StringTest;
use crate::document::Document;
use crate::geo::Area;
use crate::mapping::FieldId;
use crate::value::Value;

#[derive(Debug)]
pub enum Predicate {
    All,
    Nothing,
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    AtLeast(usize, Vec<Predicate>),
    Not(Box<Predicate>),
    /// Inclusive at both ends.
    Long {
        field: FieldId,
        low: i64,
        high: i64,
    },
    LongIn {
        field: FieldId,
        values: HashSet<i64>,
    },
    /// Inclusive at both ends.
    Double {
        field: FieldId,
        low: f64,
        high: f64,
    },
    Ip {
        field: FieldId,
        low: u128,
        high: u128,
    },
    String {
        field: FieldId,
        test: StringTest,
    },
    /// A place in an area.
    Within {
        field: FieldId,
        area: Area,
    },
    Phrase {
        field: FieldId,
        tokens: Vec<Box<str>>,
    },
    Near {
        field: FieldId,
        near: Box<Near>,
    },
    Exists(Vec<FieldId>),
    Ids(HashSet<Box<str>>),
    Ignored(StringTest),
    /// Matches any object at a nested path.
    Nested {
        path: Box<str>,
        inner: Box<Predicate>,
    },
    /// Also reported by its name.
    Shared(Arc<Predicate>),
}

impl Predicate {
    pub fn hit(&self, document: &Document) -> bool {
        let any = |field: &FieldId, test: &dyn Fn(&Value) -> bool| document.values(*field).iter().any(test);
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::And(all) => all.iter().all(|one| one.hit(document)),
            Self::Or(any) => any.iter().any(|one| one.hit(document)),
            Self::AtLeast(count, of) => {
                of.iter().filter(|one| one.hit(document)).take(*count).count() == *count
            }
            Self::Not(not) => !not.hit(document),
            Self::Long { field, low, high } => {
                any(field, &|value| matches!(value, Value::Long(n) if low <= n && n <= high))
            }
            Self::LongIn { field, values } => {
                any(field, &|value| matches!(value, Value::Long(n) if values.contains(n)))
            }
            Self::Double { field, low, high } => {
                any(field, &|value| matches!(value, Value::Double(n) if low <= n && n <= high))
            }
            Self::Ip { field, low, high } => {
                any(field, &|value| matches!(value, Value::Ip(ip) if low <= ip && ip <= high))
            }
            Self::Within { field, area } => {
                any(field, &|value| matches!(value, Value::Point(point) if area.contains(*point)))
            }
            Self::String { field, test } => any(field, &|value| match value {
                Value::Str(text) => test.hit(text),
                Value::Tokens(tokens) => tokens.iter().any(|token| test.hit(token)),
                _ => false,
            }),
            Self::Phrase { field, tokens } => any(
                field,
                &|value| matches!(value, Value::Tokens(text) if text.windows(tokens.len()).any(|window| window == tokens.as_slice())),
            ),
            Self::Near { field, near } => near.hit(document.values(*field)),
            Self::Exists(fields) => fields.iter().any(|field| !document.values(*field).is_empty()),
            Self::Ids(ids) => ids.contains(&document.id),
            Self::Nested { path, inner } => document.at(path).any(|nested| inner.hit(nested)),
            Self::Shared(shared) => shared.hit(document),
            Self::Ignored(test) => document.ignored.iter().any(|path| test.hit(path)),
        }
    }

    pub fn and(mut all: Vec<Self>) -> Self {
        all.retain(|one| !matches!(one, Self::All));
        if all.iter().any(|one| matches!(one, Self::Nothing)) {
            return Self::Nothing;
        }
        // Numbers are faster to test than strings; the order does not change the result.
        all.sort_by_key(|one| match one {
            Self::Long { .. }
            | Self::Double { .. }
            | Self::LongIn { .. }
            | Self::Ip { .. }
            | Self::Exists(_) => 0,
            Self::String { .. } | Self::Ids(_) | Self::Phrase { .. } | Self::Ignored(_) => 1,
            _ => 2,
        });
        match all.len() {
            0 => Self::All,
            1 => all.remove(0),
            _ => Self::And(all),
        }
    }

    /// Several string tests on one field become one.
    pub fn or(any: Vec<Self>) -> Self {
        let mut rest = Vec::new();
        let mut strings: Vec<(FieldId, Vec<StringTest>)> = Vec::new();
        let mut waiting = any;
        waiting.reverse();
        while let Some(one) = waiting.pop() {
            match one {
                Self::All => return Self::All,
                Self::Nothing => {}
                Self::Or(inner) => waiting.extend(inner.into_iter().rev()),
                Self::String { field, test } => match strings.iter_mut().find(|(id, _)| *id == field) {
                    Some((_, tests)) => tests.push(test),
                    None => strings.push((field, vec![test])),
                },
                one => rest.push(one),
            }
        }
        for (field, mut tests) in strings {
            let test = match tests.pop() {
                Some(test) if tests.is_empty() => test,
                Some(test) => {
                    tests.push(test);
                    StringTest::Any(Box::new(super::strings::Union::new(tests)))
                }
                None => continue,
            };
            rest.push(Self::String { field, test });
        }
        match rest.len() {
            0 => Self::Nothing,
            1 => rest.remove(0),
            _ => Self::Or(rest),
        }
    }

    /// Whether it tests nested objects.
    pub fn has_nested(&self) -> bool {
        match self {
            Self::Nested { .. } => true,
            Self::And(all) | Self::Or(all) | Self::AtLeast(_, all) => all.iter().any(Self::has_nested),
            Self::Not(inner) => inner.has_nested(),
            Self::Shared(shared) => shared.has_nested(),
            _ => false,
        }
    }

    pub fn negate(self) -> Self {
        match self {
            Self::All => Self::Nothing,
            Self::Nothing => Self::All,
            Self::Not(inner) => *inner,
            one => Self::Not(Box::new(one)),
        }
    }
}

/// A predicate that matches if this many of `of` match.
pub(crate) fn at_least(count: usize, of: Vec<Predicate>) -> Predicate {
    match count {
        0 => Predicate::All,
        1 => Predicate::or(of),
        count if count > of.len() => Predicate::Nothing,
        count if count == of.len() => Predicate::and(of),
        count => Predicate::AtLeast(count, of),
    }
}
