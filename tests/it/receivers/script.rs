//! A receiver that a Python script runs. It writes lines of JSON, and ends with its standard input.
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

pub(crate) struct Script {
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    pub(crate) async fn start(python: &str, file: &str) -> Self {
        // Not killed: at the end of its input it ends what it has started.
        let mut child = Command::new(python)
            .arg(format!("{}/../../tests/it/receivers/{file}", env!("CARGO_MANIFEST_DIR")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input, lines }
    }

    pub(crate) async fn next(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap().expect("the script writes a line");
        serde_json::from_str(&line).unwrap()
    }

    /// The answer to an empty line.
    pub(crate) async fn ask(&mut self) -> Value {
        self.input.write_all(b"\n").await.unwrap();
        self.next().await
    }
}
