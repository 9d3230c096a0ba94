//! The proleptic Gregorian calendar, as arithmetic.
use super::Zone;

/// A calendar unit for rounding and arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// The days from the epoch to a date. (Howard Hinnant, "chrono-compatible low-level date algorithms".)
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const DAY: i64 = 86_400;

impl Unit {
    /// The start of the unit that contains this instant (seconds since the epoch), in that zone.
    pub fn floor(self, at: i64, zone: &Zone) -> i64 {
        let local = at.saturating_add(zone.offset_at(at));
        let floored = match self {
            Self::Second => return at,
            Self::Minute => local - local.rem_euclid(60),
            Self::Hour => local - local.rem_euclid(3_600),
            _ => {
                let days = local.div_euclid(DAY);
                let (year, month, _) = civil_from_days(days);
                DAY * match self {
                    // The epoch was a Thursday; weeks start on Monday.
                    Self::Week => days - (days + 3).rem_euclid(7),
                    Self::Month => days_from_civil(year, month, 1),
                    Self::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
                    Self::Year => days_from_civil(year, 1, 1),
                    _ => days,
                }
            }
        };
        match self {
            // Within one offset, so that the repeated hour in autumn keeps its halves apart.
            Self::Minute | Self::Hour => at - (local - floored),
            _ => zone.instant_of_local(floored),
        }
    }

    /// The instant `count` units later, on the local clock; a day that the month lacks becomes its last.
    pub fn plus(self, at: i64, count: i64, zone: &Zone) -> i64 {
        let months = match self {
            Self::Second => return at.saturating_add(count),
            Self::Minute => return at.saturating_add(count.saturating_mul(60)),
            Self::Hour => return at.saturating_add(count.saturating_mul(3_600)),
            Self::Day | Self::Week => {
                let days = if self == Self::Day { count } else { count.saturating_mul(7) };
                let local = at.saturating_add(zone.offset_at(at));
                return zone.instant_of_local(local.saturating_add(days.saturating_mul(DAY)));
            }
            Self::Month => count,
            Self::Quarter => count.saturating_mul(3),
            Self::Year => count.saturating_mul(12),
        };
        let local = at.saturating_add(zone.offset_at(at));
        let (year, month, day) = civil_from_days(local.div_euclid(DAY));
        // Bounded, so that external input cannot overflow the calendar.
        let index = (year * 12 + month - 1).saturating_add(months).clamp(-12_000_000, 12_000_000);
        let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
        let days = days_from_civil(year, month, day.min(days_in_month(year, month)));
        zone.instant_of_local(days * DAY + local.rem_euclid(DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_runs_both_ways() {
        for days in (-800_000..800_000).step_by(37) {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, d), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(days_from_civil(2024, 2, 29), 19_782);
    }

    #[test]
    fn a_month_later_than_the_31st_is_the_last_day() {
        let utc = Zone::UTC;
        let at = days_from_civil(2024, 1, 31) * DAY + 5;
        assert_eq!(Unit::Month.plus(at, 1, &utc), days_from_civil(2024, 2, 29) * DAY + 5);
        assert_eq!(Unit::Quarter.floor(at, &utc), days_from_civil(2024, 1, 1) * DAY);
        assert_eq!(Unit::Week.floor(at, &utc), days_from_civil(2024, 1, 29) * DAY);
    }

    #[test]
    fn a_day_in_berlin_starts_at_its_own_midnight() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let noon = days_from_civil(2024, 7, 1) * DAY + 12 * 3_600;
        assert_eq!(Unit::Day.floor(noon, &zone), days_from_civil(2024, 6, 30) * DAY + 22 * 3_600);
    }
}
