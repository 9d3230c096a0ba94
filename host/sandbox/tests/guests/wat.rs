//! Components written by hand in the contract's canonical ABI.
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// The functions of a rule that finds nothing and keeps no state; a test replaces those that it tests.
pub(crate) struct Functions {
    pub(crate) describe: &'static str,
    pub(crate) start: &'static str,
    pub(crate) questions: &'static str,
    pub(crate) snapshot: &'static str,
    pub(crate) finish: &'static str,
}

pub(crate) const HARMLESS: Functions = Functions {
    describe: "(i32.const 64)",
    // ok(the new run)
    start: "(i32.store (i32.const 260) (call $new (i32.const 1))) (i32.const 256)",
    // no more questions
    questions: "(i32.const 320)",
    // ok([])
    snapshot: "(i32.const 416)",
    // ok({ signals: [] })
    finish: "(i32.const 384)",
};

/// Writes the error line `panicked at src/lib.rs:7: boom`, then traps, as the SDK does.
pub(crate) const PANIC: &str = "(call $log (i32.const 0) (i32.const 600) (i32.const 30)) (unreachable)";

pub(crate) fn core_rule(functions: Functions) -> String {
    let Functions { describe, start, questions, snapshot, finish } = functions;
    format!(
        r#"(module
  (import "[export]watchbell:plugin/rule@0.2.0" "[resource-new]run" (func $new (param i32) (result i32)))
  (import "watchbell:plugin/log@0.2.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (global $heap (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
    (local.get $at))
  ;; about {{ name: "wat", version: "1", summary: "", params-schema: "{{}}", state-version: 1, state-layout: "" }}
  (data (i32.const 64) "\00\02\00\00\03\00\00\00\03\02\00\00\01\00\00\00\04\02\00\00\00\00\00\00\04\02\00\00\02\00\00\00\01\00\00\00")
  (data (i32.const 512) "wat1{{}}")
  (data (i32.const 600) "panicked at src/lib.rs:7: boom")
  (func $deeper (export "deeper") (param i32) (result i32)
    (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func (export "watchbell:plugin/rule@0.2.0#describe") (result i32) {describe})
  (func (export "watchbell:plugin/rule@0.2.0#prepare")
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 128))
  (func (export "watchbell:plugin/rule@0.2.0#[static]run.start")
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i64 i64 i64) (result i32) {start})
  (func (export "watchbell:plugin/rule@0.2.0#[method]run.questions") (param i32) (result i32) {questions})
  (func (export "watchbell:plugin/rule@0.2.0#[method]run.answer")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 352))
  (func (export "watchbell:plugin/rule@0.2.0#[method]run.snapshot") (param i32) (result i32) {snapshot})
  (func (export "watchbell:plugin/rule@0.2.0#[method]run.finish") (param i32) (result i32) {finish})
  (func (export "watchbell:plugin/rule@0.2.0#[dtor]run") (param i32))
)"#
    )
}

pub(crate) fn rule(functions: Functions) -> Vec<u8> {
    component(&core_rule(functions), "rule-component")
}

/// Makes a component from a core module, for one of the contract's worlds.
pub(crate) fn component(core: &str, world: &str) -> Vec<u8> {
    let (resolve, world) = contract(world);
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    encode(&module)
}

/// A component of the contract's world whose every function traps.
pub(crate) fn dummy(world: &str) -> Vec<u8> {
    let (resolve, world) = contract(world);
    let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    encode(&module)
}

/// A component of a custom world.
pub(crate) fn foreign(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("foreign.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    encode(&module)
}

pub(crate) fn encode(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().validate(true).module(module).unwrap().encode().unwrap()
}

/// `component` with a custom section at its end.
pub(crate) fn with_section(mut component: Vec<u8>, name: &str, content: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("a short text");
    let section = [&[length(name)], name.as_bytes(), content.as_bytes()].concat();
    component
        .extend([0, u8::try_from(section.len()).ok().filter(|&size| size < 128).expect("a short section")]);
    component.extend(section);
    component
}

fn contract(world: &str) -> (Resolve, wit_parser::WorldId) {
    let mut resolve = Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/wit");
    let (package, _) = resolve.push_dir(folder).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    (resolve, world)
}
