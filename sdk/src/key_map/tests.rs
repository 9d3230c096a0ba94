use std::collections::BTreeMap;

use proptest::prelude::{prop, prop_assert_eq, proptest};

use serde::Deserialize;

use super::*;
use crate::testing::take_logs;
use crate::{Duration, EventWindow, LastSeen, Timestamp};

const MINUTE: Duration = Duration::from_mins(1);

fn key(n: u64) -> Key {
    Key::of([Some(n.to_string().as_str())])
}

fn read<V: Aged + serde::de::DeserializeOwned>(bytes: &[u8]) -> KeyMap<V> {
    postcard::from_bytes(bytes).unwrap()
}

/// What the map believes that its values take, and what they do.
fn taken<V: Aged + Serialize, const MAX: usize, const BYTES: usize>(
    map: &mut KeyMap<V, MAX, BYTES>,
) -> (Taken, Taken) {
    map.count_touched();
    let mut counted = Taken::default();
    map.values().for_each(|value| counted.change(Taken::default(), Taken::of(value)));
    (map.taken, counted)
}

#[test]
fn a_full_map_forgets_the_keys_that_were_silent_longest() {
    let mut map = KeyMap::<EventWindow, 16>::default();
    for n in 0..17 {
        map.entry(key(n)).push(Timestamp(1_000 - n as i64), MINUTE);
    }
    assert_eq!(map.len(), 15);
    assert!(map.get(key(15)).is_none() && map.get(key(14)).is_none());
    assert!(map.get(key(16)).is_some() && map.get(key(0)).is_some());
    assert!(take_logs()[0].1.contains("more than 16 keys"));
}

#[test]
fn of_equally_old_keys_the_lowest_go() {
    let mut keys: Vec<Key> = (0..64).map(key).collect();
    keys.sort();
    for order in [0, 1, 2] {
        let mut map = KeyMap::<EventWindow, 64>::default();
        let mut shuffled = keys.clone();
        shuffled.rotate_left(order * 21);
        for key in shuffled {
            map.entry(key).push(Timestamp(5), MINUTE);
        }
        map.entry(key(64)).push(Timestamp(5), MINUTE);
        assert!(keys[..8].iter().all(|key| map.get(*key).is_none()));
        assert!(keys[8..].iter().all(|key| map.get(*key).is_some()));
    }
}

#[test]
fn a_map_forgets_by_bytes_where_few_keys_hold_much() {
    let mut map = KeyMap::<EventWindow>::default();
    let mut most = 0;
    // Each event is an instant of its own: 20,000 of each of 400 keys would be 128 MiB.
    for n in 0..20_000 {
        for host in 0..400 {
            map.entry(key(host)).push(Timestamp(n * 400 + host as i64), Duration::from_mins(600));
        }
        if n % 500 == 0 {
            most = most.max(map.bytes());
            let (believed, counted) = taken(&mut map);
            assert_eq!(believed, counted);
        }
    }
    assert!(most > BYTES_MAX / 2 && most <= BYTES_MAX + (1 << 20), "{most}");
    assert!(map.get(key(399)).is_some());
    assert!(take_logs()[0].1.starts_with("keys of more than"));
    assert!(postcard::to_allocvec(&map).unwrap().len() < 16 << 20);
}

#[test]
fn a_million_keys_of_an_event_fit_a_module() {
    let mut map = KeyMap::<EventWindow>::default();
    let start = 1_704_067_200_000;
    for n in 0..1_000_000 {
        map.entry(key(n)).push(Timestamp(start + (n as i64 * 7_919) % 3_600_000), Duration::from_mins(60));
    }
    assert_eq!(map.len(), KEYS_MAX);
    assert!(take_logs().is_empty());
    assert!(map.bytes() <= BYTES_MAX && map.written() <= WRITTEN_MAX);
    let bytes = postcard::to_allocvec(&map).unwrap();
    assert!(bytes.len() <= map.written(), "{} bytes as written", bytes.len());
    assert!(bytes.len() < 11_500_000, "{} bytes as written", bytes.len());
    let mut back = read::<EventWindow>(&bytes);
    assert_eq!(postcard::to_allocvec(&back).unwrap(), bytes);
    assert_eq!(taken(&mut back), taken(&mut map));
    back.entry(key(1_000_000)).push(Timestamp(start + 3_600_000), MINUTE);
    assert_eq!(back.len(), 875_001);
    assert!(back.values().all(|window| window.newest() >= Some(Timestamp(start + 440_000))));
}

#[test]
fn a_million_times_of_a_cell_are_small() {
    let mut map = KeyMap::<LastSeen>::default();
    for n in 0..1_000_000 {
        let at = Timestamp(n as i64 * 2_592);
        map.entry_with(key(n), || LastSeen::new(at, Duration::from_mins(60 * 24)));
    }
    assert!(map.bytes() < 16 << 20, "{}", map.bytes());
    let bytes = postcard::to_allocvec(&map).unwrap();
    assert!(bytes.len() < 8_100_000, "{}", bytes.len());
    assert_eq!(postcard::to_allocvec(&read::<LastSeen>(&bytes)).unwrap(), bytes);
}

#[test]
fn a_value_is_changed_by_any_of_the_ways() {
    let mut map = KeyMap::<EventWindow>::default();
    map.update(key(1), EventWindow::default, |window| window.push(Timestamp(1), MINUTE));
    map.change(key(1), |window| (2..9).for_each(|at| window.push(Timestamp(at), MINUTE)));
    map.get_mut(key(1)).unwrap().push(Timestamp(9), MINUTE);
    assert!(map.get_mut(key(2)).is_none() && map.change(key(2), EventWindow::clear).is_none());
    assert!(map.insert(key(3), EventWindow::default()).is_none());
    assert_eq!(map.insert(key(3), EventWindow::default()), Some(EventWindow::default()));
    let (believed, counted) = taken(&mut map);
    assert_eq!(believed, counted);
    assert!(map.remove(key(3)).is_some());
    assert_eq!(map.iter().map(|(key, window)| (key, window.count())).collect::<Vec<_>>(), [(key(1), 9)]);
}

/// Says of itself that it takes a hundred bytes.
#[derive(Default, Serialize, Deserialize)]
struct Loud(u32);

impl Aged for Loud {
    fn newest(&self) -> Option<Timestamp> {
        None
    }

    fn written_bytes(&self) -> usize {
        100
    }
}

#[test]
fn a_map_is_measured_before_it_forgets_what_it_may_keep() {
    let mut map = KeyMap::<Loud>::default();
    for n in 0..500_000 {
        map.entry(key(n)).0 = 7;
    }
    assert_eq!(map.len(), 500_000);
    assert!(take_logs().is_empty() && map.measured.rate < 0.1);
}

#[test]
fn a_map_forgets_by_bytes_as_written() {
    let mut map = KeyMap::<Loud, KEYS_MAX, { 2 << 20 }>::default();
    let most = KeyMap::<Loud, KEYS_MAX, { 2 << 20 }>::WRITTEN;
    for n in 0..100_000 {
        map.entry(key(n)).0 = u32::MAX;
        if n % 5_000 == 0 {
            assert!(postcard::to_allocvec(&map).unwrap().len() <= most);
        }
    }
    assert!(map.len() > 60_000, "{}", map.len());
    assert!(take_logs()[0].1.starts_with("keys that serialize to more than 0 MiB"));
}

#[test]
fn what_was_not_written_so_is_refused() {
    let mut map = KeyMap::<LastSeen>::default();
    for n in 0..3 {
        map.entry_with(key(n), || LastSeen::new(Timestamp(n as i64), Duration(1)));
    }
    let bytes = postcard::to_allocvec(&map).unwrap();
    for len in 0..bytes.len() {
        assert!(postcard::from_bytes::<KeyMap<LastSeen>>(&bytes[..len]).is_err());
    }
    // A base of 0, two entries: one key twice, and one beyond the last.
    let twice = postcard::to_allocvec(&(0_i64, vec![(7_u64, 0_i64), (0, 0)])).unwrap();
    let beyond = postcard::to_allocvec(&(0_i64, vec![(7_u64, 0_i64), (u64::MAX, 0)])).unwrap();
    // As many as no memory holds, of which none is there.
    let many = postcard::to_allocvec(&(0_i64, u64::MAX)).unwrap();
    for bytes in [twice, beyond, many] {
        assert!(postcard::from_bytes::<KeyMap<LastSeen>>(&bytes).is_err());
    }
}

/// A window that is written out at length.
type Plain = Vec<i64>;

proptest! {
    /// Against a map that holds every event, with a limit of eight keys.
    #[test]
    fn it_is_a_map_of_windows_that_forgets_the_oldest(
        steps in prop::collection::vec((0_u64..14, 0_i64..30, 0_u8..12), 0..200),
    ) {
        let frame = Duration(40);
        let mut map = KeyMap::<EventWindow, 8>::default();
        let mut model = BTreeMap::<Key, Plain>::new();
        let mut now = 0;
        for (n, later, what) in steps {
            let key = key(n);
            match what {
                0 => prop_assert_eq!(map.remove(key).is_some(), model.remove(&key).is_some()),
                1 => {
                    map.retain(|_, window| window.count() > 1);
                    model.retain(|_, events| events.len() > 1);
                }
                2 => {
                    map.values_mut().for_each(EventWindow::clear);
                    model.values_mut().for_each(Vec::clear);
                }
                _ => {
                    now += later;
                    if model.len() == 8 && !model.contains_key(&key) {
                        let oldest = model.iter().map(|(key, events)| (events.iter().max(), *key)).min();
                        let oldest = oldest.map(|(_, key)| key).unwrap();
                        model.remove(&oldest);
                    }
                    map.entry(key).push(Timestamp(now), frame);
                    let events = model.entry(key).or_default();
                    events.push(now);
                    events.retain(|at| now - at < 40);
                }
            }
            let held: Vec<_> = map.values().map(EventWindow::count).collect();
            prop_assert_eq!(held, model.values().map(|events| events.len() as u64).collect::<Vec<_>>());
            let (believed, counted) = taken(&mut map);
            prop_assert_eq!(believed, counted);
        }
        take_logs();
        let bytes = postcard::to_allocvec(&map).unwrap();
        let back: KeyMap<EventWindow, 8> = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(postcard::to_allocvec(&back).unwrap(), bytes);
        for (key, events) in model {
            let window = back.get(key).unwrap();
            prop_assert_eq!(window.oldest().map(|at| at.0), events.iter().min().copied());
            prop_assert_eq!(window.newest().map(|at| at.0), events.iter().max().copied());
        }
    }
}
