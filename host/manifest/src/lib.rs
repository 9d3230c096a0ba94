//! Manifests and environments, from files to a checked bundle. Reads files; asks `Modules` about modules; nothing else.
mod limits; // how large, how deep, how many
mod report; // what is wrong, where, and what to do
mod files; // which files there are, and their text
mod source; // text → events, tokens kept aside
mod tree; // events → nodes that know where they stand
mod tokens; // `@@KEY@@`
mod overlay; // one tree over another; a tree as JSON with its places
mod schema; // what a document may hold; every fault at once
mod units; // durations and sizes
mod calendar; // a day of the calendar as a parameter
mod filter; // what may stand in `filter:`
mod modules; // what the host tells of modules and products
mod secret; // named, never written
mod raw; // what was typed
mod rule_limits; // what a rule's module may use
mod endpoint; // what a destination's messages go by, by kind
mod environment; // where rules run
mod bundle; // what a rule is, checked
mod options; // what to load, beside the files
mod bind; // documents → what they mean
mod shown; // what texts show, and whether it is there
mod load; // all of it, in order
mod render; // the bundle in force, for people
mod testing; // what a rule must find, and when

pub use bundle::{BoundRule, Bundle, TargetSpec};
pub use calendar::with_day;
pub use endpoint::{Auth, Endpoint, EndpointKind, Grants, HttpEndpoint};
pub use environment::{
    ClientCertificate, ClusterAuth, ClusterSpec, DestinationSpec, Environment, PluginPolicy, StoreSpec,
};
pub use load::{load, load_environment};
pub use modules::{Identity, ModuleFault, ModuleRef, Modules, ProductInfo, RuleModuleInfo};
pub use options::Options;
pub use render::{Difference, diff, differences, render};
pub use report::{Diagnostic, Level, Place, Report, nearest};
pub use rule_limits::RuleLimits;
pub use schema::{schema_environment, schema_rule, schema_test};
pub use secret::{Secret, SecretFault, SecretOr, SecretRef};
pub use shown::{Fields, KnownDocuments, Shown, ShownOf, details, unknown};
pub use testing::{Documents, Never, Offset, Point, Test, TestFault, TestFile, Wanted, load_tests};
