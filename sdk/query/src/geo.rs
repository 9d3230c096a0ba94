//! Places on Earth: read from JSON, kept and shown as Lucene does, compared.
use serde_json::{Value as Json, json};

use crate::errors::UNMODELLED;
use crate::scalar::scalar_text;

/// In metres, as Lucene has it.
const EARTH_RADIUS: f64 = 6_371_008.771_4;
const GEOHASH: &str = "0123456789bcdefghjkmnpqrstuvwxyz";
/// Degrees of one step of what is indexed.
const LATITUDE_STEP: f64 = 180.0 / (1_u64 << 32) as f64;
const LONGITUDE_STEP: f64 = 360.0 / (1_u64 << 32) as f64;

/// In degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub latitude: f64,
    pub longitude: f64,
}

/// A place as it is indexed: each coordinate in steps of 2^-32 of its range, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    latitude: i32,
    /// In the order of doc values, in which the east comes first.
    longitude: u32,
}

impl Place {
    /// `{"lat": …, "lon": …}`, `"lat,lon"`, `[lon, lat]`, WKT or GeoJSON.
    pub fn read(json: &Json) -> Result<Self, String> {
        let place = match json {
            Json::String(text) => Self::text(text)?,
            Json::Array(parts) => Self::pair(parts)?,
            Json::Object(parts) => {
                let known = |key: &String| matches!(key.as_str(), "lat" | "lon" | "type" | "coordinates");
                if let Some(other) = parts.keys().find(|key| !known(key)) {
                    return Err(format!("the key [{other}] of a point{UNMODELLED}"));
                }
                match (parts.get("lat"), parts.get("lon"), parts.get("coordinates")) {
                    (Some(latitude), Some(longitude), None) => {
                        Self { latitude: number(latitude)?, longitude: number(longitude)? }
                    }
                    (None, None, Some(Json::Array(parts))) => Self::pair(parts)?,
                    (Some(_), None, None) => return Err("field [lon] missing".into()),
                    (None, Some(_), None) => return Err("field [lat] missing".into()),
                    _ => return Err("Required [lat] and [lon]".into()),
                }
            }
            other => return Err(format!("geo_point expected, but got [{other}]")),
        };
        if !(-90.0..=90.0).contains(&place.latitude) {
            return Err(format!("illegal latitude value [{}]", java(place.latitude)));
        }
        if !(-180.0..=180.0).contains(&place.longitude) {
            return Err(format!("illegal longitude value [{}]", java(place.longitude)));
        }
        Ok(place)
    }

    fn text(text: &str) -> Result<Self, String> {
        let parse = |text: &str| number(&text.trim().into());
        let is_wkt = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("point"));
        if is_wkt {
            let inner = text.split_once('(').and_then(|(_, inner)| inner.trim().strip_suffix(')'));
            let parts: Vec<&str> = inner.unwrap_or_default().split_whitespace().collect();
            return match parts[..] {
                [longitude, latitude] | [longitude, latitude, _] => {
                    Ok(Self { latitude: parse(latitude)?, longitude: parse(longitude)? })
                }
                _ => Err(format!("Invalid WKT format [{text}]")),
            };
        }
        let parts: Vec<&str> = text.split(',').collect();
        match parts[..] {
            [latitude, longitude] | [latitude, longitude, _] => {
                Ok(Self { latitude: parse(latitude)?, longitude: parse(longitude)? })
            }
            [_] => match text.chars().find(|c| !GEOHASH.contains(c.to_ascii_lowercase())) {
                Some(other) => Err(format!("unsupported symbol [{other}] in geohash [{text}]")),
                None => Err(format!("the geohash [{text}]{UNMODELLED}")),
            },
            _ => Err(format!(
                "failed to parse [{text}], expected 2 or 3 coordinates but found: [{}]",
                parts.len()
            )),
        }
    }

    fn pair(parts: &[Json]) -> Result<Self, String> {
        match parts {
            [longitude, latitude] | [longitude, latitude, _] => {
                Ok(Self { latitude: number(latitude)?, longitude: number(longitude)? })
            }
            _ => Err("[geo_point] field type does not accept more than 3 values".into()),
        }
    }

    pub fn geojson(self) -> Json {
        json!({ "coordinates": [self.longitude, self.latitude], "type": "Point" })
    }

    /// In metres, over the surface of a sphere.
    pub fn distance(self, other: Self) -> f64 {
        let [from, to] = [self.latitude, other.latitude].map(f64::to_radians);
        let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let chord = half(other.latitude - self.latitude)
            + from.cos() * to.cos() * half(other.longitude - self.longitude);
        2.0 * EARTH_RADIUS * chord.sqrt().min(1.0).asin()
    }
}

impl Point {
    pub fn of(place: Place) -> Self {
        // The pole and the date line belong to the last step.
        let steps = |degrees: f64, step: f64| (degrees / step).floor().min(f64::from(i32::MAX)) as i32;
        Self {
            latitude: steps(place.latitude, LATITUDE_STEP),
            longitude: steps(place.longitude, LONGITUDE_STEP) as u32,
        }
    }

    pub fn place(self) -> Place {
        Place {
            latitude: f64::from(self.latitude) * LATITUDE_STEP,
            longitude: f64::from(self.longitude as i32) * LONGITUDE_STEP,
        }
    }

    /// As doc values show it.
    pub fn text(self) -> String {
        let Place { latitude, longitude } = self.place();
        format!("{}, {}", java(latitude), java(longitude))
    }
}

/// What places are compared with.
#[derive(Clone, Debug)]
pub enum Area {
    Circle {
        center: Place,
        meters: f64,
    },
    /// A west that is greater than the east: across the date line.
    Box {
        top: f64,
        left: f64,
        bottom: f64,
        right: f64,
    },
}

impl Area {
    pub fn contains(&self, point: Point) -> bool {
        let place = point.place();
        match self {
            Self::Circle { center, meters } => center.distance(place) <= *meters,
            Self::Box { top, left, bottom, right } => {
                let (east, west) = (place.longitude <= *right, place.longitude >= *left);
                let is_between = if left > right { east || west } else { east && west };
                (*bottom..=*top).contains(&place.latitude) && is_between
            }
        }
    }
}

/// `10km` in metres; a number is metres.
pub fn meters(json: &Json) -> Result<f64, String> {
    const UNITS: [(&str, f64); 19] = [
        ("nauticalmiles", 1_852.0),
        ("kilometers", 1_000.0),
        ("centimeters", 0.01),
        ("millimeters", 0.001),
        ("meters", 1.0),
        ("miles", 1_609.344),
        ("yards", 0.914_4),
        ("feet", 0.304_8),
        ("inch", 0.025_4),
        ("nmi", 1_852.0),
        ("NM", 1_852.0),
        ("km", 1_000.0),
        ("cm", 0.01),
        ("mm", 0.001),
        ("mi", 1_609.344),
        ("yd", 0.914_4),
        ("ft", 0.304_8),
        ("in", 0.025_4),
        ("m", 1.0),
    ];
    let text = scalar_text(json).ok_or_else(|| format!("distance [{json}]"))?;
    let unit = UNITS.iter().find_map(|(unit, meters)| Some((text.trim().strip_suffix(unit)?, meters)));
    let (count, meters) = unit.unwrap_or((&text, &1.0));
    let distance = number(&count.trim().into())? * meters;
    if distance > 0.0 { Ok(distance) } else { Err("distance must be greater than zero".into()) }
}

pub fn number(json: &Json) -> Result<f64, String> {
    let text = scalar_text(json).filter(|_| !json.is_boolean()).unwrap_or_default();
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("number expected, but got [{json}]"))
}

/// A number as Java writes it.
fn java(number: f64) -> String {
    if number == 0.0 || (1e-3..1e7).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, power)) if !digits.contains('.') => format!("{digits}.0E{power}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_place_is_read() {
        let berlin = Place { latitude: 52.5, longitude: 13.25 };
        for form in [
            json!({"lat": 52.5, "lon": 13.25}),
            json!({"lat": "52.5", "lon": "13.25"}),
            json!("52.5,13.25"),
            json!("52.5, 13.25"),
            json!([13.25, 52.5]),
            json!([13.25, 52.5, 34]),
            json!("POINT (13.25 52.5)"),
            json!({"type": "Point", "coordinates": [13.25, 52.5]}),
        ] {
            assert_eq!(Place::read(&form), Ok(berlin), "{form}");
        }
        for (form, reason) in [
            (json!({"lat": 1}), "field [lon] missing"),
            (json!("91,0"), "illegal latitude value [91.0]"),
            (json!([-181, 0]), "illegal longitude value [-181.0]"),
            (json!("u33db"), "the geohash [u33db] is not modelled by the embedded node"),
            (json!("nowhere"), "unsupported symbol [o] in geohash [nowhere]"),
            (json!({"geohash": "u33"}), "the key [geohash] of a point is not modelled by the embedded node"),
            (json!(true), "geo_point expected, but got [true]"),
            (json!("a,b"), "number expected, but got [\"a\"]"),
        ] {
            assert_eq!(Place::read(&form), Err(reason.to_owned()), "{form}");
        }
    }

    #[test]
    fn places_are_shown_as_lucene_keeps_them() {
        let shown = |latitude, longitude| Point::of(Place { latitude, longitude }).text();
        assert_eq!(shown(41.12, -71.34), "41.1199999647215, -71.34000004269183");
        assert_eq!(shown(0.0, 180.0), "0.0, 179.99999991618097");
        assert_eq!(shown(90.0, -180.0), "89.99999995809048, -180.0");
        assert_eq!(shown(-1e-9, 0.0), "-4.190951585769653E-8, 0.0");
        let order = |longitude| Point::of(Place { latitude: 1.0, longitude });
        assert!(order(5.0) < order(-5.0), "as unsigned numbers");
    }

    #[test]
    fn areas_contain_places() {
        let point = |latitude, longitude| Point::of(Place { latitude, longitude });
        let center = Place { latitude: 52.52, longitude: 13.405 };
        let (near, far) = (point(52.39, 13.06), point(48.14, 11.58));
        let within = |distance: Json| Area::Circle { center, meters: meters(&distance).unwrap() };
        assert!(within(json!("30km")).contains(near) && !within(json!("30km")).contains(far));
        assert!(within(json!("400mi")).contains(far) && !within(json!(500_000)).contains(far));
        let across = Area::Box { top: 10.0, left: 170.0, bottom: -10.0, right: -170.0 };
        assert!(across.contains(point(0.0, 175.0)) && across.contains(point(0.0, -175.0)));
        assert!(!across.contains(point(0.0, 0.0)) && !across.contains(point(11.0, 175.0)));
        assert!(meters(&json!("km")).is_err() && meters(&json!(0)).is_err());
    }
}
