//! The `watchbell` program, in the order in which a run of it meets its rooms.
pub mod cli; // what can be typed, and what each command does
pub mod logs; // lines for people, JSON for machines
pub mod catalog; // the modules at hand
pub mod bind; // a bundle, bound to what it names
mod kibana_link; // links to the documents behind a signal
pub mod clock; // the one clock
mod clocks; // beside those of the clusters
pub mod host; // a host from start to end
mod shrink_guard; // rules that would end by accident
mod shell_event; // what reaches the shell
mod shell; // the one select
mod evaluate; // one run
mod evidence; // the documents that its messages show
mod recording; // runs that can be asked again
mod testing; // rules under test, in virtual time
mod shadow; // beside ElastAlert
mod deliver; // one delivery
mod store_writer; // the thread that owns the store
mod event_log; // what people should know, as log lines
mod observer; // what the host says of itself, kept beside the loop
mod stored; // what its store says without it
pub mod metrics; // what is counted
pub mod web; // what is answered over HTTP
pub mod failpoint; // where tests kill the process

pub use shell::{DRAIN_MAX, End, HostCommand, Reload};
pub use shrink_guard::Shrunk;

/// An error with its causes, on one line: what a log line and an operator read.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
