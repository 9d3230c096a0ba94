//! Places as servers write them.

/// The latitude and longitude in `"lat, lon"` (doc values) or `POINT (lon lat)` (WKT), in degrees. A height is left
/// out. `None`: it is neither, or beyond the Earth.
pub(crate) fn parse(text: &str) -> Option<(f64, f64)> {
    const WKT: &str = "point";
    let text = text.trim();
    let (latitude, longitude) = match text.get(..WKT.len()) {
        Some(start) if start.eq_ignore_ascii_case(WKT) => {
            // `POINT Z (lon lat height)`
            let (_, inner) = text.strip_suffix(')')?.split_once('(')?;
            let mut numbers = inner.split_whitespace();
            let longitude = numbers.next()?;
            (numbers.next()?, longitude)
        }
        _ => {
            let mut numbers = text.split(',');
            (numbers.next()?, numbers.next()?)
        }
    };
    checked(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
}

/// `None`: beyond the Earth.
pub(crate) fn checked(latitude: f64, longitude: f64) -> Option<(f64, f64)> {
    let is_on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    is_on_earth.then_some((latitude, longitude))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_in_every_form() {
        let berlin = Some((52.5, 13.25));
        for text in [
            "52.5, 13.25",
            "52.5,13.25",
            "52.5, 13.25, 34.0",
            "POINT (13.25 52.5)",
            "point(13.25 52.5)",
            "POINT Z (13.25 52.5 34.0)",
        ] {
            assert_eq!(parse(text), berlin, "{text}");
        }
        assert_eq!(parse("-4.190951585769653E-8, 180.0"), Some((-4.190951585769653e-8, 180.0)));
        for text in
            ["", "52.5", "POINT (13.25)", "LINESTRING (1 2, 3 4)", "91, 0", "0, 181", "NaN, 0", "u33db"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
