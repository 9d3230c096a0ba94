//! The available modules: those built into this program, and those that a manifest names by path or by registry digest.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};
use watchbell_contract::{Context, Fault, Plan};
use watchbell_manifest::{
    EndpointKind, Identity, ModuleFault, ModuleRef, Modules, ProductInfo, RuleModuleInfo,
};
use watchbell_outside::ReadError;
use watchbell_plugin_tools::registry::{self, Access, Reference, Store};
use watchbell_plugin_tools::signature;
use watchbell_sandbox::{AlerterModule, LoadError, Renderer, RuleModule, Sandbox};

use crate::chain;

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// The file of the component that renders texts.
const TEXTS: &str = "texts";

/// The maximum size of a module in a manifest.
const MODULE_BYTES_MAX: u64 = 64 << 20;

/// What to do if nothing is built in.
pub const WITHOUT_PLUGINS: &str = "this watchbell was built without its plugins, so no built-in rule or alerter is \
     known\n\nhint: run `cargo xtask plugins`, and build with WATCHBELL_PLUGINS set to the folder \
     that it prints";

/// Loads modules through the sandbox and keeps them. A rule's module is loaded when something names it, so that modules
/// no manifest uses cost neither time nor memory.
pub struct Catalog {
    sandbox: Sandbox,
    alerters: Vec<AlerterModule>,
    /// Built-in modules, by file.
    rules: Mutex<BTreeMap<&'static str, RuleModule>>,
    /// Other modules, by digest.
    files: Mutex<BTreeMap<String, RuleModule>>,
    /// The built-in component for texts, once something renders.
    texts: Mutex<Option<Renderer>>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot load the built-in module `{name}`")]
pub struct BuiltinFault {
    pub name: &'static str,
    pub source: LoadError,
}

impl Catalog {
    /// Loads the built-in alerters, each of which declares the products that it supports.
    ///
    /// # Errors
    /// The first module that the sandbox refuses: this program was built incorrectly.
    pub fn new(sandbox: Sandbox) -> Result<Self, BuiltinFault> {
        let alerters = BUILTIN.iter().filter(|(file, _)| file.starts_with("alerter-"));
        let load = |&(name, bytes): &(&'static str, &[u8])| {
            sandbox.load_own_alerter(name, bytes).map_err(|source| BuiltinFault { name, source })
        };
        let alerters = alerters.map(load).collect::<Result<_, _>>()?;
        Ok(Self {
            sandbox,
            alerters,
            rules: Mutex::default(),
            files: Mutex::default(),
            texts: Mutex::default(),
        })
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Whether anything is built in.
    pub fn has_plugins() -> bool {
        !BUILTIN.is_empty()
    }

    pub fn rule_module(&self, module: &ModuleRef) -> Result<RuleModule, ModuleFault> {
        match module {
            ModuleRef::Builtin(name) => self.builtin(name),
            ModuleRef::Registry { place, digest } => {
                let module = self.fetched(place, digest)?;
                if let Some(known) = held(&self.files).get(&module.digest) {
                    return Ok(known.clone());
                }
                // Nothing is held while a module is compiled, so that others can be at the same time.
                let loaded = self.sandbox.load_rule(&format!("oci://{place}"), &module.bytes);
                let loaded = loaded.map_err(|error| ModuleFault::Unusable(chain(&error)))?;
                held(&self.files).insert(module.digest, loaded.clone());
                Ok(loaded)
            }
            ModuleRef::File { path, sha256 } => {
                if let Some(module) = held(&self.files).get(sha256) {
                    return Ok(module.clone());
                }
                let unusable = |error: &dyn std::error::Error| ModuleFault::Unusable(chain(error));
                let bytes = read(path).map_err(|error| unusable(&error))?;
                let name = path.display().to_string();
                // The file may have been replaced since the manifest was checked.
                if hex::encode(Sha256::digest(&bytes)) != *sha256 {
                    return Err(ModuleFault::Unusable("its contents no longer match `sha256`".into()));
                }
                let module = self.sandbox.load_rule(&name, &bytes).map_err(|error| unusable(&error))?;
                held(&self.files).insert(sha256.clone(), module.clone());
                Ok(module)
            }
        }
    }

    fn builtin(&self, name: &str) -> Result<RuleModule, ModuleFault> {
        let Some(&(file, bytes)) = BUILTIN.iter().find(|(file, _)| rule_name(file).as_deref() == Some(name))
        else {
            return Err(if Self::has_plugins() {
                ModuleFault::Unknown
            } else {
                ModuleFault::Unusable(WITHOUT_PLUGINS.lines().next().unwrap_or_default().into())
            });
        };
        let mut rules = held(&self.rules);
        if let Some(module) = rules.get(file) {
            return Ok(module.clone());
        }
        let module =
            self.sandbox.load_own_rule(name, bytes).map_err(|error| ModuleFault::Unusable(chain(&error)))?;
        rules.insert(file, module.clone());
        Ok(module)
    }

    /// A registry's module, from the cache or, if it is not there, from the registry.
    fn fetched(&self, place: &str, digest: &str) -> Result<registry::Module, ModuleFault> {
        let unusable = |error: &dyn std::error::Error| ModuleFault::Unusable(chain(error));
        let reference =
            Reference::parse(&format!("{place}@sha256:{digest}")).map_err(|error| unusable(&error))?;
        let Some(folder) = cache_folder("registry") else {
            let why = "there is no cache folder: set XDG_CACHE_HOME or HOME";
            return Err(ModuleFault::Unusable(why.into()));
        };
        let pulled = registry::pull(&reference, &Store::new(folder), Access::default());
        pulled.map(|pulled| pulled.module).map_err(|error| unusable(&error))
    }

    /// Renders texts. The first call compiles its component, or reads it from the cache.
    ///
    /// # Errors
    /// This program was built without its plugins, or incorrectly.
    pub fn texts(&self) -> Result<Renderer, ModuleFault> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(texts) = &*texts {
            return Ok(texts.clone());
        }
        let Some((name, bytes)) = BUILTIN.iter().find(|(file, _)| *file == TEXTS) else {
            return Err(ModuleFault::Unusable(WITHOUT_PLUGINS.into()));
        };
        let loaded = self.sandbox.load_texts(name, bytes);
        let loaded = loaded.map_err(|error| ModuleFault::Unusable(chain(&error)))?;
        *texts = Some(loaded.clone());
        Ok(loaded)
    }

    /// The alerter that supports `product`.
    pub fn alerter(&self, product: &str) -> Option<&AlerterModule> {
        self.alerters
            .iter()
            .find(|alerter| alerter.about().products.iter().any(|known| known.name == product))
    }

    /// Every built-in rule, in order of name.
    ///
    /// # Errors
    /// The first module that the sandbox refuses: this program was built incorrectly.
    pub fn rule_modules(&self) -> Result<Vec<RuleModule>, ModuleFault> {
        builtin_rules().iter().map(|name| self.builtin(name)).collect()
    }

    pub fn alerter_modules(&self) -> impl Iterator<Item = &AlerterModule> {
        self.alerters.iter()
    }
}

/// Their names in manifests, in order.
fn builtin_rules() -> Vec<String> {
    let mut names: Vec<String> = BUILTIN.iter().filter_map(|(file, _)| rule_name(file)).collect();
    names.sort();
    names
}

/// `rule-new-term` contains `new_term`; `None` if it is not a rule's module.
fn rule_name(file: &str) -> Option<String> {
    file.strip_prefix("rule-").map(|name| name.replace('-', "_"))
}

/// Modules are only ever added, so the map is intact even if a thread panicked while holding the lock.
fn held<K>(modules: &Mutex<BTreeMap<K, RuleModule>>) -> MutexGuard<'_, BTreeMap<K, RuleModule>> {
    modules.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Our folder in the system's cache folder; `None` if there is none.
pub(crate) fn cache_folder(name: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("watchbell").join(name))
}

/// Reads a module.
///
/// # Errors
/// It is no regular file, cannot be read, or is larger than 64 MiB.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    watchbell_outside::read(path, MODULE_BYTES_MAX)
}

impl Modules for Catalog {
    fn rules(&self) -> Vec<String> {
        builtin_rules()
    }

    fn rule(&self, module: &ModuleRef) -> Result<RuleModuleInfo, ModuleFault> {
        let module = self.rule_module(module)?;
        let about = module.about();
        let params_schema = serde_json::from_str(&about.params_schema).map_err(|error| {
            ModuleFault::Unusable(format!("its `describe` returns a params schema that is not JSON: {error}"))
        })?;
        Ok(RuleModuleInfo {
            about_name: about.name.clone(),
            state_version: about.state_version,
            params_schema,
            digest: module.digest().to_owned(),
        })
    }

    fn expect(&self, modules: &[ModuleRef]) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(modules.len());
        // For one there is nothing to do at the same time.
        if threads < 2 {
            return;
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(module) = modules.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // A fault is told to the manifest that names the module.
                        let _ = self.rule_module(module);
                    }
                });
            }
        });
    }

    fn identity(&self, module: &ModuleRef) -> Result<Identity, ModuleFault> {
        match module {
            ModuleRef::Builtin(_) => {
                let module = self.rule_module(module)?;
                Ok(Identity { digest: module.digest().to_owned(), signers: vec![] })
            }
            ModuleRef::File { path, sha256 } => {
                let signatures = signature::read_beside(path);
                let signatures = signatures.map_err(|error| ModuleFault::Unusable(chain(&error)))?;
                Ok(Identity { digest: sha256.clone(), signers: signature::signers(&signatures, sha256) })
            }
            ModuleRef::Registry { place, digest } => {
                let module = self.fetched(place, digest)?;
                Ok(Identity { digest: module.digest, signers: module.signers })
            }
        }
    }

    fn prepare(&self, module: &ModuleRef, params: &Value, context: &Context) -> Result<Plan, Vec<Fault>> {
        let whole = |message: String| vec![Fault { path: String::new(), message }];
        let module = self.rule_module(module).map_err(|fault| whole(fault.to_string()))?;
        module.prepare(&params.to_string(), context).map_err(|error| whole(chain(&error)))?
    }

    fn products(&self) -> Vec<String> {
        self.alerters
            .iter()
            .flat_map(|alerter| alerter.about().products.iter().map(|product| product.name.clone()))
            .collect()
    }

    fn product(&self, name: &str) -> Option<ProductInfo> {
        let alerter = self.alerter(name)?;
        let about = alerter.about();
        let product = about.products.iter().find(|product| product.name == name)?;
        let params_schema = serde_json::from_str(&product.params_schema).ok()?;
        // What a module imports is all that it can deliver by.
        let mails = alerter.inspection().capabilities.iter().any(|capability| capability.name == "mail");
        let endpoint = if mails { EndpointKind::Mail } else { EndpointKind::Http };
        Some(ProductInfo { params_schema, text: product.text, endpoint })
    }

    fn prepare_destination(&self, product: &str, params: &Value) -> Result<(), Vec<Fault>> {
        let whole = |message: String| vec![Fault { path: String::new(), message }];
        let alerter =
            self.alerter(product).ok_or_else(|| whole(format!("no alerter supports `{product}`")))?;
        alerter.prepare(product, &params.to_string()).map_err(|error| whole(chain(&error)))?
    }
}

#[cfg(test)]
mod tests {
    use watchbell_sandbox::{Config, Sandbox};

    use super::*;

    #[test]
    fn every_rule_that_is_built_in_loads_by_the_name_it_says() {
        let catalog = Catalog::new(Sandbox::new(Config::default()).unwrap()).unwrap();
        assert!(catalog.rules.lock().unwrap().is_empty());
        let names: Vec<String> =
            catalog.rule_modules().unwrap().iter().map(|module| module.about().name.clone()).collect();
        assert_eq!(names, builtin_rules());
        // Without the plugins there is nothing to load, and other tests report that.
        assert_eq!(names.is_empty(), !Catalog::has_plugins());
    }
}
