//! What the host tells of modules and products. The app answers from the sandbox; tests answer from a table.
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;
use watchbell_contract::{AlertText, Fault, Plan};

/// The loader's window on everything that is not a file of the bundle.
pub trait Modules {
    /// Names that `use:` of a rule may hold, for suggestions.
    fn rules(&self) -> Vec<String>;

    /// Loads a rule module and lets it describe itself.
    ///
    /// # Errors
    /// There is no such module, or it cannot be loaded; in words.
    fn rule(&self, module: &ModuleRef) -> Result<RuleModuleInfo, ModuleFault>;

    /// Lets the module check parameters that are valid by its schema.
    ///
    /// # Errors
    /// Every fault, its path a JSON pointer into `params`.
    fn prepare(&self, module: &ModuleRef, params: &Value, key: &[String]) -> Result<Plan, Vec<Fault>>;

    /// Names that `use:` of a destination may hold, for suggestions.
    fn products(&self) -> Vec<String>;

    fn product(&self, name: &str) -> Option<ProductInfo>;

    /// Lets the alerter check a destination's parameters, valid by the product's schema.
    ///
    /// # Errors
    /// Every fault, its path a JSON pointer into `params`.
    fn prepare_destination(&self, product: &str, params: &Value) -> Result<(), Vec<Fault>>;
}

/// Which module a rule uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModuleRef {
    /// Shipped with the host, for example `spike`.
    Builtin(String),
    /// A file whose digest was compared with `sha256` (hex, lower case) before anything else was done with it.
    File { path: PathBuf, sha256: String },
}

#[derive(Clone, Debug, PartialEq)]
pub struct RuleModuleInfo {
    pub about_name: String,
    pub state_version: u32,
    /// JSON Schema of the parameters.
    pub params_schema: Value,
    /// SHA-256 of the module, in hex.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleFault {
    #[error("there is no module of this name")]
    Unknown,
    /// Why it cannot be loaded, in words.
    #[error("{0}")]
    Unusable(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProductInfo {
    /// JSON Schema of a destination's `params`.
    pub params_schema: Value,
    pub text: AlertText,
}

impl fmt::Display for ModuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => f.write_str(name),
            Self::File { path, .. } => write!(f, "{}", path.display()),
        }
    }
}
