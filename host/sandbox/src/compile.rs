//! Compiles modules. Those of others are compiled in a process of its own, with limits: the time and the memory that a
//! compiler needs are not bounded by the size of its input.
mod fault; // why it did not end well
mod process; // the compiler's process, as its parent sees it
mod confined; // what that process does

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::inspect::LoadFault;

pub use confined::compile_confined;
pub use fault::CompileFault;

/// A program that compiles modules for this one: it calls `compile_confined`.
#[derive(Clone, Debug)]
pub struct Compiler {
    pub program: PathBuf,
    /// Its arguments. Two more follow: the limits of CPU time in seconds and of memory in bytes.
    pub args: Vec<String>,
    pub limits: CompileLimits,
}

/// How much compiling one module may cost. A component of 20 MB in Python or JavaScript takes 16 s of CPU time, 0.4 GiB
/// and gives 36 MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time of all threads, in whole seconds; at least 1.
    pub cpu_max: Duration,
    /// Time by the clock, once it has started.
    pub wall_max: Duration,
    /// Address space of the compiler's process.
    pub memory_bytes_max: u64,
    /// Bytes of compiled code.
    pub output_bytes_max: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            cpu_max: Duration::from_mins(2),
            wall_max: Duration::from_mins(5),
            memory_bytes_max: 2 << 30,
            output_bytes_max: 256 << 20,
        }
    }
}

/// More threads than this gain little: one large function keeps one thread busy.
const THREADS_MAX: usize = 4;

/// How many modules that cannot be compiled are remembered.
const HOPELESS_MAX: usize = 1_000;

/// Compiles in processes, as many at once as there are cores.
pub(crate) struct Compilers {
    compiler: Compiler,
    threads: usize,
    free: Mutex<usize>,
    freed: Condvar,
    /// Modules that passed a limit, by digest: a hundred rules with the same module would each wait for it.
    hopeless: Mutex<HashMap<String, CompileFault>>,
}

impl Compilers {
    pub(crate) fn new(compiler: Compiler) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (free, freed) = (Mutex::new(cores), Condvar::new());
        Self { compiler, threads: cores.min(THREADS_MAX), free, freed, hopeless: Mutex::default() }
    }

    /// The compiled form of the component with this digest, of which nothing was run.
    ///
    /// # Errors
    /// The component is not valid, or a limit was reached; the next attempt in this process does not try again.
    pub(crate) fn compile(&self, digest: &str, bytes: &[u8]) -> Result<Vec<u8>, LoadFault> {
        let hopeless = || self.hopeless.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = hopeless().get(digest) {
            return Err(LoadFault::Compiler(fault.clone()));
        }
        let _turn = self.turn();
        let compiled = process::run(&self.compiler, self.threads, bytes);
        if let Err(LoadFault::Compiler(fault)) = &compiled
            && fault.is_the_modules_own()
        {
            let mut hopeless = hopeless();
            if hopeless.len() >= HOPELESS_MAX {
                hopeless.clear();
            }
            hopeless.insert(digest.to_owned(), fault.clone());
        }
        compiled
    }

    fn turn(&self) -> Turn<'_> {
        // A count is intact even if a thread panicked while holding the lock.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Turn(self)
    }
}

struct Turn<'a>(&'a Compilers);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

/// Compiles in this process, without limits: for modules that come with the program.
pub(crate) fn compile_here(engine: &Engine, bytes: &[u8]) -> Result<Component, LoadFault> {
    Component::from_binary(engine, bytes).map_err(|error| LoadFault::Compile(format!("{error:#}")))
}

/// Code from a compiler's process, or from the cache.
///
/// # Errors
/// wasmtime finds that another version, or other settings, made it.
#[expect(
    unsafe_code,
    reason = "compiled code comes only from our own program and from the private cache, intact"
)]
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: our own program made the code from a component, as wasmtime would have in this process, and a digest
    // shows that it is intact; only this user may write to the cache. wasmtime checks that the code was made by this
    // version with these settings.
    unsafe { Component::deserialize(engine, code) }
}
