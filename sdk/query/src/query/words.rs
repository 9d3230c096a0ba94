//! A text in one field: analysed if the field is, otherwise a single value.
use serde_json::Value as Json;

use super::ast::{Fuzzy, How, Matching};
use super::leaf::{failed, prefix, searchable, term};
use super::nearby;
use super::phrase::{Near, Slot};
use super::predicate::{Predicate, at_least};
use super::scope::Scope;
use super::strings::StringTest;
use crate::errors::{Answer, Refusal};
use crate::mapping::{FieldId, FieldKind, Flavour};
use crate::text;
use crate::value::scalar_text;

/// `None`: analysis removed the whole text.
pub(crate) fn matching(scope: &Scope<'_>, id: FieldId, matching: &Matching) -> Answer<Option<Predicate>> {
    let field = scope.mapping.get(id);
    let value = &matching.text;
    let text = scalar_text(value)
        .ok_or_else(|| Refusal::parsing("a text must be a string, a number or a boolean"))?;
    if !field.kind.is_text() {
        searchable(field)?;
        return match (matching.how, &matching.fuzzy) {
            (How::PhrasePrefix { .. }, _) => Err(failed(
                format!(
                    "Can only use phrase prefix queries on text fields - not on [{}] which is of type [{}]",
                    field.path,
                    field.kind.name()
                ),
                "illegal_argument_exception",
            )),
            (How::WordsPrefix, _) if field.kind.is_string() => prefix(scope, id, &text, false, true),
            (_, Some(fuzzy)) => self::fuzzy(scope, id, value, fuzzy, true),
            _ => term(scope, id, value, false),
        }
        .map(Some);
    }
    searchable(field)?;
    let tokens = text::analyze(&text);
    scope.count(tokens.len())?;
    let Some(last) = tokens.len().checked_sub(1) else { return Ok(None) };
    let word = |token: Box<str>| match &matching.fuzzy {
        Some(fuzzy) => near(scope, id, &token, fuzzy),
        None => Predicate::String { field: id, test: StringTest::Equals(token) },
    };
    Ok(Some(match matching.how {
        How::Words => combine(matching, tokens.into_iter().map(word).collect()),
        How::WordsPrefix => {
            let one = |(at, token): (usize, Box<str>)| {
                if at == last { prefix(scope, id, &token, false, true) } else { Ok(word(token)) }
            };
            combine(matching, tokens.into_iter().enumerate().map(one).collect::<Answer<_>>()?)
        }
        How::Phrase { slop: 0 } if last > 0 => Predicate::Phrase { field: id, tokens },
        How::Phrase { slop } => placed(id, tokens.into_iter().map(Slot::Word).collect(), slop)?,
        How::PhrasePrefix { slop, expansions } => {
            let mut slots: Vec<Slot> = tokens.into_iter().map(Slot::Word).collect();
            if let Some(Slot::Word(start)) = slots.pop() {
                let words = nearby::starting(scope, id, &start, expansions);
                if words.is_empty() {
                    return Ok(Some(Predicate::Nothing));
                }
                slots.push(Slot::AnyOf(words.into_iter().collect()));
            }
            placed(id, slots, slop)?
        }
    }))
}

/// A single word has no minimum: servers do not treat it as a list of clauses.
fn combine(matching: &Matching, words: Vec<Predicate>) -> Predicate {
    match &matching.minimum {
        Some(minimum) if words.len() > 1 && matching.every => match minimum.of(0) {
            0 => Predicate::and(words),
            // Nothing is optional, so a minimum of optional words is not reached.
            _ => Predicate::Nothing,
        },
        Some(minimum) if words.len() > 1 => at_least(minimum.of(words.len()).max(1), words),
        _ if matching.every => Predicate::and(words),
        _ => Predicate::or(words),
    }
}

fn placed(id: FieldId, mut slots: Vec<Slot>, slop: usize) -> Answer<Predicate> {
    if slots.len() == 1 {
        let test = match slots.pop() {
            Some(Slot::Word(word)) => StringTest::Equals(word),
            Some(Slot::AnyOf(words)) => StringTest::OneOf(words),
            None => return Ok(Predicate::Nothing),
        };
        return Ok(Predicate::String { field: id, test });
    }
    if slop > 0 && Slot::repeat(&slots) {
        return Err(Refusal::unmodelled("a phrase with a slop that says a word twice"));
    }
    Ok(Predicate::Near { field: id, near: Box::new(Near { slots, slop }) })
}

/// The index's words that are near enough.
fn near(scope: &Scope<'_>, id: FieldId, word: &str, fuzzy: &Fuzzy) -> Predicate {
    let words = nearby::near(scope, id, word, fuzzy.edits.of(word), fuzzy);
    if words.is_empty() {
        return Predicate::Nothing;
    }
    Predicate::String { field: id, test: StringTest::OneOf(words.into_iter().collect()) }
}

/// `normalized`: the word is normalized like the field's values, as in `query_string`.
pub(crate) fn fuzzy(
    scope: &Scope<'_>,
    id: FieldId,
    value: &Json,
    fuzzy: &Fuzzy,
    normalized: bool,
) -> Answer<Predicate> {
    let field = scope.mapping.get(id);
    searchable(field)?;
    let text = scalar_text(value)
        .ok_or_else(|| Refusal::parsing("a word must be a string, a number or a boolean"))?;
    if !field.kind.is_string() || field.kind == FieldKind::Keyword(Flavour::Constant) {
        return Err(failed(
            format!(
                "Can only use fuzzy queries on keyword and text fields - not on [{}] which is of type [{}]",
                field.path,
                field.kind.name()
            ),
            "illegal_argument_exception",
        ));
    }
    if field.is_hidden() {
        super::leaf::strings_only(field, "fuzzy")?;
    }
    let edits = fuzzy.edits.of(&text);
    let lowercase = field.lowercase || (normalized && field.kind.is_text());
    let text = if lowercase { text.to_lowercase() } else { text };
    let words = nearby::near(scope, id, &text, edits, fuzzy);
    if words.is_empty() {
        return Ok(Predicate::Nothing);
    }
    Ok(Predicate::String { field: id, test: StringTest::OneOf(words.into_iter().collect()) })
}
