//! Tests of one string, and many such tests on one field at once.
use std::collections::HashSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::glob::{Glob, Piece, Shape};
use super::regexp::Regexp;

/// Up to this many bytes of literals, an automaton has a row for every state: the fastest and the largest.
const ROWS_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
pub enum StringTest {
    Equals(Box<str>),
    /// Ignores ASCII case.
    EqualsFolded(Box<str>),
    OneOf(HashSet<Box<str>>),
    /// In byte order, as terms are.
    Between {
        low: Option<(Box<str>, bool)>,
        high: Option<(Box<str>, bool)>,
    },
    Glob(Glob),
    Regexp(Box<Regexp>),
    Any(Box<Union>),
}

impl StringTest {
    pub fn hit(&self, text: &str) -> bool {
        match self {
            Self::Equals(value) => &**value == text,
            Self::EqualsFolded(value) => value.eq_ignore_ascii_case(text),
            Self::OneOf(values) => values.contains(text),
            Self::Between { low, high } => {
                let above =
                    low.as_ref().is_none_or(|(low, inclusive)| match text.as_bytes().cmp(low.as_bytes()) {
                        std::cmp::Ordering::Equal => *inclusive,
                        order => order.is_gt(),
                    });
                above
                    && high.as_ref().is_none_or(|(high, inclusive)| {
                        match text.as_bytes().cmp(high.as_bytes()) {
                            std::cmp::Ordering::Equal => *inclusive,
                            order => order.is_lt(),
                        }
                    })
            }
            Self::Glob(glob) => glob.hit(text),
            Self::Regexp(regex) => regex.is_match(text),
            Self::Any(union) => union.hit(text),
        }
    }
}

/// Many tests of one field, one of which is enough, run at once.
#[derive(Debug, Default)]
pub struct Union {
    exact: HashSet<Box<str>>,
    plain: Patterns,
    /// In lower case, as are then the tested strings.
    folded: Patterns,
    rest: Vec<StringTest>,
}

/// Wildcard patterns by shape.
#[derive(Debug, Default)]
struct Patterns {
    exact: HashSet<Box<str>>,
    prefixes: Ends,
    suffixes: Ends,
    contains: Option<AhoCorasick>,
    /// The longest literal of each pattern, which shows where a match is possible.
    pieces: Option<(AhoCorasick, Vec<Glob>)>,
}

/// Literals at one end of a text: one look-up per length.
#[derive(Debug, Default)]
struct Ends {
    lengths: Vec<usize>,
    literals: HashSet<Box<str>>,
}

impl Ends {
    fn add(&mut self, literal: Box<str>) {
        if !self.lengths.contains(&literal.len()) {
            self.lengths.push(literal.len());
        }
        self.literals.insert(literal);
    }

    /// `end`: this many bytes of the text, if a character begins there.
    fn any<'t>(&self, end: impl Fn(usize) -> Option<&'t str>) -> bool {
        self.lengths.iter().any(|length| end(*length).is_some_and(|end| self.literals.contains(end)))
    }
}

impl Union {
    pub fn new(tests: Vec<StringTest>) -> Self {
        let mut union = Self::default();
        let (mut plain, mut folded) = (Vec::new(), Vec::new());
        for test in tests {
            match test {
                StringTest::Equals(value) => drop(union.exact.insert(value)),
                StringTest::OneOf(values) => union.exact.extend(values),
                StringTest::Any(inner) => union.rest.push(StringTest::Any(inner)),
                StringTest::Glob(glob) if glob.fold => folded.push(glob),
                StringTest::Glob(glob) => plain.push(glob),
                test => union.rest.push(test),
            }
        }
        union.plain = Patterns::new(plain, &mut union.rest);
        union.folded = Patterns::new(folded, &mut union.rest);
        union
    }

    pub(super) fn hit(&self, text: &str) -> bool {
        self.exact.contains(text)
            || self.plain.hit(text)
            || (!self.folded.is_empty() && self.folded.hit(&text.to_ascii_lowercase()))
            || self.rest.iter().any(|test| test.hit(text))
    }
}

/// The longest run of literal characters in a pattern; empty if it has none.
fn longest(pieces: &[Piece]) -> String {
    let runs = pieces.split(|piece| !matches!(piece, Piece::Char(_)));
    let longest = runs.max_by_key(|run| run.len()).unwrap_or_default();
    longest.iter().filter_map(|piece| if let Piece::Char(c) = piece { Some(*c) } else { None }).collect()
}

fn automaton(literals: &[Box<str>]) -> Option<AhoCorasick> {
    let bytes: usize = literals.iter().map(|literal| literal.len()).sum();
    let kind = (bytes <= ROWS_BYTES_MAX).then_some(AhoCorasickKind::DFA);
    AhoCorasick::builder().kind(kind).build(literals.iter().map(|literal| literal.as_bytes())).ok()
}

impl Patterns {
    /// Tests that cannot be combined go to `rest`, to be run one by one: slower, but correct.
    fn new(globs: Vec<Glob>, rest: &mut Vec<StringTest>) -> Self {
        let fold = globs.first().is_some_and(|glob| glob.fold);
        let mut patterns = Self::default();
        let (mut contained, mut literals, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for glob in globs {
            match glob.shape {
                Shape::Exact(literal) => drop(patterns.exact.insert(literal)),
                Shape::Prefix(literal) => patterns.prefixes.add(literal),
                Shape::Suffix(literal) => patterns.suffixes.add(literal),
                Shape::Contains(literal) => contained.push(literal),
                Shape::Pieces(ref all) => match longest(all) {
                    literal if literal.is_empty() => rest.push(StringTest::Glob(glob)),
                    literal => {
                        literals.push(literal.into_boxed_str());
                        pieces.push(glob);
                    }
                },
            }
        }
        if !contained.is_empty() {
            patterns.contains = automaton(&contained);
            if patterns.contains.is_none() {
                let alone = |literal| StringTest::Glob(Glob { fold, shape: Shape::Contains(literal) });
                rest.extend(contained.into_iter().map(alone));
            }
        }
        if !pieces.is_empty() {
            match automaton(&literals) {
                Some(automaton) => patterns.pieces = Some((automaton, pieces)),
                None => rest.extend(pieces.into_iter().map(StringTest::Glob)),
            }
        }
        patterns
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty()
            && self.prefixes.literals.is_empty()
            && self.suffixes.literals.is_empty()
            && self.contains.is_none()
            && self.pieces.is_none()
    }

    fn hit(&self, text: &str) -> bool {
        self.exact.contains(text)
            || self.prefixes.any(|length| text.get(..length))
            || self.suffixes.any(|length| text.get(text.len().checked_sub(length)?..))
            || self.contains.as_ref().is_some_and(|all| all.is_match(text))
            || self.pieces.as_ref().is_some_and(|(automaton, globs)| {
                let mut places = automaton.find_overlapping_iter(text);
                places.any(|place| globs[place.pattern().as_usize()].hit(text))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_literal_says_where_to_look() {
        let Shape::Pieces(pieces) = Glob::new("a?bcd*ef", false, false).shape else { panic!("pieces") };
        assert_eq!(longest(&pieces), "bcd");
    }

    proptest! {
        #[test]
        fn a_union_is_any_of_its_parts(patterns in prop::collection::vec("[ab?*]{0,5}", 1..12), text in "[abAB]{0,8}", fold in any::<bool>()) {
            let make = || patterns.iter().map(|p| StringTest::Glob(Glob::new(p, fold, false))).collect::<Vec<_>>();
            let any = make().iter().any(|test| test.hit(&text));
            prop_assert_eq!(Union::new(make()).hit(&text), any);
        }
    }
}
