use std::time::{Duration, Instant};

use watchbell_contract::{Call, Context, Plan, Rows};
use watchbell_sandbox::{Config, Limits, LogLine, RuleModule, RuleRun, Sandbox};

use crate::support::{SANDBOX, WINDOW, run, sandbox, unharmed};
use crate::wat::{self, Functions, HARMLESS};

fn load(functions: Functions) -> RuleModule {
    SANDBOX.load_rule("wat", &wat::rule(functions)).unwrap()
}

/// A run of a rule without a key, from no state.
fn start(rule: &RuleModule, limits: &Limits) -> RuleRun {
    let call = Call { params: "{}", context: &Context::default(), state: None, window: WINDOW };
    rule.start(&call, limits).unwrap()
}

/// The error that ends a run; it has no lasting effect.
fn ended(functions: Functions, limits: &Limits) -> String {
    let error = run(&load(functions), "{}", limits).unwrap_err();
    unharmed(&load(HARMLESS), "{}");
    error.to_string()
}

fn quick() -> Limits {
    Limits { time_max: Duration::from_millis(50), ..Limits::default() }
}

#[test]
fn a_harmless_rule_runs_and_tells_of_itself() {
    let rule = load(HARMLESS);
    assert_eq!((rule.about().name.as_str(), rule.about().state_version), ("wat", 1));
    assert_eq!(rule.digest().len(), 64);
    let plan = Plan { history: watchbell_contract::Duration::ZERO, grid: None };
    let context = Context { key: vec!["host".into()], ..Context::default() };
    assert_eq!(rule.prepare("{}", &context).unwrap(), Ok(plan));
    let (finding, report) = run(&rule, "{}", &Limits::default()).unwrap();
    assert_eq!(finding.signals.len(), 0);
    let again = Call { params: "{}", context: &context, state: Some(&finding.state), window: WINDOW };
    rule.start(&again, &Limits::default()).unwrap();
    let without_history = Call { state: Some(b""), ..again };
    rule.start(&without_history, &Limits::default()).unwrap();
    let foreign = Call { state: Some(b"anything"), ..again };
    assert!(rule.start(&foreign, &Limits::default()).unwrap_err().is_state());
    assert_eq!(report.memory_bytes, 65_536);
}

#[test]
fn a_loop_ends_with_the_guests_time() {
    let text = ended(Functions { finish: "(loop (br 0)) (unreachable)", ..HARMLESS }, &quick());
    assert_eq!(
        text,
        "the module exceeded its time limit (limits.time: 50ms); raise the limit, or give the rule less to do"
    );
}

#[test]
fn time_between_calls_is_not_the_guests() {
    // Each call computes for 2 ms; if the pauses between calls counted, they would exceed the limit many times over.
    let limits = Limits { time_max: Duration::from_millis(100), ..Limits::default() };
    let rule = load(HARMLESS);
    let mut run = start(&rule, &limits);
    for _ in 0..10 {
        let until = Instant::now() + Duration::from_millis(30);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        run.questions().unwrap();
    }
    let (_, report) = run.finish().unwrap();
    assert!(report.guest_time < Duration::from_millis(50), "{report:?}");
}

#[test]
fn calls_share_one_budget() {
    let spin = "(local $left i32) (local.set $left (i32.const 20000000))
        (loop (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if 0 (local.get $left)))
        (i32.const 320)";
    let rule = load(Functions { questions: spin, ..HARMLESS });
    let mut run = start(&rule, &quick());
    let ended = (0..10_000).find_map(|_| run.questions().err()).expect("the budget runs out");
    assert!(ended.to_string().contains("limits.time: 50ms"), "{ended}");
    assert!(ended.guest_time >= Duration::from_millis(50), "{ended:?}");
}

#[test]
fn memory_has_a_limit() {
    let text = ended(
        Functions { finish: "(drop (memory.grow (i32.const 2000))) (i32.const 384)", ..HARMLESS },
        &quick(),
    );
    assert_eq!(
        text,
        "the module exceeded its memory limit (limits.memory: 64MiB); raise the limit, or let the rule keep less"
    );
}

#[test]
fn a_table_has_a_limit() {
    let finish = "(drop (table.grow $table (ref.null func) (i32.const 100000))) (i32.const 384)";
    assert_eq!(
        ended(Functions { finish, ..HARMLESS }, &quick()),
        "the module's table would have 100001 entries, more than the 100000 allowed"
    );
}

#[test]
fn a_limit_below_the_modules_first_page_is_told_the_same_way() {
    let limits = Limits { memory_bytes_max: 1_000, ..Limits::default() };
    let text = ended(HARMLESS, &limits);
    assert!(text.contains("limits.memory: 1000B"), "{text}");
}

#[test]
fn recursion_ends_with_the_stack() {
    let text = ended(Functions { finish: "(call $deeper (i32.const 0))", ..HARMLESS }, &quick());
    assert_eq!(
        text,
        "the module's call stack exceeded 1MiB, which is fixed: does a function recurse without end? (in deeper, from deeper)"
    );
}

#[test]
fn a_trap_is_told_with_its_frames() {
    let text = ended(Functions { finish: "(i32.div_u (i32.const 1) (i32.const 0))", ..HARMLESS }, &quick());
    assert_eq!(text, "the module trapped: integer divide by zero (in function 10)");
}

#[test]
fn a_panic_is_told_with_its_message_and_kept_in_the_log() {
    let rule = load(Functions { finish: wat::PANIC, ..HARMLESS });
    let error = run(&rule, "{}", &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "the module panicked at src/lib.rs:7: boom");
    let line = LogLine { level: 0, message: "panicked at src/lib.rs:7: boom".into() };
    assert_eq!(error.logs, [line]);
    assert!(!error.is_size() && !error.is_host());
}

#[test]
fn a_panic_is_told_even_when_the_log_is_full() {
    let rule = load(Functions { finish: wat::PANIC, ..HARMLESS });
    let limits = Limits { log_lines_max: 0, ..Limits::default() };
    let error = run(&rule, "{}", &limits).unwrap_err();
    assert_eq!(error.to_string(), "the module panicked at src/lib.rs:7: boom");
    assert_eq!((error.logs.len(), error.logs_dropped), (0, 1));
}

#[test]
fn a_string_out_of_memorys_bounds_is_bad_output() {
    // err(other(a string far outside))
    let finish = "(i32.store8 (i32.const 384) (i32.const 1)) (i32.store8 (i32.const 388) (i32.const 2))
        (i32.store (i32.const 392) (i32.const 0x7fffffff)) (i32.store (i32.const 396) (i32.const 100)) (i32.const 384)";
    let text = ended(Functions { finish, ..HARMLESS }, &quick());
    assert!(text.starts_with("the module returned a result that violates the contract: "), "{text}");
}

#[test]
fn text_that_is_not_utf8_is_bad_output() {
    let finish = "(i32.store8 (i32.const 384) (i32.const 1)) (i32.store8 (i32.const 388) (i32.const 2))
        (i32.store8 (i32.const 700) (i32.const 0xff))
        (i32.store (i32.const 392) (i32.const 700)) (i32.store (i32.const 396) (i32.const 1)) (i32.const 384)";
    let text = ended(Functions { finish, ..HARMLESS }, &quick());
    assert!(
        text.starts_with("the module returned a result that violates the contract: invalid utf-8"),
        "{text}"
    );
}

#[test]
fn a_reported_problem_is_not_a_fault_of_the_sandbox() {
    let start = "(i32.store8 (i32.const 256) (i32.const 1)) (i32.store8 (i32.const 260) (i32.const 1))
        (i32.store (i32.const 264) (i32.const 512)) (i32.store (i32.const 268) (i32.const 3)) (i32.const 256)";
    let rule = load(Functions { start, ..HARMLESS });
    let error = run(&rule, "{}", &Limits::default()).unwrap_err();
    assert!(error.is_state());
    assert_eq!(error.to_string(), "the rule cannot read its state: wat");
}

#[test]
fn state_has_a_limit() {
    // ok(2000 bytes)
    let snapshot = "(i32.store (i32.const 420) (i32.const 0)) (i32.store (i32.const 424) (i32.const 2000)) (i32.const 416)";
    let limits = Limits { state_bytes_max: 1_500, ..Limits::default() };
    let text = ended(Functions { snapshot, ..HARMLESS }, &limits);
    assert_eq!(
        text,
        "the module's state has 1.9KiB, more than its limit (limits.state: 1.4KiB); raise the limit, or let the rule keep less"
    );
}

#[test]
fn output_that_repeats_one_text_endlessly_is_cut_off_before_it_is_copied() {
    // A list of 300,000 signals, all zeros: its size is checked before its content.
    let finish = "(drop (memory.grow (i32.const 900)))
        (i32.store (i32.const 388) (i32.const 65536)) (i32.store (i32.const 392) (i32.const 300000)) (i32.const 384)";
    let limits = Limits { memory_bytes_max: 60_000_000, output_bytes_max: 1_000, ..Limits::default() };
    let text = ended(Functions { finish, ..HARMLESS }, &limits);
    assert_eq!(
        text,
        "the module exceeded its output limit (limits.output: 1000B); raise the limit, or report fewer signals"
    );
}

#[test]
fn a_page_crosses_whatever_its_size() {
    // ok(some({ questions: [all zeros: hits without fields], is-scouting: false }))
    let questions = "(i32.store8 (i32.const 324) (i32.const 1)) (i32.store (i32.const 328) (i32.const 32768))
        (i32.store (i32.const 332) (i32.const 1)) (i32.const 320)";
    let rule = load(Functions { questions, ..HARMLESS });
    let mut run = start(&rule, &Limits::default());
    assert_eq!(run.questions().unwrap().len(), 1);
    run.answer(0, Rows { times: vec![500; 100_000], columns: vec![] }).unwrap();
    let (_, report) = run.finish().unwrap();
    assert!(report.memory_bytes > 800_000);
}

#[test]
fn a_run_may_move_between_threads() {
    let rule = load(HARMLESS);
    let mut run = start(&rule, &Limits::default());
    let run = std::thread::spawn(move || run.questions().map(|_| run)).join().unwrap().unwrap();
    run.finish().unwrap();
}

#[test]
fn without_address_space_for_a_pool_runs_map_their_own() {
    let sandbox = sandbox(Config { pool_instances: 0, ..Config::default() });
    assert!(!sandbox.is_pooled());
    let rule = sandbox.load_rule("wat", &wat::rule(HARMLESS)).unwrap();
    run(&rule, "{}", &Limits::default()).unwrap();
    // A pool of this size fits no address space, so a smaller one is used.
    let greedy = Sandbox::new(Config { pool_instances: 1_000_000, ..Config::default() }).unwrap();
    assert!(greedy.is_pooled());
}

/// Prints the figures of the reference; fails only if one is wrong by an order of magnitude.
#[test]
fn a_fresh_run_and_a_cached_load_are_cheap() {
    let rule = load(HARMLESS);
    let begin = || drop(start(&rule, &Limits::default()));
    let fresh = median(200, begin);
    let folder = tempfile::tempdir().unwrap();
    let config = Config { cache_dir: Some(folder.path().join("cache")), ..Config::default() };
    let bytes = wat::rule(HARMLESS);
    let sandbox = sandbox(config);
    sandbox.load_rule("wat", &bytes).unwrap();
    let load = median(20, || drop(sandbox.load_rule("wat", &bytes).unwrap()));
    println!("fresh store, instance and start: {fresh:?}; cached load of {} bytes: {load:?}", bytes.len());
    assert!(fresh < Duration::from_millis(2), "{fresh:?}");
    assert!(load < Duration::from_millis(50), "{load:?}");
}

pub(crate) fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut took: Vec<Duration> = (0..times)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[times / 2]
}
