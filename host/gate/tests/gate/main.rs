//! The gate on clusters that are drawn up here: as servers tell of them, and as they are.
mod model; // a cluster, and what it would answer
mod stories; // one thing at a time
mod recorded; // what real servers answered
mod writes; // what is written, and how it is undone
mod sim; // thousands of clusters that lie and change
