use std::io;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Program;

/// What is kept of each output; the rest is read and dropped, so that no program waits for a reader.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Run {
    Ended {
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
    },
    /// Its time was up.
    Killed,
    NotStarted(io::Error),
    /// The system would not say how it ended.
    Lost(io::Error),
}

pub(crate) async fn run(program: &Program, input: Vec<u8>) -> Run {
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .envs(program.variables.iter().map(|(name, value)| (name, value.expose())))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Run::NotStarted(error),
    };
    let group = Group::of(&child);
    let run = timeout(program.timeout, attend(&mut child, &group, input)).await;
    run.unwrap_or(Run::Killed)
}

/// Feeds the program and reads from it until it has ended.
async fn attend(child: &mut Child, group: &Group, input: Vec<u8>) -> Run {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program may end without reading everything; how it ends counts.
            let _ = stdin.write_all(&input).await;
        }
    };
    let status = async {
        let status = child.wait().await;
        // What it left behind may hold its outputs open.
        group.kill();
        status
    };
    let (status, (), stdout, stderr) = tokio::join!(status, write, read(stdout), read(stderr));
    match status {
        Ok(status) => Run::Ended { status, stdout, stderr },
        Err(error) => Run::Lost(error),
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error counts.
        let _ = (&mut pipe).take(OUTPUT_BYTES_MAX).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    kept
}

/// The program and all that it has started, as far as it has not left the group. Killed when dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn kill(&self) {
        // There may be nothing left of it.
        let _ = self.0.map(|group| killpg(group, Signal::SIGKILL));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
