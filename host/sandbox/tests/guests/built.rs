//! Guests of `tests/guests`, built as any author would build a plugin.
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;
use std::{env, fs};

use watchbell_contract::{Receipt, Refusal};
use watchbell_sandbox::{
    AlerterModule, Destination, DestinationSettings, Grants, Limits, RuleModule, RunError, Sandbox, Secret,
};

use crate::receiver::{Receiver, SLOW};
use crate::support::{SANDBOX, intent, run, unharmed};

const SIN: &str = r#"{"sin": true}"#;
const NO_SIN: &str = r#"{"sin": false}"#;

/// The component called `name`; `None` where no guests were built, which CI takes for a failure.
fn guest(name: &str) -> Option<Vec<u8>> {
    let folder = env::var_os("WATCHBELL_GUESTS").map(PathBuf::from).or_else(beside_target)?;
    if !folder.is_dir() {
        static TOLD: Once = Once::new();
        assert!(
            env::var("CI").as_deref() != Ok("true"),
            "no guests in {}: run cargo xtask plugins",
            folder.display()
        );
        // Past the test's own capture, so that a skip is seen.
        TOLD.call_once(|| {
            let _ = writeln!(std::io::stderr(), "skipped: sandbox guests (run cargo xtask plugins)");
        });
        return None;
    }
    let path = folder.join(format!("{name}.wasm"));
    Some(
        fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}: run cargo xtask plugins", path.display())),
    )
}

fn beside_target() -> Option<PathBuf> {
    // target/debug/deps/this
    let target = env::current_exe().ok()?.ancestors().nth(3)?.to_owned();
    Some(target.parent()?.join("guests"))
}

fn rule(name: &str) -> Option<RuleModule> {
    let bytes = guest(name)?;
    let rule = SANDBOX.load_rule(name, &bytes).unwrap();
    assert_eq!(rule.about().name, name);
    assert_eq!(rule.inspection().sdk.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    Some(rule)
}

fn alerter(name: &str) -> Option<AlerterModule> {
    let bytes = guest(name)?;
    let alerter = SANDBOX.load_alerter(name, &bytes).unwrap();
    assert_eq!(alerter.about().products[0].name, name);
    Some(alerter)
}

/// What ends the sinful run; a run without the sin and a run of another rule follow it unharmed.
fn ended(name: &str, limits: &Limits) -> Option<RunError> {
    let rule = rule(name)?;
    unharmed(&rule, NO_SIN);
    let error = run(&rule, SIN, limits).unwrap_err();
    unharmed(&rule, NO_SIN);
    Some(error)
}

fn refused(name: &str) -> Option<String> {
    let bytes = guest(name)?;
    Some(SANDBOX.load_rule(name, &bytes).unwrap_err().to_string())
}

#[test]
fn every_guest_has_a_test() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/examples");
    let found: BTreeSet<String> = fs::read_dir(examples)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let calls = ["ended(\"", "refused(\"", "rule(\"", "alerter(\""];
    let source = include_str!("built.rs");
    let tested: BTreeSet<String> = calls
        .iter()
        .flat_map(|call| source.split(call).skip(1))
        .filter_map(|rest| rest.split_once('"').map(|(name, _)| name.to_owned()))
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        .collect();
    assert!(!found.is_empty());
    assert_eq!(found.difference(&tested).collect::<Vec<_>>(), Vec::<&String>::new(), "guests without a test");
}

#[test]
fn endless_loop() {
    let limits = Limits { time_max: Duration::from_millis(100), ..Limits::default() };
    let Some(error) = ended("endless-loop", &limits) else { return };
    assert_eq!(
        error.to_string(),
        "the module computed longer than it may (limits.time: 100ms); raise the limit, or give the rule less to do"
    );
    assert!(error.is_size());
}

#[test]
fn memory_hog() {
    let Some(error) = ended("memory-hog", &Limits::default()) else { return };
    assert_eq!(
        error.to_string(),
        "the module needs more memory than it may have (limits.memory: 64MiB); raise the limit, or let the rule keep less"
    );
    assert!(error.is_size());
}

#[test]
fn stack_overflow() {
    let Some(error) = ended("stack-overflow", &Limits::default()) else { return };
    assert_eq!(
        error.to_string(),
        "the module's call stack is deeper than 1MiB, which is fixed: does a function call itself without end? (in deeper at stack-overflow.rs:8, from deeper at stack-overflow.rs:8)"
    );
}

#[test]
fn trap() {
    let Some(error) = ended("trap", &Limits::default()) else { return };
    let text = error.to_string();
    assert!(
        text.starts_with(
            "the module trapped: wasm `unreachable` instruction executed (in row at src/lib.rs:"
        ),
        "{text}"
    );
}

#[test]
fn panic_with_message() {
    let Some(error) = ended("panic-with-message", &Limits::default()) else { return };
    assert_eq!(
        error.to_string(),
        "the module panicked at tests/guests/examples/panic-with-message.rs:3: no field called \"host.name\""
    );
    assert_eq!(error.logs.len(), 1);
}

#[test]
fn oversized_output() {
    let Some(error) = ended("oversized-output", &Limits::default()) else { return };
    assert_eq!(
        error.to_string(),
        "the module returned more than it may (limits.output: 4MiB); raise the limit, or report fewer signals"
    );
    assert!(error.is_size());
}

#[test]
fn oversized_state() {
    let limits = Limits { state_bytes_max: 1 << 20, ..Limits::default() };
    let Some(error) = ended("oversized-state", &limits) else { return };
    assert_eq!(
        error.to_string(),
        "the module's state has 2MiB, more than it may keep (limits.state: 1MiB); raise the limit, or let the rule keep less"
    );
    assert!(error.is_size());
}

#[test]
fn log_flood() {
    let Some(rule) = rule("log-flood") else { return };
    let (finding, report) = run(&rule, SIN, &Limits::default()).unwrap();
    assert_eq!(finding.signals[0].summary, "found");
    assert_eq!((report.logs.len(), report.logs_dropped), (1_000, 4_000));
    assert_eq!(report.logs[999].message.len(), (4 << 10) + "…".len());
    unharmed(&rule, NO_SIN);
}

#[test]
fn invalid_strings() {
    let Some(error) = ended("invalid-strings", &Limits::default()) else { return };
    assert_eq!(
        error.to_string(),
        "the module returned what the contract does not allow: invalid utf-8 sequence of 1 bytes from index 1"
    );
}

#[test]
fn wrong_world() {
    let Some(text) = refused("wrong-world") else { return };
    assert_eq!(
        text,
        "module `wrong-world` exports neither `watchbell:plugin/rule` nor `watchbell:plugin/alerter`: was the SDK's export macro used, and were custom sections stripped before it became a component?"
    );
}

#[test]
fn missing_export() {
    let Some(text) = refused("missing-export") else { return };
    assert_eq!(
        text,
        "module `missing-export` does not fit the contract 0.1: instance export `watchbell:plugin/rule@0.1.0` does not have export `describe`"
    );
}

#[test]
fn wasi_import() {
    let Some(text) = refused("wasi-import") else { return };
    assert_eq!(
        text,
        "module `wasi-import` imports `wasi:cli/environment`: a rule may import only `watchbell:plugin/log`; it was built for WASI: build for the target wasm32-unknown-unknown"
    );
}

#[test]
fn a_truncated_file() {
    let Some(bytes) = guest("trap") else { return };
    let text = SANDBOX.load_rule("cut", &bytes[..bytes.len() * 2 / 3]).unwrap_err().to_string();
    assert!(text.starts_with("module `cut` is cut short at byte "), "{text}");
    assert!(text.ends_with(": fetch or build it again"), "{text}");
}

#[test]
fn a_precompiled_file() {
    let Some(bytes) = guest("trap") else { return };
    let engine = wasmtime::Engine::default();
    let compiled = engine.precompile_component(&bytes).unwrap();
    assert_eq!(
        SANDBOX.load_rule("fast", &compiled).unwrap_err().to_string(),
        "module `fast` is compiled machine code, which nobody can check: give the `.wasm` component it was made from"
    );
}

#[test]
fn params_that_do_not_parse_are_told_by_the_module() {
    let Some(rule) = rule("trap") else { return };
    let faults = rule.prepare("{}", &[]).unwrap().unwrap_err();
    assert!(faults[0].message.contains("sin"), "{faults:?}");
}

fn destination(base: &str, private_addresses: bool) -> Destination {
    let mut settings = DestinationSettings::new(Secret::new(base));
    settings.grants = Grants { private_addresses };
    Destination::new(settings).unwrap()
}

async fn delivered(
    alerter: &AlerterModule,
    to: &Destination,
    limits: &Limits,
) -> Result<Result<Receipt, Refusal>, RunError> {
    let product = &alerter.about().products[0].name;
    alerter.deliver(product, "{}", &intent(), to, limits).await
}

#[tokio::test]
async fn forbidden_host() {
    let Some(alerter) = alerter("forbidden-host") else { return };
    let receiver = Receiver::start().await;
    let to = destination(&format!("{}/hook", receiver.url()), true);
    let Ok(Err(Refusal::Refused(text))) = delivered(&alerter, &to, &Limits::default()).await else {
        panic!()
    };
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "path `https://other.example/` must be empty or begin with one `/`: requests go below the destination's own URL",
            "path `//other.example/` must be empty or begin with one `/`: requests go below the destination's own URL",
            "path `/../admin` must not contain `..`",
            "path `/%2e%2e/admin` must not contain `..`",
            "header `host` is the host's: set `auth` on the destination instead",
        ]
    );
    assert_eq!(receiver.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn redirect_elsewhere() {
    let Some(alerter) = alerter("redirect-elsewhere") else { return };
    let receiver = Receiver::start().await;
    let to = destination(&receiver.url(), true);
    let outcome = delivered(&alerter, &to, &Limits::default()).await.unwrap();
    assert_eq!(outcome, Err(Refusal::Refused("the receiver answered 302".into())));
    assert_eq!(receiver.seen(), ["GET /moved"]);
}

#[tokio::test]
async fn private_name() {
    let Some(alerter) = alerter("private-name") else { return };
    let receiver = Receiver::start().await;
    let base = format!("http://localhost:{}", receiver.address.port());
    let outcome = delivered(&alerter, &destination(&base, false), &Limits::default()).await.unwrap();
    let Err(Refusal::Refused(text)) = outcome else { panic!("{outcome:?}") };
    assert!(text.starts_with("`localhost` is "), "{text}");
    assert!(
        text.ends_with(
            ", a loopback address: grant the destination `private_addresses: true` if it is meant"
        ),
        "{text}"
    );
    assert_eq!(receiver.seen(), Vec::<String>::new());
    let granted = delivered(&alerter, &destination(&base, true), &Limits::default()).await.unwrap();
    assert_eq!(granted, Ok(Receipt { reference: Some("6 bytes".into()) }));
}

#[tokio::test]
async fn endless_response() {
    let Some(alerter) = alerter("endless-response") else { return };
    let receiver = Receiver::start().await;
    let to = destination(&receiver.url(), true);
    let outcome = delivered(&alerter, &to, &Limits::default()).await.unwrap();
    assert_eq!(outcome, Ok(Receipt { reference: Some(format!("{} bytes", 1 << 20)) }));
}

#[tokio::test]
async fn slow_receiver() {
    let Some(alerter) = alerter("slow-receiver") else { return };
    let receiver = Receiver::start().await;
    let to = destination(&receiver.url(), true);
    // The receiver takes four times this; none of it is the guest's own.
    let limits = Limits { time_max: SLOW, ..Limits::default() };
    let outcome = delivered(&alerter, &to, &limits).await.unwrap();
    assert_eq!(outcome, Ok(Receipt { reference: Some("4 bytes".into()) }));
    assert_eq!(receiver.seen().len(), 4);
}

#[test]
fn guests_are_inspected_without_running_them() {
    let Some(bytes) = guest("forbidden-host") else { return };
    let found = Sandbox::inspect(&bytes).unwrap();
    assert!(found.imports.contains(&"watchbell:plugin/http@0.1.0".to_owned()), "{:?}", found.imports);
    assert_eq!(found.misuses, []);
}
