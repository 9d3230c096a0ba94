//! A call of the gate that is still at work.
use std::fmt;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::nodes::{Nodes, PATIENCE};
use crate::world::PROGRAM;

pub(super) struct Running {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    said: Vec<String>,
}

impl Running {
    pub(super) fn start(nodes: &Nodes, options: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["upgrade-gate", "--cluster", &nodes.url("a")])
            .args(options)
            .env_remove("ENVIRONMENT")
            .env("NO_COLOR", "1")
            .current_dir(nodes.scratch())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let (sender, lines) = mpsc::unbounded_channel();
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let mut out = BufReader::new(out).lines();
        let mut err = BufReader::new(err).lines();
        tokio::spawn(async move {
            let (mut out_open, mut err_open) = (true, true);
            while out_open || err_open {
                let line = tokio::select! {
                    line = out.next_line(), if out_open => {
                        let line = line.ok().flatten();
                        out_open = line.is_some();
                        line
                    }
                    line = err.next_line(), if err_open => {
                        let line = line.ok().flatten();
                        err_open = line.is_some();
                        line
                    }
                };
                if line.is_some_and(|line| sender.send(line).is_err()) {
                    return;
                }
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until it says `word`.
    pub(super) async fn until(&mut self, word: &str) {
        let waiting = async {
            while let Some(line) = self.lines.recv().await {
                self.said.push(line);
                if self.said.last().is_some_and(|line| line.contains(word)) {
                    return true;
                }
            }
            false
        };
        let told = timeout(PATIENCE, waiting).await;
        assert_eq!(told, Ok(true), "it never said `{word}`:\n{self}");
    }

    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args([name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    /// Waits for its end: the exit code, or `None` if a signal ended it.
    pub(super) async fn ended(&mut self) -> Option<i32> {
        let waiting = async {
            while let Some(line) = self.lines.recv().await {
                self.said.push(line);
            }
        };
        assert!(timeout(PATIENCE, waiting).await.is_ok(), "it does not end:\n{self}");
        self.child.wait().await.expect("it can be waited for").code()
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said.join("\n"))
    }
}
