//! The engine: the compiler, the instance pool, and the ticker thread that ends guests that compute too long.
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use wasmtime::{
    Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::compile::Compiler;
use crate::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, STACK_BYTES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};

/// The configuration of a sandbox. The default is right for production, except for the folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cache folder for compiled modules, at most 1 GiB. Created with mode 0700; a folder that others may write to
    /// is not used.
    pub cache_dir: Option<PathBuf>,
    /// How often running guests are checked: time limits are exact to one tick.
    pub tick: Duration,
    /// The number of concurrent runs for which address space is reserved (not memory). It is reduced if address space
    /// is short; with 0 nothing is reserved, and each run maps its own.
    pub pool_instances: u32,
    /// The maximum size of a module.
    pub module_bytes_max: usize,
    /// The program that compiles modules of others. `None`: they are compiled in this process, without limits on time
    /// and memory; right only where nobody else's modules come.
    pub compiler: Option<Compiler>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_dir: None,
            tick: Duration::from_millis(10),
            pool_instances: 1_000,
            module_bytes_max: MODULE_BYTES_MAX,
            compiler: None,
        }
    }
}

/// A JavaScript component has 12 MB, a Python component 18 MB.
pub(crate) const MODULE_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("cannot set up the WebAssembly engine: {0}")]
    Engine(String),
    #[error("cannot start the thread of the sandbox's clock")]
    Ticker(#[source] std::io::Error),
}

/// Sets up an engine and its ticker. The second value says whether instances come from a pool.
pub(crate) fn open(config: &Config) -> Result<(Engine, bool), SandboxError> {
    let (engine, pooled) = pooled_or_not(config.pool_instances)?;
    tick(engine.weak(), config.tick)?;
    Ok((engine, pooled))
}

fn pooled_or_not(mut instances: u32) -> Result<(Engine, bool), SandboxError> {
    const INSTANCES_MIN: u32 = 16;
    while instances >= INSTANCES_MIN {
        match Engine::new(settings().allocation_strategy(pool(instances))) {
            Ok(engine) => return Ok((engine, true)),
            Err(error) => {
                tracing::warn!(instances, %error, "address space is short: trying a smaller pool of instances");
                instances /= 8;
            }
        }
    }
    for_compiling().map(|engine| (engine, false)).map_err(|error| SandboxError::Engine(format!("{error:#}")))
}

/// An engine that compiles for those that `open` makes, and reserves no address space. How instances are allocated does
/// not change the code.
pub(crate) fn for_compiling() -> wasmtime::Result<Engine> {
    Engine::new(settings().allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

fn settings() -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        .epoch_interruption(true)
        // No component here uses concurrency; without it a call costs a third.
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(2 * STACK_BYTES_MAX)
        // The same rows must give the same finding on every machine.
        .relaxed_simd_deterministic(true);
    settings
}

fn pool(instances: u32) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    // One memory, and two or three tables: a component in Rust has two small instances besides its module, one in Python
    // has 37. Instances are only counted, nothing is reserved for them; so none runs out of them before its memory.
    // `inspect` refuses a component that would take more than its share.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_MAX as u32))
        .total_memories(instances.saturating_mul(MEMORIES_MAX as u32))
        .total_tables(instances.saturating_mul(TABLES_MAX as u32))
        .total_stacks(instances)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(32)
        // As much as a light run dirties: less would fault pages in each time, more would clear pages for nothing.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        // If the kernel reports which pages a run wrote to, only those are reset, wherever they are.
        .pagemap_scan(Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}

/// One thread per engine; it ends with the engine.
fn tick(engine: EngineWeak, every: Duration) -> Result<(), SandboxError> {
    let work = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            #[expect(
                clippy::disallowed_methods,
                reason = "the sandbox's own clock, independent of the shell's"
            )]
            thread::sleep(every);
        }
    };
    thread::Builder::new().name("sandbox-ticks".into()).spawn(work).map(drop).map_err(SandboxError::Ticker)
}
