//! Whether a rule is a fold: its verdict must not depend on where windows end, how documents are paged, whether they
//! arrive late, or when the host restarts.
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use super::case::{Case, Document, ORIGIN, Offset};
use super::runner::{Native, Runner};
use super::timeline::Identity;
use crate::{Duration, Finding, Rule, Signal, Timestamp};

/// How many ways of cutting time are tried.
const CUTTINGS: usize = 6;
/// How many windows there are at most, but for the last.
const CUTS_MAX: u64 = 8;
/// How many runs may be spent on looking for a smaller cutting that shows the same.
const SEARCHES_MAX: usize = 150;
/// Cases with more documents are cut fewer times.
const DOCUMENTS_MANY: usize = 2_000;

/// One way in which a host might evaluate the case.
#[derive(Clone, Debug)]
struct Cutting {
    /// The ends of the windows, without the last.
    ends: BTreeSet<Timestamp>,
    /// By how much documents are late, by their place; the others are punctual.
    late: BTreeMap<usize, Duration>,
    page_rows: usize,
    /// Windows that are evaluated twice, because the host stopped before it had committed the first result.
    restarts: BTreeSet<Timestamp>,
}

/// The case in the form in which it is cut.
struct Whole {
    case: Case,
    /// The end of the last window: every late document has arrived.
    end: Timestamp,
    grid: Duration,
}

/// How often each signal was found.
type Found = BTreeMap<Identity, u32>;

impl Case {
    /// Checks natively that the verdict does not depend on how the host cuts time; see
    /// [`check_fold`](Self::check_fold).
    ///
    /// # Panics
    /// It does; the message shows the smallest cut that was found.
    pub fn assert_fold<R: Rule>(&self) {
        if let Err(difference) = self.check_fold(&mut Native::<R>::default()) {
            panic!("{difference}");
        }
    }

    /// Checks that the verdict does not depend on how the host cuts time. Windows, page sizes, late documents (within
    /// the lateness) and restarts are drawn, the same ones each time, and signals are compared, by what makes them the
    /// same, with those of a single window. Compared are final signals: those of before `settled`, for which every
    /// document has arrived.
    ///
    /// A case with [`fixed_cuts`](Case::fixed_cuts) or a [`state`](Case::state) is left alone.
    ///
    /// # Errors
    /// The verdict does depend on it, and the text shows the smallest cut that was found; or the rule fails.
    pub fn check_fold(&self, runner: &mut dyn Runner) -> Result<(), String> {
        if self.fixed_cuts.is_some() || self.state.is_some() {
            return Ok(());
        }
        let failed = |problem: String| format!("{}, cut anew: {problem}", self.title());
        let whole = Whole::of(self, runner).map_err(failed)?;
        let single = Cutting {
            ends: BTreeSet::new(),
            late: BTreeMap::new(),
            page_rows: 1_000,
            restarts: BTreeSet::new(),
        };
        let (expected, _) = whole.find(runner, &single).map_err(failed)?;
        let mut random = Random::of(&self.name);
        let cuttings = if whole.case.documents.len() > DOCUMENTS_MANY { 2 } else { CUTTINGS };
        for _ in 0..cuttings {
            let cutting = whole.draw(&mut random);
            if let Some(difference) = whole.difference(runner, &cutting, &expected).map_err(failed)? {
                let (cutting, difference) = whole.smaller(runner, cutting, difference, &expected);
                return Err(self.told(&whole, &cutting, &difference));
            }
        }
        Ok(())
    }

    fn told(&self, whole: &Whole, cutting: &Cutting, difference: &str) -> String {
        let since = |at: Timestamp| Offset(at.0 - ORIGIN.0);
        let ends: Vec<String> =
            cutting.ends.iter().chain([&whole.end]).map(|end| since(*end).to_string()).collect();
        let mut how = format!("with windows that end at {}", ends.join(", "));
        for (place, late) in &cutting.late {
            let at = whole.case.documents[*place].at;
            let arrives = Offset(at.0 + late.signed());
            how.push_str(&format!("; the document of {at} (number {place}) arrives at {arrives}"));
        }
        if cutting.page_rows < 1_000 {
            how.push_str(&format!("; {} rows a page", cutting.page_rows));
        }
        for end in &cutting.restarts {
            how.push_str(&format!("; the window that ends at {} is evaluated twice", since(*end)));
        }
        format!(
            "{}: the verdict depends on how time is cut\n  {how}\n{difference}  If it must, say so in the file: `cuts: {{ fixed: WHY }}`.\n",
            self.title()
        )
    }
}

impl Whole {
    fn of(case: &Case, runner: &mut dyn Runner) -> Result<Self, String> {
        let grid = case.timeline(runner)?.grid();
        let lateness = if case.lateness.is_zero() {
            Duration(2 * case.every.millis().max(grid.millis()).max(1_000))
        } else {
            case.lateness
        };
        let until = Offset::from(case.until);
        let documents =
            case.documents.iter().flat_map(Document::singles).filter(|document| document.at < until);
        let documents = documents.map(|document| Document { arrives: None, ..document }).collect();
        let case = Case { documents, lateness, ..case.clone() };
        let step = grid.signed().max(1);
        // Once `end` is evaluated, all is settled up to the end of the case.
        let end = (ORIGIN + case.until + lateness).0 + step;
        let end = Timestamp(end + (-end).rem_euclid(step));
        Ok(Self { case, end, grid })
    }

    fn draw(&self, random: &mut Random) -> Cutting {
        let first = (ORIGIN + self.case.from).0 + 1;
        let step = self.grid.signed();
        let mut ends = BTreeSet::new();
        for _ in 0..1 + random.below(CUTS_MAX) {
            let at = if step == 0 && !self.case.documents.is_empty() && random.below(2) == 0 {
                // Around a document.
                let place = random.below(self.case.documents.len() as u64) as usize;
                ORIGIN.0 + self.case.documents[place].at.0 + random.below(3) as i64 - 1
            } else {
                first + random.below((self.end.0 - first).unsigned_abs()) as i64
            };
            let at = if step == 0 { at } else { at + (-at).rem_euclid(step) };
            if first <= at && at < self.end.0 {
                ends.insert(Timestamp(at));
            }
        }
        let mut late = BTreeMap::new();
        for (place, document) in self.case.documents.iter().enumerate() {
            if document.answers.is_none() && random.below(3) == 0 {
                late.insert(place, Duration(random.below(self.case.lateness.millis() + 1)));
            }
        }
        let page_rows = [1, 2, 3, 10, 1_000][random.below(5) as usize];
        let restarts = ends.iter().filter(|_| random.below(4) == 0).copied().collect();
        Cutting { ends, late, page_rows, restarts }
    }

    /// The final signals, and those that lie on a border between two runs: a row there belongs to the later run, and a
    /// check to the earlier one.
    fn find(
        &self,
        runner: &mut dyn Runner,
        cutting: &Cutting,
    ) -> Result<(Found, BTreeSet<Identity>), String> {
        let mut case = self.case.clone();
        case.page_rows = cutting.page_rows;
        for (place, late) in &cutting.late {
            let document = &mut case.documents[*place];
            document.arrives = Some(Offset(document.at.0 + late.signed()));
        }
        let mut timeline = case.timeline(runner)?;
        let (mut found, mut on_border) = (Found::new(), BTreeSet::new());
        for end in cutting.ends.iter().chain([&self.end]) {
            let first = if cutting.restarts.contains(end) { Some(timeline.look(*end)?.1) } else { None };
            let before = timeline.look(*end)?;
            if let Some(first) = first
                && first != before.1
            {
                return Err(format!("two runs of one window differ: {}", apart(&first, &before.1)));
            }
            let (window, signals) = timeline.keep(before);
            let mut own = Found::new();
            for signal in signals.iter().filter(|signal| signal.at <= window.settled) {
                *own.entry(Identity::of(signal)).or_default() += 1;
            }
            for (identity, count) in own {
                if identity.at == window.settled || identity.at == window.start {
                    on_border.insert(identity.clone());
                }
                let all = found.entry(identity).or_default();
                *all = (*all).max(count);
            }
        }
        Ok((found, on_border))
    }

    /// How the signals of a cutting differ from the expected ones.
    fn difference(
        &self,
        runner: &mut dyn Runner,
        cutting: &Cutting,
        expected: &Found,
    ) -> Result<Option<String>, String> {
        let (found, on_border) = self.find(runner, cutting)?;
        let until = ORIGIN + self.case.until;
        let mut lines = String::new();
        for (identity, count) in expected.iter().filter(|(identity, _)| identity.at < until) {
            if found.get(identity).copied().unwrap_or(0) < *count {
                lines.push_str(&format!("  missing: {}\n", self.line(identity)));
            }
        }
        for (identity, count) in found.iter().filter(|(identity, _)| identity.at < until) {
            if *count > expected.get(identity).copied().unwrap_or(0) && !on_border.contains(identity) {
                lines.push_str(&format!("  only so: {}\n", self.line(identity)));
            }
        }
        Ok((!lines.is_empty()).then_some(lines))
    }

    /// A cutting with less in it that still shows a difference.
    fn smaller(
        &self,
        runner: &mut dyn Runner,
        mut cutting: Cutting,
        mut difference: String,
        expected: &Found,
    ) -> (Cutting, String) {
        let mut searches = 0;
        let mut attempt = |cutting: &mut Cutting, smaller: Cutting| {
            searches += 1;
            if searches > SEARCHES_MAX {
                return false;
            }
            let Ok(Some(shown)) = self.difference(runner, &smaller, expected) else { return false };
            *cutting = smaller;
            difference = shown;
            true
        };
        let without_restarts = Cutting { restarts: BTreeSet::new(), ..cutting.clone() };
        attempt(&mut cutting, without_restarts);
        let of_one_page = Cutting { page_rows: 1_000, ..cutting.clone() };
        attempt(&mut cutting, of_one_page);
        let punctual = Cutting { late: BTreeMap::new(), ..cutting.clone() };
        attempt(&mut cutting, punctual);
        let mut places: Vec<usize> = cutting.late.keys().copied().collect();
        // Many at once first, then one by one.
        let mut part = places.len() / 2;
        while part > 0 && !places.is_empty() {
            for chunk in places.clone().chunks(part) {
                let mut smaller = cutting.clone();
                chunk.iter().for_each(|place| {
                    smaller.late.remove(place);
                });
                attempt(&mut cutting, smaller);
            }
            places = cutting.late.keys().copied().collect();
            part /= 2;
        }
        for end in cutting.ends.clone() {
            let mut smaller = cutting.clone();
            smaller.ends.remove(&end);
            smaller.restarts.remove(&end);
            attempt(&mut cutting, smaller);
        }
        (cutting, difference)
    }

    fn line(&self, identity: &Identity) -> String {
        let labels: Vec<String> = self
            .case
            .key
            .iter()
            .zip(&identity.labels)
            .map(|(name, value)| format!(" {name}={}", value.as_deref().unwrap_or("-")))
            .collect();
        let kind = format!("{:?}", identity.kind).to_lowercase();
        let own = identity.identity.as_ref().map_or(String::new(), |own| format!(" ({own})"));
        format!("{kind} at {}{}{own}", Offset(identity.at.0 - ORIGIN.0), labels.concat())
    }
}

/// The first thing in which two results differ.
fn apart(first: &Finding, second: &Finding) -> String {
    let text = |signal: Option<&Signal>| signal.map_or("nothing".to_owned(), |signal| format!("{signal:?}"));
    let count = first.signals.len().max(second.signals.len());
    let differs = (0..count).find(|n| first.signals.get(*n) != second.signals.get(*n));
    differs.map_or("the state's bytes are not the same".to_owned(), |n| {
        format!("{} and {}", text(first.signals.get(n)), text(second.signals.get(n)))
    })
}

/// Numbers that look random and are the same for the same name: Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn of(name: &str) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        name.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Less than `bound`; 0 if that is 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(bound).unwrap_or(0)
    }
}
