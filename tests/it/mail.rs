//! A host whose episodes arrive as mails.
#[path = "../../host/mail/tests/smtp/server.rs"]
#[allow(dead_code, reason = "its other tests use the rest of it")]
pub(crate) mod server; // a mail server with a script

use serde_json::json;

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use server::{Received, Script, Server, Tls};

fn header<'a>(mail: &'a Received, name: &str) -> &'a str {
    let line = mail.message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no `{name}` in {}", mail.message))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_one_thread_of_mails_through_a_server_that_greylists() {
    let greylists = Script { recipients: &[("@", "451 come back")], ..Script::default() };
    let refuses_bob = Script { recipients: &[("bob", "550 no such user")], ..Script::default() };
    let mut server = Server::start(Tls::None, [greylists, refuses_bob]).await;
    let world = with_failed_logins().await;
    world.environment(&json!({ "destinations": { "ops-mail": {
        "use": "email",
        "server": format!("127.0.0.1:{}", server.port),
        "tls": "none",
        "from": "Watchbell <watchbell@example.com>",
        "to": ["ann@example.com", "bob@example.com"],
        "grants": { "private_addresses": true },
        "retry": { "first": "1s" },
        "params": { "subject_prefix": "[test]" },
    } } }));
    let rule =
        FAILED_LOGINS.replace("to: [hook]", "to: [ops-mail]").replace("timeframe: 1m", "timeframe: 30m");
    world.write("failed-logins.yaml", &rule);
    let quiet = rule.replace("name: failed-logins", "name: quiet").replace("num_events: 3", "num_events: 99");
    world.write("quiet.yaml", &quiet);

    let rules = world.rules().display().to_string();
    let (code, out, err) = world.call(&["check", "--no-secrets", "--rules", &rules]).await;
    assert_eq!(code, 0, "{out}{err}");

    let mut host = world.start();
    let opened = server.next().await;
    host.until("the refused recipient", |line| line["recipient"] == "bob@example.com").await;
    host.until("its delivery", |line| line["message"] == "delivered").await;
    assert_eq!(opened.recipients, ["<ann@example.com>"], "bob was refused");
    assert_eq!(header(&opened, "Subject"), "[test] 3 failed logins on web-1");
    assert_eq!(header(&opened, "From"), "Watchbell <watchbell@example.com>");
    assert_eq!(header(&opened, "Auto-Submitted"), "auto-generated");
    // Lines are folded wherever they become too long.
    let text = opened.message.replace('\r', "").replace("=\n", "");
    assert!(text.contains("host.name: web-1") && text.contains("<td>web-1</td>"), "{}", opened.message);

    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();
    host.signal("-HUP");
    let resolved = server.next().await;
    assert_eq!(header(&resolved, "Subject"), "[test] Resolved: 3 failed logins on web-1");
    assert_eq!(header(&resolved, "In-Reply-To"), header(&opened, "Message-ID"));
    assert_ne!(header(&resolved, "Message-ID"), header(&opened, "Message-ID"));
    assert_eq!(resolved.recipients, ["<ann@example.com>", "<bob@example.com>"]);
    host.until("its delivery", |line| line["message"] == "delivered").await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    assert_eq!(server.received().len(), 2, "each message once");
}
