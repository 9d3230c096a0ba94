//! Loads modules as callable rules and alerters.
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::alerter::{self, AlerterModule};
use crate::cache::{CACHE_BYTES_MAX, Cache};
use crate::capabilities;
use crate::compile::{self, CompileFault, Compilers};
use crate::contract::{self, Contract};
use crate::engine::{self, Config, MODULE_BYTES_MAX, SandboxError};
use crate::fault::RunError;
use crate::guest::Guest;
use crate::inspect::{Inspection, LoadFault, inspect};
use crate::kind::ModuleKind;
use crate::limits::{ABOUT_TEXT_BYTES_MAX, LAYOUT_BYTES_MAX, Limits, PRODUCTS_MAX, SCHEMA_BYTES_MAX};
use crate::rule::{self, RuleModule};
use crate::texts::Renderer;

/// Runs modules. Cheap to clone; make one per process.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    engine: Engine,
    pooled: bool,
    tick: Duration,
    module_bytes_max: usize,
    cache: Option<Cache>,
    compilers: Option<Compilers>,
    rules: Linker<Guest>,
    alerters: Linker<Guest>,
    loaded: Mutex<Loaded>,
}

/// Loaded modules, by digest: rules with the same module share its code.
#[derive(Default)]
struct Loaded {
    rules: HashMap<String, Weak<rule::Compiled>>,
    alerters: HashMap<String, Weak<alerter::Compiled>>,
}

/// Where a module comes from, which says who may compile it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It comes with this program, which trusts it as itself.
    Program,
    Elsewhere,
}

/// A module that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("module `{module}` {fault}")]
pub struct LoadError {
    pub module: String,
    pub fault: LoadFault,
}

impl Sandbox {
    /// # Errors
    /// The machine cannot run WebAssembly at all. A pool that does not fit and a cache that is not private are only
    /// logged; the sandbox works without them.
    pub fn new(config: Config) -> Result<Self, SandboxError> {
        let (engine, pooled) = engine::open(&config)?;
        let fatal = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
        let rules = capabilities::linker(&engine, ModuleKind::Rule).map_err(fatal)?;
        let alerters = capabilities::linker(&engine, ModuleKind::Alerter).map_err(fatal)?;
        let cache = config
            .cache_dir
            .as_deref()
            .and_then(|folder| Cache::open(folder, compatibility(&engine), CACHE_BYTES_MAX));
        Ok(Self(Arc::new(Inner {
            engine,
            pooled,
            tick: config.tick,
            module_bytes_max: config.module_bytes_max,
            cache,
            compilers: config.compiler.map(Compilers::new),
            rules,
            alerters,
            loaded: Mutex::default(),
        })))
    }

    /// Whether instances come from a pool that was reserved at startup.
    pub fn is_pooled(&self) -> bool {
        self.0.pooled
    }

    /// Reads a module without running any of it.
    ///
    /// # Errors
    /// The module would not be loaded; the error says why.
    pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadFault> {
        inspect(bytes, MODULE_BYTES_MAX)
    }

    /// Compiles and links a rule (or uses the cached code), and asks it to describe itself. `name` is for messages.
    ///
    /// # Errors
    /// What is wrong with the module, for its author and its operator.
    pub fn load_rule(&self, name: &str, bytes: &[u8]) -> Result<RuleModule, LoadError> {
        self.0
            .load_rule(bytes, Origin::Elsewhere)
            .map_err(|fault| LoadError { module: name.to_owned(), fault })
    }

    /// As `load_rule`, for a module that comes with this program: it is compiled in this process.
    ///
    /// # Errors
    /// As `load_rule`.
    pub fn load_own_rule(&self, name: &str, bytes: &[u8]) -> Result<RuleModule, LoadError> {
        self.0.load_rule(bytes, Origin::Program).map_err(|fault| LoadError { module: name.to_owned(), fault })
    }

    /// As `load_rule`, for an alerter.
    ///
    /// # Errors
    /// As `load_rule`.
    pub fn load_alerter(&self, name: &str, bytes: &[u8]) -> Result<AlerterModule, LoadError> {
        self.0
            .load_alerter(bytes, Origin::Elsewhere)
            .map_err(|fault| LoadError { module: name.to_owned(), fault })
    }

    /// As `load_own_rule`, for an alerter.
    ///
    /// # Errors
    /// As `load_rule`.
    pub fn load_own_alerter(&self, name: &str, bytes: &[u8]) -> Result<AlerterModule, LoadError> {
        self.0
            .load_alerter(bytes, Origin::Program)
            .map_err(|fault| LoadError { module: name.to_owned(), fault })
    }

    /// Compiles and links the built-in component for texts (or uses the cached code), which must be of the same build.
    /// `name` is for messages.
    ///
    /// # Errors
    /// It cannot be compiled, imports something, or does not render.
    pub fn load_texts(&self, name: &str, bytes: &[u8]) -> Result<Renderer, LoadError> {
        let component = self.0.component(bytes, &hex::encode(Sha256::digest(bytes)), Origin::Program);
        let loaded = component.and_then(|of| Renderer::new(&self.0.engine, self.0.tick, &of));
        loaded.map_err(|fault| LoadError { module: name.to_owned(), fault })
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("pooled", &self.0.pooled).finish_non_exhaustive()
    }
}

impl Inner {
    fn load_rule(&self, bytes: &[u8], origin: Origin) -> Result<RuleModule, LoadFault> {
        let inspection = self.inspect(bytes, ModuleKind::Rule)?;
        let known = self.loaded().rules.get(&inspection.digest).and_then(Weak::upgrade);
        if let Some(known) = known {
            return Ok(RuleModule(known));
        }
        let component = self.component(bytes, &inspection.digest, origin)?;
        let contract = spoken(&inspection)?;
        let exports = self.rules.instantiate_pre(&component).and_then(contract.rule).map_err(misfit)?;
        let about = rule::Instance::new(&self.engine, &*exports, self.tick, &Limits::default())
            .and_then(|mut guest| {
                guest.call(|rule, store| rule.describe(store)).map_err(|fault| guest.end(fault))
            })
            .map_err(describe)?;
        check_text("name", &about.name, 1, ABOUT_TEXT_BYTES_MAX)?;
        check_text("version", &about.version, 0, ABOUT_TEXT_BYTES_MAX)?;
        check_text("summary", &about.summary, 0, ABOUT_TEXT_BYTES_MAX)?;
        check_schema(&about.params_schema)?;
        check_text("state layout", &about.state_layout, 0, LAYOUT_BYTES_MAX)?;
        let compiled = Arc::new(rule::Compiled {
            engine: self.engine.clone(),
            exports,
            tick: self.tick,
            about,
            inspection,
        });
        let mut loaded = self.loaded();
        loaded.rules.retain(|_, module| module.strong_count() > 0);
        loaded.rules.insert(compiled.inspection.digest.clone(), Arc::downgrade(&compiled));
        Ok(RuleModule(compiled))
    }

    fn load_alerter(&self, bytes: &[u8], origin: Origin) -> Result<AlerterModule, LoadFault> {
        let inspection = self.inspect(bytes, ModuleKind::Alerter)?;
        let known = self.loaded().alerters.get(&inspection.digest).and_then(Weak::upgrade);
        if let Some(known) = known {
            return Ok(AlerterModule(known));
        }
        let component = self.component(bytes, &inspection.digest, origin)?;
        let contract = spoken(&inspection)?;
        let exports = self.alerters.instantiate_pre(&component).and_then(contract.alerter).map_err(misfit)?;
        let about = alerter::without_waiting(async {
            let limits = Limits::default();
            let mut guest = alerter::Instance::new(&self.engine, &*exports, self.tick, &limits, None).await?;
            guest.enter();
            let about = guest.alerter.describe(&mut guest.store).await;
            guest.leave(about)
        });
        let about = about.map_err(describe)?;
        check_text("name", &about.name, 1, ABOUT_TEXT_BYTES_MAX)?;
        check_text("version", &about.version, 0, ABOUT_TEXT_BYTES_MAX)?;
        if about.products.is_empty() || about.products.len() > PRODUCTS_MAX {
            let count = about.products.len();
            return Err(LoadFault::About(format!("{count} products, not between 1 and {PRODUCTS_MAX}")));
        }
        for product in &about.products {
            check_text("product's name", &product.name, 1, ABOUT_TEXT_BYTES_MAX)?;
            check_text("product's summary", &product.summary, 0, ABOUT_TEXT_BYTES_MAX)?;
            check_schema(&product.params_schema)?;
        }
        let compiled = Arc::new(alerter::Compiled {
            engine: self.engine.clone(),
            exports,
            tick: self.tick,
            about,
            inspection,
        });
        let mut loaded = self.loaded();
        loaded.alerters.retain(|_, module| module.strong_count() > 0);
        loaded.alerters.insert(compiled.inspection.digest.clone(), Arc::downgrade(&compiled));
        Ok(AlerterModule(compiled))
    }

    fn inspect(&self, bytes: &[u8], wanted: ModuleKind) -> Result<Inspection, LoadFault> {
        let inspection = inspect(bytes, self.module_bytes_max)?;
        if inspection.kind != wanted {
            return Err(LoadFault::OtherKind { found: inspection.kind });
        }
        Ok(inspection)
    }

    fn component(&self, bytes: &[u8], digest: &str, origin: Origin) -> Result<Component, LoadFault> {
        if let Some(component) = self.cached(digest) {
            return Ok(component);
        }
        if let Some(compilers) = self.compilers.as_ref().filter(|_| origin == Origin::Elsewhere) {
            let code = compilers.compile(digest, bytes)?;
            // Only what this engine accepts becomes an entry of the cache.
            let component = compile::deserialize(&self.engine, &code).map_err(|error| {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "a compiler's process made code of another kind"
                );
                LoadFault::Compiler(CompileFault::Answer("it was made by another version of this program"))
            })?;
            if let Some(cache) = &self.cache {
                cache.put(digest, &code);
            }
            return Ok(component);
        }
        let component = compile::compile_here(&self.engine, bytes)?;
        if let Some(cache) = &self.cache {
            match component.serialize() {
                Ok(code) => cache.put(digest, &code),
                Err(error) => tracing::warn!(%error, "a compiled module could not be cached"),
            }
        }
        Ok(component)
    }

    fn cached(&self, digest: &str) -> Option<Component> {
        let entry = self.cache.as_ref()?.get(digest)?;
        compile::deserialize(&self.engine, Cache::code(&entry))
            .inspect_err(
                |error| tracing::warn!(%error, "a cached module is incompatible and will be compiled again"),
            )
            .ok()
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The contract that a module was built for; `inspect` has checked that this host supports it.
fn spoken(inspection: &Inspection) -> Result<&'static Contract, LoadFault> {
    contract::contract(&inspection.contract)
        .ok_or_else(|| LoadFault::Version { built: inspection.contract.clone() })
}

/// Distinguishes engines whose compiled code must not be mixed.
fn compatibility(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn misfit(error: wasmtime::Error) -> LoadFault {
    LoadFault::Contract(format!("{error:#}"))
}

fn describe(error: RunError) -> LoadFault {
    LoadFault::Describe(error.fault)
}

fn check_text(what: &str, text: &str, bytes_min: usize, bytes_max: usize) -> Result<(), LoadFault> {
    if text.len() < bytes_min || text.len() > bytes_max {
        let message = format!("its {what} has {} bytes, not {bytes_min} to {bytes_max}", text.len());
        return Err(LoadFault::About(message));
    }
    Ok(())
}

fn check_schema(schema: &str) -> Result<(), LoadFault> {
    check_text("parameter schema", schema, 1, SCHEMA_BYTES_MAX)?;
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(schema) {
        Ok(_) => Ok(()),
        Err(error) => Err(LoadFault::About(format!("its parameter schema is not a JSON object: {error}"))),
    }
}
