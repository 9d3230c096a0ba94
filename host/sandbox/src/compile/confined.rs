//! What the compiler's process does: it gives up what it does not need, reads a component, and writes its code.
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use rlimit::Resource;
use sha2::{Digest, Sha256};

use super::process::{CODE, REFUSED};
use crate::engine;
use crate::os;

/// Compiles the component on standard input, within limits that the process sets itself before it reads anything, and
/// writes the code to standard output. Afterwards the process can open no file and no socket, and can write to no file.
///
/// Limits of memory and of open files hold on Linux. On a system that does not know one, the others still hold.
///
/// Not for the host's own process: nothing undoes these limits.
pub fn compile_confined(cpu_max: Duration, memory_bytes_max: u64) -> ExitCode {
    os::stand_alone();
    let seconds = cpu_max.as_secs().max(1);
    let limits = [
        (Resource::CORE, 0, 0),
        // The first of the two ends the process with a signal of its own, by which the parent knows the cause.
        (Resource::CPU, seconds, seconds.saturating_add(1)),
        (Resource::AS, memory_bytes_max, memory_bytes_max),
        (Resource::FSIZE, 0, 0),
        // Standard input, output and error are open.
        (Resource::NOFILE, 3, 3),
    ];
    for (resource, soft, hard) in limits {
        if let Err(error) = resource.set(soft, hard)
            && cfg!(target_os = "linux")
        {
            eprintln!("cannot limit {}: {error}", resource.as_name());
            return ExitCode::FAILURE;
        }
    }
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer() -> std::io::Result<()> {
    let mut component = Vec::new();
    std::io::stdin().lock().read_to_end(&mut component)?;
    let compiled = engine::for_compiling().and_then(|engine| engine.precompile_component(&component));
    let mut out = std::io::stdout().lock();
    match compiled {
        Ok(code) => {
            out.write_all(CODE)?;
            out.write_all(&Sha256::digest(&code))?;
            out.write_all(&code)?;
        }
        Err(error) => {
            out.write_all(REFUSED)?;
            out.write_all(format!("{error:#}").as_bytes())?;
        }
    }
    out.flush()
}
