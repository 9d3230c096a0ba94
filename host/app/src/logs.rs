//! Log lines: text on a terminal, JSON otherwise. `RUST_LOG` sets the level.
use tracing_subscriber::EnvFilter;

use crate::cli::{LogLines, Terminal};

/// Whether lines are JSON: if requested, or if the log is not a terminal.
pub fn is_json(asked: bool) -> bool {
    asked || !Terminal::error().is_terminal()
}

pub fn start(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let json = is_json(json);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || LogLines { json });
    // A second call (in tests) keeps the first setting; it is not an error worth reporting.
    let _ = if json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        lines.compact().with_target(false).with_ansi(Terminal::error().has_colours()).try_init()
    };
}
