//! An episode at a program on the host's machine, and on the host's standard output.
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::World;

/// Keeps each message, names the first one `ticket-7`, and says the secret that it was given.
const SCRIPT: &str =
    "#!/bin/sh\ncat >> \"$1\"\necho >> \"$1\"\necho \"$TOKEN\" >> \"$1.token\"\necho ticket-7\n";

async fn world() -> World {
    let world = with_failed_logins().await;
    let script = world.scratch.path().join("page");
    std::fs::write(&script, SCRIPT).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    world.environment(&json!({ "destinations": {
        "ops": {
            "use": "exec", "command": [script, world.scratch.path().join("got")],
            "variables": { "TOKEN": { "env": "PAGE_TOKEN" }, "TEAM": "ops" },
        },
        "console": { "use": "stdout", "params": { "format": "json" } },
    } }));
    let rule =
        FAILED_LOGINS.replace("to: [hook]", "to: [ops, console]").replace("timeframe: 1m", "timeframe: 30m");
    world.write("failed-logins.yaml", &rule);
    let quiet = rule.replace("name: failed-logins", "name: quiet").replace("num_events: 3", "num_events: 99");
    world.write("quiet.yaml", &quiet);
    world
}

fn got(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.scratch.path().join("got")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_told_to_a_program_and_on_standard_output() {
    let world = world().await;
    let secrets = [("PAGE_TOKEN", "page-t0ken")];
    let mut host = world.start_with(&[], &secrets);
    for _ in 0..2 {
        host.until("the first message", |line| line["message"] == "delivered").await;
    }
    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();
    host.signal("-HUP");
    for _ in 0..2 {
        host.until("the last message", |line| line["message"] == "delivered").await;
    }
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let got = got(&world);
    let [first, last] = &got[..] else { panic!("{got:?}") };
    assert_eq!((&first["cause"], &first["previous"]), (&json!("opened"), &Value::Null));
    assert_eq!((&last["cause"], &last["previous"]), (&json!("resolved"), &json!("ticket-7")));
    assert_eq!(first["labels"], json!({ "host.name": "web-1" }));
    let token = std::fs::read_to_string(world.scratch.path().join("got.token")).unwrap();
    assert_eq!(token, "page-t0ken\npage-t0ken\n");
    assert!(!host.said.join("\n").contains("page-t0ken"));
    let written = world.written();
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let causes: Vec<&Value> = lines.iter().map(|line| &line["cause"]).collect();
    assert_eq!(causes, ["opened", "resolved"], "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_listed_previewed_and_tried() {
    let world = world().await;
    let rules = world.rules().display().to_string();
    let (code, out, err) = world.call(&["check", "--no-secrets", "--rules", &rules]).await;
    assert_eq!(code, 0, "{out}{err}");
    let secrets = [("PAGE_TOKEN", "page-t0ken")];
    let (code, out, err) = world.call_with(&["preview", "failed-logins", "--rules", &rules], &secrets).await;
    assert_eq!(code, 0, "{out}{err}");
    let command = format!(
        "{} {}",
        world.scratch.path().join("page").display(),
        world.scratch.path().join("got").display()
    );
    assert!(out.contains(&command) && out.contains("<env:PAGE_TOKEN>") && out.contains("STDOUT"), "{out}");
    assert!(!out.contains("page-t0ken"), "{out}");
    let (code, out, err) = world.call(&["destination", "list", "--rules", &rules]).await;
    assert!(code == 0 && out.contains("page ") && out.contains("stdout"), "{out}{err}");
    for name in ["ops", "console"] {
        let (code, out, err) =
            world.call_with(&["destination", "test", name, "--rules", &rules], &secrets).await;
        assert_eq!(code, 0, "{out}{err}");
        assert_eq!(name == "console", out.contains(r#""cause":"test""#), "{out}");
    }
    assert_eq!(got(&world)[0]["cause"], "test");
}
