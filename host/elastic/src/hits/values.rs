//! Values into columns: scalars, and places in every form in which servers return them: `"lat, lon"`, WKT, GeoJSON,
//! `[lon, lat]` and objects.
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::KeySeed;
use crate::{
    columns::{ColumnBuilder, NO_POINT},
    misfit::{Misfit, Misfits},
};

/// A value, or an array of them, into one column.
pub(crate) struct ValueSeed<'a> {
    pub(crate) to: &'a mut ColumnBuilder,
    pub(crate) column: usize,
    pub(crate) misfit: &'a Misfits,
}

impl ValueSeed<'_> {
    fn put<E: serde::de::Error>(&self, put: Result<(), Misfit>) -> Result<(), E> {
        if !self.misfit.count() {
            return Err(E::custom("more values than may be kept"));
        }
        put.map_err(|misfit| {
            self.misfit.set(self.column, misfit);
            E::custom(misfit.0)
        })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.to.is_of_points() {
            return PointSeed(self).whole(deserializer);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        let put = self.to.boolean(value);
        self.put(put)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        let put = self.to.integer(value);
        self.put(put)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        let put = self.to.unsigned(value);
        self.put(put)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        let put = self.to.number(value);
        self.put(put)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        let put = self.to.text(value);
        self.put(put)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { to, column, misfit } = self;
        while seq.next_element_seed(ValueSeed { to: &mut *to, column, misfit })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        let misfit = Misfit("an object where a value was expected");
        self.misfit.set(self.column, misfit);
        Err(A::Error::custom(misfit.0))
    }
}

/// A place or an array of them. A number is part of a place, and returned.
struct PointSeed<'a>(ValueSeed<'a>);

impl PointSeed<'_> {
    /// Reads a field's value, which must not be part of a place.
    fn whole<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self(ValueSeed { to, column, misfit }) = self;
        let part = PointSeed(ValueSeed { to: &mut *to, column, misfit }).deserialize(deserializer)?;
        match part {
            Some(_) => ValueSeed { to, column, misfit }.put(Err(NO_POINT)),
            None => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for PointSeed<'_> {
    type Value = Option<f64>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<f64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PointSeed<'_> {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place")
    }

    fn visit_unit<E>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Option<f64>, E> {
        Ok(Some(value))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Option<f64>, E> {
        self.0.put(Err(NO_POINT)).map(|()| None)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Option<f64>, E> {
        let put = self.0.to.text(value);
        self.0.put(put).map(|()| None)
    }

    /// Places, or the longitude and latitude of one; a height may follow.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<f64>, A::Error> {
        let Self(ValueSeed { to, column, misfit }) = self;
        let (mut parts, mut count) = ([0.0; 2], 0);
        while let Some(part) = seq.next_element_seed(PointSeed(ValueSeed { to: &mut *to, column, misfit }))? {
            let Some(part) = part else { continue };
            if let Some(place) = parts.get_mut(count) {
                *place = part;
            }
            count += 1;
        }
        let put = match count {
            0 => Ok(()),
            1 => Err(NO_POINT),
            _ => to.point(parts[1], parts[0]),
        };
        ValueSeed { to, column, misfit }.put(put).map(|()| None)
    }

    /// GeoJSON, or an object with `lat` and `lon`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<f64>, A::Error> {
        let Self(ValueSeed { to, column, misfit }) = self;
        let (mut latitude, mut longitude, mut is_geojson) = (None, None, false);
        while let Some(key) = map.next_key_seed(KeySeed(&["lat", "lon", "coordinates"]))? {
            let seed = PointSeed(ValueSeed { to: &mut *to, column, misfit });
            match key {
                0 => latitude = map.next_value_seed(seed)?,
                1 => longitude = map.next_value_seed(seed)?,
                2 => {
                    is_geojson = true;
                    map.next_value_seed(seed)?;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let put = match (latitude, longitude) {
            (Some(latitude), Some(longitude)) => to.point(latitude, longitude),
            _ if is_geojson => Ok(()),
            _ => Err(NO_POINT),
        };
        ValueSeed { to, column, misfit }.put(put).map(|()| None)
    }
}
