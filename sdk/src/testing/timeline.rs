//! Documents on a timeline, windows over them, and the host's bookkeeping between runs.
use super::documents::Document;
use super::pages::answer;
use super::runner::{Call, Runner};
use crate::grid::{self, with_phase};
use crate::signal::SignalKind;
use crate::{Duration, Signal, Timestamp, Window};

/// A rule on a virtual timeline: each window is a separate run, which starts from the state that the previous one kept.
/// [`Case::timeline`](super::Case::timeline) creates one.
///
/// As on the host, that state is the one at `settled`, `lateness` before the previous window's end (or the last grid
/// point before that). Rows after it are evaluated again, but signals that were already reported for them are not
/// reported again.
pub struct Timeline<'r> {
    runner: &'r mut dyn Runner,
    params: String,
    key: Vec<String>,
    lateness: Duration,
    grid: Duration,
    page_rows: usize,
    documents: Vec<Document>,
    state: Option<Vec<u8>>,
    settled: Timestamp,
    cursor: Timestamp,
    told: Vec<ReportedSignal>,
}

/// The settings of a timeline.
pub(super) struct Of {
    pub(super) params: String,
    pub(super) key: Vec<String>,
    pub(super) lateness: Duration,
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

impl<'r> Timeline<'r> {
    /// Starts at `from`, with `state` if it is given, otherwise after priming with as much history as the plan
    /// requires.
    ///
    /// # Errors
    /// The parameters are invalid; the message says why.
    pub(super) fn start(
        runner: &'r mut dyn Runner,
        of: Of,
        mut documents: Vec<Document>,
        from: Timestamp,
        state: Option<Vec<u8>>,
    ) -> Result<Self, String> {
        let Of { params, key, lateness, page_rows } = of;
        documents.sort_by_key(|document| document.time);
        let plan = runner.prepare(&params, &key).map_err(|faults| {
            faults.iter().map(|f| format!("{}: {}", f.path, f.message)).collect::<Vec<_>>().join("\n")
        })?;
        let mut beginning = if state.is_some() { from } else { from - plan.history };
        if !plan.grid.is_zero() && state.is_none() {
            beginning = floor(beginning, 0, plan.grid);
        }
        let mut timeline = Self {
            runner,
            params,
            key,
            lateness,
            grid: plan.grid,
            page_rows,
            documents,
            state,
            settled: beginning,
            cursor: beginning,
            told: vec![],
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
        let phase = grid::phase(self.settled, end, self.grid);
        let late = floor(end - self.lateness, phase, self.grid);
        let window = Window { start: self.settled, settled: self.settled.max(late), end };
        let visible = self.documents.iter().filter(|document| document.arrives <= end.0);
        let call = Call { params: &self.params, key: &self.key, state: self.state.as_deref(), window };
        let page_rows = self.page_rows;
        let finding = self
            .runner
            .run(call, &mut |question| with_phase(phase, || answer(question, visible.clone(), page_rows)))
            .map_err(|problem| format!("{}..{}: {problem}", window.start, window.end))?;
        let before = std::mem::take(&mut self.told);
        let is_new = |signal: &Signal| {
            !before.iter().any(|told| {
                let told = &told.signal;
                told.at == signal.at
                    && told.kind == signal.kind
                    && told.labels == signal.labels
                    && document(told) == document(signal)
            })
        };
        let anew: Vec<_> = finding
            .signals
            .into_iter()
            .filter(|signal| is_new(signal))
            .map(|signal| ReportedSignal { signal, window_end: end })
            .collect();
        self.told =
            before.into_iter().chain(anew.clone()).filter(|told| told.signal.at >= window.settled).collect();
        self.state = Some(finding.state);
        self.settled = window.settled;
        self.cursor = end;
        Ok(anew)
    }

    /// The state, as the host would store it.
    pub fn state(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    /// The end of the last window.
    pub fn cursor(&self) -> Timestamp {
        self.cursor
    }
}

/// Two documents of one instant are two events; a level is one, whichever document reports it.
fn document(signal: &Signal) -> Option<(&str, &str)> {
    signal.evidence.as_ref().filter(|_| signal.kind == SignalKind::Event)?.document()
}

/// The last grid point at or before `at`, so that no bucket is split.
fn floor(at: Timestamp, phase: i64, grid: Duration) -> Timestamp {
    Timestamp(at.0 - (at.0 - phase).rem_euclid(grid.signed().max(1)))
}
