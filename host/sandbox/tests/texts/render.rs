use std::sync::LazyLock;
use std::time::Duration;

use watchbell_contract::{AlertText, Cause, Label, Severity, TextFormat, Timestamp};
use watchbell_sandbox::{Config, Renderer, Sandbox, TextLimits};
use watchbell_text::{Job, Macros, Subject, Text};

static RENDERER: LazyLock<Renderer> = LazyLock::new(|| {
    let folder = std::env::var_os("WATCHBELL_PLUGINS").map(std::path::PathBuf::from);
    let path = folder.expect("WATCHBELL_PLUGINS is not set: run cargo xtask plugins").join("texts.wasm");
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Sandbox::new(Config::default()).unwrap().load_texts("texts", &bytes).unwrap()
});

pub(crate) fn renderer() -> &'static Renderer {
    &RENDERER
}

/// Renders by the component, and natively to compare. What is compared are the texts, however long a busy machine takes
/// over them.
pub(crate) fn render(title: &str, body: &str, subject: &Subject<'_>, wants: AlertText) -> Text {
    render_with(&Macros::default(), title, body, subject, wants)
}

pub(crate) fn render_with(
    macros: &Macros,
    title: &str,
    body: &str,
    subject: &Subject<'_>,
    wants: AlertText,
) -> Text {
    let job = Job::new(title, body, subject, wants).with_macros(macros.clone());
    let minute = Duration::from_secs(60);
    let limits = TextLimits { time_max: minute, wall_time_max: minute, ..TextLimits::default() };
    let rendered = RENDERER.render_within(&job, &limits).unwrap();
    assert_eq!(rendered, watchbell_text::render(title, body, macros, subject, wants));
    rendered.text
}

/// What templates are tried on.
pub(crate) fn job(title: &str, body: &str) -> Job {
    let labels = [Label { name: "host.name".into(), value: Some("db-1".into()) }];
    let more = ["b".to_owned(), "c".to_owned()];
    let subject = Subject {
        rule: "logins",
        owner: Some("sec"),
        environment: "default",
        severity: Severity::Warning,
        cause: Cause::Opened,
        person: None,
        labels: &labels,
        at: Timestamp(1_790_000_000_000),
        since: Timestamp(1_780_000_000_000),
        value: Some(2.5),
        threshold: None,
        summary: "2 failed logins",
        details: r#"{"n":[1,2.5,null],"documents":[{"user":{"name":"ada"},"message":"a *b* <c>"}]}"#,
        link: Some("https://kibana.example.com/app/discover#/?_g=%28%29&_a=(query:'a*b')"),
        count: 3,
        more: &more,
    };
    let wants = AlertText { format: TextFormat::Mrkdwn, styles: true, title_max: 130, body_max: 3_000 };
    Job::new(title, body, &subject, wants)
}
