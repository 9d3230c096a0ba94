//! Wildcard patterns.

/// A wildcard pattern, by its shape.
#[derive(Debug)]
pub struct Glob {
    pub(super) fold: bool,
    pub(super) shape: Shape,
}

#[derive(Debug)]
pub(super) enum Shape {
    Contains(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Exact(Box<str>),
    Pieces(Box<[Piece]>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Piece {
    Char(char),
    One,
    Many,
}

impl Glob {
    /// Reads `*`, `?` and backslash escapes. `fold`: ignores ASCII case.
    pub fn new(pattern: &str, fold: bool, lowercase: bool) -> Self {
        let mut pieces = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' if pieces.last() == Some(&Piece::Many) => {}
                '*' => pieces.push(Piece::Many),
                '?' => pieces.push(Piece::One),
                c => {
                    let c = if c == '\\' { chars.next().unwrap_or('\\') } else { c };
                    if lowercase {
                        pieces.extend(c.to_lowercase().map(Piece::Char));
                    } else {
                        pieces.push(Piece::Char(if fold { c.to_ascii_lowercase() } else { c }));
                    }
                }
            }
        }
        let literal = |pieces: &[Piece]| -> Option<Box<str>> {
            let chars = pieces.iter().map(|piece| if let Piece::Char(c) = piece { Some(*c) } else { None });
            chars.collect::<Option<String>>().map(Into::into)
        };
        let shape = match pieces.as_slice() {
            [Piece::Many, middle @ .., Piece::Many] => literal(middle).map(Shape::Contains),
            [Piece::Many, rest @ ..] => literal(rest).map(Shape::Suffix),
            [rest @ .., Piece::Many] => literal(rest).map(Shape::Prefix),
            all => literal(all).map(Shape::Exact),
        };
        Self { fold, shape: shape.unwrap_or_else(|| Shape::Pieces(pieces.into())) }
    }

    pub fn prefix(text: &str, fold: bool) -> Self {
        let text = if fold { text.to_ascii_lowercase() } else { text.to_owned() };
        Self { fold, shape: Shape::Prefix(text.into()) }
    }

    pub(super) fn hit(&self, text: &str) -> bool {
        let (bytes, fold) = (text.as_bytes(), self.fold);
        let same =
            |a: &[u8], b: &str| if fold { a.eq_ignore_ascii_case(b.as_bytes()) } else { a == b.as_bytes() };
        match &self.shape {
            Shape::Exact(value) => same(bytes, value),
            Shape::Prefix(value) => bytes.get(..value.len()).is_some_and(|start| same(start, value)),
            Shape::Suffix(value) => {
                bytes.len().checked_sub(value.len()).is_some_and(|start| same(&bytes[start..], value))
            }
            Shape::Contains(value) if !fold => text.contains(&**value),
            Shape::Contains(value) => text.to_ascii_lowercase().contains(&**value),
            Shape::Pieces(pieces) => walk(pieces, text, fold),
        }
    }
}

/// Greedy, backtracking to the last `*` only: at worst pattern times text.
fn walk(pieces: &[Piece], text: &str, fold: bool) -> bool {
    let (mut piece, mut rest) = (0, text.chars());
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let before = rest.clone();
        let step = match (pieces.get(piece), rest.next()) {
            (Some(Piece::Many), _) => {
                retry = Some((piece + 1, before.clone()));
                rest = before;
                true
            }
            (None, None) => return true,
            (Some(Piece::One), Some(_)) => true,
            (Some(Piece::Char(want)), Some(c)) => *want == if fold { c.to_ascii_lowercase() } else { c },
            _ => false,
        };
        if step {
            piece += 1;
            continue;
        }
        match &mut retry {
            Some((after, from)) => {
                if from.next().is_none() {
                    return false;
                }
                (piece, rest) = (*after, from.clone());
            }
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_in_every_shape() {
        let hit = |pattern: &str, text: &str| Glob::new(pattern, false, false).hit(text);
        assert!(
            hit("a*", "abc") && hit("*c", "abc") && hit("*b*", "abc") && hit("abc", "abc") && hit("*", "")
        );
        assert!(hit("a?c", "aéc") && !hit("a?c", "ac") && hit("a*c*e", "abcde") && !hit("a*c*e", "abcd"));
        assert!(hit(r"a\*c", "a*c") && !hit(r"a\*c", "abc") && !hit("A*", "abc"));
        assert!(Glob::new("A*C", true, false).hit("abc") && Glob::new("*BÉ*", false, true).hit("abéc"));
    }

    proptest! {
        #[test]
        fn a_glob_agrees_with_a_regular_expression(pattern in "[ab?*]{0,8}", text in "[abc]{0,10}") {
            let regex = regex::Regex::new(&format!("^{}$", pattern.replace('*', ".*").replace('?', "."))).unwrap();
            prop_assert_eq!(Glob::new(&pattern, false, false).hit(&text), regex.is_match(&text));
        }
    }
}
