use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::*;

/// Well spread, as hashes are.
fn spread(n: u64) -> u64 {
    crate::Key::of([Some(n.to_string().as_str())]).0
}

/// What the header of this room promises.
fn check<V>(table: &Table<V>) {
    let mut len = 0;
    for (index, segment) in table.segments.iter().enumerate() {
        let mut last = None;
        for (at, key) in segment.keys.iter().copied().enumerate() {
            assert_eq!(key == GAP, segment.values[at].is_none());
            if key == GAP {
                continue;
            }
            len += 1;
            assert_eq!(table.segment(key), index);
            assert!(last < Some(key));
            last = Some(key);
            let home = segment.home(key, table.bits);
            assert!(home <= at && segment.keys[home..at].iter().all(|key| *key != GAP));
        }
        assert!(segment.keys.last().is_none_or(|key| *key == GAP));
    }
    assert_eq!(table.len, len);
}

#[test]
fn it_grows_by_segments_and_shrinks_again() {
    let mut table = Table::default();
    for n in 0..20_000 {
        *table.entry(spread(n), || n).1 += 1;
        if n % 997 == 0 {
            check(&table);
        }
    }
    assert_eq!((table.bits, table.len()), (5, 20_000));
    let places: usize = table.segments.iter().map(|segment| segment.keys.len()).sum();
    assert!(places < 20_000 * 13 / 10, "{places}");
    assert!((0..20_000).all(|n| table.get(spread(n)) == Some(&(n + 1))));
    table.retain(|_, n| *n <= 300);
    check(&table);
    assert_eq!((table.bits, table.len()), (0, 300));
    let places: usize = table.segments.iter().map(|segment| segment.keys.len()).sum();
    assert!(places < 700, "{places}");
    assert!((0..300).all(|n| table.remove(spread(n)) == Some(n + 1)));
    check(&table);
}

#[test]
fn many_in_order_find_their_room_at_once() {
    let mut keys: Vec<_> = (0..5_000).map(spread).collect();
    keys.sort_unstable();
    let mut table = Table::for_many(keys.len());
    for key in &keys {
        table.entry(*key, || ());
    }
    check(&table);
    assert_eq!((table.bits, table.len()), (3, 5_000));
    assert!(table.iter().map(|(key, ())| key).eq(keys));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u64),
    Remove(u64),
    Retain(u8),
}

proptest! {
    #[test]
    fn it_is_an_ordered_map(steps in prop::collection::vec(
        {
            // Hashes, keys that share all their first bits, and the ends.
            let key = prop_oneof![
                8 => (0_u64..400).prop_map(spread),
                4 => 0_u64..60,
                1 => any::<u64>(),
                1 => Just(u64::MAX - 1),
            ].boxed();
            prop_oneof![
                20 => key.clone().prop_map(Step::Put),
                8 => key.prop_map(Step::Remove),
                1 => any::<u8>().prop_map(Step::Retain),
            ]
        },
        0..400,
    )) {
        let (mut table, mut model) = (Table::default(), BTreeMap::new());
        for (n, step) in (0_u32..).zip(steps) {
            match step {
                Step::Put(key) => {
                    let value = *table.entry(key, || n).1;
                    prop_assert_eq!(value, *model.entry(key).or_insert(n));
                }
                Step::Remove(key) => prop_assert_eq!(table.remove(key), model.remove(&key)),
                Step::Retain(most) => {
                    table.retain(|_, value| value.is_multiple_of(7) || *value as u8 > most);
                    model.retain(|_, value| value.is_multiple_of(7) || *value as u8 > most);
                }
            }
        }
        check(&table);
        prop_assert_eq!(table.len(), model.len());
        prop_assert_eq!(table.iter().map(|(key, value)| (key, *value)).collect::<Vec<_>>(),
            model.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>());
        for (key, value) in model {
            prop_assert_eq!(table.get(key), Some(&value));
        }
    }
}
