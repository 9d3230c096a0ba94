//! Manifests and environments, from files to a checked bundle. Reads files and asks `Modules` about modules, nothing
//! else.
mod limits; // maximum sizes, depths and counts
mod report; // what is wrong, where, and what to do
mod files; // finds and reads files
mod source; // text → events, with tokens masked
mod tree; // events → nodes with positions
mod tokens; // `@@KEY@@`
mod overlay; // merges trees; a tree as JSON with its positions
mod schema; // validates documents; reports every error at once
mod units; // durations and sizes
mod calendar; // a calendar day as a parameter
mod filter; // what `filter:` may contain
mod modules; // what the host knows about modules and products
mod secret; // references to secrets
mod raw; // documents as written
mod rule_limits; // what a rule's module may use
mod endpoint; // how a destination receives messages, by kind
mod access; // who may ask and command a host
mod environment; // where rules run
mod bundle; // what a rule is, checked
mod options; // what to load, besides the files
mod bind; // documents → typed values
mod shown; // fields that texts show, and whether they exist
mod macros; // macros that texts share
mod load; // the whole process, in order
mod render; // the effective bundle as YAML
mod testing; // what a rule must find, and when

pub use access::{AccessSpec, OpenPath, Role, TokenSpec};
pub use bundle::{BoundRule, Bundle, TargetSpec};
pub use calendar::with_day;
pub use endpoint::{
    Auth, Endpoint, EndpointKind, ExecEndpoint, Grants, HttpEndpoint, MailEndpoint, MailGrants, MailTls,
    Method,
};
pub use environment::{
    AcknowledgeSpec, ClientCertificate, ClusterAuth, ClusterSpec, DestinationSpec, Environment, PluginPolicy,
    StoreSpec,
};
/// A name and an address, as mails have them.
pub use lettre::message::Mailbox;
pub use load::{load, load_environment};
pub use modules::{
    AlerterModuleInfo, AlerterRef, Identity, ModuleFault, ModuleRef, Modules, ProductInfo, RuleModuleInfo,
};
pub use options::Options;
pub use render::{Difference, diff, differences, render};
pub use report::{Diagnostic, Level, Place, Report, TextPlace, nearest};
pub use rule_limits::RuleLimits;
pub use schema::{schema_environment, schema_rule, schema_test};
pub use secret::{Secret, SecretFault, SecretOr, SecretRef};
pub use shown::{Fields, KnownDocuments, Shown, ShownOf, details, unknown};
pub use testing::{Documents, Never, Offset, Point, Test, TestFault, TestFile, Wanted, load_tests};
