//! The gate on simulated clusters: as servers report them, and as they are.
mod model; // a cluster, and its responses
mod stories; // one scenario at a time
mod recorded; // responses of real servers
mod writes; // what is written, and how it is undone
mod sim; // thousands of clusters that lie and change
