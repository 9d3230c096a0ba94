use std::sync::LazyLock;

use watchbell_contract::{Call, Cause, Context, Finding, Intent, Label, Rows, Severity, Timestamp, Window};
use watchbell_sandbox::{Config, Limits, RuleModule, RunError, RunReport, Sandbox};

use crate::wat;

/// One sandbox for all tests, as a host has one for all rules.
pub(crate) static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| sandbox(Config::default()));
/// A rule that other modules' failures must not affect.
static BYSTANDER: LazyLock<RuleModule> =
    LazyLock::new(|| SANDBOX.load_rule("bystander", &wat::rule(wat::HARMLESS)).unwrap());

pub(crate) fn sandbox(config: Config) -> Sandbox {
    Sandbox::new(config).unwrap()
}

pub(crate) const WINDOW: Window =
    Window { start: Timestamp(0), settled: Timestamp(900), end: Timestamp(1_000) };

/// A complete run: one page with one row for each question.
pub(crate) fn run(
    rule: &RuleModule,
    params: &str,
    limits: &Limits,
) -> Result<(Finding, RunReport), RunError> {
    let call = Call { params, context: &Context::default(), state: None, window: WINDOW };
    let mut run = rule.start(&call, limits)?;
    for number in 0..run.questions()?.len() {
        run.answer(u32::try_from(number).unwrap(), Rows { times: vec![500], columns: vec![] })?;
    }
    assert_eq!(run.questions()?, []);
    run.finish()
}

/// A fault has no lasting effect: the same module runs again, and so does another.
pub(crate) fn unharmed(rule: &RuleModule, params: &str) {
    run(rule, params, &Limits::default()).expect("the next run of the same module");
    bystander_unharmed();
}

pub(crate) fn bystander_unharmed() {
    run(&BYSTANDER, "{}", &Limits::default()).expect("a run of another rule");
}

pub(crate) fn intent() -> Intent {
    Intent {
        id: "i1".into(),
        episode: "e1".into(),
        rule: "r".into(),
        owner: None,
        environment: "test".into(),
        labels: vec![Label { name: "host".into(), value: Some("a".into()) }],
        cause: Cause::Opened,
        person: None,
        severity: Severity::Warning,
        at: Timestamp(500),
        since: Timestamp(500),
        value: Some(1.0),
        threshold: None,
        title: "title".into(),
        body: "body".into(),
        summary: "summary".into(),
        details: "{}".into(),
        link: None,
        acknowledge_link: None,
        previous: None,
        recorded: vec![],
        attempt: 1,
        maybe_repeated: false,
    }
}
