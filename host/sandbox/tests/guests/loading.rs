use std::fs;
use std::os::unix::fs::PermissionsExt;

use watchbell_sandbox::{Config, ModuleKind, Sandbox};

use crate::support::{SANDBOX, bystander_unharmed, run, sandbox};
use crate::wat::{self, Functions, HARMLESS};

/// Why it is refused; loaded modules are not affected.
fn refused(bytes: &[u8]) -> String {
    let text = SANDBOX.load_rule("custom", bytes).unwrap_err().to_string();
    bystander_unharmed();
    text
}

#[test]
fn what_is_no_module_is_told_as_what_it_is() {
    assert_eq!(refused(b""), "module `custom` is empty");
    assert_eq!(refused(b"#!/bin/sh\necho"), "module `custom` is not WebAssembly");
    let small = sandbox(Config { module_bytes_max: 100, ..Config::default() });
    let error = small.load_rule("custom", &wat::rule(HARMLESS)).unwrap_err().to_string();
    assert!(error.starts_with("module `custom` has "), "{error}");
    assert!(error.ends_with("more than the 100B that a module may have"), "{error}");
}

#[test]
fn a_file_cut_short_is_told_as_such_wherever_it_is_cut() {
    let bytes = wat::rule(HARMLESS);
    for length in [9, bytes.len() / 4, bytes.len() / 2, bytes.len() - 1] {
        let text = refused(&bytes[..length]);
        assert_eq!(text, format!("module `custom` is truncated at byte {length}: fetch or build it again"));
    }
}

#[test]
fn damage_inside_never_panics() {
    let bytes = wat::rule(HARMLESS);
    for at in (8..bytes.len()).step_by(37) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        // Some damage is in names and texts, and is harmless.
        let _ = SANDBOX.load_rule("custom", &damaged);
    }
}

#[test]
fn compiled_code_is_refused() {
    let text = refused(b"\x7fELF\x02\x01\x01");
    assert_eq!(
        text,
        "module `custom` is compiled machine code, which cannot be checked: use the `.wasm` component that it was compiled from"
    );
}

#[test]
fn a_core_module_must_become_a_component() {
    let core = wat::core_rule(HARMLESS);
    let text = refused(&::wat::parse_str(core).unwrap());
    assert_eq!(
        text,
        "module `custom` is a core module, not a component: build it with `watchbell plugin build`, which makes the component"
    );
    let js = r#"(module (import "__wbindgen_placeholder__" "__wbindgen_throw" (func (param i32 i32))))"#;
    let text = refused(&::wat::parse_str(js).unwrap());
    assert!(
        text.contains("wasm-bindgen is linked in (getrandom's `wasm_js`, chrono's `wasmbind`)"),
        "{text}"
    );
}

#[test]
fn another_kind_is_told_by_name() {
    assert_eq!(refused(&wat::dummy("alerter-component")), "module `custom` is an alerter, not a rule");
    let error = SANDBOX.load_alerter("custom", &wat::rule(HARMLESS)).unwrap_err();
    assert_eq!(error.to_string(), "module `custom` is a rule, not an alerter");
}

#[test]
fn another_world_and_an_empty_component_say_what_is_missing() {
    let expected = "module `custom` exports neither `watchbell:plugin/rule` nor `watchbell:plugin/alerter`: was the SDK's export macro used, and were custom sections stripped before it became a component?";
    assert_eq!(refused(&wat::foreign("package a:b; world w { export run: func(); }")), expected);
    assert_eq!(refused(&wat::foreign("package a:b; world w { }")), expected);
}

#[test]
fn imports_beyond_the_log_are_named_with_what_brings_them_in() {
    let wit = "
        package watchbell:plugin@0.2.0;
        interface rule { x: func(); }
        world w {
            import wasi:cli/environment@0.2.0;
            import wasi:random/random@0.2.0;
            export rule;
        }
        package wasi:cli@0.2.0 { interface environment { x: func(); } }
        package wasi:random@0.2.0 { interface random { x: func(); } }
    ";
    assert_eq!(
        refused(&wat::foreign(wit)),
        "module `custom` imports `wasi:cli/environment`, `wasi:random/random`: a rule may import only `watchbell:plugin/log`; it was built for WASI: in Rust, build for the target wasm32-unknown-unknown; in JavaScript, disable the runtime's features (`jco componentize --disable all`); a crate uses random numbers (getrandom, uuid, rand): derive them from the rows"
    );
}

#[test]
fn a_newer_contract_is_told_before_anything_is_compiled() {
    let wit = "package watchbell:plugin@0.4.0; interface rule { x: func(); } world w { export rule; }";
    assert_eq!(
        refused(&wat::foreign(wit)),
        "module `custom` was built for contract 0.4; this host offers 0.2: update Watchbell, or build the module with its SDK"
    );
    let older = "package watchbell:plugin@0.1.9; interface rule { x: func(); } world w { export rule; }";
    assert!(refused(&wat::foreign(older)).ends_with("build the module with a newer SDK"));
}

#[test]
fn the_contract_is_read_from_its_section_before_anything_is_compiled() {
    let newer = wat::with_section(wat::rule(HARMLESS), "watchbell:contract", "0.4.2");
    assert_eq!(
        refused(&newer),
        "module `custom` was built for contract 0.4; this host offers 0.2: update Watchbell, or build the module with its SDK"
    );
    let same = wat::with_section(wat::rule(HARMLESS), "watchbell:contract", "0.2.7");
    SANDBOX.load_rule("custom", &same).unwrap();
    // An SDK may have a newer version but the same contract.
    let sdk = wat::with_section(wat::rule(HARMLESS), "watchbell:sdk", "0.9.0");
    let rule = SANDBOX.load_rule("custom", &sdk).unwrap();
    assert_eq!(rule.inspection().sdk.as_deref(), Some("0.9.0"));
}

#[test]
fn a_stripped_module_is_told_what_it_lacks() {
    // As after `wasm-strip`: there is no section with the contract for an encoder.
    let core = ::wat::parse_str(wat::core_rule(HARMLESS)).unwrap();
    let text = refused(&core);
    assert!(text.starts_with("module `custom` is a core module, not a component: "), "{text}");
    assert!(text.contains("`watchbell plugin build`"), "{text}");
    // A lenient encoder makes a component without exports from it.
    let bare = ::wat::parse_str("(module (memory 1))").unwrap();
    assert_eq!(
        refused(&wat::encode(&bare)),
        "module `custom` exports neither `watchbell:plugin/rule` nor `watchbell:plugin/alerter`: was the SDK's export macro used, and were custom sections stripped before it became a component?"
    );
}

#[test]
fn a_component_of_a_javascript_runtime_is_told_what_to_turn_off() {
    let wit = "
        package watchbell:plugin@0.2.0;
        interface rule { x: func(); }
        world w { import wasi:io/poll@0.2.0; import wasi:cli/stdin@0.2.0; export rule; }
        package wasi:io@0.2.0 { interface poll { x: func(); } }
        package wasi:cli@0.2.0 { interface stdin { x: func(); } }
    ";
    assert_eq!(
        refused(&wat::foreign(wit)),
        "module `custom` imports `wasi:io/poll`, `wasi:cli/stdin`: a rule may import only `watchbell:plugin/log`; it was built for WASI: in Rust, build for the target wasm32-unknown-unknown; in JavaScript, disable the runtime's features (`jco componentize --disable all`)"
    );
}

/// What is drawn but not offered yet must at least be what it claims to be.
#[test]
fn drafts_of_interfaces_are_valid_and_not_offered() {
    let mut resolve = wit_parser::Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/drafts");
    let (package, _) = resolve.push_dir(folder).unwrap();
    let worlds: Vec<&str> = resolve.packages[package].worlds.keys().map(String::as_str).collect();
    assert_eq!(worlds, ["alerter-capabilities", "text-component"]);
    let wit = "
        package watchbell:plugin@0.2.0;
        interface alerter { x: func(); }
        interface exec { x: func(); }
        world w { import exec; export alerter; }
    ";
    assert_eq!(
        refused(&wat::foreign(wit)),
        "module `custom` imports `watchbell:plugin/exec`: an alerter may import only `watchbell:plugin/log`, `watchbell:plugin/http` and `watchbell:plugin/mail`"
    );
}

#[test]
fn imports_without_end_are_refused_in_time() {
    let imports: String = (0..100_000).map(|n| format!(r#"(import "m{n}" "f" (func))"#)).collect();
    let text = refused(&::wat::parse_str(format!("(module {imports})")).unwrap());
    assert_eq!(text, "module `custom` has more than the 1000 imports that a module may have");
}

#[test]
fn an_interface_that_lacks_functions_is_told() {
    let wit = "package watchbell:plugin@0.2.0; interface rule { x: func(); } world w { export rule; }";
    let text = refused(&wat::foreign(wit));
    assert!(text.starts_with("module `custom` does not fit the contract 0.2: "), "{text}");
}

#[test]
fn a_module_that_fails_to_describe_itself_is_refused() {
    let text = refused(&wat::dummy("rule-component"));
    assert!(text.starts_with("module `custom` failed to describe itself: the module trapped: "), "{text}");
    let text = refused(&wat::rule(Functions {
        describe: "(i32.store (i32.const 68) (i32.const 0)) (i32.const 64)",
        ..HARMLESS
    }));
    assert_eq!(
        text,
        "module `custom` describes itself in a way that violates the contract: its name has 0 bytes, not 1 to 4096"
    );
}

#[test]
fn an_inspection_runs_nothing() {
    let bytes = wat::rule(HARMLESS);
    let found = Sandbox::inspect(&bytes).unwrap();
    assert_eq!((found.kind, found.contract.as_str(), found.sdk), (ModuleKind::Rule, "0.2.0", None));
    assert_eq!(found.exports, ["watchbell:plugin/rule@0.2.0"]);
    assert!(found.imports.contains(&"watchbell:plugin/log@0.2.0".to_owned()), "{:?}", found.imports);
    assert_eq!((found.bytes, found.misuses.as_slice()), (bytes.len(), &[][..]));
}

#[test]
fn compiled_modules_are_kept_and_a_damaged_one_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let open = || sandbox(Config { cache_dir: Some(cache.clone()), ..Config::default() });
    let bytes = wat::rule(HARMLESS);
    let rule = open().load_rule("custom", &bytes).unwrap();
    let entries: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0].file_name().unwrap().to_str().unwrap().starts_with(rule.digest()));
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let whole = fs::read(&entries[0]).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", &{
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        flipped
    }] {
        fs::write(&entries[0], damaged).unwrap();
        let rule = open().load_rule("custom", &bytes).unwrap();
        run(&rule, "{}", &watchbell_sandbox::Limits::default()).unwrap();
        assert!(fs::read(&entries[0]).unwrap() == whole, "the entry is whole again");
    }
}

#[test]
fn a_cache_that_others_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let sandbox = sandbox(Config { cache_dir: Some(folder.path().to_owned()), ..Config::default() });
    sandbox.load_rule("custom", &wat::rule(HARMLESS)).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
