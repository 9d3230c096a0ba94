//! What `check` says of names in texts, and macros that rules share.

use serde_json::json;

use crate::world::{World, now, repository};

const RULE: &str = "\
name: failing-host
use: frequency
index: logs-*
every: 1m
key: [host.name]
params: { num_events: 3, timeframe: 5m }
alert:
  title: '{{ details.cuont }} errors'
  body: '{{ document.user.nmae }} {{ document.flat.any }} {{ document.message }}'
  to: [hook]
";

const TEST: &str = "\
tests:
  - name: three errors
    documents: [{ at: 10s, every: 5s, count: 3, fields: { host.name: a, user: { name: ada } } }]
    expect: [{ at: 70s, deliveries: [{ to: hook }] }]
";

/// The lines that warn of a name.
async fn said(world: &World, more: &[&str]) -> Vec<String> {
    let rules = world.rules().display().to_string();
    let (code, _, err) = world.call(&[&["check", "--rules", &rules], more].concat()).await;
    assert_eq!(code, 0, "{err}");
    let named =
        |line: &&str| line.contains("`details.") || line.contains("`document.") || line.starts_with("hint:");
    err.lines().filter(named).map(|line| line.replace(&rules, "")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_warns_about_fields_that_no_test_and_no_mapping_has() {
    let world = World::new().await;
    world.write("failing-host.yaml", RULE);
    let details = [
        "warning: /failing-host.yaml:8:10: `alert.title`: `details.cuont` is always empty: `frequency` does not report it",
        "hint: did you mean `count`?",
    ];
    assert_eq!(said(&world, &[]).await, details, "without a test there is nothing to compare with");

    world.write("failing-host.test.yaml", TEST);
    let of_tests = said(&world, &[]).await;
    assert_eq!(of_tests[..2], details);
    let named = ["user.nmae", "flat.any", "message"];
    for name in named {
        let line = format!("`document.{name}`: no test document has it");
        assert!(of_tests.iter().any(|told| told.contains(&line)), "{name}: {of_tests:?}");
    }
    assert!(of_tests.contains(&"hint: did you mean `user.name`?".to_owned()), "{of_tests:?}");

    let properties = json!({
        "host": { "properties": { "name": { "type": "keyword" } } },
        "message": { "type": "text" },
        "flat": { "type": "flattened" },
    });
    world.index_with("logs-a", &properties).await;
    world.documents("logs-a", &[json!({ "@timestamp": now(), "message": "x" })]).await;
    let of_both = said(&world, &["--online"]).await;
    assert_eq!(of_both[..2], details);
    assert!(
        of_both[2].contains("`document.user.nmae`: no test document and no mapping has it"),
        "{of_both:?}"
    );
    assert_eq!(of_both[3..], ["hint: did you mean `user.name`?"]);
}

/// A warning about what is right teaches people to ignore warnings.
#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_rules_show_nothing_that_is_not_there() {
    let world = World::new().await;
    let rules = repository().join("rules").display().to_string();
    let (code, _, err) = world.call(&["check", "--no-secrets", "--rules", &rules]).await;
    assert_eq!(code, 0, "{rules}: {err}");
    assert!(!err.contains("is always empty") && !err.contains("has it"), "{rules}: {err}");
}

const SHARED: &str = "\
name: failing-host
use: frequency
index: logs-*
every: 1m
key: [host.name]
params: { num_events: 3, timeframe: 5m }
alert:
  title: '{% import \"words\" as words %}{{ words.failing(labels.host.name) }}'
  body: '{% import \"words\" as words %}{{ words.last(document) }}'
  to: [hook]
";

const WORDS: &str = "\
{% macro failing(host) %}{{ host }} fails ({{ value }} times){% endmacro %}
{% macro last(event) %}**Last:** {{ event.message }}{% endmacro %}
";

/// One implementation renders the texts of tests, previews and checks.
#[tokio::test(flavor = "multi_thread")]
async fn macros_that_rules_share_are_in_tests_previews_and_checks() {
    let world = World::new().await;
    world.write("failing-host.yaml", SHARED);
    std::fs::create_dir(world.rules().join("texts")).expect("a folder of macros");
    world.write("texts/words.jinja", WORDS);
    let test = TEST
        .replace("fields: {", "fields: { message: 'a *b*',")
        .replace("{ to: hook }", "{ to: hook, title: 'a fails (3 times)', body: '**Last:** a \\*b\\*' }");
    world.write("failing-host.test.yaml", &test);
    let rules = world.rules().display().to_string();
    let call = async |args: &[&str]| world.call(&[args, &["--rules", &rules]].concat()).await;
    for args in [["check"], ["test"]] {
        let (code, out, err) = call(&args).await;
        assert_eq!(code, 0, "{args:?}: {out} {err}");
    }
    let (code, out, err) = call(&["preview", "failing-host"]).await;
    assert!(code == 0 && out.contains("a fails (3 times)"), "{code} {out} {err}");
    let (code, out, err) = call(&["render"]).await;
    assert!(code == 0 && out.contains("# texts/words.jinja"), "{code} {out} {err}");

    world.write("texts/words.jinja", &WORDS.replace("last(event)", "latest(event)"));
    let (code, _, err) = call(&["check"]).await;
    assert!(
        code == 1 && err.contains("`texts/words.jinja` has no macro `last`; it has `failing`, `latest`"),
        "{err}"
    );
}
