//! Log lines: text on a terminal, JSON otherwise. `RUST_LOG` sets the level.
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Whether lines are JSON: if requested, or if the log is not a terminal.
pub fn is_json(asked: bool) -> bool {
    asked || !std::io::stderr().is_terminal()
}

pub fn start(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (in tests) keeps the first setting; it is not an error worth reporting.
    let _ = if is_json(json) {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        lines
            .compact()
            .with_target(false)
            .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none())
            .try_init()
    };
}
