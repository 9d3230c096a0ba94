//! `impossible-travel`: two logins of a user, too far apart for the time between them.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// The mean radius of the Earth.
const EARTH_KM: f64 = 6_371.008_8;

/// Fires when a key's documents follow each other from places farther apart than anyone travels.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-watchbell-details" = ["km", "kmh", "after", "from", "to"]))]
pub struct ImpossibleTravel {
    /// The field with the place, of type `geo_point`.
    #[serde(default = "place")]
    place: String,
    /// The speed, in km/h, that is impossible if it is exceeded.
    #[serde(default = "faster_than")]
    faster_than: f64,
    /// Places this close, in km, are the same: addresses are located only roughly.
    #[serde(default = "farther_than")]
    farther_than: f64,
    /// How long a login is remembered.
    #[serde(default = "within")]
    within: Duration,
}

fn place() -> String {
    "source.geo.location".into()
}

fn faster_than() -> f64 {
    900.0
}

fn farther_than() -> f64 {
    100.0
}

fn within() -> Duration {
    Duration::from_days(1)
}

/// The last login of a key.
#[derive(Serialize, Deserialize, Aged)]
pub struct Login {
    at: Timestamp,
    lat: f64,
    lon: f64,
    /// A full map forgets ids before it forgets logins.
    #[aged(spare)]
    document: DocumentId,
}

#[watchbell_sdk::rule(
    name = "impossible-travel",
    summary = "Fires on logins too far apart for the time between them"
)]
impl Rule for ImpossibleTravel {
    type State = NamedMap<Login>;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if context.key.is_empty() {
            faults.push(Fault::new("", "needs the field of the user as `key`"));
        }
        for (path, number) in [("/faster_than", self.faster_than), ("/farther_than", self.farther_than)] {
            if !(number > 0.0 && number.is_finite()) {
                faults.push(Fault::new(path, "must be greater than 0"));
            }
        }
        if self.within.is_zero() {
            faults.push(Fault::new("/within", "must be longer than zero"));
        }
        if faults.is_empty() { Ok(Plan::rows(self.within)) } else { Err(faults) }
    }

    /// With the documents' names: an event is about a document, and the alert shows both.
    fn ask(&self, over: Range) -> Vec<Question> {
        vec![Question::hits(over).field(&self.place).identified()]
    }

    fn row(&self, row: &Row<'_>, logins: &mut Self::State, out: &mut Signals) {
        let Some(place) = row.point(&self.place) else { return };
        let at = row.time();
        if let Some(last) = logins.get(row.key()).filter(|last| at - last.at < self.within) {
            let km = distance_km(last.place(), place);
            // Within a second, any distance would be infinitely fast.
            let after = (at - last.at).max(Duration::from_secs(1));
            let kmh = km / (after.as_secs_f64() / 3_600.0);
            if km > self.farther_than && kmh > self.faster_than {
                let signal = Signal::event(row.labels(), at)
                    .value(kmh)
                    .threshold(self.faster_than)
                    .summary(format!("{km:.0} km within {after}: {kmh:.0} km/h"))
                    .details(&json!({
                        "km": km.round(), "kmh": kmh.round(), "after": after,
                        "from": [last.lat, last.lon], "to": [place.lat, place.lon],
                    }))
                    .evidence(row.evidence().and(last.at, &last.document));
                out.push(signal);
            }
        }
        let login = Login { at, lat: place.lat, lon: place.lon, document: DocumentId::of(row) };
        logins.insert(row.key(), login);
    }

    /// A login is compared with the next one only if that is less than `within` later.
    fn settle(&self, at: Timestamp, logins: &mut Self::State) {
        logins.retain(|_, login| at - login.at < self.within);
    }
}

impl Login {
    fn place(&self) -> Point {
        Point { lat: self.lat, lon: self.lon }
    }
}

/// The great-circle distance, by the haversine formula.
fn distance_km(from: Point, to: Point) -> f64 {
    let half_sin = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin();
    let across = half_sin(from.lat, to.lat).powi(2)
        + from.lat.to_radians().cos() * to.lat.to_radians().cos() * half_sin(from.lon, to.lon).powi(2);
    2.0 * EARTH_KM * across.clamp(0.0, 1.0).sqrt().asin()
}
