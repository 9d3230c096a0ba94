//! Words of others are text: they move no cursor, forge no line and give no command to the runner of a CI.
use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::bounded;
use super::files::folder;
use crate::journey::FAILED_LOGINS;
use crate::world::{PROGRAM, World, hit, now};

/// What a terminal or a runner would act on, and what it begins with on a line of its own.
const EVIL: &str = "\u{1b}[31mred\u{9b}2J\u{202e}\r\n::error::forged\nFORGED ok: all fine ##[group]x";

/// Nothing of it is left in `text` but as text.
#[track_caller]
fn is_harmless(text: &str) {
    let sent = text.chars().find(|char| {
        char.is_control() && *char != '\n'
            || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}')
    });
    assert_eq!(sent, None, "{text:?}");
    assert!(!text.contains("##["), "{text}");
    for line in text.lines() {
        let line = line.trim_start();
        assert!(!line.starts_with("::") && !line.starts_with("FORGED"), "{text}");
    }
}

fn yaml(text: &str) -> String {
    Value::from(text).to_string()
}

#[test]
fn keys_values_and_names_of_files_forge_nothing() {
    let scratch = folder();
    let rules = scratch.path().join("rules");
    let evil = yaml(EVIL);
    let manifests = [
        format!("name: a\nuse: any\nindex: logs\nevery: 1m\nalert: {{ to: [hook] }}\n{evil}: 1\n"),
        format!("name: {evil}\nuse: any\nindex: logs\nevery: 1m\nalert: {{ to: [hook] }}\n"),
        format!("name: a\nuse: {evil}\nindex: logs\nevery: 1m\nalert: {{ to: [hook] }}\n"),
        format!("name: a\nuse: any\nindex: logs\nevery: {evil}\nalert: {{ to: [{evil}] }}\n"),
        format!(
            "name: a\nuse: any\nindex: logs\nevery: 1m\nalert: {{ to: [hook] }}\nparams: {{ {evil}: {evil} }}\n"
        ),
        format!("name: a\nuse: any\nindex: logs\nfilter: {evil}\nevery: 1m\nalert: {{ to: [hook] }}\n"),
        format!("name: a\nuse: ./{}.wasm\nindex: logs\n", "\\u{1b}x"),
        "name: a\n@@\u{1b}[31mX@@: 1\nuse: @@Y\u{9b}@@\n".to_owned(),
    ];
    for (index, manifest) in manifests.iter().enumerate() {
        fs::write(rules.join("a.yaml"), manifest).unwrap();
        let said = bounded(scratch.path(), &[], &["check"]);
        // A filter is the cluster's to judge.
        assert_eq!(said.code, i32::from(!manifest.contains("filter")), "{index}: {}\n{}", said.out, said.err);
        is_harmless(&said.out);
        is_harmless(&said.err);
        let said = bounded(scratch.path(), &[], &["check", "--json"]);
        let report: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(report["ok"], manifest.contains("filter"));
        is_harmless(&said.out);
    }
    fs::write(rules.join("a.yaml"), "name: [").unwrap();
    fs::rename(rules.join("a.yaml"), rules.join("\u{1b}[31mred\n::error::x\u{202e}.yaml")).unwrap();
    let said = bounded(scratch.path(), &[], &["check"]);
    assert!(said.err.contains(r"rules/\u{1b}[31mred\n::error::x\u{202e}.yaml"), "{}", said.err);
    is_harmless(&said.err);
    // What is wrong with the command line itself is told by the same writer.
    let said = bounded(scratch.path(), &[], &["check", "--no-such\u{1b}[31m\n::error::x"]);
    assert_eq!(said.code, 2);
    is_harmless(&said.err);
}

#[test]
fn tests_and_their_reports_forge_nothing() {
    let scratch = folder();
    let rules = scratch.path().join("rules");
    let evil = yaml(EVIL);
    fs::write(
        rules.join("a.yaml"),
        format!(
            "name: a\nuse: any\nindex: logs\nevery: 1m\nkey: [user]\nalert: {{ to: [hook], title: {} }}\n",
            yaml("{{ labels.user }}")
        ),
    )
    .unwrap();
    fs::write(
        rules.join("a.test.yaml"),
        format!(
            "tests:\n  - name: {evil}\n    documents: [{{ at: 30s, fields: {{ user: {evil} }} }}]\n    quiet: true\n  \
             - name: b\n    documents: [{{ at: 30s, fields: {{ user: {evil} }} }}]\n    expect:\n      \
             - at: 5m\n        signals: [{{ labels: {{ user: {evil} }} }}]\n"
        ),
    )
    .unwrap();
    let said = bounded(scratch.path(), &[], &["test", "--verbose", "--junit", "report.xml"]);
    assert_eq!(said.code, 1, "{}\n{}", said.out, said.err);
    assert!(said.out.contains(r"\u{1b}[31mred"), "{}\n{}", said.out, said.err);
    is_harmless(&said.out);
    is_harmless(&said.err);
    let report = fs::read_to_string(scratch.path().join("report.xml")).unwrap();
    assert!(report.contains(r"\u{1b}[31mred"), "{report}");
    // No runner of a CI looks for commands in a report.
    is_harmless(&report.replace("##[", ""));
}

/// A host whose documents bring [`EVIL`] as a label.
async fn with_an_evil_label() -> World {
    let world = World::new().await;
    world.index("logs-auth").await;
    let then = now() - 300_000;
    let documents: Vec<Value> = (0..3).map(|second| hit(then + second * 1_000, 401, EVIL)).collect();
    world.documents("logs-auth", &documents).await;
    world.write("failed-logins.yaml", FAILED_LOGINS);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_documents_forge_nothing_in_status_explain_and_the_log() {
    let world = with_an_evil_label().await;
    let mut host = world.start();
    host.until("a delivery", |line| line["message"] == "delivered").await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    for line in &host.said {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        is_harmless(line);
    }
    let (rules, store) = (world.rules().display().to_string(), world.store().display().to_string());
    let of_store = ["--rules", &rules, "--store", &store];
    for command in [&["status"][..], &["explain", "failed-logins"]] {
        let (code, out, err) = world.call(&[command, &of_store].concat()).await;
        assert_eq!(code, 0, "{out}\n{err}");
        is_harmless(&out);
        is_harmless(&err);
        let (_, out, _) = world.call(&[command, &of_store, &["--json"]].concat()).await;
        assert!(serde_json::from_str::<Value>(&out).is_ok(), "{out}");
        is_harmless(&out);
    }
    let (_, out, _) = world.call(&[&["explain", "failed-logins"], &of_store[..]].concat()).await;
    assert!(out.contains(r"\u{1b}[31mred\u{9b}2J\u{202e}\r\n::error::forged\nFORGED"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_one_line_of_a_terminal() {
    let world = with_an_evil_label().await;
    // The host says that no mapping has the field of this key.
    let rule = format!(
        "name: keyed\nuse: any\nindex: logs-auth\nevery: 1s\nkey: [{}]\nalert: {{ to: [hook] }}\n",
        yaml(EVIL)
    );
    world.write("keyed.yaml", &rule);
    // The host ends when the terminal's keyboard says a line.
    let host = "\"$WATCHBELL\" run --listen 127.0.0.1:0 --rules \"$RULES\" & read -r _; kill $!; wait $!";
    let mut terminal = tokio::process::Command::new("script");
    terminal.args(["--quiet", "--return", "--command", host, "/dev/null"]);
    terminal
        .env("WATCHBELL", PROGRAM)
        .env("RULES", world.rules())
        .env("RUST_LOG", "info")
        .env("SHELL", "/bin/sh");
    terminal.env_remove("ENVIRONMENT").env_remove("NO_COLOR").current_dir(world.scratch.path());
    terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut terminal = terminal.spawn().expect("script starts");
    let mut keyboard = terminal.stdin.take().unwrap();
    let mut screen = BufReader::new(terminal.stdout.take().unwrap());
    let mut shown = String::new();
    let reading = async {
        while !(shown.contains("delivered") && shown.contains("FORGED")) {
            assert!(screen.read_line(&mut shown).await.unwrap() > 0, "{shown}");
        }
        keyboard.write_all(b"\n").await.unwrap();
        screen.read_to_string(&mut shown).await.unwrap();
    };
    tokio::time::timeout(std::time::Duration::from_secs(150), reading).await.expect("it delivers");
    assert!(terminal.wait().await.unwrap().success(), "{shown}");
    assert!(shown.contains("episode opened: "), "{shown}");
    assert!(shown.contains(r"red\u{9b}2J\u{202e}\r\n::error::forged\nFORGED"), "{shown}");
    for line in shown.lines().filter(|line| line.contains("red")) {
        assert!(!line.contains("\u{1b}[31mred") && !line.contains('\u{9b}'), "{line:?}");
    }
    assert!(!shown.lines().any(|line| line.starts_with("::") || line.starts_with("FORGED")), "{shown}");
}

#[test]
fn a_secret_that_is_no_address_is_not_quoted() {
    let scratch = tempfile::tempdir().unwrap();
    let rules = scratch.path().join("rules");
    fs::create_dir_all(rules.join("environments")).unwrap();
    let environment = json!({
        "clusters": { "main": { "nodes": ["http://127.0.0.1:9"], "auth": { "api_key": { "env": "KEY" } } } },
        "destinations": { "hook": { "use": "webhook", "url": { "env": "URL" } } },
    });
    fs::write(rules.join("environments/default.yaml"), environment.to_string()).unwrap();
    fs::write(rules.join("a.yaml"), "name: a\nuse: any\nindex: logs\nevery: 1m\nalert: { to: [hook] }\n")
        .unwrap();
    let good = ("http://127.0.0.1:9/", "a-key");
    for (url, key) in [
        ("sekret://x", good.1),
        ("SEKRET\r\nX-Evil: 1", good.1),
        ("sekret", good.1),
        ("http://sekret sekret/", good.1),
        ("https://sekret:sekret@h/", good.1),
        ("https://[sekret", good.1),
        ("https://h:sekret/", good.1),
        (good.0, "SEKRET\r\nX-Evil: 1"),
        (good.0, "sekret\u{1b}"),
    ] {
        for args in [&["check"][..], &["check", "--json"]] {
            let said = bounded(scratch.path(), &[("URL", url), ("KEY", key)], args);
            assert_eq!(said.code, 1, "{url:?} {key:?}: {}\n{}", said.out, said.err);
            let told = format!("{}{}", said.out, said.err).to_lowercase();
            assert!(!told.contains("sekret"), "{told}");
        }
    }
}
