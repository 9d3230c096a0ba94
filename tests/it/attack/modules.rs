//! Modules that are made to cost whoever loads them: time, memory, places in the pool.
mod hostile; // the set

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use watchbell_sandbox::{CompileFault, CompileLimits, Compiler, Config, LoadFault, Sandbox};

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::{PROGRAM, World};

fn compiler(program: &str, limits: CompileLimits) -> Option<Compiler> {
    Some(Compiler { program: program.into(), args: vec!["compile-module".into()], limits })
}

/// Small, so that bombs end soon.
const LIMITS: CompileLimits = CompileLimits {
    cpu_max: Duration::from_secs(3),
    wall_max: Duration::from_secs(120),
    memory_bytes_max: 768 << 20,
    output_bytes_max: 64 << 20,
};

/// A built plugin, as its author would hand it on.
fn plugin(name: &str) -> Vec<u8> {
    let beside_target = || std::env::current_exe().unwrap().ancestors().nth(4).unwrap().join("plugins");
    let folder = std::env::var_os("WATCHBELL_PLUGINS").map_or_else(beside_target, PathBuf::from);
    std::fs::read(folder.join(format!("{name}.wasm"))).expect("run cargo xtask plugins")
}

#[test]
fn a_bomb_ends_at_its_limit_and_says_which() {
    let sandbox = Sandbox::new(Config { compiler: compiler(PROGRAM, LIMITS), ..Config::default() }).unwrap();
    for (name, bytes) in hostile::bombs() {
        let error = sandbox.load_rule(name, &bytes).unwrap_err();
        match &error.fault {
            LoadFault::Compiler(CompileFault::Cpu(_) | CompileFault::Memory(_) | CompileFault::Output(_)) => {
                let text = error.to_string();
                assert!(text.starts_with(&format!("module `{name}` cannot be compiled: it")), "{text}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_is_large_deep_or_wide_is_refused_or_compiled_within_the_limits() {
    let sandbox = Sandbox::new(Config { compiler: compiler(PROGRAM, LIMITS), ..Config::default() }).unwrap();
    for (name, bytes) in hostile::oddities() {
        // It exports no functions; what compiles does not fit the contract.
        let fault = sandbox.load_rule(name, &bytes).unwrap_err().fault;
        assert!(
            matches!(fault, LoadFault::Compile(_) | LoadFault::Compiler(_) | LoadFault::Contract(_)),
            "{name}: {fault:?}"
        );
        assert!(!matches!(fault, LoadFault::Compiler(CompileFault::Wall(_))), "{name}: {fault:?}");
    }
}

#[test]
fn more_than_a_share_of_the_pool_is_refused_by_name_before_anything_is_compiled() {
    // A compiler that is not there: what gets as far as being compiled fails otherwise.
    let sandbox =
        Sandbox::new(Config { compiler: compiler("/nowhere", LIMITS), ..Config::default() }).unwrap();
    for (what, bytes) in hostile::greedy() {
        let text = sandbox.load_rule("greedy", &bytes).unwrap_err().to_string();
        assert_eq!(text, format!("module `greedy` has more than the {what} that a module may have"));
    }
    let fault = sandbox.load_rule("given", &hostile::given_a_module()).unwrap_err().fault;
    assert_eq!(fault, LoadFault::Uncounted);
    // As many as allowed get as far as the compiler.
    let fault = sandbox.load_rule("modest", &hostile::modest()).unwrap_err().fault;
    assert!(matches!(fault, LoadFault::Compiler(CompileFault::Start(_))), "{fault:?}");
}

#[test]
fn a_module_of_others_is_compiled_elsewhere_and_kept_here() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let open = |program: &str| {
        let compiler = compiler(program, CompileLimits::default());
        Sandbox::new(Config { cache_dir: Some(cache.clone()), compiler, ..Config::default() }).unwrap()
    };
    let bytes = plugin("rule-frequency");
    let rule = open(PROGRAM).load_rule("frequency", &bytes).unwrap();
    assert_eq!(rule.about().name, "frequency");
    let entries: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // From then on nobody needs a compiler.
    open("/nowhere").load_rule("frequency", &bytes).unwrap();
    let other = plugin("rule-spike");
    let fault = open("/nowhere").load_rule("spike", &other).unwrap_err().fault;
    assert!(matches!(fault, LoadFault::Compiler(CompileFault::Start(_))), "{fault:?}");
    // What comes with the program needs none at all.
    open("/nowhere").load_own_rule("spike", &other).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_which_limit_a_module_passed() {
    let world = World::new().await;
    let (_, bomb) = hostile::bombs().into_iter().next().unwrap();
    let file = world.scratch.path().join("bomb.wasm");
    std::fs::write(&file, &bomb).unwrap();
    let cache = world.scratch.path().join("cache");
    let variables = [("WATCHBELL_COMPILE_TIME", "2s"), ("XDG_CACHE_HOME", cache.to_str().unwrap())];
    for command in ["check", "inspect"] {
        let args = ["plugin", command, file.to_str().unwrap()];
        let (code, _, err) = world.call_with(&args, &variables).await;
        assert_eq!(code, 1, "{err}");
        assert!(err.contains("bomb.wasm") && err.contains("more than the 2s of CPU time"), "{err}");
    }
    rule_with(&world, "bombed", &file, &bomb);
    let rules = world.rules().display().to_string();
    let (code, _, err) = world.call_with(&["check", "--rules", &rules], &variables).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("bombed.yaml") && err.contains("more than the 2s of CPU time"), "{err}");
    let (code, _, err) =
        world.call_with(&["check", "--rules", &rules], &[("WATCHBELL_COMPILE_TIME", "soon")]).await;
    assert_eq!(code, 1);
    assert!(err.contains("WATCHBELL_COMPILE_TIME must be from"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_meets_a_bomb_ends_and_the_next_begins() {
    let world = with_failed_logins().await;
    let cache = world.scratch.path().join("cache");
    let variables = [("WATCHBELL_COMPILE_TIME", "2s")];
    let mut host = world.start_with(&["--cache", cache.to_str().unwrap()], &variables);
    host.until("a window", |line| line["outcome"] == "committed").await;
    let (_, bomb) = hostile::bombs().into_iter().next().unwrap();
    let file = world.scratch.path().join("bomb.wasm");
    std::fs::write(&file, &bomb).unwrap();
    rule_with(&world, "bombed", &file, &bomb);
    host.signal("-HUP");
    let said = |line: &serde_json::Value, part: &str| {
        line["message"].as_str().is_some_and(|message| message.contains(part))
    };
    let line = host.until("the limit", |line| said(line, "more than the 2s of CPU time")).await;
    assert!(said(&line, "bombed.yaml"), "{line}");
    host.until("the refusal", |line| said(line, "keeping the bundle in force")).await;
    host.until("the rule going on", |line| line["outcome"] == "committed").await;

    std::fs::remove_file(world.rules().join("bombed.yaml")).unwrap();
    world.write("more.yaml", &FAILED_LOGINS.replace("name: failed-logins", "name: more-logins"));
    host.signal("-HUP");
    host.until("the new rule", |line| line["rule"] == "more-logins" && line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0));
}

/// A manifest whose module is `file`.
fn rule_with(world: &World, name: &str, file: &Path, bytes: &[u8]) {
    let digest = hex::encode(Sha256::digest(bytes));
    let manifest = FAILED_LOGINS
        .replace("name: failed-logins", &format!("name: {name}"))
        .replace("use: frequency", &format!("use: {}\nsha256: {digest}", file.display()));
    world.write(&format!("{name}.yaml"), &manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_writes_is_for_its_user_alone_whatever_the_umask() {
    let world = with_failed_logins().await;
    let program = world.scratch.path().join("open");
    std::fs::write(&program, format!("#!/bin/sh\numask 0\nexec {PROGRAM} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let cache = world.scratch.path().join("cache");
    let args = ["--cache", cache.to_str().unwrap()];
    // A folder of recordings that an earlier version left open is closed.
    let recordings = world.scratch.path().join("store.sqlite.runs");
    std::fs::create_dir(&recordings).unwrap();
    std::fs::set_permissions(&recordings, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut host = world.start_program(&program, &args, &[]);
    host.until("a recording", |line| !line["recorded"].is_null()).await;
    let mut found = 0;
    let mut left = vec![recordings, cache];
    for ending in ["", "-wal", "-shm", ".lock"] {
        left.push(world.scratch.path().join(format!("store.sqlite{ending}")));
    }
    while let Some(path) = left.pop() {
        let metadata = std::fs::metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        assert_eq!(mode, if metadata.is_dir() { 0o700 } else { 0o600 }, "{}: {mode:o}", path.display());
        if metadata.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found += 1;
    }
    // The store and what is beside it, two folders, a rule's folder, a recording, compiled modules.
    assert!(found >= 9, "{found}");
    assert_eq!(host.stop().await, Some(0));
}
