//! The `watchbell` program. Modules are in the order in which a run uses them.
pub mod cli; // the command line and its commands
pub mod logs; // lines for people, JSON for machines
mod modules; // the sandbox, and who compiles
pub mod catalog; // the available modules
mod credentials; // secrets, as they are on disk
mod native; // what the host delivers to by itself
mod endpoint; // a destination's address and credentials
pub mod bind; // resolves what a bundle names
mod acknowledge; // how messages are acknowledged from outside
mod kibana_link; // links to the documents behind a signal
pub mod clock; // the one clock
mod clocks; // compares it with the clusters' clocks
pub mod host; // a host from start to end
mod descriptors; // open files, and who may take them
mod shrink_guard; // prevents rules from ending by accident
mod shell_event; // input of the shell
mod commands; // people's commands, to the shell and back
mod shell; // the only `select!`
mod evaluate; // one run
mod evidence; // the documents that messages show
mod recording; // runs that can be replayed
mod testing; // rules under test, in virtual time
mod shadow; // comparison with ElastAlert
mod texts; // the texts of messages, outside the loop
mod deliver; // one delivery
mod sample; // messages that no signal is behind
mod preview; // what destinations would get
mod destinations; // which there are, and whether a message arrives
mod store_writer; // the thread that owns the store
mod event_log; // log lines for people
mod observer; // what the host reports about itself, computed outside the loop
mod explained; // one episode, from the store and the rules in force
mod noise; // how much each rule says, and what people make of it
mod stored; // what the store reports without a host
pub mod metrics; // metrics
pub mod web; // HTTP endpoints
pub mod failpoint; // points where tests kill the process

pub use shell::{DRAIN_MAX, End, HostCommand, Reload};
pub use shrink_guard::Shrunk;

/// An error with its causes, on one line, for logs and operators.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat the cause in their own message.
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
