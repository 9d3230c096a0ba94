//! Lines for the host's log, with the rule or destination they belong to. Lines beyond the host's limit are
//! counted and dropped.
use std::fmt::Display;

use crate::host;

/// An error that needs a person. The last one before a trap is reported as its cause.
pub fn error(message: impl Display) {
    write(0, &message);
}

/// Something that may be wrong.
pub fn warn(message: impl Display) {
    write(1, &message);
}

/// Useful information.
pub fn info(message: impl Display) {
    write(2, &message);
}

/// Details for the plugin's author.
pub fn debug(message: impl Display) {
    write(3, &message);
}

fn write(level: u8, message: &dyn Display) {
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
