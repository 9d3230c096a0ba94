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
    /// The documents that made it so.
    first: DocumentId,
    other: DocumentId,
    /// More than one document: one that is both does not follow itself.
    has_several: bool,
    /// Whatever it began is ended.
    is_settled: bool,
}

/// A key that began something, and its document.
pub(crate) type Begun = (Key, Name, DocumentId);

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
            // One that is both does not follow itself: another takes one of its places.
            let is_both = marks.first == marks.other;
            if is_first && (!marks.has_first || is_both) {
                marks.has_first = true;
                marks.name = Name::of(row);
                marks.first = DocumentId::of(row);
            }
            if is_other && (!marks.has_other || is_both) {
                marks.has_other = true;
                marks.other = DocumentId::of(row);
            }
            Seen { is_pair: marks.has_first && marks.has_other && marks.has_several }
        })
    }

    /// The key's first `first` of this instant, and the first of what follows it.
    pub(crate) fn pair(&self, key: Key) -> (DocumentId, DocumentId) {
        self.keys.get(key).map(|marks| (marks.first.clone(), marks.other.clone())).unwrap_or_default()
    }

    /// Ends what a key began at this instant, or will begin; false if that was done before.
    pub(crate) fn settle(&mut self, key: Key) -> bool {
        let make = || Marks::new(self.at.unwrap_or_default());
        !self.keys.update(key, make, |marks| std::mem::replace(&mut marks.is_settled, true))
    }

    /// Once time is past it: the instant, and the keys that began something at it which is still open.
    pub(crate) fn end(&mut self, at: Timestamp) -> Option<(Timestamp, Vec<Begun>)> {
        let since = self.at.filter(|since| *since < at)?;
        let mut begun = Vec::new();
        self.keys.retain(|key, marks| {
            if marks.has_first && !marks.is_settled {
                begun.push((key, std::mem::take(&mut marks.name), std::mem::take(&mut marks.first)));
            }
            false
        });
        self.at = None;
        // Which keys a full map forgets must not depend on the order in which they come into it.
        begun.sort_unstable_by_key(|(key, ..)| *key);
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
            first: DocumentId::default(),
            other: DocumentId::default(),
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
        self.name.heap_bytes() + self.first.heap_bytes() + self.other.heap_bytes()
    }

    fn spare(&mut self) {
        self.first.forget();
        self.other.forget();
    }
}
