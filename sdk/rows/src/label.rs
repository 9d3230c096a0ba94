//! A value as it appears in a label.
use std::fmt::{self, Write};

use crate::hash::hash;
use crate::page::{Column, Values};

/// The maximum length of a label's value, in bytes. A longer one is shortened.
pub const LABEL_BYTES_MAX: usize = 1 << 10;

/// Separates the beginning of a long value from the hash of the whole.
const MARK: &str = "…#";
const HASH_DIGITS: usize = 16;

/// A label of at most 1 KiB: a longer text is cut and ends in a hash of the whole, so that two texts with the same
/// beginning stay distinct.
pub fn label(mut text: String) -> String {
    if text.len() > LABEL_BYTES_MAX {
        let whole = hash(text.as_bytes());
        text.truncate(text.floor_char_boundary(LABEL_BYTES_MAX - MARK.len() - HASH_DIGITS));
        let _ = write!(text, "{MARK}{whole:016x}");
    }
    text
}

/// The beginning of a value that [`label`] has cut; `None` if the label is whole.
pub fn beginning(label: &str) -> Option<&str> {
    let (beginning, digits) = label.rsplit_once(MARK)?;
    let is_hash = digits.len() == HASH_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_hash && label.len() > LABEL_BYTES_MAX - 4).then_some(beginning)
}

/// A floating-point number as it appears in a label.
pub fn shown(number: f64) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        // Debug uses exponents where Display would write hundreds of zeros.
        if number.abs() >= 1e15 || (number != 0.0 && number.abs() < 1e-5) {
            write!(f, "{number:?}")
        } else {
            write!(f, "{number}")
        }
    })
}

impl Column {
    /// The value at `slot` as text, not shortened.
    pub(crate) fn text(&self, slot: usize) -> String {
        match &self.values {
            Values::Integers(values) => values[slot].to_string(),
            Values::Numbers(values) => shown(values[slot]).to_string(),
            Values::Booleans(values) => (values[slot] != 0).to_string(),
            Values::Words(words) => words.word(slot).unwrap_or_default().to_owned(),
            Values::Points(points) => {
                format!("{},{}", shown(points.latitudes[slot]), shown(points.longitudes[slot]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_labels_stay_distinct_and_know_how_they_began() {
        let long = |end: &str| label(format!("{}{end}", "Mozilla/5.0 ".repeat(800)));
        assert_ne!(long("a"), long("b"));
        assert_eq!(long("a"), long("a"));
        assert!(long("a").len() <= LABEL_BYTES_MAX);
        assert_eq!(label(long("a")), long("a"), "what was cut is not cut again");
        assert!("Mozilla/5.0 ".repeat(800).starts_with(beginning(&long("a")).unwrap()));
        assert_eq!(beginning("web-1"), None);
        assert_eq!(beginning("web…#0123456789abcdef"), None, "short enough to be a value of its own");
        let wide = label("ü".repeat(5_000));
        assert!(beginning(&wide).unwrap().len() > LABEL_BYTES_MAX - 40);
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [(2.5, "2.5"), (3.0, "3"), (1e21, "1e21"), (-1e-9, "-1e-9"), (0.0, "0")] {
            assert_eq!(shown(number).to_string(), text);
        }
    }
}
