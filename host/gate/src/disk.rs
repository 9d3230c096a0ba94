//! Disks, and their watermarks as servers compute them.
use crate::settings::Settings;

const PREFIX: &str = "cluster.routing.allocation.disk.";

/// The disk space of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Per data path; most nodes have one.
    pub paths: Vec<Space>,
    /// Bytes of the shards on the node.
    pub store_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub available: u64,
}

/// The free space below which a node gets no more shards, loses some, and has its indices made read-only.
#[derive(Clone, Debug, PartialEq)]
pub struct Watermarks {
    low: Watermark,
    high: Watermark,
    flood: Watermark,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Watermark {
    mark: Mark,
    /// For a percentage: an upper bound on the bytes that must be free.
    headroom_max: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    /// 0 to 1.
    UsedRatio(f64),
    FreeBytes(u64),
}

/// How much a disk has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Bytes that could be added before the high watermark is reached.
    Bytes(u64),
    AboveLow,
    AboveHigh,
    AboveFlood,
}

impl Watermarks {
    /// `None` if the servers do not check disks.
    ///
    /// # Errors
    /// The name of a setting that is not a valid watermark.
    pub fn of(settings: &Settings) -> Result<Option<Self>, String> {
        if settings.get(&format!("{PREFIX}threshold_enabled")) == Some("false") {
            return Ok(None);
        }
        Ok(Some(Self {
            low: watermark(settings, "low", "85%")?,
            high: watermark(settings, "high", "90%")?,
            flood: watermark(settings, "flood_stage", "95%")?,
        }))
    }

    /// The fullest path decides whether a node is too full, the emptiest how much it can take.
    pub fn room(&self, disk: &Disk) -> Room {
        let under =
            |mark: &Watermark| disk.paths.iter().any(|space| space.available < mark.free_min(space.total));
        if under(&self.flood) {
            return Room::AboveFlood;
        }
        if under(&self.high) {
            return Room::AboveHigh;
        }
        let open = disk.paths.iter().filter(|space| space.available >= self.low.free_min(space.total));
        let room = open.map(|space| space.available.saturating_sub(self.high.free_min(space.total))).max();
        room.map_or(Room::AboveLow, Room::Bytes)
    }
}

impl Watermark {
    fn free_min(&self, total: u64) -> u64 {
        match self.mark {
            Mark::FreeBytes(bytes) => bytes,
            Mark::UsedRatio(ratio) => {
                let free = (total as f64 * (1.0 - ratio)).ceil().max(0.0) as u64;
                free.min(self.headroom_max.unwrap_or(u64::MAX))
            }
        }
    }
}

fn watermark(settings: &Settings, name: &str, default: &str) -> Result<Watermark, String> {
    let key = format!("{PREFIX}watermark.{name}");
    let headroom = format!("{key}.max_headroom");
    let text = settings.get(&key).unwrap_or(default);
    let mark = mark(text).ok_or_else(|| key.clone())?;
    // The default headroom applies to the default watermark only.
    let headroom_text = match settings.explicit(&key) {
        Some(_) => settings.explicit(&headroom).map(|(_, value)| value),
        None => settings.get(&headroom),
    };
    let headroom_max = match headroom_text {
        None | Some("-1") => None,
        Some(text) => Some(bytes(text).ok_or(headroom)?),
    };
    Ok(Watermark { mark, headroom_max })
}

/// `85%`, `0.85` or `10gb`.
fn mark(text: &str) -> Option<Mark> {
    let text = text.trim();
    let ratio = match text.strip_suffix('%') {
        Some(percent) => Some(percent.trim().parse::<f64>().ok()? / 100.0),
        None => text.parse::<f64>().ok(),
    };
    match ratio {
        Some(ratio) => (0.0..=1.0).contains(&ratio).then_some(Mark::UsedRatio(ratio)),
        None => bytes(text).map(Mark::FreeBytes),
    }
}

/// `10gb`, `512m`, `0`: as servers write and read sizes, in powers of 1,024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    if text == "0" {
        return Some(0);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        "p" | "pb" => 50,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * (1_u64 << shift) as f64) as u64)
}

/// Sizes for operators: `12.3 GiB`.
pub(crate) fn shown(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >= 1 << shift) {
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn settings(set: &[(&str, &str)], defaults: &[(&str, &str)]) -> Settings {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned())).collect()
        };
        Settings { persistent: map(set), defaults: map(defaults), ..Settings::default() }
    }

    fn room(set: &[(&str, &str)], defaults: &[(&str, &str)], total: u64, available: u64) -> Room {
        let marks = Watermarks::of(&settings(set, defaults)).unwrap().unwrap();
        marks.room(&Disk { paths: vec![Space { total, available }], store_bytes: 0 })
    }

    #[test]
    fn watermarks_are_percentages_ratios_or_free_bytes() {
        for low in ["85%", "0.85", "15gb", "15 GB"] {
            let set = [("watermark.low", low)];
            assert_eq!(room(&set, &[], 100 * GB, 16 * GB), Room::Bytes(6 * GB), "{low}");
            assert_eq!(room(&set, &[], 100 * GB, 14 * GB), Room::AboveLow, "{low}");
        }
        assert_eq!(room(&[], &[], 100 * GB, 9 * GB), Room::AboveHigh);
        assert_eq!(room(&[], &[], 100 * GB, 4 * GB), Room::AboveFlood);
        assert_eq!(
            room(&[("watermark.flood_stage", "1b"), ("watermark.high", "2b")], &[], 100 * GB, 0),
            Room::AboveFlood
        );
    }

    #[test]
    fn a_default_headroom_goes_with_the_default_watermark_alone() {
        let defaults = [
            ("watermark.low", "85%"),
            ("watermark.low.max_headroom", "200GB"),
            ("watermark.high", "90%"),
            ("watermark.high.max_headroom", "150GB"),
            ("watermark.flood_stage.max_headroom", "100gb"),
        ];
        // 10 TB of which 300 GB are free: 85 % alone would say full.
        assert_eq!(room(&[], &defaults, 10_000 * GB, 300 * GB), Room::Bytes(150 * GB));
        let set = [("watermark.high", "90%")];
        assert_eq!(room(&set, &defaults, 10_000 * GB, 300 * GB), Room::AboveHigh);
        let set = [("watermark.high", "90%"), ("watermark.high.max_headroom", "250gb")];
        assert_eq!(room(&set, &defaults, 10_000 * GB, 300 * GB), Room::Bytes(50 * GB));
        let none = [("watermark.low.max_headroom", "-1"), ("watermark.high.max_headroom", "-1")];
        assert_eq!(room(&none, &defaults, 10_000 * GB, 1_200 * GB), Room::AboveLow);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_what_is_off_is_not_looked_at() {
        for bad in ["lots", "120%", "-5%", "10xb", "1.5"] {
            let error = Watermarks::of(&settings(&[("watermark.low", bad)], &[])).unwrap_err();
            assert_eq!(error, "cluster.routing.allocation.disk.watermark.low", "{bad}");
        }
        assert_eq!(Watermarks::of(&settings(&[("threshold_enabled", "false")], &[])), Ok(None));
    }

    #[test]
    fn the_fullest_path_decides_whether_a_node_is_too_full() {
        let marks = Watermarks::of(&Settings::default()).unwrap().unwrap();
        let space = |available: u64| Space { total: 100 * GB, available };
        let disk = |paths: &[u64]| Disk { paths: paths.iter().copied().map(space).collect(), store_bytes: 0 };
        assert_eq!(marks.room(&disk(&[50 * GB, 2 * GB])), Room::AboveFlood);
        assert_eq!(marks.room(&disk(&[50 * GB, 12 * GB])), Room::Bytes(40 * GB));
        assert_eq!(marks.room(&disk(&[])), Room::AboveLow, "a disk of which nothing is known has no room");
    }
}
