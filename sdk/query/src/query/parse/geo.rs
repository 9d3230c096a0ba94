//! Queries of places.
use serde_json::Value as Json;

use super::body::{Body, flag, is_boost, named, text};
use crate::errors::{Answer, Refusal};
use crate::geo::{Area, Place, meters, number};
use crate::query::ast::Query;

pub(super) fn distance(body: Body) -> Answer<Query> {
    const KIND: &str = "geo_distance";
    let (mut distance, mut rest) = (None, Rest::default());
    for (key, value) in body {
        match key.as_str() {
            "distance" => distance = Some(meters(&value).map_err(Refusal::illegal)?),
            "distance_type" if value == "arc" => {}
            _ => rest.take(KIND, key, value)?,
        }
    }
    let meters =
        distance.ok_or_else(|| Refusal::parsing("geo_distance requires 'distance' to be specified"))?;
    rest.query(KIND, |value| Ok(Area::Circle { center: Place::read(value)?, meters }))
}

pub(super) fn bounding_box(body: Body) -> Answer<Query> {
    const KIND: &str = "geo_bounding_box";
    let mut rest = Rest::default();
    for (key, value) in body {
        match key.as_str() {
            // It only says how the box is compared.
            "type" => {}
            _ => rest.take(KIND, key, value)?,
        }
    }
    rest.query(KIND, corners)
}

/// What both queries have: the field with its value, and options.
#[derive(Default)]
struct Rest {
    field: Option<(String, Json)>,
    name: Option<String>,
    ignore_unmapped: bool,
}

impl Rest {
    fn take(&mut self, kind: &str, key: String, value: Json) -> Answer<()> {
        match key.as_str() {
            "_name" => self.name = Some(text(kind, &key, &value)?),
            "ignore_unmapped" => self.ignore_unmapped = flag(kind, &key, &value)?,
            "validation_method" if value == "STRICT" => {}
            "validation_method" | "distance_type" | "unit" => {
                return Err(Refusal::unmodelled(format!("[{key}] of a query [{kind}]")));
            }
            key if is_boost(key, &value) => {}
            _ => {
                if let Some((first, _)) = self.field.replace((key.clone(), value)) {
                    return Err(Refusal::parsing(format!(
                        "[{kind}] field name already set to [{first}] but found [{key}]"
                    )));
                }
            }
        }
        Ok(())
    }

    fn query(self, kind: &'static str, area: impl Fn(&Json) -> Result<Area, String>) -> Answer<Query> {
        let (field, value) = self
            .field
            .ok_or_else(|| Refusal::parsing(format!("failed to parse [{kind}] query. no field")))?;
        let failed = |reason: String| {
            Refusal::new(400, "parse_exception", format!("failed to parse [{kind}] query. [{reason}]"))
        };
        let area = area(&value).map_err(failed)?;
        if let Area::Box { top, bottom, .. } = area
            && top < bottom
        {
            return Err(Refusal::illegal(format!("top is below bottom corner: {top:?} vs. {bottom:?}")));
        }
        let ignore_unmapped = self.ignore_unmapped;
        Ok(named(self.name, Query::Within { kind, field, area, ignore_unmapped }))
    }
}

/// Two opposite corners, or the four sides.
fn corners(value: &Json) -> Result<Area, String> {
    let object = value.as_object().ok_or("an object with corners expected")?;
    let corner = |key: &str| object.get(key).map(Place::read).transpose();
    let side = |key: &str| object.get(key).map(number).transpose();
    let corners =
        [corner("top_left")?, corner("top_right")?, corner("bottom_left")?, corner("bottom_right")?];
    let sides = (side("top")?, side("left")?, side("bottom")?, side("right")?);
    let (top, left, bottom, right) = match (corners, sides) {
        ([Some(first), None, None, Some(last)], (None, None, None, None)) => {
            (first.latitude, first.longitude, last.latitude, last.longitude)
        }
        ([None, Some(first), Some(last), None], (None, None, None, None)) => {
            (first.latitude, last.longitude, last.latitude, first.longitude)
        }
        ([None, None, None, None], (Some(top), Some(left), Some(bottom), Some(right))) => {
            (top, left, bottom, right)
        }
        _ => return Err("two opposite corners or four sides expected".into()),
    };
    match object.len() {
        2 | 4 => Ok(Area::Box { top, left, bottom, right }),
        _ => Err("two opposite corners or four sides expected".into()),
    }
}
