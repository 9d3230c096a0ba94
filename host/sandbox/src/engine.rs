//! The engine: compiler, pool of instances, and the thread whose ticks end guests that compute too long.
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use wasmtime::{
    Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::limits::{STACK_BYTES_MAX, TABLE_ELEMENTS_MAX};

/// How a sandbox is set up. The default is right for production, but for the folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where compiled modules are kept, 1 GiB of them at most. Created with mode 0700; one that others may write to is
    /// not used.
    pub cache_dir: Option<PathBuf>,
    /// How often running guests are looked at: limits on time are exact to one tick.
    pub tick: Duration,
    /// Runs at the same time for which memory is set aside (address space, not memory itself). Fewer where address
    /// space is short; 0: none is, and each run maps its own.
    pub pool_instances: u32,
    /// A larger module is refused.
    pub module_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_dir: None,
            tick: Duration::from_millis(10),
            pool_instances: 1_000,
            module_bytes_max: MODULE_BYTES_MAX,
        }
    }
}

/// A component in JavaScript is 12 MB, one in Python 18 MB.
pub(crate) const MODULE_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the WebAssembly engine cannot be set up: {0}")]
    Engine(String),
    #[error("no thread for the sandbox's clock")]
    Ticker(#[source] std::io::Error),
}

/// Sets up an engine and its ticker. The second value tells whether instances come from a pool.
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
    let engine = Engine::new(settings().allocation_strategy(InstanceAllocationStrategy::OnDemand));
    engine.map(|engine| (engine, false)).map_err(|error| SandboxError::Engine(format!("{error:#}")))
}

fn settings() -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        .epoch_interruption(true)
        // No component here is concurrent in itself; without it a call costs a third.
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(2 * STACK_BYTES_MAX)
        // The same rows give the same finding on every machine.
        .relaxed_simd_deterministic(true);
    settings
}

fn pool(instances: u32) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    // An encoded component has two small instances beside its module.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(32)
        // What a light run dirties: less would fault its pages in anew each time, more would be cleared for nothing.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        // Where the kernel tells which pages a run wrote to, those alone are put back, wherever they lie.
        .pagemap_scan(Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}

/// One thread per engine; it ends with the engine.
fn tick(engine: EngineWeak, every: Duration) -> Result<(), SandboxError> {
    let work = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            #[expect(clippy::disallowed_methods, reason = "the sandbox's own clock, beneath the shell's")]
            thread::sleep(every);
        }
    };
    thread::Builder::new().name("sandbox-ticks".into()).spawn(work).map(drop).map_err(SandboxError::Ticker)
}
