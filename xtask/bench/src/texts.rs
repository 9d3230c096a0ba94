use std::hint::black_box;

use anyhow::Result;
use serde_json::json;
use watchbell_contract::{AlertText, Cause, Label, Severity, TextFormat, Timestamp};
use watchbell_sandbox::{Config, Sandbox};
use watchbell_text::{BODY, Job, Subject, TITLE};

use crate::given;
use crate::table::{Runs, head, measure, ratio, timed};

/// A long text of a kind that people write: sections, conditions, a table of documents.
const LONG: &str = "\
**{{ summary }}** on `{{ labels.host.name }}` since {{ since }}

{% if value and threshold and value > threshold * 10 %}Far beyond{% else %}Beyond{% endif %} {{ threshold }}: {{ value | round(2) }}

{% for d in documents %}
- {{ d.at }} **{{ d.user.name | default('nobody') | upper }}** from [{{ d.source.ip }}](https://wiki.example.com/ip/{{ d.source.ip }}): {{ d.message | replace('\\n', ' ') }}
{%- endfor %}

{% for name, value in document | items %}{{ name }}={{ value | tojson }} {% endfor %}

Runbook: https://wiki.example.com/runbooks/{{ rule }}?host={{ labels.host.name }}

{{ link }}";

/// As much as a text may do: its instructions are used up shortly after.
const LIMIT: &str = "{% for i in range(9000) %}{{ i }} {{ document.message }}{% endfor %}";

pub(crate) fn bench(runs: usize) -> Result<()> {
    let bytes = std::fs::read(given("WATCHBELL_PLUGINS")?.join("texts.wasm"))?;
    let renderer = Sandbox::new(Config::default())?.load_texts("texts", &bytes)?;
    head("texts, natively and by the component; microseconds a text");
    // With how many texts make one measurement.
    let texts =
        [("the standard text", BODY, 200), ("a long text", LONG, 200), ("a text at its limit", LIMIT, 10)];
    for (name, body, count) in texts {
        let job = job(TITLE, body);
        anyhow::ensure!(renderer.render(&job)? == job.render(), "{name}: the component renders another text");
        let mut native = || {
            timed(|| {
                for _ in 0..count {
                    black_box(job.render());
                }
            })
        };
        let mut component = || {
            timed(|| {
                for _ in 0..count {
                    drop(black_box(renderer.render(&job)));
                }
            })
        };
        let (native_name, component_name) =
            (format!("{name}, natively"), format!("{name}, by the component"));
        let measured = measure(runs, &mut [(&native_name, &mut native), (&component_name, &mut component)]);
        for runs in &measured {
            runs.row("us", |seconds| seconds * 1e6 / count as f64);
        }
        let (native, component) = (&measured[0], &measured[1]);
        ratio("  component against native", component, native);
        let rate = Runs { name: "  texts a second of one core".into(), seconds: component.seconds.clone() };
        rate.row("/s", |seconds| count as f64 / seconds);
    }
    Ok(())
}

fn job(title: &str, body: &str) -> Job {
    let document = |number: u32| {
        json!({
            "at": "2026-11-30T12:00:00Z",
            "message": format!("Failed password for invalid user admin_{number} from 10.0.0.{number} port 4242 ssh2"),
            "user": { "name": format!("admin_{number}") },
            "source": { "ip": format!("10.0.0.{number}"), "port": 4242 },
            "host": { "name": "db-1.example.com" },
            "event": { "action": "login", "outcome": "failure" },
        })
    };
    let details = json!({ "count": 12, "documents": (1..=10).map(document).collect::<Vec<_>>() }).to_string();
    let labels = [Label { name: "host.name".into(), value: Some("db-1.example.com".into()) }];
    let subject = Subject {
        rule: "failed-logins",
        owner: Some("security"),
        environment: "production",
        severity: Severity::Warning,
        cause: Cause::Opened,
        person: None,
        labels: &labels,
        at: Timestamp(1_796_000_000_000),
        since: Timestamp(1_795_990_000_000),
        value: Some(12.0),
        threshold: Some(5.0),
        summary: "12 failed logins within 5m for db-1.example.com",
        details: &details,
        link: Some(
            "https://kibana.example.com/app/discover#/?_g=%28time%3A%28from%3A1%29%29&_a=%28query%3A%28%29%29",
        ),
        count: 1,
        more: &[],
    };
    let wants = AlertText { format: TextFormat::Mrkdwn, styles: true, title_max: 130, body_max: 3_000 };
    Job::new(title, body, &subject, wants)
}
