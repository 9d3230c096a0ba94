//! Templates of any kind: each renders to what it renders to natively, or passes a limit that has a name.
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use watchbell_sandbox::RenderFault;

use crate::render::{job, renderer};

/// Values, among them large and lazy ones.
const VALUES: [&str; 16] = [
    "details",
    "documents",
    "document.user.name",
    "labels",
    "link",
    "summary",
    "more",
    "rows",
    "at",
    "value",
    "count",
    "range(100000)",
    "'x'",
    "[1, [2, 'a'], {'b': none}]",
    "2 ** 100",
    "-1.5e300",
];

const FILTERS: [&str; 24] = [
    "list",
    "tojson",
    "string",
    "length",
    "join",
    "upper",
    "sort",
    "unique",
    "reverse",
    "batch(3)",
    "slice(7)",
    "replace('x', 'xxxx')",
    "first",
    "last",
    "items",
    "dictsort",
    "map('string')",
    "select",
    "groupby('a')",
    "indent(4)",
    "format",
    "safe",
    "title",
    "trim",
];

const OPERATORS: [&str; 8] = ["*", "+", "~", "in", "==", "and", "%", "**"];

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        1 => (0_u64..3_000_000_000).prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), prop::sample::select(&FILTERS[..])).prop_map(|(of, filter)| format!("({of})|{filter}")),
            2 => (inner.clone(), prop::sample::select(&OPERATORS[..]), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            1 => inner.clone().prop_map(|of| format!("({of})[:9]")),
            1 => (inner.clone(), inner).prop_map(|(of, at)| format!("({of})[{at}]")),
        ]
    })
}

fn template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => expression().prop_map(|of| format!("{{{{ {of} }}}}")),
        1 => expression().prop_map(|of| format!("{{% set a = {of} %}}{{{{ a }}}}")),
        1 => "[ -~\n]{0,20}",
        1 => Just("**[go]({{ link }})**\n- a\n\n".to_owned()),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| a + &b),
            1 => (expression(), inner.clone()).prop_map(|(of, body)| format!("{{% for a in {of} %}}{body}{{% endfor %}}")),
            1 => (expression(), inner.clone(), inner.clone())
                .prop_map(|(of, a, b)| format!("{{% if {of} %}}{a}{{% else %}}{b}{{% endif %}}")),
            1 => inner.prop_map(|body| format!("{{% macro m() %}}{body}{{{{ m() }}}}{{% endmacro %}}{{{{ m() }}}}")),
        ]
    })
}

fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let rng_seed =
        if std::env::var_os("PROPTEST_RNG_SEED").is_some() { usual.rng_seed } else { RngSeed::Fixed(8) };
    ProptestConfig { rng_seed, cases: usual.cases.max(500), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_template_ends_in_a_text_or_at_a_limit(body in template()) {
        let job = job("{{ rule }}", &body);
        match renderer().render(&job) {
            // What is within the limits may be rendered natively as well.
            Ok(rendered) => prop_assert_eq!(rendered, job.render()),
            Err(
                RenderFault::OutOfTime { .. }
                | RenderFault::TooSlow { .. }
                | RenderFault::OutOfMemory { .. }
                | RenderFault::TooLarge { .. }
                | RenderFault::StackOverflow,
            ) => {}
            Err(fault) => prop_assert!(false, "{fault:?}"),
        }
    }
}
