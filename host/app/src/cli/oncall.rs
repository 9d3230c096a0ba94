//! `watchbell oncall`: who is on call, until when, and who is next.
use anyhow::anyhow;
use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use watchbell_contract::Timestamp;
use watchbell_manifest::Bundle;
use watchbell_pipeline::oncall::{OnCall, Rotation};
use watchbell_view::Time;

use super::place::catalog;
use super::{Failure, Place, json, plain, print};
use crate::clock;

const HELP: &str = "\
Examples:
  watchbell oncall                                    of every rotation, now
  watchbell oncall web --at '2026-12-24 18:00'        in the rotation's time zone
  watchbell oncall web --at 2026-12-24T17:00:00Z --next 10
  watchbell oncall -e prod --json

It reads the manifests and asks no host: what a host has in force may be older.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Oncall {
    /// The rotation's name; without it, all of them.
    pub name: Option<String>,
    /// When: an instant, or a local time in the rotation's time zone. Default: now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// How many of the next hand-overs to show.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub next: u32,
    #[command(flatten)]
    pub place: Place,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    version: u32,
    rotations: Vec<Turn>,
}

/// A rotation at an instant.
#[derive(Serialize)]
struct Turn {
    rotation: String,
    timezone: String,
    at: Time,
    #[serde(flatten)]
    now: Who,
    until: Option<Time>,
    next: Vec<Next>,
}

#[derive(Serialize)]
struct Who {
    person: String,
    destination: String,
    /// By an override.
    stands_in: bool,
}

#[derive(Serialize)]
struct Next {
    at: Time,
    #[serde(flatten)]
    to: Who,
}

pub(crate) fn oncall(args: &Oncall) -> Result<(), Failure> {
    let bundle = args.place.load_to_ask(&catalog(None)?)?;
    let chosen = chosen(&bundle, args.name.as_deref())?;
    let now = clock::wall();
    let mut turns = Vec::new();
    for rotation in chosen {
        let at = args.at.as_deref().map_or(Ok(now), |text| moment(rotation, text))?;
        turns.push((rotation.zone(), Turn::of(rotation, at, args.next)));
    }
    if args.json {
        let rotations = turns.into_iter().map(|(_, turn)| turn).collect();
        return json(&Answer { version: crate::web::api::VERSION, rotations });
    }
    let blocks: Vec<String> = turns.iter().map(|(zone, turn)| turn.text(zone)).collect();
    print(&blocks.join("\n\n"))
}

fn chosen<'a>(bundle: &'a Bundle, name: Option<&str>) -> Result<Vec<&'a Rotation>, Failure> {
    let all = &bundle.environment.holds.rotations;
    let environment = &bundle.environment.name;
    if all.is_empty() {
        let why = anyhow!("environment `{environment}` has no rotation\n\nhint: define one under `oncall:`");
        return Err(why.into());
    }
    let Some(name) = name else { return Ok(all.iter().collect()) };
    let found = all.iter().find(|rotation| rotation.name.0 == name).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|rotation| rotation.name.0.as_str()).collect();
        anyhow!("no rotation `{name}` in environment `{environment}`\n\nhint: there are {}", known.join(", "))
    })?;
    Ok(vec![found])
}

fn moment(rotation: &Rotation, text: &str) -> anyhow::Result<Timestamp> {
    rotation.instant(text).ok_or_else(|| {
        anyhow!("`{text}` is not a time\n\nhint: write `2026-12-24 18:00`, or an instant: `2026-12-24T18:00:00+01:00`")
    })
}

impl Turn {
    fn of(rotation: &Rotation, at: Timestamp, next: u32) -> Self {
        let now = rotation.at(at);
        let most = usize::try_from(next).unwrap_or(usize::MAX);
        let next = rotation.next_hand_overs(at, most).into_iter();
        Self {
            rotation: rotation.name.0.clone(),
            timezone: rotation.zone().iana_name().unwrap_or("UTC").to_owned(),
            at: Time(at),
            until: now.until.map(Time),
            now: Who::of(&now),
            next: next.map(|next| Next { at: Time(next.at), to: Who::of(&next.to) }).collect(),
        }
    }

    fn text(&self, zone: &TimeZone) -> String {
        let until = self.until.map_or_else(String::new, |until| format!(" until {}", both(until.0, zone)));
        let head = format!("{} ({})", plain(&self.rotation), self.timezone);
        let now = format!("  {} is on call{until}", self.now.text());
        let next = self.next.iter().map(|next| format!("  {}  {}", both(next.at.0, zone), next.to.text()));
        [head, now].into_iter().chain(next).collect::<Vec<_>>().join("\n")
    }
}

impl Who {
    fn of(on_call: &OnCall<'_>) -> Self {
        Self {
            person: on_call.person.name.clone(),
            destination: on_call.person.destination.0.clone(),
            stands_in: on_call.stands_in,
        }
    }

    fn text(&self) -> String {
        let stands_in = if self.stands_in { ", standing in" } else { "" };
        format!("{} ({}{stands_in})", plain(&self.person), plain(&self.destination))
    }
}

/// `Mon 2026-12-07 09:00 CET (2026-12-07T08:00:00Z)`.
fn both(at: Timestamp, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(instant) => {
            let local = instant.to_zoned_datetime(zone.clone());
            format!("{} ({at})", local.strftime("%a %Y-%m-%d %H:%M %Z"))
        }
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use watchbell_contract::Duration;
    use watchbell_pipeline::oncall::{Person, Written, WrittenOverride};
    use watchbell_pipeline::spec::DestinationName;

    use super::*;

    #[test]
    fn it_says_who_until_when_and_who_is_next() {
        let person =
            |name: &str| Person { name: name.into(), destination: DestinationName(format!("{name}-sms")) };
        let over = WrittenOverride { from: "2026-12-13 18:00", until: "2026-12-15 18:00", person: "ann" };
        let rotation = Rotation::parse(Written {
            name: "web",
            people: vec![person("ann"), person("bob")],
            every: Duration::from_hours(7 * 24),
            hand_over: "mon 09:00",
            starts: "2026-11-30",
            timezone: "Europe/Berlin",
            overrides: vec![over],
        })
        .unwrap();
        let at = moment(&rotation, "2026-12-01 00:00").unwrap();
        let expected = "\
web (Europe/Berlin)
  ann (ann-sms) is on call until Mon 2026-12-07 09:00 CET (2026-12-07T08:00:00Z)
  Mon 2026-12-07 09:00 CET (2026-12-07T08:00:00Z)  bob (bob-sms)
  Sun 2026-12-13 18:00 CET (2026-12-13T17:00:00Z)  ann (ann-sms, standing in)";
        assert_eq!(Turn::of(&rotation, at, 2).text(rotation.zone()), expected);
        assert!(moment(&rotation, "tomorrow").unwrap_err().to_string().contains("`tomorrow` is not a time"));
    }
}
