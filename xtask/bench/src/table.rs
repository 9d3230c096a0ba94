//! Several runs of each measurement, interleaved so that a drift of the machine's speed meets all alike.
use std::time::{Duration, Instant};

/// What one measurement gave, in seconds, one entry per run.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    pub(crate) name: String,
    pub(crate) seconds: Vec<f64>,
}

/// What is measured, by name. It returns what counts of its time, so that what it prepares does not.
pub(crate) type Case<'a> = (&'a str, &'a mut dyn FnMut() -> Duration);

/// How long `work` takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    std::hint::black_box(work());
    began.elapsed()
}

/// Runs each of `cases` `runs` times in turn, after one turn that does not count.
pub(crate) fn measure(runs: usize, cases: &mut [Case<'_>]) -> Vec<Runs> {
    let mut measured: Vec<Runs> =
        cases.iter().map(|(name, _)| Runs { name: (*name).to_owned(), seconds: Vec::new() }).collect();
    for round in 0..=runs {
        for ((_, case), runs) in cases.iter_mut().zip(&mut measured) {
            let took = case();
            if round > 0 {
                runs.seconds.push(took.as_secs_f64());
            }
        }
    }
    measured
}

impl Runs {
    /// Min, median and max of `of`, a figure of each run.
    fn spread(&self, of: impl Fn(f64) -> f64) -> [f64; 3] {
        let mut figures: Vec<f64> = self.seconds.iter().map(|&seconds| of(seconds)).collect();
        figures.sort_by(f64::total_cmp);
        match (figures.first(), figures.last()) {
            (Some(&first), Some(&last)) => [first, figures[figures.len() / 2], last],
            _ => [f64::NAN; 3],
        }
    }

    pub(crate) fn median(&self) -> f64 {
        self.spread(|figure| figure)[1]
    }

    pub(crate) fn row(&self, unit: &str, of: impl Fn(f64) -> f64) {
        let [min, median, max] = self.spread(of);
        println!("  {:<44} {min:>11.2} {median:>11.2} {max:>11.2}  {unit}", self.name);
    }
}

pub(crate) fn head(title: &str) {
    println!("\n{title}");
    println!("  {:<44} {:>11} {:>11} {:>11}", "", "min", "median", "max");
}

/// `over` against `under`, run by run: how many times as long it takes.
pub(crate) fn ratio(name: &str, over: &Runs, under: &Runs) {
    let pairs = over.seconds.iter().zip(&under.seconds).map(|(over, under)| over / under).collect();
    let pairs = Runs { name: name.to_owned(), seconds: pairs };
    pairs.row("x", |ratio| ratio);
}

/// Says how far `figure`, of which more is better, is from what is aimed at.
pub(crate) fn goal(name: &str, figure: f64, goal: f64) {
    let left = goal / figure;
    if left <= 1.0 {
        println!("  {name}: meets the goal of {goal}");
    } else {
        println!("  {name}: misses the goal of {goal} by a factor of {left:.2}");
    }
}

pub(crate) fn nanos_per(count: usize) -> impl Fn(f64) -> f64 {
    move |seconds| seconds * 1e9 / count as f64
}
