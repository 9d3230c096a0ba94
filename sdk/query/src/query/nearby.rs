//! Index words near a given word: those it is a prefix of, and those within an edit distance.
use std::collections::BTreeSet;

use super::ast::Fuzzy;
use super::scope::Scope;
use crate::mapping::FieldId;
use crate::value::Value;

/// The distinct words of a field for which `holds` is true, in term order.
fn words<'a>(scope: &Scope<'a>, id: FieldId, holds: impl Fn(&str) -> bool) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for document in scope.documents.iter().flatten().flat_map(|document| document.all()) {
        for value in document.values(id) {
            match value {
                Value::Str(text) if holds(text) => drop(found.insert(&**text)),
                Value::Tokens(tokens) => {
                    found.extend(tokens.iter().map(|token| &**token).filter(|token| holds(token)));
                }
                _ => {}
            }
        }
    }
    found
}

/// The first `expansions` words with this prefix, in the order of a server's segment.
pub(super) fn starting(scope: &Scope<'_>, id: FieldId, start: &str, expansions: usize) -> Vec<Box<str>> {
    let found = words(scope, id, |word| word.starts_with(start));
    found.into_iter().take(expansions).map(Into::into).collect()
}

/// The nearest words, at most `fuzzy.expansions`: first those with the smallest relative distance.
pub(super) fn near(scope: &Scope<'_>, id: FieldId, word: &str, edits: usize, fuzzy: &Fuzzy) -> Vec<Box<str>> {
    let wanted: Vec<char> = word.chars().collect();
    // A word that must be equal to its end is the only match.
    let (kept, edits) = if fuzzy.prefix >= wanted.len() { (wanted.len(), 0) } else { (fuzzy.prefix, edits) };
    let away = |other: &str| -> Option<(usize, usize)> {
        let other: Vec<char> = other.chars().collect();
        if other.len().abs_diff(wanted.len()) > edits || other.get(..kept)? != &wanted[..kept] {
            return None;
        }
        let distance = distance(&wanted[kept..], &other[kept..], fuzzy.transpositions);
        (distance <= edits).then_some((distance, other.len().min(wanted.len())))
    };
    let found = words(scope, id, |other| away(other).is_some());
    if found.len() <= fuzzy.expansions {
        return found.into_iter().map(Into::into).collect();
    }
    let likeness = |other: &str| match away(other) {
        Some((0, _)) | None => 1.0,
        Some((distance, shorter)) => 1.0 - distance as f32 / shorter as f32,
    };
    let mut ranked: Vec<(f32, &str)> = found.into_iter().map(|word| (likeness(word), word)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.as_bytes().cmp(b.1.as_bytes())));
    ranked.into_iter().take(fuzzy.expansions).map(|(_, word)| word.into()).collect()
}

/// The edit distance: insertions, deletions and substitutions; with `transpositions` also swapped neighbours, each
/// letter in at most one swap.
fn distance(a: &[char], b: &[char], transpositions: bool) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, &to) in b.iter().enumerate() {
            let change = last[j] + usize::from(from != to);
            row[j + 1] = change.min(last[j + 1] + 1).min(row[j] + 1);
            if transpositions && i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apart(a: &str, b: &str, transpositions: bool) -> usize {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        distance(&chars(a), &chars(b), transpositions)
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(apart("login", "logn", true), 1);
        assert_eq!((apart("login", "lgoin", true), apart("login", "lgoin", false)), (1, 2));
        assert_eq!(apart("", "ab", true), 2);
        assert_eq!(apart("é", "e", true), 1);
        // A swapped pair is not edited again.
        assert_eq!(apart("ca", "abc", true), 3);
    }

    proptest! {
        #[test]
        fn a_distance_is_the_same_from_either_side(a in "[abc]{0,6}", b in "[abc]{0,6}", swaps in any::<bool>()) {
            let there = apart(&a, &b, swaps);
            prop_assert_eq!(there, apart(&b, &a, swaps));
            prop_assert_eq!(there == 0, a == b);
            prop_assert!(there <= a.len().max(b.len()) && there >= a.len().abs_diff(b.len()));
        }
    }
}
