use std::time::Duration;

use watchbell_contract::{AlertText, Cause, Severity, TextFormat, Timestamp};
use watchbell_sandbox::{RenderFault, TextLimits};
use watchbell_text::{Job, Subject};

use crate::render::{job, renderer};

/// One long value, which takes few instructions.
const BOMB: &str = "{{ range(100000) | list * 1000 }}";

fn fault(body: &str) -> RenderFault {
    let fault = renderer().render(&job("t", body)).expect_err(body);
    // A fault has no lasting effect.
    assert_eq!(renderer().render(&job("still", "here")).unwrap().text.title, "still (and 2 more)");
    fault
}

/// Which limit is reached first depends on the machine, and on what else it does.
fn is_limit(fault: &RenderFault) -> bool {
    matches!(
        fault,
        RenderFault::OutOfMemory { .. } | RenderFault::OutOfTime { .. } | RenderFault::TooSlow { .. }
    )
}

/// What a text says that has used up its instructions, which is a limit of its own.
fn out_of_fuel(body: &str) -> bool {
    let rendered = renderer().render(&job("t", body)).expect(body);
    rendered.faults.len() == 1 && rendered.text.body.contains("ran out of fuel")
}

#[test]
fn a_long_value_in_one_instruction_ends() {
    let fault = fault(BOMB);
    assert!(is_limit(&fault), "{fault:?}: {fault}");
}

#[test]
fn json_of_a_long_value_ends() {
    let fault = fault("{% set a = range(30000) | list %}{{ (a * 1000) | tojson | length }}");
    assert!(is_limit(&fault), "{fault:?}: {fault}");
}

#[test]
fn time_has_a_limit() {
    let limits = TextLimits { time_max: Duration::from_millis(1), ..TextLimits::default() };
    let fault = renderer().render_within(&job("t", BOMB), &limits).unwrap_err();
    assert_eq!(fault, RenderFault::OutOfTime { limit: limits.time_max });
    assert_eq!(fault.to_string(), "it takes more than 1ms of CPU time; let its templates loop over less");
}

#[test]
fn time_by_the_wall_clock_has_a_limit_of_its_own() {
    let limits = TextLimits {
        time_max: Duration::from_secs(60),
        wall_time_max: Duration::ZERO,
        ..TextLimits::default()
    };
    let fault = renderer().render_within(&job("t", BOMB), &limits).unwrap_err();
    assert_eq!(fault, RenderFault::TooSlow { limit: Duration::ZERO });
}

#[test]
fn memory_has_a_limit() {
    // Enough time to reach it on any machine.
    let slow = Duration::from_secs(60);
    let patient = TextLimits { time_max: slow, wall_time_max: slow, ..TextLimits::default() };
    let fault = renderer().render_within(&job("t", BOMB), &patient).unwrap_err();
    assert_eq!(fault, RenderFault::OutOfMemory { limit: 64 << 20 });
    assert_eq!(
        fault.to_string(),
        "it takes more than 64MiB of memory; let its templates make shorter values"
    );
    let limits = TextLimits { memory_bytes_max: 4 << 20, ..patient };
    let fault = renderer().render_within(&job("t", "{{ 'x' * 5000000 }}"), &limits).unwrap_err();
    assert_eq!(fault, RenderFault::OutOfMemory { limit: 4 << 20 });
}

#[test]
fn output_has_a_limit() {
    let subject = Subject {
        rule: "r",
        owner: None,
        environment: "default",
        severity: Severity::Info,
        cause: Cause::Event,
        person: None,
        labels: &[],
        at: Timestamp(0),
        since: Timestamp(0),
        value: None,
        threshold: None,
        summary: "s",
        details: "{}",
        link: None,
        count: 1,
        more: &[],
    };
    let wants = AlertText { format: TextFormat::Plain, styles: true, title_max: 10, body_max: 1_000_000 };
    let of = |count: usize| {
        let body = format!("{{% for i in range({count}) %}}0123456789{{% endfor %}}");
        renderer().render(&Job::new("t", &body, &subject, wants))
    };
    assert_eq!(of(26_000).unwrap().text.body.len(), 260_000);
    let fault = of(26_300).unwrap_err();
    assert_eq!(fault, RenderFault::TooLarge { limit: 256 << 10 });
    assert_eq!(fault.to_string(), "it has more than 256KiB; let its templates write less");
}

#[test]
fn macros_that_call_themselves_end() {
    for body in [
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro a(n) %}{{ a(n + 1) ~ a(n + 2) }}{% endmacro %}{{ a(0) }}",
        "{% macro a() %}{% call a() %}{{ caller() }}{% endcall %}{% endmacro %}{{ a() }}",
        "{% for a in [[[]]] recursive %}{{ loop([[a]]) }}{% endfor %}",
    ] {
        match renderer().render(&job("t", body)) {
            Err(fault) => assert_eq!(fault, RenderFault::StackOverflow, "{body}"),
            Ok(rendered) => assert!(rendered.text.body.contains("template failed"), "{}", rendered.text.body),
        }
    }
}

#[test]
fn a_loop_over_loops_ends_within_the_limits() {
    assert!(out_of_fuel(
        "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}"
    ));
}

#[test]
fn what_cannot_be_rendered_is_said_in_plain_words() {
    let job = job("t", BOMB);
    let fault = renderer().render(&job).unwrap_err();
    let text = job.plain(&fault.to_string());
    assert_eq!(text.title, "logins: 2 failed logins (and 2 more)");
    let why = format!("(the rule's text could not be rendered: {fault})");
    assert!(text.body.contains(&why), "{} of {}", why, text.body);
}
