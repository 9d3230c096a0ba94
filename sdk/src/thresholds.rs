//! Bounds of a value: an upper one, a lower one, or both.
use crate::Fault;

/// Two bounds that a value may cross. A bound that is `None` is never crossed, and NaN crosses neither.
///
/// ```
/// use watchbell_sdk::{Bounds, Crossed};
///
/// let bounds = Bounds::exclusive(Some(90.0), Some(10.0));
/// assert_eq!(bounds.crossed(95.0), Some(Crossed::Above(90.0)));
/// assert_eq!(bounds.crossed(10.0), None);
/// assert!(bounds.faults("above", "below").is_empty()); // in `plan`
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    above: Option<f64>,
    below: Option<f64>,
    /// Whether a value that equals a bound has crossed it.
    is_inclusive: bool,
}

/// Which bound a value crossed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crossed {
    /// The upper bound was crossed.
    Above(f64),
    /// The lower bound was crossed.
    Below(f64),
}

impl Bounds {
    /// Bounds that are crossed by values above `above` or below `below`, but not by values equal to them.
    pub fn exclusive(above: Option<f64>, below: Option<f64>) -> Self {
        Self { above, below, is_inclusive: false }
    }

    /// Bounds that are crossed by values above `above` or below `below`, and by values equal to them.
    pub fn inclusive(above: Option<f64>, below: Option<f64>) -> Self {
        Self { above, below, is_inclusive: true }
    }

    /// The bound that `value` crosses; the upper one first.
    pub fn crossed(&self, value: f64) -> Option<Crossed> {
        let is_above = |bound: &f64| value > *bound || self.is_inclusive && value == *bound;
        let is_below = |bound: &f64| value < *bound || self.is_inclusive && value == *bound;
        let above = self.above.filter(is_above).map(Crossed::Above);
        above.or_else(|| self.below.filter(is_below).map(Crossed::Below))
    }

    /// The faults of the bounds; `above` and `below` are the names of the rule's parameters.
    pub fn faults(&self, above: &str, below: &str) -> Vec<Fault> {
        match (self.above, self.below) {
            (None, None) => {
                Fault::new("", format!("set `{above}`, `{below}` or both: otherwise the rule never fires"))
                    .into()
            }
            (Some(high), Some(low)) if high < low || self.is_inclusive && high == low => {
                let message = format!("must not be less than `{below}`: every value would fire");
                Fault::new(format!("/{above}"), message).into()
            }
            _ => vec![],
        }
    }
}

impl Crossed {
    /// The bound itself.
    pub fn threshold(self) -> f64 {
        match self {
            Self::Above(bound) | Self::Below(bound) => bound,
        }
    }

    /// Whether the upper bound was crossed.
    pub fn is_above(self) -> bool {
        matches!(self, Self::Above(_))
    }

    /// `above` or `below`.
    pub fn word(self) -> &'static str {
        if self.is_above() { "above" } else { "below" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_crossed_and_not_met_unless_it_is_inclusive() {
        let bounds = Bounds::exclusive(Some(75.0), Some(25.0));
        let words = |value| bounds.crossed(value).map(Crossed::word);
        assert_eq!(
            [24.9, 25.0, 50.0, 75.0, 75.1].map(words),
            [Some("below"), None, None, None, Some("above")]
        );
        let bounds = Bounds::inclusive(Some(75.0), Some(25.0));
        assert_eq!(bounds.crossed(75.0), Some(Crossed::Above(75.0)));
        assert_eq!(bounds.crossed(25.0).map(Crossed::threshold), Some(25.0));
        assert_eq!(bounds.crossed(50.0), None);
    }

    #[test]
    fn what_is_no_number_crosses_nothing() {
        assert_eq!(Bounds::inclusive(Some(0.0), Some(0.0)).crossed(f64::NAN), None);
        assert_eq!(Bounds::default().crossed(f64::INFINITY), None);
    }

    #[test]
    fn bounds_that_leave_nothing_or_everything_are_faults() {
        let faults =
            |bounds: Bounds| bounds.faults("max", "min").pop().map(|fault| (fault.path, fault.message));
        let (path, message) = faults(Bounds::exclusive(None, None)).unwrap();
        assert_eq!(
            (path.as_str(), message.as_str()),
            ("", "set `max`, `min` or both: otherwise the rule never fires")
        );
        let (path, message) = faults(Bounds::exclusive(Some(1.0), Some(2.0))).unwrap();
        assert_eq!(
            (path.as_str(), message.as_str()),
            ("/max", "must not be less than `min`: every value would fire")
        );
        assert_eq!(faults(Bounds::exclusive(Some(1.0), Some(1.0))), None, "whatever is not 1");
        assert!(faults(Bounds::inclusive(Some(1.0), Some(1.0))).is_some());
    }
}
