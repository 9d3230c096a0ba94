//! The process of the compiler: what it is given, what it may use, and how it ends. It reads the component from its
//! standard input and writes an answer to its standard output; it has no other file, and no variables.
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{CompileFault, CompileLimits, Compiler};
use crate::bytes::shortened;
use crate::inspect::LoadFault;
use crate::limits::NAME_BYTES_MAX;

/// An answer begins with one of these; after `CODE` and before the code is its SHA-256.
pub(super) const CODE: &[u8; 8] = b"wbcode1\n";
pub(super) const REFUSED: &[u8; 8] = b"wbfail1\n";
const DIGEST_BYTES: usize = 32;
/// What is kept of its standard error, for a message.
const WORDS_BYTES_MAX: u64 = 16 << 10;
/// How often, and how many times, a process that has answered is looked at until it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOKS_MAX: u32 = 5_000;

/// Compiles `bytes`.
pub(super) fn run(compiler: &Compiler, threads: usize, bytes: &[u8]) -> Result<Vec<u8>, LoadFault> {
    let limits = &compiler.limits;
    let start = |error: std::io::Error| LoadFault::Compiler(CompileFault::Start(error.to_string()));
    let child = Command::new(&compiler.program)
        .args(&compiler.args)
        .arg(limits.cpu_max.as_secs().max(1).to_string())
        .arg(limits.memory_bytes_max.to_string())
        // Secrets are in variables.
        .env_clear()
        .env("RAYON_NUM_THREADS", threads.to_string())
        // Each arena of glibc's reserves address space, which is what is limited.
        .env("MALLOC_ARENA_MAX", "2")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let ended = attend(Reaped(child), limits.wall_max, limits.output_bytes_max, bytes).map_err(start)?;
    ended.judged(compiler)
}

/// Kills and reaps the process, however this one goes on.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What became of a process.
enum End {
    /// It was killed, because its time was up.
    Late,
    /// It was killed, because it wrote too much.
    Long,
    /// By itself. `words` is what it wrote to its standard error.
    Ended { status: ExitStatus, answer: Vec<u8>, words: String },
}

/// Feeds the process and reads from it until it has ended, at most for `wall_max`.
fn attend(mut child: Reaped, wall_max: Duration, answer_max: usize, bytes: &[u8]) -> std::io::Result<End> {
    let (stdin, stdout, stderr) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let whole = answer_max.saturating_add(CODE.len() + DIGEST_BYTES);
    let named = |name: &str| thread::Builder::new().name(name.into());
    thread::scope(|scope| {
        // Owned by this closure, so that it is killed before the scope waits for the threads.
        let mut child = child;
        let (answered, answer) = channel();
        named("compiler-in").spawn_scoped(scope, move || {
            // A process that ends early says why elsewhere.
            let _ = stdin.map(|mut stdin| stdin.write_all(bytes));
        })?;
        named("compiler-out").spawn_scoped(scope, move || {
            let _ = answered.send(at_most(stdout, whole as u64 + 1));
        })?;
        let words = named("compiler-err").spawn_scoped(scope, move || at_most(stderr, WORDS_BYTES_MAX))?;
        let Ok(answer) = answer.recv_timeout(wall_max) else { return Ok(End::Late) };
        if answer.len() > whole {
            return Ok(End::Long);
        }
        for _ in 0..LOOKS_MAX {
            if let Some(status) = child.0.try_wait()? {
                let words = String::from_utf8_lossy(&words.join().unwrap_or_default()).into_owned();
                return Ok(End::Ended { status, answer, words });
            }
            thread::park_timeout(LOOK_EVERY);
        }
        Ok(End::Late)
    })
}

/// Up to `bytes_max` of what a pipe gives; what came before an error counts.
fn at_most(pipe: Option<impl Read>, bytes_max: u64) -> Vec<u8> {
    let mut read = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(bytes_max).read_to_end(&mut read);
    }
    read
}

impl End {
    fn judged(self, compiler: &Compiler) -> Result<Vec<u8>, LoadFault> {
        let limits = &compiler.limits;
        let (status, mut answer, words) = match self {
            Self::Late => return Err(LoadFault::Compiler(CompileFault::Wall(limits.wall_max))),
            Self::Long => return Err(LoadFault::Compiler(CompileFault::Output(limits.output_bytes_max))),
            Self::Ended { status, answer, words } => (status, answer, words),
        };
        if !status.success() {
            return Err(LoadFault::Compiler(death(status, &words, limits)));
        }
        if let Some(message) = answer.strip_prefix(REFUSED) {
            return Err(LoadFault::Compile(String::from_utf8_lossy(message).into_owned()));
        }
        let head = CODE.len() + DIGEST_BYTES;
        if !answer.starts_with(CODE) || answer.len() <= head {
            return Err(LoadFault::Compiler(CompileFault::Answer("it is cut short")));
        }
        let code = answer.split_off(head);
        if answer[CODE.len()..] != Sha256::digest(&code)[..] {
            return Err(LoadFault::Compiler(CompileFault::Answer("it was damaged on its way")));
        }
        Ok(code)
    }
}

/// Why a process ended before it had answered.
fn death(status: ExitStatus, words: &str, limits: &CompileLimits) -> CompileFault {
    let signal = status.signal();
    let is_short = ["memory allocation of", "Cannot allocate memory", "out of memory"];
    if signal == Some(libc::SIGXCPU) {
        CompileFault::Cpu(limits.cpu_max)
    } else if is_short.iter().any(|of_memory| words.contains(of_memory)) {
        CompileFault::Memory(limits.memory_bytes_max)
    } else if signal == Some(libc::SIGKILL) {
        CompileFault::Killed
    } else {
        let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let last = shortened(last, NAME_BYTES_MAX);
        CompileFault::Crashed(if last.is_empty() { status.to_string() } else { format!("{status}: {last}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(script: &str, limits: CompileLimits) -> Result<Vec<u8>, LoadFault> {
        let args = vec!["-c".to_owned(), script.to_owned()];
        run(&Compiler { program: "/bin/sh".into(), args, limits }, 1, b"a component")
    }

    fn fault(script: &str) -> CompileFault {
        match ends(script, CompileLimits::default()) {
            Err(LoadFault::Compiler(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_process_that_dies_says_of_what() {
        assert_eq!(fault("kill -XCPU $$"), CompileFault::Cpu(CompileLimits::default().cpu_max));
        assert_eq!(fault("kill -KILL $$"), CompileFault::Killed);
        let short = fault("echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$");
        assert_eq!(short, CompileFault::Memory(CompileLimits::default().memory_bytes_max));
        let crashed = fault("echo 'stack overflow' >&2; exit 7");
        assert_eq!(crashed, CompileFault::Crashed("exit status: 7: stack overflow".into()));
    }

    #[test]
    fn an_answer_that_is_none_is_not_taken_for_code() {
        let cut = CompileFault::Answer("it is cut short");
        assert_eq!(
            [fault("true"), fault("printf 'wbcode1\n'"), fault("echo hello")],
            [cut.clone(), cut.clone(), cut]
        );
        let damaged = "printf 'wbcode1\n%032d%s' 0 code";
        assert_eq!(fault(damaged), CompileFault::Answer("it was damaged on its way"));
        let refused = ends("printf 'wbfail1\nnot valid'", CompileLimits::default());
        assert_eq!(refused, Err(LoadFault::Compile("not valid".into())));
    }

    #[test]
    fn a_process_without_end_is_killed_and_reaped() {
        let limits = CompileLimits { wall_max: Duration::from_millis(50), ..CompileLimits::default() };
        let late = LoadFault::Compiler(CompileFault::Wall(limits.wall_max));
        assert_eq!(ends("while :; do :; done", limits), Err(late));
        let limits = CompileLimits { output_bytes_max: 1_000, ..CompileLimits::default() };
        let long = LoadFault::Compiler(CompileFault::Output(1_000));
        assert_eq!(ends("while :; do echo more; done", limits), Err(long));
    }

    #[test]
    fn a_process_inherits_no_variables() {
        let refused =
            ends("printf 'wbfail1\n'; tr '\\0' '\\n' < /proc/self/environ", CompileLimits::default());
        let Err(LoadFault::Compile(variables)) = refused else { panic!("{refused:?}") };
        let names = variables.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        // The shell adds the others.
        let own = ["RAYON_NUM_THREADS", "MALLOC_ARENA_MAX", "PWD", "OLDPWD", "SHLVL", "_"];
        assert_eq!(names.filter(|name| !own.contains(name)).count(), 0, "{variables}");
        assert!(variables.contains("RAYON_NUM_THREADS=1"), "{variables}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named_as_the_cause() {
        let compiler =
            Compiler { program: "/nowhere".into(), args: vec![], limits: CompileLimits::default() };
        let Err(LoadFault::Compiler(CompileFault::Start(why))) = run(&compiler, 1, b"") else {
            panic!("it ran")
        };
        assert!(why.contains("No such file"), "{why}");
    }
}
