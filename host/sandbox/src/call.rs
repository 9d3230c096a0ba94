//! One call into a module: runs its clock, and classifies how the call ended.
use std::time::Duration;

use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::fault::{GuestFault, RunError};
use crate::guest::{Guest, MemoryRefused, TableRefused};
use crate::limits::{FRAMES_MAX, Limits, NAME_BYTES_MAX, TABLE_ELEMENTS_MAX};

/// A store for one run, with all limits set.
pub(crate) fn store(engine: &Engine, tick: Duration, limits: &Limits, guest: Guest) -> Store<Guest> {
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| guest);
    // Counted in the host's layout, which is larger than the guest's; the actual size is checked afterwards.
    store
        .set_hostcall_fuel(limits.output_bytes_max.saturating_mul(4).saturating_add(limits.memory_bytes_max));
    store.epoch_deadline_callback(move |store| match out_of_time(store.data()) {
        Some(error) => Err(error),
        // Ticks while the host worked, or while the thread was not scheduled, do not count for the guest.
        None => Ok(UpdateDeadline::Continue(ticks(store.data().clock.left(), tick))),
    });
    store
}

/// The error that ends a guest whose own time is up.
pub(crate) fn out_of_time(guest: &Guest) -> Option<wasmtime::Error> {
    guest.clock.left().is_zero().then(|| TimeIsUp.into())
}

#[derive(Debug, thiserror::Error)]
#[error("the time is up")]
struct TimeIsUp;

/// Lets the guest's clock run until `leave`.
pub(crate) fn enter(store: &mut Store<Guest>, tick: Duration) {
    let clock = &mut store.data_mut().clock;
    let left = clock.left();
    clock.resume();
    store.set_epoch_deadline(ticks(left, tick));
}

pub(crate) fn leave<T>(
    store: &mut Store<Guest>,
    outcome: wasmtime::Result<T>,
    at: Step,
) -> Result<T, GuestFault> {
    store.data_mut().clock.pause();
    outcome.map_err(|error| fault(&error, store.data(), at))
}

/// What failed; it decides whose fault an untyped error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Making the instance.
    Start,
    /// Calling it and reading its result.
    Call,
}

/// The error of a run that ends here, with its log and its time.
pub(crate) fn end(store: &mut Store<Guest>, fault: GuestFault) -> RunError {
    let guest_time = store.data().clock.used();
    let logs = store.data_mut().logs.take();
    RunError { fault, logs: logs.lines, logs_dropped: logs.dropped, guest_time }
}

fn ticks(left: Duration, tick: Duration) -> u64 {
    u64::try_from(left.as_nanos().div_ceil(tick.as_nanos().max(1))).unwrap_or(u64::MAX >> 1).max(1)
}

fn fault(error: &wasmtime::Error, guest: &Guest, at: Step) -> GuestFault {
    if error.is::<TimeIsUp>() {
        return GuestFault::OutOfTime { limit: guest.clock.budget() };
    }
    if let Some(refused) = error.downcast_ref::<MemoryRefused>() {
        return GuestFault::OutOfMemory { limit: refused.limit };
    }
    if let Some(refused) = error.downcast_ref::<TableRefused>() {
        return GuestFault::TableTooLarge { wanted: refused.wanted, limit: TABLE_ELEMENTS_MAX };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return GuestFault::Host(
            "all module instances are in use; reduce the number of concurrent runs".into(),
        );
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trapped(*trap, error.downcast_ref::<WasmBacktrace>(), guest);
    }
    let message = error.root_cause().to_string();
    // wasmtime does not export this error's type.
    if message.contains("fuel allocated for hostcalls") {
        return GuestFault::OutputTooLarge { limit: guest.output_bytes_max };
    }
    match at {
        Step::Start => GuestFault::Host(format!("{error:#}")),
        Step::Call => GuestFault::BadOutput(message),
    }
}

fn trapped(trap: Trap, backtrace: Option<&WasmBacktrace>, guest: &Guest) -> GuestFault {
    let panic = guest.logs.last_error().and_then(panicked);
    match (trap, panic) {
        (Trap::UnreachableCodeReached, Some(panic)) => panic,
        (Trap::StackOverflow, _) => {
            // All frames are alike: the innermost few show which function recurses.
            let mut frames = frames(backtrace);
            frames.truncate(2);
            GuestFault::StackOverflow { frames }
        }
        (trap, _) => {
            let message = trap.to_string();
            let message = message.strip_prefix("wasm trap: ").unwrap_or(&message).to_owned();
            GuestFault::Trap { message, frames: frames(backtrace) }
        }
    }
}

/// Parses a panic message: `panicked at src/lib.rs:7: message`, or with a line break, as Rust's own hook writes it.
fn panicked(line: &str) -> Option<GuestFault> {
    if let Some(message) = line.strip_prefix("panicked: ") {
        return Some(GuestFault::Panic { message: message.trim().to_owned(), location: None });
    }
    let text = line.strip_prefix("panicked at ")?;
    let (location, message) = text.split_once(":\n").or_else(|| text.split_once(": "))?;
    Some(GuestFault::Panic {
        message: message.trim().to_owned(),
        location: Some(shortened(location).to_owned()),
    })
}

fn frames(backtrace: Option<&WasmBacktrace>) -> Vec<String> {
    let mut named = Vec::new();
    for frame in backtrace.map(WasmBacktrace::frames).unwrap_or_default() {
        let inlined = frame.symbols().iter().filter_map(|symbol| {
            let name = symbol.name()?;
            Some(match (symbol.file(), symbol.line()) {
                (Some(file), Some(line)) => format!("{name} at {}:{line}", shortened(file)),
                _ => name.to_owned(),
            })
        });
        let before = named.len();
        named.extend(inlined);
        // A function's entry has no line; its other frames are more useful than a mangled name.
        if named.len() == before && !frame.func_name().is_some_and(|name| name.starts_with("_")) {
            named.push(
                frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_owned),
            );
        }
    }
    named.truncate(FRAMES_MAX);
    named.iter().map(|name| crate::bytes::shortened(name, NAME_BYTES_MAX)).collect()
}

/// A source path from the crate's `src` on, otherwise only the file name: the build machine's path does not help an
/// operator.
fn shortened(path: &str) -> &str {
    match path.rfind("/src/") {
        Some(at) => &path[at + 1..],
        None if path.starts_with('/') => path.rsplit('/').next().unwrap_or(path),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_read_from_the_log_line_before_the_trap() {
        let panic = |message: &str| GuestFault::Panic {
            message: message.into(),
            location: Some("src/lib.rs:7:5".into()),
        };
        assert_eq!(panicked("panicked at /build/x/src/lib.rs:7:5:\nno host: a"), Some(panic("no host: a")));
        assert_eq!(panicked("panicked at src/lib.rs:7:5: no host"), Some(panic("no host")));
        let nowhere = GuestFault::Panic { message: "no host".into(), location: None };
        assert_eq!(panicked("panicked: no host"), Some(nowhere));
        assert_eq!(panicked("cannot read"), None);
    }

    #[test]
    fn a_deadline_is_never_now() {
        let tick = Duration::from_millis(10);
        assert_eq!(ticks(Duration::ZERO, tick), 1);
        assert_eq!(ticks(Duration::from_millis(25), tick), 3);
    }
}
