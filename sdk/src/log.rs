//! Lines for the host's log, which adds the rule or destination that they belong to. By default a run may log 1,000
//! lines of 4 KiB each: longer lines are truncated, and further ones are counted and dropped.
use std::fmt::Display;

use crate::host;
pub use crate::wire::rule::watchbell::plugin::log::Level;

/// Logs an error that somebody must look at. The last one before a trap is reported as the trap's cause.
pub fn error(message: impl Display) {
    write(Level::Error, &message);
}

/// Logs something that may be wrong.
pub fn warn(message: impl Display) {
    write(Level::Warn, &message);
}

/// Logs useful information.
pub fn info(message: impl Display) {
    write(Level::Info, &message);
}

/// Logs details for the plugin's author.
pub fn debug(message: impl Display) {
    write(Level::Debug, &message);
}

fn write(level: Level, message: &dyn Display) {
    host::write(level, &message.to_string());
}

/// Sends panic messages to the log; the trap alone would only say `unreachable`.
pub(crate) fn panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("a panic without a message");
            match panic.location() {
                Some(place) => {
                    error(format_args!("panicked at {}:{}: {message}", place.file(), place.line()))
                }
                None => error(format_args!("panicked: {message}")),
            }
        }));
    });
}
