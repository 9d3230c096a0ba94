//! The available modules: those built into this program, and those that a manifest names by path or by registry digest.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};
use watchbell_contract::{Context, Fault, Plan, Product};
use watchbell_manifest::{
    AlerterModuleInfo, AlerterRef, EndpointKind, Identity, ModuleFault, ModuleRef, Modules, ProductInfo,
    RuleModuleInfo,
};
use watchbell_outside::ReadError;
use watchbell_plugin_tools::registry::{self, Access, Reference, Store};
use watchbell_plugin_tools::signature;
use watchbell_sandbox::{AlerterModule, LoadError, LoadFault, Renderer, RuleModule, Sandbox};

use crate::chain;
use crate::native::Native;

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
    /// Other rules, by digest.
    other_rules: Mutex<BTreeMap<String, RuleModule>>,
    /// Other alerters, by digest.
    other_alerters: Mutex<BTreeMap<String, AlerterModule>>,
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
            other_rules: Mutex::default(),
            other_alerters: Mutex::default(),
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
            _ => self.other(&self.other_rules, module, |name, bytes| self.sandbox.load_rule(name, bytes)),
        }
    }

    /// The alerter that delivers to a destination.
    pub fn alerter_module(&self, module: &ModuleRef) -> Result<AlerterModule, ModuleFault> {
        match module {
            ModuleRef::Builtin(product) => self.builtin_alerter(product).cloned().ok_or(ModuleFault::Unknown),
            _ => {
                self.other(&self.other_alerters, module, |name, bytes| self.sandbox.load_alerter(name, bytes))
            }
        }
    }

    /// A module that is not built in: the one in `kept`, or else from its file or registry.
    fn other<M: Clone>(
        &self,
        kept: &Mutex<BTreeMap<String, M>>,
        module: &ModuleRef,
        load: impl Fn(&str, &[u8]) -> Result<M, LoadError>,
    ) -> Result<M, ModuleFault> {
        let known = |digest: &str| held(kept).get(digest).cloned();
        let (name, digest, bytes) = match module {
            ModuleRef::Builtin(_) => return Err(ModuleFault::Unknown),
            ModuleRef::Registry { place, digest } => {
                let module = self.fetched(place, digest)?;
                (format!("oci://{place}"), module.digest, module.bytes)
            }
            ModuleRef::File { path, sha256 } => {
                if let Some(known) = known(sha256) {
                    return Ok(known);
                }
                let bytes = read(path).map_err(|error| ModuleFault::Unusable(chain(&error)))?;
                // The file may have been replaced since the manifest was checked.
                if hex::encode(Sha256::digest(&bytes)) != *sha256 {
                    return Err(ModuleFault::Unusable("its contents no longer match `sha256`".into()));
                }
                (path.display().to_string(), sha256.clone(), bytes)
            }
        };
        if let Some(known) = known(&digest) {
            return Ok(known);
        }
        // Nothing is held while a module is compiled, so that others can be at the same time.
        let loaded = load(&name, &bytes).map_err(|error| match error.fault {
            LoadFault::OtherKind { .. } => ModuleFault::OtherKind,
            _ => ModuleFault::Unusable(chain(&error)),
        })?;
        held(kept).insert(digest, loaded.clone());
        Ok(loaded)
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

    /// The built-in alerter that supports `product`.
    fn builtin_alerter(&self, product: &str) -> Option<&AlerterModule> {
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
fn held<K, M>(modules: &Mutex<BTreeMap<K, M>>) -> MutexGuard<'_, BTreeMap<K, M>> {
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
        // A fault is told to the manifest that names the module.
        in_parallel(modules, |module| drop(self.rule_module(module)));
    }

    fn expect_alerters(&self, modules: &[ModuleRef]) {
        // The same, to the environment.
        in_parallel(modules, |module| drop(self.alerter_module(module)));
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
            .chain(Native::ALL.map(|native| native.name().to_owned()))
            .collect()
    }

    fn alerter(&self, module: &ModuleRef) -> Result<AlerterModuleInfo, ModuleFault> {
        if let Some(native) = native(module) {
            return Ok(native.info());
        }
        let alerter = self.alerter_module(module)?;
        let imported = &alerter.inspection().capabilities;
        let endpoint = endpoint_kind(|name| imported.iter().any(|capability| capability.name == name))?;
        let info = |product: &Product| match serde_json::from_str(&product.params_schema) {
            Ok(params_schema) => {
                Ok(ProductInfo { name: product.name.clone(), params_schema, text: product.text })
            }
            Err(error) => Err(ModuleFault::Unusable(format!(
                "its `describe` returns a params schema that is not JSON: {error}"
            ))),
        };
        let products = alerter.about().products.iter().map(info).collect::<Result<_, _>>()?;
        Ok(AlerterModuleInfo { products, endpoint, digest: alerter.digest().to_owned() })
    }

    fn prepare_destination(&self, alerter: &AlerterRef, params: &Value) -> Result<(), Vec<Fault>> {
        if native(&alerter.module).is_some() {
            return Ok(());
        }
        let whole = |message: String| vec![Fault { path: String::new(), message }];
        let module = self.alerter_module(&alerter.module).map_err(|fault| whole(fault.to_string()))?;
        module.prepare(&alerter.product, &params.to_string()).map_err(|error| whole(chain(&error)))?
    }
}

/// What the host delivers to by itself.
pub(crate) fn native(module: &ModuleRef) -> Option<Native> {
    match module {
        ModuleRef::Builtin(name) => Native::named(name),
        ModuleRef::File { .. } | ModuleRef::Registry { .. } => None,
    }
}

/// How an alerter delivers: what it imports is all that it can deliver by.
///
/// # Errors
/// It could deliver in no way, or in more than the one that a destination has.
fn endpoint_kind(imports: impl Fn(&str) -> bool) -> Result<EndpointKind, ModuleFault> {
    match (imports("http"), imports("mail")) {
        (true, false) => Ok(EndpointKind::Http),
        (false, true) => Ok(EndpointKind::Mail),
        (true, true) => Err(ModuleFault::Unusable(
            "it imports both `watchbell:plugin/http` and `watchbell:plugin/mail`, and a destination has either an \
             address or a mail server: build it for a world with one of them, and an alerter for each"
                .into(),
        )),
        (false, false) => Err(ModuleFault::Unusable(
            "it imports neither `watchbell:plugin/http` nor `watchbell:plugin/mail`, so it cannot deliver anything"
                .into(),
        )),
    }
}

/// Calls `load` for each module, several at once.
fn in_parallel(modules: &[ModuleRef], load: impl Fn(&ModuleRef) + Sync) {
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
                    load(module);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use watchbell_sandbox::{Config, Sandbox};

    use super::*;

    #[test]
    fn an_alerter_delivers_in_exactly_one_way() {
        let kind = |imported: &[&str]| endpoint_kind(|name| imported.contains(&name));
        assert_eq!(kind(&["log", "http"]), Ok(EndpointKind::Http));
        assert_eq!(kind(&["mail"]), Ok(EndpointKind::Mail));
        for (imported, part) in [(&["http", "mail"][..], "imports both"), (&["log"], "imports neither")] {
            let why = kind(imported).unwrap_err().to_string();
            assert!(why.contains(part) && why.contains("`watchbell:plugin/mail`"), "{why}");
        }
    }

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
