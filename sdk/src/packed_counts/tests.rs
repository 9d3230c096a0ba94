use std::collections::BTreeMap;

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use serde::Deserialize;

use super::*;

struct At(i64, PackedCounts);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.1.write(self.0, serializer)
    }
}

/// Written against 1,000,000.
struct Read(PackedCounts);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PackedCounts::read(1_000_000, deserializer).map(Self)
    }
}

#[test]
fn one_or_two_take_sixteen_bytes_and_few_as_written() {
    assert_eq!(size_of::<PackedCounts>(), 16);
    assert_eq!(size_of::<Option<PackedCounts>>(), 16);
    let mut counts = PackedCounts::default();
    counts.add(900_000, 1);
    assert_eq!(postcard::to_allocvec(&At(1_000_000, counts.clone())).unwrap().len(), 3);
    counts.add(990_000, 1);
    assert_eq!((counts.len(), counts.heap_bytes()), (2, 0));
    assert_eq!(postcard::to_allocvec(&At(1_000_000, counts)).unwrap().len(), 3 + 1 + 3);
}

#[test]
fn what_was_not_written_so_is_refused() {
    for bytes in [&[][..], &[2], &[3], &[4, 0], &[2, 1, 0], &[2, 1, 1, 0], &[2, 2, 3, 0]] {
        assert!(postcard::from_bytes::<Read>(bytes).is_err(), "{bytes:?}");
    }
    let read = postcard::from_bytes::<Read>(&[2, 1, 2]).unwrap().0;
    assert_eq!(read.iter().collect::<Vec<_>>(), [(999_999, 1), (1_000_000, 1)]);
}

#[derive(Clone, Debug)]
enum Step {
    Add(i64, u32),
    Take(i64),
    PopOldest,
    PopNewest,
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    let place = prop_oneof![
        8 => 0_i64..6,
        2 => 0_i64..3_000_000_000_000,
        1 => any::<i64>().prop_map(|place| place / 8),
    ];
    let count = prop_oneof![8 => 1_u32..3, 1 => 60_000_u32..70_000, 1 => Just(0)];
    let step = prop_oneof![
        6 => (place.clone(), count).prop_map(|(place, count)| Step::Add(place, count)),
        2 => place.prop_map(Step::Take),
        1 => Just(Step::PopOldest),
        1 => Just(Step::PopNewest),
    ];
    prop::collection::vec(step, 0..24)
}

proptest! {
    #[test]
    fn it_is_a_map_of_places(steps in steps()) {
        let (mut counts, mut model) = (PackedCounts::default(), BTreeMap::<i64, u32>::new());
        for step in steps {
            match step {
                Step::Add(_, 0) => {}
                Step::Add(place, count) => {
                    counts.add(place, count);
                    *model.entry(place).or_default() += count;
                }
                Step::Take(place) => {
                    prop_assert_eq!(counts.take(place), model.contains_key(&place));
                    if let Some(count) = model.get_mut(&place) {
                        *count -= 1;
                    }
                    model.retain(|_, count| *count > 0);
                }
                Step::PopOldest => {
                    counts.pop_oldest();
                    model.pop_first();
                }
                Step::PopNewest => {
                    counts.pop_newest();
                    model.pop_last();
                }
            }
            prop_assert!(counts.iter().eq(model.iter().map(|(place, count)| (*place, *count))));
            prop_assert!(counts.iter().rev().eq(model.iter().rev().map(|(place, count)| (*place, *count))));
            prop_assert_eq!(counts.newest(), model.keys().next_back().copied());
            prop_assert_eq!(counts.oldest(), model.keys().next().copied());
            prop_assert_eq!((counts.len(), counts.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(counts.total(), model.values().map(|count| u64::from(*count)).sum::<u64>());
        }
        let bytes = postcard::to_allocvec(&At(1_000_000, counts.clone())).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Read>(&bytes).unwrap().0, counts);
    }
}
