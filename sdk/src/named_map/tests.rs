use super::*;
use crate::testing::take_logs;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    name: Name,
    at: Timestamp,
    said: Box<str>,
}

impl Seen {
    fn new(name: &str, at: i64) -> Self {
        Self { name: Name::from(&labels(name)), at: Timestamp(at), said: "".into() }
    }
}

impl Aged for Seen {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.at)
    }

    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes() + held_bytes(self.said.len())
    }
}

fn labels(name: &str) -> Labels {
    Labels(vec![Some(name.into())])
}

fn key(name: &str) -> Key {
    Key::of([Some(name)])
}

fn filled<const MAX: usize>(count: usize, name: impl Fn(usize) -> String) -> NamedMap<Seen, MAX> {
    let mut map = NamedMap::default();
    for n in 0..count {
        let name = name(n);
        map.update(key(&name), || Seen::new(&name, n as i64), |_| ());
    }
    map
}

fn counted<const MAX: usize>(map: &NamedMap<Seen, MAX>) -> usize {
    map.values().map(Seen::heap_bytes).sum()
}

#[test]
fn a_name_holds_its_labels() {
    for values in [
        vec![],
        vec![None],
        vec![Some("web-1")],
        vec![Some(""), None, Some("-"), Some("3:a"), Some("ü:7")],
        vec![None, None, Some("12")],
    ] {
        let labels = Labels(values.into_iter().map(|value| value.map(str::to_owned)).collect());
        let name = Name::from(&labels);
        assert_eq!(name.labels(), labels);
        assert_eq!(postcard::from_bytes::<Name>(&postcard::to_allocvec(&name).unwrap()).unwrap(), name);
    }
    for wrong in ["x", "3:ab", "1:ü", "2:ab3", ":", "99999999999999999999:a"] {
        assert!(postcard::from_bytes::<Name>(&postcard::to_allocvec(wrong).unwrap()).is_err(), "{wrong}");
    }
}

#[test]
fn a_full_map_forgets_the_names_that_were_silent_longest() {
    let mut map = filled::<16>(17, |n| format!("host-{n}"));
    assert_eq!(map.len(), 15);
    assert!(map.get(key("host-1")).is_none() && map.get(key("host-2")).is_some());
    assert!(take_logs()[0].1.starts_with("more than 16 names at once: the 2 that have been silent longest"));
    map.update(key("host-2"), || Seen::new("host-2", 0), |seen| seen.at = Timestamp(99));
    assert_eq!((map.len(), map.get(key("host-2")).unwrap().at), (15, Timestamp(99)));
    assert_eq!(map.remove(key("host-2")).unwrap().name.labels(), labels("host-2"));
    assert_eq!(map.heap_bytes, counted(&map));
}

#[test]
fn a_map_of_long_texts_forgets_by_bytes() {
    let mut map = filled::<NAMES_MAX>(8_000, |n| format!("{n}{}", "x".repeat(1_000)));
    assert!(take_logs().is_empty());
    // Values grow after they were made: that counts as well.
    for n in 0..8_000 {
        let name = format!("{n}{}", "x".repeat(1_000));
        let said = kept(format!("{n} {}", "says ".repeat(1_000)));
        assert!(said.len() <= 1 << 10);
        map.update(key(&name), || Seen::new(&name, n), |seen| seen.said = said);
        assert!(map.heap_bytes <= NAME_BYTES_MAX);
    }
    assert_eq!(map.heap_bytes, counted(&map));
    assert!(take_logs()[0].1.starts_with("names and values of more than 12 MiB at once: the 1000 that"));
    map.retain(|_, seen| {
        seen.said = "".into();
        seen.at.0 % 2 == 0
    });
    assert_eq!(map.heap_bytes, counted(&map));
    assert!(map.heap_bytes < NAME_BYTES_MAX / 2);
}

#[test]
fn values_that_were_returned_are_counted_at_the_next_call() {
    let mut map = filled::<NAMES_MAX>(3, |n| n.to_string());
    map.entry_with(key("1"), || Seen::new("1", 0)).said = "x".repeat(500).into();
    map.get_mut(key("2")).unwrap().said = "x".repeat(300).into();
    assert!(map.get_mut(key("3")).is_none() && map.change(key("3"), |_| ()).is_none());
    assert_eq!(map.heap_bytes, counted(&map));
    map.values_mut().for_each(|seen| seen.said = "x".repeat(70).into());
    assert_eq!(map.remove(key("0")).unwrap().at, Timestamp(0));
    assert_eq!((map.heap_bytes, map.len()), (counted(&map), 2));
    assert_eq!(map.iter().map(|(key, _)| key).max(), [key("1"), key("2")].into_iter().max());
    assert!(map.insert(key("9"), Seen::new("9", 9)).is_none());
    assert_eq!(map.insert(key("9"), Seen::new("9", 10)), Some(Seen::new("9", 9)));
    // As through `update`, what does not fit is forgotten.
    for n in 0..20_000 {
        let name = n.to_string();
        map.entry_with(key(&name), || Seen::new(&name, n)).said = "x".repeat(1_000).into();
        assert!(map.heap_bytes <= NAME_BYTES_MAX + 2_000);
    }
    assert!(map.len() < 13_000 && map.get(key("19999")).is_some());
    assert!(take_logs()[0].1.starts_with("names and values of more than 12 MiB"));
}

#[test]
fn two_hundred_thousand_names_fit_a_state_and_a_module() {
    let name = |n: usize| format!("host-{n:06}.example.org");
    assert_eq!(name(0).len(), 23);
    let map = filled::<NAMES_MAX>(NAMES_MAX, name);
    assert_eq!((map.len(), take_logs()), (NAMES_MAX, vec![]));
    let bytes = postcard::to_allocvec(&map).unwrap();
    assert!(bytes.len() < 8 << 20, "{}", bytes.len());
    // The table has a power of two places and is at most seven eighths full; writing needs a list of the entries.
    let table = (NAMES_MAX * 8 / 7).next_power_of_two() * (size_of::<(Key, Seen)>() + 1);
    let memory = table + map.heap_bytes + NAMES_MAX * 16 + bytes.len().next_power_of_two() * 3 / 2;
    assert!(memory < 48 << 20, "{memory}");
    let back: NamedMap<Seen> = postcard::from_bytes(&bytes).unwrap();
    assert_eq!((back.len(), back.heap_bytes), (NAMES_MAX, map.heap_bytes));
    assert_eq!(back.get(key(&name(7))), map.get(key(&name(7))));
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_arrival() {
    let one = filled::<NAMES_MAX>(100, |n| n.to_string());
    let mut other = NamedMap::<Seen>::default();
    for n in (0..100).rev() {
        let name = n.to_string();
        other.update(key(&name), || Seen::new(&name, n), |_| ());
    }
    assert_eq!(postcard::to_allocvec(&one).unwrap(), postcard::to_allocvec(&other).unwrap());
}

#[test]
fn keys_are_spread_evenly() {
    let mut parts = [0; 10];
    (0..10_000).for_each(|n: u32| parts[key(&n.to_string()).part_of(10) as usize] += 1);
    assert!(parts.iter().all(|count| (850..1_150).contains(count)), "{parts:?}");
    assert_eq!(key("a").part_of(0), 0);
}
