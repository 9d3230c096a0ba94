use crate::{Duration, Window};

/// What a rule knows of its manifest besides its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The key fields, in the manifest's order; empty without a key.
    pub key: Vec<String>,
    /// The interval between the ends of windows; `None` under `cron`.
    pub every: Option<Duration>,
    /// How late a document may arrive and still be evaluated.
    pub lateness: Duration,
    /// The index patterns that are searched.
    pub indices: Vec<String>,
}

/// One evaluation of one window.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// A JSON object.
    pub params: &'a str,
    /// What the rule knows of its manifest.
    pub context: &'a Context,
    /// What the run before kept; `None` for the first.
    pub state: Option<&'a [u8]>,
    /// The slice of time to evaluate.
    pub window: Window,
}
