//! Templates that pass a limit only with what documents say, so that `check` cannot know: the host goes on.
use super::flood::spray;
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

/// `said` is what messages of the evil rule hold.
async fn other_rules_go_on(body: &str, said: &str) {
    let mut world = World::new().await;
    world.index("logs-auth").await;
    world.index("logs-canary").await;
    spray(&world, KEYS).await;
    world.write("evil.yaml", &evil(body));
    world.write("canary.yaml", CANARY);
    let mut host = world.start();
    let address = host.address().await;
    let got = world.receiver.until("messages", |got| got.len() >= 3).await;
    let body = got[0].body["body"].as_str().unwrap_or_default();
    assert!(body.contains(said), "{body}");
    // While more texts are waited for, the rule beside it is judged and told of, and the host is well.
    for n in 0..3 {
        world.documents("logs-canary", &[hit(now(), 200, &format!("canary-{n}"))]).await;
        let canaries = |got: &[crate::world::Arrival]| {
            got.iter().filter(|arrival| arrival.body["rule"] == "canary").count()
        };
        world.receiver.until("the canary's alert", |got| canaries(got) > n).await;
        let (status, said) = world.get(&address, "/livez").await;
        assert_eq!(status, 200, "{said}");
    }
    // Nothing is lost.
    let evils =
        |got: &[crate::world::Arrival]| got.iter().filter(|arrival| arrival.body["rule"] == "evil").count();
    world.receiver.until("every message", |got| evils(got) >= KEYS).await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
}

/// What a message in plain form says.
const PLAIN: &str = "could not be rendered: it takes more than ";

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_takes_gigabytes_delays_no_other_rule() {
    other_rules_go_on("{{ range(100000) | list * 1000 }}", PLAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_one_long_instruction_delays_no_other_rule() {
    other_rules_go_on("{% set a = range(30000) | list %}{{ (a * 1000) | tojson | length }}", PLAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_do_as_much_as_they_may_delay_no_other_rule_however_many_there_are() {
    other_rules_go_on("{% for n in range(9000) %}{{ n }} {% endfor %}", "0 1 2 3 ").await;
}
