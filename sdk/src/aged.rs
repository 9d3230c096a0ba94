//! What a bounded map knows about its values: how old they are, and how much memory they hold.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{DocumentId, Duration, Key, Labels, Level, Name, Timestamp};

/// What a [`KeyMap`](crate::KeyMap) or [`NamedMap`](crate::NamedMap) needs to know about its values: a full map forgets
/// those whose newest event is oldest.
///
/// Derive it. The newest event is then the latest time in any field, and the memory is that of all fields:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use watchbell_sdk::prelude::*;
///
/// #[derive(Default, Serialize, Deserialize, Aged)]
/// struct Login {
///     at: Timestamp,
///     country: String,
/// }
///
/// let mut logins = KeyMap::<Login>::default();
/// let login = logins.entry(Key::of([Some("alice")]));
/// login.at = Timestamp(1_000);
/// login.country = "NZ".into();
/// assert_eq!(login.newest(), Some(Timestamp(1_000)));
/// assert!(login.heap_bytes() >= 2);
/// ```
///
/// Fields can be marked:
///
/// - `#[aged(newest)]`: only fields marked so count as the newest event; necessary if another field holds a later time,
///   such as a deadline.
/// - `#[aged(spare)]`: the field does not affect results. A full [`NamedMap`](crate::NamedMap) resets it to its default
///   before it forgets a key.
/// - `#[aged(skip)]`: the field's type does not implement `Aged`, and its memory is small enough to ignore.
///
/// A value without a time is refused, because a full map could not choose what to forget. A type that is only a part of
/// values is marked `#[aged(part)]`.
///
/// ```compile_fail
/// use watchbell_sdk::prelude::*;
///
/// #[derive(Aged)] // error: no field of `Counts` holds a time: add one such as `newest: Timestamp`, …
/// struct Counts {
///     good: u32,
///     bad: u32,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `KeyMap` or `NamedMap` cannot hold `{Self}`: it does not implement `Aged`",
    label = "does not implement `Aged`",
    note = "for a type of your own, add `#[derive(Aged)]`; mark a field whose type is not yours `#[aged(skip)]`"
)]
pub trait Aged {
    /// Whether values can have a newest event. Maps of values that cannot do not compile.
    const HAS_TIME: bool = true;

    /// Whether values can hold memory on the heap. Lists of those that cannot are not walked to count it.
    const HAS_HEAP: bool = true;

    /// The time of the newest event in the value; `None` if there is none. Keys for which it is oldest are forgotten
    /// first. It is only compared, so any number that grows with time will do.
    fn newest(&self) -> Option<Timestamp>;

    /// The bytes that the value holds on the heap; 0 by default. Called for each row, so it must be fast.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Drops whatever does not affect results, such as a [`DocumentId`]. A full [`NamedMap`](crate::NamedMap) calls it
    /// before it forgets a key. Does nothing by default.
    fn spare(&mut self) {}

    /// An estimate of the serialized size in bytes, too high rather than too low; by default half the memory. A map
    /// that seems too large is measured before it forgets anything.
    fn written_bytes(&self) -> usize {
        (size_of_val(self) + self.heap_bytes()) / 2
    }

    /// Serializes the value, given `base`, the time of the map's newest event: times take fewer bytes as offsets from
    /// it. By default the value's own [`Serialize`].
    ///
    /// # Errors
    /// Those of `serializer`.
    fn write_since<S: Serializer>(&self, base: Timestamp, serializer: S) -> Result<S::Ok, S::Error>
    where
        Self: Serialize,
    {
        let _ = base;
        self.serialize(serializer)
    }

    /// Decodes what [`write_since`](Self::write_since) encoded with the same `base`.
    ///
    /// # Errors
    /// Those of `deserializer`.
    fn read_since<'de, D: Deserializer<'de>>(base: Timestamp, deserializer: D) -> Result<Self, D::Error>
    where
        Self: Deserialize<'de>,
    {
        let _ = base;
        Self::deserialize(deserializer)
    }
}

/// The overhead of a module's allocator: four bytes before, and padding to a multiple of eight.
const ALLOCATION_BYTES: usize = 8;

/// The bytes on the heap of a string or list of `len` bytes, including the allocator's overhead; for
/// [`Aged::heap_bytes`].
pub fn held_bytes(len: usize) -> usize {
    if len == 0 { 0 } else { len + ALLOCATION_BYTES }
}

/// The bytes on the heap of all items.
pub(crate) fn held_by<'v, T: Aged + 'v>(items: impl Iterator<Item = &'v T>) -> usize {
    if T::HAS_HEAP { items.map(T::heap_bytes).sum() } else { 0 }
}

impl Aged for Timestamp {
    const HAS_HEAP: bool = false;

    fn newest(&self) -> Option<Timestamp> {
        Some(*self)
    }
}

/// Types that hold neither a time nor memory on the heap.
macro_rules! plain {
    ($($kind:ty)*) => {$(
        impl Aged for $kind {
            const HAS_TIME: bool = false;
            const HAS_HEAP: bool = false;

            fn newest(&self) -> Option<Timestamp> {
                None
            }
        }
    )*};
}

plain!(() bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 Duration Key Level);

/// Types of text: no time, but memory on the heap.
macro_rules! texts {
    ($($kind:ty: |$text:ident| $bytes:expr;)*) => {$(
        impl Aged for $kind {
            const HAS_TIME: bool = false;

            fn newest(&self) -> Option<Timestamp> {
                None
            }

            fn heap_bytes(&self) -> usize {
                let $text = self;
                $bytes
            }
        }
    )*};
}

texts! {
    String: |text| held_bytes(text.capacity());
    Box<str>: |text| held_bytes(text.len());
    Name: |name| Name::heap_bytes(name);
    DocumentId: |id| DocumentId::heap_bytes(id);
    Labels: |labels| labels.0.heap_bytes();
}

impl<T: Aged> Aged for Option<T> {
    const HAS_TIME: bool = T::HAS_TIME;
    const HAS_HEAP: bool = T::HAS_HEAP;

    fn newest(&self) -> Option<Timestamp> {
        self.as_ref().and_then(T::newest)
    }

    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }

    fn spare(&mut self) {
        if let Some(value) = self {
            value.spare();
        }
    }
}

impl<T: Aged> Aged for Box<T> {
    const HAS_TIME: bool = T::HAS_TIME;

    fn newest(&self) -> Option<Timestamp> {
        T::newest(self)
    }

    fn heap_bytes(&self) -> usize {
        held_bytes(size_of::<T>()) + T::heap_bytes(self)
    }

    fn spare(&mut self) {
        T::spare(self);
    }
}

impl<T: Aged, const N: usize> Aged for [T; N] {
    const HAS_TIME: bool = T::HAS_TIME;
    const HAS_HEAP: bool = T::HAS_HEAP;

    fn newest(&self) -> Option<Timestamp> {
        self.iter().filter_map(T::newest).max()
    }

    fn heap_bytes(&self) -> usize {
        held_by(self.iter())
    }

    fn spare(&mut self) {
        self.iter_mut().for_each(T::spare);
    }
}

/// Lists: an allocation of their capacity, and what their items hold.
macro_rules! lists {
    ($($list:ident)*) => {$(
        impl<T: Aged> Aged for $list<T> {
            const HAS_TIME: bool = T::HAS_TIME;

            fn newest(&self) -> Option<Timestamp> {
                self.iter().filter_map(T::newest).max()
            }

            fn heap_bytes(&self) -> usize {
                held_bytes(self.capacity() * size_of::<T>()) + held_by(self.iter())
            }

            fn spare(&mut self) {
                self.iter_mut().for_each(T::spare);
            }
        }
    )*};
}

lists!(Vec VecDeque);

/// The bytes of a B-tree: its nodes have room for eleven entries and are at least half full.
fn tree_bytes(len: usize, entry_bytes: usize) -> usize {
    held_bytes(len * (entry_bytes * 2 + ALLOCATION_BYTES))
}

impl<K: Aged, V: Aged> Aged for BTreeMap<K, V> {
    const HAS_TIME: bool = K::HAS_TIME || V::HAS_TIME;

    fn newest(&self) -> Option<Timestamp> {
        self.iter().flat_map(|(key, value)| [key.newest(), value.newest()]).flatten().max()
    }

    fn heap_bytes(&self) -> usize {
        tree_bytes(self.len(), size_of::<(K, V)>()) + held_by(self.keys()) + held_by(self.values())
    }

    fn spare(&mut self) {
        self.values_mut().for_each(V::spare);
    }
}

impl<T: Aged> Aged for BTreeSet<T> {
    const HAS_TIME: bool = T::HAS_TIME;

    fn newest(&self) -> Option<Timestamp> {
        self.iter().filter_map(T::newest).max()
    }

    fn heap_bytes(&self) -> usize {
        tree_bytes(self.len(), size_of::<T>()) + held_by(self.iter())
    }
}

macro_rules! tuples {
    ($($part:ident $place:tt),*) => {
        impl<$($part: Aged),*> Aged for ($($part,)*) {
            const HAS_TIME: bool = $($part::HAS_TIME)||*;
            const HAS_HEAP: bool = $($part::HAS_HEAP)||*;

            fn newest(&self) -> Option<Timestamp> {
                [$(self.$place.newest()),*].into_iter().flatten().max()
            }

            fn heap_bytes(&self) -> usize {
                [$(self.$place.heap_bytes()),*].into_iter().sum()
            }

            fn spare(&mut self) {
                $(self.$place.spare();)*
            }
        }
    };
}

tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Aged, Cells, EventWindow, LastSeen, Tally};

    #[derive(Default, Serialize, Deserialize, Aged)]
    struct Whole {
        first: Option<Timestamp>,
        events: EventWindow,
        names: Vec<String>,
        #[aged(spare)]
        document: DocumentId,
        #[aged(skip)]
        _other: std::marker::PhantomData<std::net::Ipv4Addr>,
    }

    #[derive(Aged)]
    struct Deadline {
        #[aged(newest)]
        seen: Timestamp,
        _until: Timestamp,
    }

    #[derive(Aged)]
    #[aged(part)]
    struct Part {
        texts: Vec<String>,
    }

    #[derive(Aged)]
    struct Pair<T: Aged>(T, u32);

    #[derive(Aged)]
    enum Phase {
        Idle,
        Waiting { since: Timestamp, text: Box<str> },
        Done(Timestamp, u8),
    }

    #[test]
    fn a_derived_value_is_as_new_and_as_large_as_its_fields() {
        let mut whole = Whole::default();
        assert_eq!((whole.newest(), whole.heap_bytes()), (None, 0));
        whole.first = Some(Timestamp(5));
        assert_eq!(whole.newest(), Some(Timestamp(5)));
        whole.events.push(Timestamp(7), Duration(10));
        assert_eq!(whole.newest(), Some(Timestamp(7)));
        whole.names = vec!["a".repeat(100)];
        assert_eq!(whole.heap_bytes(), 108 + size_of::<String>() + 8);
        assert_eq!(whole.written_bytes(), (size_of::<Whole>() + whole.heap_bytes()) / 2);
        whole.document = postcard::from_bytes(&postcard::to_allocvec("id").unwrap()).unwrap();
        whole.spare();
        assert_eq!((whole.document, whole.names.len()), (DocumentId::default(), 1));
        assert_eq!(Deadline { seen: Timestamp(3), _until: Timestamp(9) }.newest(), Some(Timestamp(3)));
        assert_eq!(Pair(Timestamp(4), 9).newest(), Some(Timestamp(4)));
        let part = Part { texts: vec!["x".into()] };
        assert_eq!((part.newest(), part.heap_bytes()), (None, 9 + size_of::<String>() + 8));
    }

    #[test]
    fn a_derived_enum_is_what_its_variant_is() {
        assert_eq!((Phase::Idle.newest(), Phase::Idle.heap_bytes()), (None, 0));
        let waiting = Phase::Waiting { since: Timestamp(2), text: "x".into() };
        assert_eq!((waiting.newest(), waiting.heap_bytes()), (Some(Timestamp(2)), 9));
        assert_eq!(Phase::Done(Timestamp(8), 1).newest(), Some(Timestamp(8)));
    }

    #[test]
    fn what_holds_no_time_says_so() {
        const { assert!(!<(u32, Vec<String>)>::HAS_TIME && <(u32, Option<Timestamp>)>::HAS_TIME) };
        const { assert!(EventWindow::HAS_TIME && Tally::HAS_TIME && LastSeen::HAS_TIME) };
        const { assert!(Cells::<u32>::HAS_TIME && !<BTreeMap<String, Level>>::HAS_TIME) };
        let map = BTreeMap::from([(1_u8, Timestamp(4)), (2, Timestamp(3))]);
        assert_eq!(map.newest(), Some(Timestamp(4)));
        assert!(map.heap_bytes() > 2 * size_of::<(u8, Timestamp)>());
        assert_eq!(BTreeSet::from([Timestamp(9)]).newest(), Some(Timestamp(9)));
        assert_eq!([Timestamp(1), Timestamp(2)].newest(), Some(Timestamp(2)));
        assert_eq!(Box::new(Timestamp(6)).heap_bytes(), 16);
    }
}
