//! The `watchbell` program, in the order in which a run of it meets its rooms.
pub mod cli; // what can be typed, and what each command does
pub mod logs; // lines for people, JSON for machines
pub mod catalog; // the modules at hand
pub mod bind; // a bundle, bound to what it names
mod discover; // links to the documents behind a signal
pub mod clock; // the one clock
mod clocks; // beside those of the clusters
pub mod host; // a host from start to end
mod shrink; // rules that would end by accident
mod facts; // what reaches the shell
mod shell; // the one select
mod evaluate; // one run
mod evidence; // the documents that its messages show
mod recording; // runs that can be asked again
mod testing; // rules under test, in virtual time
mod shadow; // beside ElastAlert
mod deliver; // one delivery
mod scribe; // the thread that owns the store
mod notes; // what the engine wants people to know
mod host_state; // the host's own state
mod observer; // what the host says of itself, kept beside the loop
pub mod view; // what the host says of itself
pub mod metrics; // what is counted
pub mod web; // what is answered over HTTP
pub mod crash; // where tests kill the process

pub use shell::{DRAIN_MAX, End, Reload, Wish};
pub use shrink::Shrunk;

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
