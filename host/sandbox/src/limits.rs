use std::time::Duration;

/// Limits of one run of a rule, or one delivery of an alerter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far before its window a rule may ask.
    pub reach: watchbell_contract::Duration,
    /// The module's own CPU time over all calls of the run; time in the host does not count.
    pub time_max: Duration,
    /// Bytes of linear memory, all memories together.
    pub memory_bytes_max: usize,
    /// Bytes of the state that a rule returns.
    pub state_bytes_max: usize,
    /// Bytes of everything that a call returns besides the state.
    pub output_bytes_max: usize,
    /// Log lines of a run; further lines are counted and dropped.
    pub log_lines_max: usize,
    /// Bytes of a log line; longer lines are truncated.
    pub log_line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reach: HISTORY_MAX,
            time_max: Duration::from_secs(2),
            memory_bytes_max: 64 << 20,
            state_bytes_max: 16 << 20,
            output_bytes_max: 4 << 20,
            log_lines_max: 1_000,
            log_line_bytes_max: 4 << 10,
        }
    }
}

/// Bytes of all log lines of a run; further lines are counted and dropped.
pub(crate) const LOG_BYTES_MAX: usize = 8 << 20;
/// Bytes of a message from a module: a reason, a problem, a receipt's reference. Longer ones are truncated.
pub(crate) const TEXT_BYTES_MAX: usize = 4 << 10;
/// Bytes of a name in a message: of a function, an import, a label. Longer ones are truncated.
pub(crate) const NAME_BYTES_MAX: usize = 200;
/// Errors reported for one set of parameters; the rest are counted.
pub(crate) const FAULTS_MAX: usize = 100;
/// The longest history that a rule may read before its first window.
pub(crate) const HISTORY_MAX: watchbell_contract::Duration =
    watchbell_contract::Duration::from_hours(400 * 24);
/// The longest interval between a rule's checks.
pub(crate) const GRID_MAX: watchbell_contract::Duration = watchbell_contract::Duration::from_hours(7 * 24);
/// Imports of a module, and its exports.
pub(crate) const PORTS_MAX: usize = 1_000;
/// Signals of one run.
pub(crate) const SIGNALS_MAX: usize = 10_000;
/// How long after its window a level may hold without another signal: a leap year, as for calendars.
pub(crate) const UNTIL_MAX: watchbell_contract::Duration = watchbell_contract::Duration::from_hours(366 * 24);
/// Questions of one round.
pub(crate) const QUESTIONS_MAX: usize = 64;
/// Documents that evidence may ask for.
pub(crate) const EVIDENCE_NEWEST_MAX: u32 = 10;
/// Bytes of what distinguishes events.
pub(crate) const IDENTITY_BYTES_MAX: usize = 4 << 10;
/// Bytes of the fingerprint of a state's layout.
pub(crate) const LAYOUT_BYTES_MAX: usize = 256;
/// Bytes of a label's name or value.
pub(crate) const LABEL_BYTES_MAX: usize = 8 << 10;
/// Bytes of a signal's summary.
pub(crate) const SUMMARY_BYTES_MAX: usize = 16 << 10;
/// Bytes of a signal's details.
pub(crate) const DETAILS_BYTES_MAX: usize = 256 << 10;
/// Bytes of a name, version or summary in a module's description of itself.
pub(crate) const ABOUT_TEXT_BYTES_MAX: usize = 4 << 10;
/// Bytes of a parameter schema.
pub(crate) const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// Products of one alerter.
pub(crate) const PRODUCTS_MAX: usize = 256;
/// Table entries of a module: function pointers, mostly.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Core instances of one component: the module itself and what the encoder adds.
pub(crate) const CORE_INSTANCES_MAX: usize = 50;
/// Memories of one component, all its instances together: as many as the pool has for each.
pub(crate) const MEMORIES_MAX: usize = 1;
/// Tables of one component, all its instances together.
pub(crate) const TABLES_MAX: usize = 4;
/// Core modules and components in a component, and how deep they may be nested.
pub(crate) const MODULES_MAX: usize = 1_000;
pub(crate) const DEPTH_MAX: usize = 32;
/// Bytes of a module's call stack. Not configurable: it is part of the host's own stack.
pub(crate) const STACK_BYTES_MAX: usize = 1 << 20;
/// Stack frames shown for a trap.
pub(crate) const FRAMES_MAX: usize = 4;
/// Requests of one delivery.
pub(crate) const REQUESTS_MAX: u32 = 16;
/// Bytes of a response's body that are kept with a message, for its next attempt.
pub(crate) const RECORDED_BYTES_MAX: usize = 64 << 10;
/// Redirects followed, on the same host.
pub(crate) const REDIRECTS_MAX: u32 = 3;
/// Headers of one request, its query parameters, its form fields.
pub(crate) const PAIRS_MAX: usize = 256;
/// Bytes of the body of one request, as sent.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 << 20;
