//! Documents of one instant. Their order is that of their ids and says nothing, so they are judged as a set: whatever
//! order they come in, the same is found.
use watchbell_sdk::prelude::*;

/// What was seen of each key at one instant.
#[derive(Default)]
pub(crate) struct Instant {
    at: Option<Timestamp>,
    keys: NamedMap<Marks>,
}

/// What one key did.
struct Marks {
    name: Name,
    at: Timestamp,
    has_first: bool,
    has_other: bool,
    /// More than one document: one that is both does not follow itself.
    has_several: bool,
    /// Whatever it began is ended.
    is_settled: bool,
}

pub(crate) struct Seen {
    /// Both are there, in two documents.
    pub(crate) is_pair: bool,
}

impl Instant {
    pub(crate) fn see(&mut self, row: &Row<'_>, is_first: bool, is_other: bool) -> Seen {
        self.at = Some(row.time());
        let make = || Marks::new(row.time());
        self.keys.update(row.key(), make, |marks| {
            marks.has_several |= marks.has_first || marks.has_other;
            if is_first && !marks.has_first {
                marks.has_first = true;
                marks.name = Name::of(row);
            }
            marks.has_other |= is_other;
            Seen { is_pair: marks.has_first && marks.has_other && marks.has_several }
        })
    }

    /// Ends what a key began at this instant, or will begin; false if that was done before.
    pub(crate) fn settle(&mut self, key: Key) -> bool {
        let make = || Marks::new(self.at.unwrap_or_default());
        !self.keys.update(key, make, |marks| std::mem::replace(&mut marks.is_settled, true))
    }

    /// Once time is past it: the instant, and the keys that began something at it which is still open.
    pub(crate) fn end(&mut self, at: Timestamp) -> Option<(Timestamp, Vec<(Key, Name)>)> {
        let since = self.at.filter(|since| *since < at)?;
        let mut begun = Vec::new();
        self.keys.retain(|key, marks| {
            if marks.has_first && !marks.is_settled {
                begun.push((key, std::mem::take(&mut marks.name)));
            }
            false
        });
        self.at = None;
        // Which keys a full map forgets must not depend on the order in which they come into it.
        begun.sort_unstable_by_key(|(key, _)| *key);
        Some((since, begun))
    }
}

impl Marks {
    fn new(at: Timestamp) -> Self {
        Self {
            name: Name::default(),
            at,
            has_first: false,
            has_other: false,
            has_several: false,
            is_settled: false,
        }
    }
}

impl Aged for Marks {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.at)
    }

    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes()
    }
}
