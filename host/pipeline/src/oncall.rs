//! Who is on call: people who take turns, and others who stand in for a while. A rule names the rotation as it names a
//! destination; whoever is on call when a message is decided gets it.
mod turns; // when each turn begins
mod written; // as the environment writes it
#[cfg(test)]
mod tests;

use watchbell_contract::Timestamp;

use crate::spec::DestinationName;

use turns::Turns;
pub use written::{RotationFault, Written, WrittenOverride};

/// People who take turns. Exactly one of them is on call at any time: before the first turn, it is the first person.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// What rules name. No destination has the same name.
    pub name: DestinationName,
    /// In the order of their turns; never empty, and no name comes twice.
    people: Vec<Person>,
    turns: Turns,
    /// Where they overlap, the last one counts.
    overrides: Vec<Override>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub destination: DestinationName,
}

/// Half-open.
#[derive(Clone, Copy, Debug)]
struct Override {
    from: Timestamp,
    until: Timestamp,
    /// A place in `people`.
    person: usize,
}

/// Who is on call at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnCall<'a> {
    pub person: &'a Person,
    /// When somebody else is next on call; `None` if that never happens.
    pub until: Option<Timestamp>,
    /// Because of an override, whoever's turn it is.
    pub stands_in: bool,
}

/// From `at` on, somebody else is on call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOver<'a> {
    pub at: Timestamp,
    pub to: OnCall<'a>,
}

impl Rotation {
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The zone of its hand-overs.
    pub fn zone(&self) -> &jiff::tz::TimeZone {
        self.turns.zone()
    }

    /// An instant with an offset, or a local time in the rotation's zone, as overrides have them; `None` if it is neither.
    pub fn instant(&self, text: &str) -> Option<Timestamp> {
        written::time(self.zone(), text)
    }

    /// Who is on call at `at`, and until when.
    pub fn at(&self, at: Timestamp) -> OnCall<'_> {
        let (person, stands_in) = self.place(at);
        OnCall { person: &self.people[person], until: self.until(at, person), stands_in }
    }

    /// The next hand-overs after `at`, at most `most`. Where a turn or an override ends and the same person goes on,
    /// nothing is handed over.
    pub fn next_hand_overs(&self, at: Timestamp, most: usize) -> Vec<HandOver<'_>> {
        let next = |from: Timestamp| {
            let at = self.at(from).until?;
            Some(HandOver { at, to: self.at(at) })
        };
        std::iter::successors(next(at), |before| next(before.at)).take(most).collect()
    }

    /// Where a message that is decided at `at` goes.
    pub(crate) fn destination(&self, at: Timestamp) -> &DestinationName {
        &self.people[self.place(at).0].destination
    }

    /// The place of the person on call, and whether that is by an override.
    fn place(&self, at: Timestamp) -> (usize, bool) {
        match self.overrides.iter().rfind(|over| over.from <= at && at < over.until) {
            Some(over) => (over.person, true),
            None => (self.turns.at(at, self.people.len()), false),
        }
    }

    /// When somebody other than `person` is next on call after `at`.
    fn until(&self, at: Timestamp, person: usize) -> Option<Timestamp> {
        // Of several people, two turns in a row are of different ones: without a change, no more turns pass than overrides
        // begin and end.
        let edges = if self.people.len() == 1 { 0 } else { self.overrides.len() * 4 + 2 };
        let mut edge = at;
        for _ in 0..edges {
            edge = self.next_edge(edge)?;
            if self.place(edge).0 != person {
                return Some(edge);
            }
        }
        None
    }

    /// When an override next begins or ends, or a turn while there is none.
    fn next_edge(&self, after: Timestamp) -> Option<Timestamp> {
        let overrides = self.overrides.iter().flat_map(|over| [over.from, over.until]);
        let turn = (!self.place(after).1).then(|| self.turns.next_after(after)).flatten();
        overrides.filter(|edge| *edge > after).chain(turn).min()
    }
}
