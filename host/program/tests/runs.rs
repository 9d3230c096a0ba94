//! Programs that take messages, refuse them, hang, write too much and leave others behind.
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watchbell_contract::{Cause, Intent, Label, Receipt, Refusal, Severity, Timestamp};
use watchbell_program::Program;
use watchbell_secret::Secret;

/// Longer than any run here takes, except of programs that never end.
const PATIENCE: Duration = Duration::from_secs(60);

fn intent() -> Intent {
    Intent {
        id: "5f2c9a".into(),
        episode: "e81d07".into(),
        rule: "spike".into(),
        owner: Some("web-team".into()),
        environment: "production".into(),
        labels: vec![Label { name: "host.name".into(), value: Some("web-1".into()) }],
        cause: Cause::Opened,
        person: None,
        severity: Severity::Critical,
        at: Timestamp(1_795_479_000_000),
        since: Timestamp(1_795_478_940_000),
        value: Some(3.0),
        threshold: Some(2.5),
        title: "5xxs spiked".into(),
        body: "line 1\nline 2".into(),
        summary: "30 events".into(),
        details: r#"{"current":30}"#.into(),
        link: None,
        acknowledge_link: Some("https://watchbell.example/ack/t0ken".into()),
        previous: Some(Receipt { reference: Some("ticket-7".into()) }),
        recorded: Vec::new(),
        attempt: 2,
        maybe_repeated: true,
    }
}

fn script(folder: &Path, text: &str) -> Program {
    let path = folder.join("script");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    of(path)
}

fn of(path: PathBuf) -> Program {
    Program { path, arguments: Vec::new(), variables: Vec::new(), secrets: Vec::new(), timeout: PATIENCE }
}

async fn outcome(text: &str) -> Result<Receipt, Refusal> {
    let folder = tempfile::tempdir().unwrap();
    script(folder.path(), text).deliver(&intent()).await
}

fn unavailable(outcome: Result<Receipt, Refusal>) -> String {
    match outcome {
        Err(Refusal::Unavailable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_program_gets_the_message_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = script(folder.path(), r#"cat > "$1"; echo; echo " ticket-8 "; echo rest"#);
    let got = folder.path().join("with space; $(id)");
    program.arguments.push(got.display().to_string());
    // The first line is empty: it names nothing.
    assert_eq!(program.deliver(&intent()).await, Ok(Receipt { reference: None }));
    let text = std::fs::read_to_string(&got).unwrap();
    assert_eq!(text.lines().count(), 1);
    for part in [
        r#""id":"5f2c9a""#,
        r#""labels":{"host.name":"web-1"}"#,
        r#""cause":"opened""#,
        r#""severity":"critical""#,
        r#""at":"2026-11-24T00:10:00.000Z""#,
        r#""body":"line 1\nline 2""#,
        r#""details":{"current":30}"#,
        r#""previous":"ticket-7""#,
        r#""attempt":2"#,
        r#""maybe_repeated":true"#,
        r#""link":null"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let named = outcome("cat >/dev/null; echo ' ticket-8 '; echo rest").await;
    assert_eq!(named, Ok(Receipt { reference: Some("ticket-8".into()) }));
}

#[tokio::test]
async fn the_status_says_whether_to_try_again() {
    for status in [64, 65, 78] {
        let refused = outcome(&format!("echo first >&2; echo 'no such team' >&2; exit {status}")).await;
        let Err(Refusal::Refused(reason)) = refused else { panic!("{refused:?}") };
        assert!(
            reason.ends_with(&format!("refused the message with status {status}: no such team")),
            "{reason}"
        );
    }
    for status in [1, 2, 75, 127] {
        let reason = unavailable(outcome(&format!("exit {status}")).await);
        assert!(reason.ends_with(&format!("ended with status {status}")), "{reason}");
    }
    let killed = outcome("kill -9 $$").await;
    assert!(
        matches!(&killed, Err(Refusal::Unanswered { reason, .. }) if reason.contains("signal 9")),
        "{killed:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_started_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let reason = unavailable(of(folder.path().join("no-such")).deliver(&intent()).await);
    assert!(reason.contains("no-such` cannot be started: No such file"), "{reason}");
    let reason = unavailable(of(folder.path().to_owned()).deliver(&intent()).await);
    assert!(reason.contains("cannot be started: Permission denied"), "{reason}");
}

/// Waits until none of the processes runs whose numbers are in `file`.
async fn gone(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 2, "{text}");
    let runs = |number: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        // Nobody may have asked for the status of one that was killed.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    let look = async {
        while numbers.iter().any(runs) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("they are killed");
}

#[tokio::test]
async fn the_whole_group_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = folder.path().join("numbers");
    let [first, second] = [r#"sleep 1000 & echo $! > "$1""#, r#"sleep 1000 & echo $! >> "$1""#];
    // The program ends at once; what it has left holds its outputs open.
    let mut left = script(folder.path(), &format!("{first}; {second}; echo ticket-8"));
    left.arguments.push(numbers.display().to_string());
    assert_eq!(left.deliver(&intent()).await, Ok(Receipt { reference: Some("ticket-8".into()) }));
    gone(&numbers).await;

    let ready = folder.path().join("ready");
    let mut hangs = script(folder.path(), &format!(r#"{first}; {second}; mkfifo "$2"; : > "$2"; wait"#));
    hangs.arguments.extend([&numbers, &ready].map(|path| path.display().to_string()));
    // Dropped while it runs, as when a host stops.
    {
        let message = intent();
        let delivery = hangs.deliver(&message);
        let started = tokio::task::spawn_blocking({
            let ready = ready.clone();
            move || {
                while !ready.exists() {
                    std::thread::yield_now();
                }
                std::fs::read(ready).unwrap()
            }
        });
        tokio::select! {
            ended = delivery => panic!("{ended:?}"),
            read = started => drop(read.unwrap()),
        }
    }
    gone(&numbers).await;
    std::fs::remove_file(&ready).unwrap();

    let mut hangs = script(folder.path(), &format!("{first}; {second}; wait"));
    hangs.arguments.push(numbers.display().to_string());
    hangs.timeout = Duration::from_secs(3);
    let late = hangs.deliver(&intent()).await;
    let Err(Refusal::Unanswered { reason, .. }) = late else { panic!("{late:?}") };
    assert!(reason.ends_with("had not ended after 3 s, and was killed"), "{reason}");
    gone(&numbers).await;
}

#[tokio::test]
async fn how_it_ended_counts_even_if_others_hold_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    // It has left the group, and is not killed with it.
    let mut program = script(folder.path(), r#"setsid sleep 30 & echo $! > "$1"; echo ticket-9"#);
    program.arguments.push(folder.path().join("number").display().to_string());
    program.timeout = Duration::from_secs(20);
    assert_eq!(program.deliver(&intent()).await, Ok(Receipt { reference: Some("ticket-9".into()) }));
    let number = std::fs::read_to_string(folder.path().join("number")).unwrap();
    let _ = std::process::Command::new("kill").arg(number.trim()).status();
}

#[tokio::test]
async fn outputs_without_end_and_inputs_unread_stop_nobody() {
    let endless = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; echo end >&2; exit 1";
    assert!(unavailable(outcome(endless).await).len() < 20_000);
    let folder = tempfile::tempdir().unwrap();
    let big = Intent { body: "x".repeat(1 << 20), ..intent() };
    assert!(script(folder.path(), "exit 0").deliver(&big).await.is_ok());
}

#[tokio::test]
async fn it_has_the_variables_it_was_given_and_no_others_and_its_secrets_are_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let got = folder.path().join("env");
    let mut program =
        script(folder.path(), r#"env > "$1"; pwd >> "$1"; echo "$TOKEN"; echo "bad $TOKEN" >&2; exit $CODE"#);
    program.arguments.push(got.display().to_string());
    program.secrets.push(("TOKEN".into(), Secret::new("s3cret-t0ken")));
    program.variables.push(("CODE".into(), "0".into()));
    assert_eq!(program.deliver(&intent()).await, Ok(Receipt { reference: Some("[redacted]".into()) }));
    let text = std::fs::read_to_string(&got).unwrap();
    let mut names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    // The shell adds some of its own.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    assert_eq!(names, ["CODE", "LANG", "PATH", "TOKEN"]);
    assert_eq!(text.lines().last(), Some("/"));
    program.variables[0].1 = "65".into();
    let refused = program.deliver(&intent()).await;
    assert!(
        matches!(&refused, Err(Refusal::Refused(reason)) if reason.ends_with("status 65: bad [redacted]")),
        "{refused:?}"
    );
}
