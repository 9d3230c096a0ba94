//! Everything that needs the real program: one binary, so that it links once.
mod world; // a cluster, a receiver, manifests, and hosts that come and go
mod nodes; // clusters of real nodes that come and go
mod tidy; // what no linter knows
mod journey; // from document to delivery
mod commands; // what people do about it
mod explain; // one episode explained, and rules counted
mod mail; // episodes as mails
mod story; // from chat to text message to the end, whatever dies
mod acknowledge; // from the message
mod crash; // kill -9 at every numbered step
mod destinations; // what they would get, and whether it arrives
mod receivers; // an episode at receivers that are not ours
mod programs; // an episode at a program and on standard output
mod alerters; // destinations with a module of one's own
mod testing; // tests of rules, offline and over the past
mod attack; // what hostile clusters, receivers, modules, manifests and documents can do
mod texts; // what `check` says about names in texts
mod fatal_errors; // what the program says when it cannot continue
mod process_signals; // SIGTERM and SIGHUP
mod clocks; // a host whose clock differs from its cluster's
mod elastalert; // importing from ElastAlert, and comparing with it
mod timelines; // random timelines compared with ElastAlert2's own rule classes
mod conformance; // what the documentation says of ElastAlert's options
mod servers; // the same rule on four servers
mod fields; // fields as the indices have them
mod gate; // the upgrade gate on a cluster that misbehaves
mod plugin; // plugins from an idea to a host that runs them
mod upgrade_gate; // when a node of a cluster may be replaced
