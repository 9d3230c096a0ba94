//! Documents on a timeline, windows over them, and the host's bookkeeping between runs.
use std::collections::BTreeMap;

use serde_json::Value;

use super::corpus::Corpus;
use super::documents;
use super::pages;
use super::runner::Runner;
use crate::evidence::Document;
use crate::grid::{self, with_phase};
use crate::log::Level;
use crate::signal::SignalKind;
use crate::{Call, Context, Duration, Finding, Signal, Timestamp, Window};

/// A rule on a virtual timeline: each window is a separate run, which starts from the state that the previous one kept.
/// [`Case::timeline`](super::Case::timeline) creates one.
///
/// As on the host, that state is the one at `settled`, `lateness` before the previous window's end (or the last grid
/// point before that). Rows after it are evaluated again, but signals that were already reported for them are not
/// reported again: levels and their ends are known by their kind, labels and instant, events by labels, instant and
/// identity. Several with the same identity are counted.
pub struct Timeline<'r> {
    runner: &'r mut dyn Runner,
    params: String,
    context: Context,
    grid: Duration,
    page_rows: usize,
    corpus: Corpus,
    state: Option<Vec<u8>>,
    settled: Timestamp,
    cursor: Timestamp,
    /// How often each signal was reported that a later run may find again.
    told: BTreeMap<Identity, u32>,
    logs: Vec<LoggedLine>,
}

/// The settings of a timeline.
pub(super) struct Of<'c> {
    pub(super) params: String,
    pub(super) context: Context,
    pub(super) mapping: &'c Value,
    pub(super) page_rows: usize,
}

/// A reported signal, and the window that reported it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedSignal {
    /// What was found.
    pub signal: Signal,
    /// The end of the window that reported it.
    pub window_end: Timestamp,
}

/// A line that a rule logged, and in which window.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedLine {
    /// How serious it is.
    pub level: Level,
    /// What it says.
    pub message: String,
    /// The end of the window that logged it.
    pub window_end: Timestamp,
}

/// What makes two signals the same, for the host as well: texts, values and details do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// When it happened.
    pub at: Timestamp,
    /// A level, its end, or an event.
    pub kind: SignalKind,
    /// The key fields' values.
    pub labels: Vec<Option<String>>,
    /// What makes an event another one than the others of its instant and labels. `None` for levels.
    pub identity: Option<String>,
}

impl Identity {
    /// The identity of `signal`. An event without one of its own has that of the first document it names, if it names any.
    pub fn of(signal: &Signal) -> Self {
        let own = || signal.identity.clone().or_else(|| signal.evidence.as_ref()?.document().map(named));
        Self {
            at: signal.at,
            kind: signal.kind,
            labels: signal.labels.0.to_vec(),
            identity: if signal.kind == SignalKind::Event { own() } else { None },
        }
    }
}

fn named(document: &Document) -> String {
    format!("{}/{}", document.index.as_deref().unwrap_or_default(), document.id)
}

impl<'r> Timeline<'r> {
    /// Starts at `from`, with `state` if it is given, otherwise after priming with as much history as the plan
    /// requires.
    ///
    /// # Errors
    /// The parameters or the mapping are invalid, or priming fails; the message says why.
    pub(super) fn start(
        runner: &'r mut dyn Runner,
        of: Of<'_>,
        documents: Vec<documents::Document>,
        from: Timestamp,
        state: Option<Vec<u8>>,
    ) -> Result<Self, String> {
        let Of { params, context, mapping, page_rows } = of;
        let corpus = Corpus::new(documents, mapping)?;
        let plan = runner
            .prepare(&params, &context)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let grid = plan.grid.unwrap_or(Duration::ZERO);
        let mut beginning = if state.is_some() { from } else { from - plan.history };
        if !grid.is_zero() && state.is_none() {
            beginning = floor(beginning, 0, grid);
        }
        let mut timeline = Self {
            runner,
            params,
            context,
            grid,
            page_rows,
            corpus,
            state,
            settled: beginning,
            cursor: beginning,
            told: BTreeMap::new(),
            logs: vec![],
        };
        if beginning < from {
            timeline.advance(from)?;
        }
        Ok(timeline)
    }

    /// Runs the window that ends at `end`, and returns the signals that were not reported before. `end` must be later
    /// than the end of the previous window.
    ///
    /// # Errors
    /// The rule's error, as text.
    pub fn advance(&mut self, end: Timestamp) -> Result<Vec<ReportedSignal>, String> {
        let looked = self.look(end)?;
        let (window, signals) = self.keep(looked);
        let mut found: BTreeMap<Identity, u32> = BTreeMap::new();
        let mut anew = Vec::new();
        for signal in signals {
            let identity = Identity::of(&signal);
            let told = self.told.get(&identity).copied().unwrap_or(0);
            let count = found.entry(identity).or_default();
            *count += 1;
            // One more than were reported before is new.
            if *count > told {
                anew.push(ReportedSignal { signal, window_end: end });
            }
        }
        for (identity, count) in found {
            let told = self.told.entry(identity).or_default();
            *told = (*told).max(count);
        }
        self.told.retain(|identity, _| identity.at >= window.settled);
        Ok(anew)
    }

    /// Keeps the state of an evaluated window, and returns its signals: those that lie in it.
    pub(super) fn keep(&mut self, (window, finding): (Window, Finding)) -> (Window, Vec<Signal>) {
        let Finding { mut signals, state } = finding;
        self.state = Some(state);
        self.settled = window.settled;
        self.cursor = window.end;
        signals.retain(|signal| window.start <= signal.at && signal.at <= window.end);
        (window, signals)
    }

    /// Runs the window that ends at `end` and keeps nothing, as a host that stops before it has committed.
    pub(super) fn look(&mut self, end: Timestamp) -> Result<(Window, Finding), String> {
        let phase = grid::phase(self.settled, end, self.grid);
        let late = floor(end - self.context.lateness, phase, self.grid);
        let window = Window { start: self.settled, settled: self.settled.max(late), end };
        let call =
            Call { params: &self.params, context: &self.context, state: self.state.as_deref(), window };
        let (corpus, page_rows) = (&self.corpus, self.page_rows);
        let finding = self
            .runner
            .run(call, &mut |question| with_phase(phase, || pages::answer(corpus, question, end, page_rows)))
            .map_err(|problem| format!("{}..{}: {problem}", window.start, window.end));
        let logged = self.runner.logs().into_iter();
        self.logs.extend(logged.map(|(level, message)| LoggedLine { level, message, window_end: end }));
        Ok((window, finding?))
    }

    /// The interval of the plan's checks; zero if there are none.
    pub(super) fn grid(&self) -> Duration {
        self.grid
    }

    /// What the rule asked for and no document has, as sentences by field.
    pub(super) fn lacking(&self) -> BTreeMap<String, String> {
        self.corpus.lacking()
    }

    /// The state, as the host would store it.
    pub fn state(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    /// The end of the last window.
    pub fn cursor(&self) -> Timestamp {
        self.cursor
    }

    /// The lines logged so far, if the runner keeps them.
    pub fn logs(&self) -> &[LoggedLine] {
        &self.logs
    }
}

/// The last grid point at or before `at`, so that no bucket is split.
fn floor(at: Timestamp, phase: i64, grid: Duration) -> Timestamp {
    Timestamp(at.0 - (at.0 - phase).rem_euclid(grid.signed().max(1)))
}
