//! What a rule's questions may reach: the indices that an expression can match, and the parts of a search that keep to
//! the rule's index, filter and time range. Lists of what is good decide; whatever is not listed is refused.
mod scope; // what an environment grants on a cluster
mod names; // index expressions, and patterns of what is allowed
mod form; // the shapes that listed parts may have
mod queries; // queries that only select documents
mod aggregations; // aggregations of selected documents
mod body; // parts of a search
mod check; // walks a search along the lists
mod refused; // why a part is refused
mod listing; // the lists for people

pub use listing::listing;
pub use names::{fault_of_name, fault_of_pattern};
pub use queries::{is_query, queries};
pub use refused::{Reason, Refused};
pub use scope::{Grant, Scope};
