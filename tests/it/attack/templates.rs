//! Templates that pass a limit only with what documents say, so that `check` cannot know: the host goes on.
use crate::world::{World, hit, now};

const KEYS: usize = 1_500;

fn evil(body: &str) -> String {
    let body = body.replace('\'', "''");
    format!(
        r#"
name: evil
use: frequency
index: logs-auth
every: 1s
delay: 0s
lateness: 1s
lookback: 10m
key: [host.name]
params: {{ num_events: 1, timeframe: 1h }}
limits: {{ episodes: 10000 }}
alert:
  title: "evil"
  body: '{{% if labels["host.name"] != "" %}}{body}{{% endif %}}'
  to: [hook]
"#
    )
}

const CANARY: &str = r#"
name: canary
use: any
index: logs-canary
every: 1s
delay: 0s
lateness: 1s
alert: { title: "canary", body: "{{ summary }}", to: [hook] }
"#;

async fn other_rules_go_on(body: &str, why: &str) {
    let mut world = World::new().await;
    world.index("logs-auth").await;
    world.index("logs-canary").await;
    let then = now() - 60_000;
    let documents: Vec<_> = (0..KEYS).map(|n| hit(then + n as i64 / 100, 401, &format!("user-{n}"))).collect();
    world.documents("logs-auth", &documents).await;
    world.write("evil.yaml", &evil(body));
    world.write("canary.yaml", CANARY);
    let mut host = world.start_with(&["--listen", "127.0.0.1:0"], &[]);
    let address = host.address().await;
    let got = world.receiver.until("messages in plain form", |got| got.len() >= 3).await;
    let said = got[0].body["body"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("could not be rendered") && said.contains(why), "{said}");
    // While texts go on failing, the rule beside it is judged and told of, and the host is well.
    for n in 0..3 {
        world.documents("logs-canary", &[hit(now(), 200, &format!("canary-{n}"))]).await;
        let canaries =
            |got: &[crate::world::Arrival]| got.iter().filter(|arrival| arrival.body["rule"] == "canary").count();
        world.receiver.until("the canary's alert", |got| canaries(got) > n).await;
        let (status, said) = world.get(&address, "/livez").await;
        assert_eq!(status, 200, "{said}");
    }
    // Nothing is lost.
    let evils = |got: &[crate::world::Arrival]| got.iter().filter(|arrival| arrival.body["rule"] == "evil").count();
    world.receiver.until("every message in plain form", |got| evils(got) >= KEYS).await;
    host.signal("TERM");
    assert_eq!(host.ended().await, Some(0), "{}", host.said.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_takes_gigabytes_delays_no_other_rule() {
    other_rules_go_on("{{ range(100000) | list * 1000 }}", "MiB of memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_takes_too_long_delays_no_other_rule_however_many_there_are() {
    // Many small pieces of work that the template engine counts as few instructions.
    let slow = "{% set long = range(100000) | list %}{% for n in range(900) %}{{ (long | tojson) | length }}{% endfor %}";
    other_rules_go_on(slow, "of CPU time").await;
}
