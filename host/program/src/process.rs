use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Program;

/// What is kept of each output; the rest is read and dropped, so that no program waits for a reader.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// What has left the group may hold the outputs open after the program has ended.
const GRACE: Duration = Duration::from_secs(1);

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
        .envs(program.variables.iter().map(|(name, value)| (name, value)))
        .envs(program.secrets.iter().map(|(name, value)| (name, value.expose())))
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
    let mut group = Group::of(&child);
    attend(&mut child, &mut group, input, program.timeout).await
}

/// Feeds the program and reads from it until it has ended, at most for `limit`.
async fn attend(child: &mut Child, group: &mut Group, input: Vec<u8>, limit: Duration) -> Run {
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program may end without reading everything; how it ends counts.
            let _ = stdin.write_all(&input).await;
        }
    };
    let status = {
        let mut pipes = pin!(async { tokio::join!(write, read(out, &mut stdout), read(err, &mut stderr)) });
        let mut is_read = false;
        let end = async {
            loop {
                tokio::select! {
                    status = child.wait() => return status,
                    _ = &mut pipes, if !is_read => is_read = true,
                }
            }
        };
        let Ok(status) = timeout(limit, end).await else { return Run::Killed };
        group.kill();
        if !is_read {
            // What it wrote before it ended is in the pipes; nobody waits for what others write there.
            let _ = timeout(GRACE, pipes).await;
        }
        status
    };
    match status {
        Ok(status) => Run::Ended { status, stdout, stderr },
        Err(error) => Run::Lost(error),
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    if let Some(mut pipe) = pipe {
        // What came before an error counts.
        let _ = (&mut pipe).take(OUTPUT_BYTES_MAX).read_to_end(kept).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
}

/// The program and all that it has started, as far as it has not left the group. Killed once, at the latest when dropped:
/// after that its number may be another's.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn kill(&mut self) {
        // There may be nothing left of it.
        let _ = self.0.take().map(|group| killpg(group, Signal::SIGKILL));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
