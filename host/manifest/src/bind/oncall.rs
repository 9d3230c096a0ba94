//! Who is on call: rotations, each person with a destination.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::Duration;
use watchbell_pipeline::oncall::{Person, Rotation, RotationFault, Written, WrittenOverride};
use watchbell_pipeline::spec::DestinationName;

use super::doc::Doc;
use crate::raw;
use crate::report::suggest;

/// How long a turn is.
const EVERY: Duration = Duration::from_hours(7 * 24);

/// `destinations`: the names of all.
pub(super) fn rotations(
    doc: &mut Doc<'_>,
    typed: BTreeMap<String, raw::Rotation>,
    destinations: &BTreeSet<String>,
) -> Vec<Rotation> {
    let mut found = Vec::new();
    for (name, raw) in typed {
        let at = format!("/oncall/{name}");
        if destinations.contains(&name) {
            doc.fault(&at, format!("`{name}` is a destination as well"))
                .hint("rules name both in the same place: give the rotation another name")
                .push(doc);
        }
        for (index, person) in raw.people.iter().enumerate() {
            if !destinations.contains(&person.to) {
                unknown(doc, &format!("{at}/people/{index}/to"), &person.to, destinations);
            }
        }
        found.extend(rotation(doc, &at, &name, &raw));
    }
    found
}

fn unknown(doc: &mut Doc<'_>, at: &str, to: &str, destinations: &BTreeSet<String>) {
    let known: Vec<&str> = destinations.iter().map(String::as_str).collect();
    let hint = suggest(to, &known).unwrap_or_else(|| "define it under `destinations:`".into());
    doc.fault(at, format!("`{to}` is not a destination")).hint(hint).push(doc);
}

fn rotation(doc: &mut Doc<'_>, at: &str, name: &str, raw: &raw::Rotation) -> Option<Rotation> {
    let person = |person: &raw::Person| Person {
        name: person.name.clone(),
        destination: DestinationName(person.to.clone()),
    };

    let written = Written {
        name,
        people: raw.people.iter().map(person).collect(),
        every: raw.every.map_or(EVERY, |raw::Span(every)| every),
        hand_over: &raw.hand_over,
        starts: &raw.starts,
        timezone: raw.timezone.as_deref().unwrap_or("UTC"),
        overrides: raw.overrides.iter().map(stand_in).collect(),
    };
    match Rotation::parse(written) {
        Ok(rotation) => Some(rotation),
        Err(faults) => {
            for fault in faults {
                doc.fault(&format!("{at}{}", place(&fault)), fault.to_string()).push(doc);
            }
            None
        }
    }
}

fn stand_in(raw: &raw::StandIn) -> WrittenOverride<'_> {
    WrittenOverride { from: &raw.from, until: &raw.until, person: &raw.person }
}

fn place(fault: &RotationFault) -> String {
    match fault {
        RotationFault::Nobody => "/people".into(),
        RotationFault::Twice { index, .. } => format!("/people/{index}/name"),
        RotationFault::HandOver { .. } => "/hand_over".into(),
        RotationFault::Days | RotationFault::Weeks => "/every".into(),
        RotationFault::Starts { .. } | RotationFault::Weekday { .. } => "/starts".into(),
        RotationFault::Timezone { .. } => "/timezone".into(),
        RotationFault::Time { index, key, .. } => format!("/overrides/{index}/{key}"),
        RotationFault::Backwards { index } => format!("/overrides/{index}/until"),
        RotationFault::Stranger { index, .. } => format!("/overrides/{index}/person"),
    }
}
