//! What the host knows about modules and products. The app answers from the sandbox; tests answer from a table.
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;
use watchbell_contract::{AlertText, Context, Fault, Plan};

use crate::endpoint::EndpointKind;

/// Gives the loader access to everything that is not a file of the bundle.
pub trait Modules {
    /// Valid names for `use:` of a rule, for suggestions.
    fn rules(&self) -> Vec<String>;

    /// Loads a rule module and lets it describe itself.
    ///
    /// # Errors
    /// There is no such module, or it cannot be loaded.
    fn rule(&self, module: &ModuleRef) -> Result<RuleModuleInfo, ModuleFault>;

    /// Loads rule modules that will be asked for, several at once: a large one takes seconds to compile. What cannot be
    /// loaded is told when it is asked for.
    fn expect(&self, _modules: &[ModuleRef]) {}

    /// The module's digest and signatures, before any of it runs: an environment may allow only some modules. Called
    /// only for modules that are not built in.
    ///
    /// # Errors
    /// It cannot be read or fetched.
    fn identity(&self, module: &ModuleRef) -> Result<Identity, ModuleFault> {
        match module {
            ModuleRef::File { sha256, .. } => Ok(Identity { digest: sha256.clone(), signers: vec![] }),
            ModuleRef::Builtin(_) | ModuleRef::Registry { .. } => Err(ModuleFault::Unknown),
        }
    }

    /// Lets the module check parameters that are valid by its schema, and whether they fit the context.
    ///
    /// # Errors
    /// Every error, with a JSON pointer into `params`.
    fn prepare(&self, module: &ModuleRef, params: &Value, context: &Context) -> Result<Plan, Vec<Fault>>;

    /// The built-in products, for suggestions.
    fn products(&self) -> Vec<String>;

    /// Loads an alerter and lets it describe itself. A built-in one is asked for by the name of a product.
    ///
    /// # Errors
    /// There is no such module, or it cannot be loaded.
    fn alerter(&self, module: &ModuleRef) -> Result<AlerterModuleInfo, ModuleFault>;

    /// As `expect`, for alerters.
    fn expect_alerters(&self, _modules: &[ModuleRef]) {}

    /// Lets the alerter check a destination's parameters, valid by the product's schema.
    ///
    /// # Errors
    /// Every error, with a JSON pointer into `params`.
    fn prepare_destination(&self, alerter: &AlerterRef, params: &Value) -> Result<(), Vec<Fault>>;
}

/// Which module a rule or a destination uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModuleRef {
    /// Shipped with the host: a rule, for example `spike`, or an alerter by a product of its, for example `slack`.
    Builtin(String),
    /// A file whose digest was compared with `sha256` (hex, lower case) before any other use.
    File { path: PathBuf, sha256: String },
    /// In a registry: `host/repository`, and the digest of the registry manifest that names the module (hex, lower
    /// case).
    Registry { place: String, digest: String },
}

/// What delivers a destination's messages: a product of an alerter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlerterRef {
    pub module: ModuleRef,
    pub product: String,
}

/// Identifies exactly one module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of the module, in hex.
    pub digest: String,
    /// The Ed25519 keys whose signatures of it are valid, 32 bytes in base64 each.
    pub signers: Vec<String>,
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
    #[error("there is no module with this name")]
    Unknown,
    /// It is an alerter where a rule is needed, or a rule where an alerter is.
    #[error("it is a module of the other kind")]
    OtherKind,
    /// Why it cannot be loaded.
    #[error("{0}")]
    Unusable(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlerterModuleInfo {
    /// In the module's own order; never empty.
    pub products: Vec<ProductInfo>,
    /// How they receive messages.
    pub endpoint: EndpointKind,
    /// SHA-256 of the module, in hex.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProductInfo {
    pub name: String,
    /// JSON Schema of a destination's `params`.
    pub params_schema: Value,
    pub text: AlertText,
}

impl AlerterRef {
    /// The product, if the alerter is shipped with the host: what the host knows of a vendor is true of its own product
    /// alone, whatever another module calls its products.
    pub fn builtin(&self) -> Option<&str> {
        matches!(self.module, ModuleRef::Builtin(_)).then_some(&self.product)
    }
}

impl fmt::Display for AlerterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.builtin() {
            Some(product) => f.write_str(product),
            None => write!(f, "{} of {}", self.product, self.module),
        }
    }
}

impl fmt::Display for ModuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => f.write_str(name),
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Registry { place, digest } => write!(f, "oci://{place}@sha256:{digest}"),
        }
    }
}
