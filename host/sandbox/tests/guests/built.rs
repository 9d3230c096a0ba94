//! Guests of `tests/guests`, built as any author would build a plugin.
mod after_request; // alerters that fail once their receiver has answered

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;
use std::{env, fs};

use watchbell_contract::{Receipt, Refusal};
use watchbell_sandbox::{
    Destination, DestinationSettings, Grants, Limits, LogLine, RuleModule, RunError, Sandbox, Secret,
};

use crate::receiver::{Receiver, SLOW};
use crate::support::{SANDBOX, bystander_unharmed, intent, run, unharmed};
use after_request::{hog_after_request, loop_after_request, trap_after_request};

const SIN: &str = r#"{"sin": true}"#;
const NO_SIN: &str = r#"{"sin": false}"#;

/// The component called `name`; `None` if no guests were built, which is a failure in CI.
fn guest(name: &str) -> Option<Vec<u8>> {
    let folder = env::var_os("WATCHBELL_GUESTS").map(PathBuf::from).or_else(beside_target)?;
    if !folder.is_dir() {
        static TOLD: Once = Once::new();
        assert!(
            env::var("CI").as_deref() != Ok("true"),
            "no guests in {}: run cargo xtask plugins",
            folder.display()
        );
        // Bypasses the test's output capture, so that a skip is visible.
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

/// A built guest, passed to the test with its name.
struct Guest {
    name: &'static str,
    bytes: Vec<u8>,
}

/// One line per guest: it generates the guest's test, and `every_guest_has_a_test` compares the list with the files.
macro_rules! guests {
    ($($name:literal => $test:ident,)*) => {
        const GUESTS: &[&str] = &[$($name),*];

        mod each {
            $(#[test]
            fn $test() {
                if let Some(bytes) = super::guest($name) {
                    super::$test(&super::Guest { name: $name, bytes });
                }
            })*
        }
    };
}

guests! {
    "alerter-loop" => alerter_loop,
    "alerter-trap" => alerter_trap,
    "asks-what-it-read" => asks_what_it_read,
    "draws-at-random" => draws_at_random,
    "drip-feed" => drip_feed,
    "endless-loop" => endless_loop,
    "endless-response" => endless_response,
    "forbidden-host" => forbidden_host,
    "hog-after-request" => hog_after_request,
    "huge-lines" => huge_lines,
    "invalid-strings" => invalid_strings,
    "log-flood" => log_flood,
    "loop-after-request" => loop_after_request,
    "memory-hog" => memory_hog,
    "missing-export" => missing_export,
    "oversized-output" => oversized_output,
    "oversized-state" => oversized_state,
    "panic-with-message" => panic_with_message,
    "private-name" => private_name,
    "reads-a-file" => reads_a_file,
    "reads-the-clock" => reads_the_clock,
    "redirect-elsewhere" => redirect_elsewhere,
    "slow-receiver" => slow_receiver,
    "spawns-a-thread" => spawns_a_thread,
    "stack-overflow" => stack_overflow,
    "too-many-signals" => too_many_signals,
    "trap" => trap,
    "trap-after-request" => trap_after_request,
    "wasi-import" => wasi_import,
    "wrong-world" => wrong_world,
}

#[test]
fn every_guest_has_a_test() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/examples");
    let found: BTreeSet<String> = fs::read_dir(examples)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, GUESTS.iter().map(|name| (*name).to_owned()).collect());
}

impl Guest {
    fn rule(&self) -> RuleModule {
        let rule = SANDBOX.load_rule(self.name, &self.bytes).unwrap();
        assert_eq!(rule.about().name, self.name);
        assert_eq!(rule.inspection().sdk.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        rule
    }

    /// The error of the faulty run; a correct run and a run of another rule still work afterwards.
    fn ended(&self, limits: &Limits) -> RunError {
        let rule = self.rule();
        unharmed(&rule, NO_SIN);
        let error = run(&rule, SIN, limits).unwrap_err();
        unharmed(&rule, NO_SIN);
        error
    }

    /// Why it is not loaded; loaded modules are not affected.
    fn refused(&self) -> String {
        let text = SANDBOX.load_rule(self.name, &self.bytes).unwrap_err().to_string();
        bystander_unharmed();
        text
    }

    /// What `plugin check` reports about a module that loads.
    fn misused(&self) -> Vec<String> {
        unharmed(&self.rule(), NO_SIN);
        let found = Sandbox::inspect(&self.bytes).unwrap().misuses;
        found.iter().map(|misuse| format!("{}: {}", misuse.what, misuse.instead)).collect()
    }

    async fn deliver(&self, to: &Destination, limits: &Limits) -> Result<Result<Receipt, Refusal>, RunError> {
        let alerter = SANDBOX.load_alerter(self.name, &self.bytes).unwrap();
        let product = &alerter.about().products[0].name;
        assert_eq!(product, self.name);
        let outcome = alerter.deliver(product, "{}", &intent(), to, limits).await.outcome;
        bystander_unharmed();
        outcome
    }
}

/// The sandbox accepts it, but the cluster does not.
fn asks_what_it_read(guest: &Guest) {
    unharmed(&guest.rule(), SIN);
    unharmed(&guest.rule(), NO_SIN);
}

fn endless_loop(guest: &Guest) {
    let limits = Limits { time_max: Duration::from_millis(100), ..Limits::default() };
    let error = guest.ended(&limits);
    assert_eq!(
        error.to_string(),
        "the module exceeded its time limit (limits.time: 100ms); raise the limit, or give the rule less to do"
    );
    assert!(error.is_size());
}

fn memory_hog(guest: &Guest) {
    let error = guest.ended(&Limits::default());
    assert_eq!(
        error.to_string(),
        "the module exceeded its memory limit (limits.memory: 64MiB); raise the limit, or let the rule keep less"
    );
    assert!(error.is_size());
}

fn stack_overflow(guest: &Guest) {
    let error = guest.ended(&Limits::default());
    assert_eq!(
        error.to_string(),
        "the module's call stack exceeded 1MiB, which is fixed: does a function recurse without end? (in deeper at stack-overflow.rs:8, from deeper at stack-overflow.rs:8)"
    );
}

fn trap(guest: &Guest) {
    let text = guest.ended(&Limits::default()).to_string();
    assert!(text.starts_with("the module trapped: wasm `unreachable` instruction executed (in "), "{text}");
    // Frames within and after the guest's own belong to the standard library and the SDK.
    assert!(text.contains("gives_up at trap.rs:") && text.ends_with(')'), "{text}");
}

fn panic_with_message(guest: &Guest) {
    let error = guest.ended(&Limits::default());
    assert_eq!(
        error.to_string(),
        "the module panicked at tests/guests/examples/panic-with-message.rs:3: no field called \"host.name\""
    );
    assert_eq!(error.logs.len(), 1);
}

fn oversized_output(guest: &Guest) {
    // The SDK stays within the default; the host's limit is for modules that do not.
    let limits = Limits { output_bytes_max: 4 << 10, ..Limits::default() };
    let error = guest.ended(&limits);
    assert_eq!(
        error.to_string(),
        "the module exceeded its output limit (limits.output: 4KiB); raise the limit, or report fewer signals"
    );
    assert!(error.is_size());
}

fn oversized_state(guest: &Guest) {
    let limits = Limits { state_bytes_max: 1 << 20, ..Limits::default() };
    let error = guest.ended(&limits);
    assert_eq!(
        error.to_string(),
        "the module's state has 2MiB, more than its limit (limits.state: 1MiB); raise the limit, or let the rule keep less"
    );
    assert!(error.is_size());
}

fn log_flood(guest: &Guest) {
    let rule = guest.rule();
    let (finding, report) = run(&rule, SIN, &Limits::default()).unwrap();
    assert_eq!(finding.signals[0].summary, "found");
    assert_eq!((report.logs.len(), report.logs_dropped), (1_000, 4_000));
    assert_eq!(report.logs[999].message.len(), (4 << 10) + "…".len());
    unharmed(&rule, NO_SIN);
}

fn invalid_strings(guest: &Guest) {
    let error = guest.ended(&Limits::default());
    assert_eq!(
        error.to_string(),
        "the module returned a result that violates the contract: invalid utf-8 sequence of 1 bytes from index 1"
    );
}

fn wrong_world(guest: &Guest) {
    let text = guest.refused();
    assert_eq!(
        text,
        "module `wrong-world` exports neither `watchbell:plugin/rule` nor `watchbell:plugin/alerter`: was the SDK's export macro used, and were custom sections stripped before it became a component?"
    );
}

fn missing_export(guest: &Guest) {
    let text = guest.refused();
    assert_eq!(
        text,
        "module `missing-export` does not fit the contract 0.2: instance export `watchbell:plugin/rule@0.2.0` does not have export `describe`"
    );
}

fn wasi_import(guest: &Guest) {
    let text = guest.refused();
    assert_eq!(
        text,
        "module `wasi-import` imports `wasi:cli/environment`: a rule may import only `watchbell:plugin/log`; it was built for WASI: in Rust, build for the target wasm32-unknown-unknown; in JavaScript, disable the runtime's features (`jco componentize --disable all`)"
    );
}

#[test]
fn a_truncated_file() {
    let Some(bytes) = guest("trap") else { return };
    let end = bytes.len() * 2 / 3;
    let text = SANDBOX.load_rule("cut", &bytes[..end]).unwrap_err().to_string();
    bystander_unharmed();
    assert_eq!(text, format!("module `cut` is truncated at byte {end}: fetch or build it again"));
}

#[test]
fn a_precompiled_file() {
    let Some(bytes) = guest("trap") else { return };
    let engine = wasmtime::Engine::default();
    let compiled = engine.precompile_component(&bytes).unwrap();
    assert_eq!(
        SANDBOX.load_rule("fast", &compiled).unwrap_err().to_string(),
        "module `fast` is compiled machine code, which cannot be checked: use the `.wasm` component that it was compiled from"
    );
}

#[test]
fn params_that_do_not_parse_are_told_by_the_module() {
    let Some(bytes) = guest("trap") else { return };
    let rule = Guest { name: "trap", bytes }.rule();
    let faults = rule.prepare("{}", &watchbell_contract::Context::default()).unwrap().unwrap_err();
    assert!(faults[0].message.contains("sin"), "{faults:?}");
}

fn destination(base: &str, private_addresses: bool) -> Destination {
    let mut settings = DestinationSettings::new(Secret::new(base));
    settings.grants = Grants { private_addresses, ..Grants::default() };
    Destination::new(settings).unwrap()
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    // A single blocking thread: the receiver computes on the thread that runs the guest.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).build().unwrap().block_on(work)
}

fn forbidden_host(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let to = destination(&format!("{}/hook", receiver.url()), true);
        let outcome = guest.deliver(&to, &Limits::default()).await;
        let Ok(Err(Refusal::Refused(text))) = outcome else { panic!("{outcome:?}") };
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "path `https://other.example/` must be empty or begin with one `/`: requests go below the destination's own URL",
                "path `//other.example/` must be empty or begin with one `/`: requests go below the destination's own URL",
                "path `/../admin` must not contain `..`",
                "path `/%2e%2e/admin` must not contain `..`",
                "header `host` is reserved for the host: set `auth` on the destination instead",
            ]
        );
        assert_eq!(receiver.seen(), Vec::<String>::new());
    });
}

fn redirect_elsewhere(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let to = destination(&receiver.url(), true);
        let outcome = guest.deliver(&to, &Limits::default()).await.unwrap();
        assert_eq!(outcome, Err(Refusal::Refused("the receiver answered 302".into())));
        assert_eq!(receiver.seen(), ["GET /moved"]);
    });
}

fn private_name(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let base = format!("http://localhost:{}", receiver.address.port());
        let outcome = guest.deliver(&destination(&base, false), &Limits::default()).await.unwrap();
        let Err(Refusal::Refused(text)) = outcome else { panic!("{outcome:?}") };
        // The order of the two depends on the machine.
        let expected = ["127.0.0.1", "::1"].map(|address| {
            format!("`localhost` is {address}, a loopback address: if that is intended, grant the destination `private_addresses: true`")
        });
        assert!(expected.contains(&text), "{text}");
        assert_eq!(receiver.seen(), Vec::<String>::new());
        let granted = guest.deliver(&destination(&base, true), &Limits::default()).await.unwrap();
        assert_eq!(granted, Ok(Receipt { reference: Some("6 bytes".into()) }));
    });
}

fn endless_response(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let to = destination(&receiver.url(), true);
        let outcome = guest.deliver(&to, &Limits::default()).await.unwrap();
        assert_eq!(outcome, Ok(Receipt { reference: Some(format!("{} bytes", 1 << 20)) }));
    });
}

fn drip_feed(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let mut settings = DestinationSettings::new(Secret::new(receiver.url()));
        settings.grants = Grants { private_addresses: true, ..Grants::default() };
        settings.timeout = Duration::from_millis(200);
        let to = Destination::new(settings).unwrap();
        let outcome = guest.deliver(&to, &Limits::default()).await.unwrap();
        let reason =
            "the receiver did not answer in full within the destination's timeout of 200ms".to_owned();
        assert_eq!(outcome, Err(Refusal::Unanswered { reason, retry_after: None }));
        assert_eq!(receiver.seen(), ["POST /drip"]);
    });
}

/// The receiver computes on the guest's own thread, longer than the guest's limit: if the guest's clock did not stop
/// meanwhile, the delivery would fail.
fn slow_receiver(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let mut settings = DestinationSettings::new(Secret::new(receiver.url()));
        settings.grants = Grants { private_addresses: true, ..Grants::default() };
        settings.timeout = Duration::from_secs(120);
        let to = Destination::new(settings).unwrap();
        let limits = Limits { time_max: SLOW, ..Limits::default() };
        let outcome = guest.deliver(&to, &limits).await.unwrap();
        assert_eq!(outcome, Ok(Receipt { reference: Some("4 bytes".into()) }));
        assert_eq!(receiver.seen().len(), 4);
    });
}

/// The runtime's single thread serves others while the guest computes.
fn alerter_loop(guest: &Guest) {
    on_runtime(async {
        let to = destination("http://127.0.0.1:9", true);
        let limits = Limits { time_max: Duration::from_millis(300), ..Limits::default() };
        let (told, heard) = tokio::sync::oneshot::channel();
        tokio::spawn(async { told.send(()) });
        let mut delivery = std::pin::pin!(guest.deliver(&to, &limits));
        tokio::select! {
            biased;
            outcome = &mut delivery => panic!("nobody else was served: {outcome:?}"),
            heard = heard => heard.unwrap(),
        }
        assert_eq!(
            delivery.await.unwrap_err().to_string(),
            "the module exceeded its time limit (limits.time: 300ms); raise the limit, or give the rule less to do"
        );
    });
}

fn alerter_trap(guest: &Guest) {
    on_runtime(async {
        let to = destination("http://127.0.0.1:9", true);
        let error = guest.deliver(&to, &Limits::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("the module trapped: wasm `unreachable` instruction executed"), "{text}");
        assert_eq!(error.logs, [LogLine { level: 1, message: "about to fail".into() }]);
    });
}

fn huge_lines(guest: &Guest) {
    let rule = guest.rule();
    let limits = Limits { time_max: Duration::from_secs(20), ..Limits::default() };
    let (_, report) = run(&rule, SIN, &limits).unwrap();
    assert_eq!((report.logs.len(), report.logs_dropped), (100, 0));
    let kept: usize = report.logs.iter().map(|line| line.message.capacity()).sum();
    assert!(kept <= 100 * ((4 << 10) + "…".len()), "{kept}");
    unharmed(&rule, NO_SIN);
}

fn too_many_signals(guest: &Guest) {
    let error = guest.ended(&Limits::default());
    assert_eq!(
        error.to_string(),
        "the module returned 10001 signals, more than the 10000 allowed per run; let the rule report less, or use a smaller window"
    );
    assert!(error.is_size());
}

fn reads_the_clock(guest: &Guest) {
    assert_eq!(
        guest.misused(),
        ["`Instant::now` or `SystemTime::now`: use the window's times (`window.end`) or the rows' own"]
    );
}

fn spawns_a_thread(guest: &Guest) {
    assert!(
        guest.misused().contains(
            &"`std::thread::spawn`: use a single thread; the host runs many rules concurrently".into()
        ),
        "{:?}",
        guest.misused()
    );
}

fn reads_a_file(guest: &Guest) {
    assert_eq!(
        guest.misused(),
        [
            "a file, a socket, a thread or a process of the operating system: use what the contract provides: parameters, rows, and an alerter's `http`"
        ]
    );
}

fn draws_at_random(guest: &Guest) {
    assert_eq!(
        guest.refused(),
        "module `draws-at-random` imports `wasi:random/random`: a rule may import only `watchbell:plugin/log`; a crate uses random numbers (getrandom, uuid, rand): derive them from the rows"
    );
}

#[test]
fn guests_are_inspected_without_running_them() {
    let Some(bytes) = guest("forbidden-host") else { return };
    let found = Sandbox::inspect(&bytes).unwrap();
    assert!(found.imports.contains(&"watchbell:plugin/http@0.2.0".to_owned()), "{:?}", found.imports);
    assert_eq!(found.misuses, []);
}
