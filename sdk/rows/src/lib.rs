//! Answers as columns, and how they reach a rule: in groups, in order of time, with the snapshot in its place. The host
//! prepares them so for components, and the SDK's test harness for rules that run natively.
#![deny(missing_docs)]

mod page; // answers, as columns
mod take; // some rows of a page
mod hash; // a hash that never changes
mod label; // a value as it appears in a label
mod asked; // a question, as far as its rows need it
mod groups; // rows, each in one group
mod feed; // the order in which a run gets its rows

pub use asked::Asked;
pub use feed::{Feed, FeedFault, Step};
pub use groups::{GroupedRows, Groups, ROW_GROUPS_MAX};
pub use hash::{MULTIPLIER, finish, hash};
pub use label::{LABEL_BYTES_MAX, beginning, label, shown};
pub use page::{Column, Dictionary, Points, Rows, RowsFault, Values};
