//! Templates that take more than a text may.
use std::time::{Duration, Instant};

use crate::journey::FAILED_LOGINS;
use crate::world::World;

/// What `check` says to a rule with this line as the third of its body.
async fn check(world: &World, line: &str) -> (i32, String, String) {
    let alert = format!("\nalert:\n  to: [hook]\n  body: |\n    Look.\n\n    {line}\n");
    let rule: String = FAILED_LOGINS.split("\nalert:").next().unwrap().to_owned() + &alert;
    world.write("evil.yaml", &rule);
    world.call(&["check", "--rules", &world.rules().display().to_string()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn check_renders_every_text_and_names_the_one_that_passes_a_limit() {
    let world = World::new().await;
    #[expect(clippy::disallowed_methods, reason = "that it ends soon is the promise")]
    let begun = Instant::now();
    for (line, why) in [
        // More memory or more time than a text may take, whichever is first: `it takes more than`, or `it was not done`.
        ("{{ range(100000) | list * 1000 }}", "it "),
        ("{{ (range(30000) | list * 1000) | tojson | length }}", "it "),
        ("{{ 'x' * 70000000 }}", "ran out of fuel"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "ran out of fuel"),
    ] {
        let (code, _, err) = check(&world, line).await;
        assert_eq!(code, 1, "{line}: {err}");
        let placed = err.contains("evil.yaml:") && err.contains("`alert.body` cannot be rendered: ");
        assert!(placed && err.contains(why), "{line}: {err}");
    }
    let deep = format!("{{{{ value{} }}}}", " + value".repeat(2_000));
    let (code, _, err) = check(&world, &deep).await;
    assert!(code == 1 && err.contains("has more than 1000 parts"), "{err}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let (code, out, err) =
        check(&world, "{% for d in documents %}{{ d.user.name }}{% endfor %}{{ link }}").await;
    assert!(code == 0 && out.contains("1 rule"), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_as_json_where_a_text_passes_a_limit() {
    let world = World::new().await;
    let (_, _, err) = check(&world, "{{ 'x' * 70000000 }}").await;
    let rules = world.rules().display().to_string();
    let (code, out, _) = world.call(&["check", "--json", "--rules", &rules]).await;
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["ok"]), (1, &false.into()), "{out}");
    let fault = &report["faults"][0];
    assert!(fault["file"].as_str().is_some_and(|file| file.ends_with("evil.yaml")), "{fault}");
    let line = fault["line"].as_u64().unwrap();
    assert!(line > 1 && err.contains(&format!("evil.yaml:{line}:")), "{fault} {err}");
}
