//! The hostile modules. Each is a component that claims to be a rule, so that all that is cheap to check is in order.

use wasm_encoder::{
    Alias, BlockType, CodeSection, Component, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentInstanceSection, ConstExpr, DataSection, Function, FunctionSection,
    InstanceSection, MemorySection, MemoryType, Module, ModuleArg, ModuleSection, NestedComponentSection,
    RefType, TableSection, TableType, TypeSection, ValType,
};

/// A component of what `content` adds to it, among that `instances` component instances; it exports an empty instance as
/// a rule.
fn rule(instances: u32, content: impl FnOnce(&mut Component)) -> Vec<u8> {
    let mut component = Component::new();
    content(&mut component);
    let mut empty = ComponentInstanceSection::new();
    empty.export_items::<&str, _>([]);
    let mut exports = ComponentExportSection::new();
    exports.export("watchbell:plugin/rule@0.2.0", ComponentExportKind::Instance, instances, None);
    component.section(&empty).section(&exports);
    component.finish()
}

/// The same around a core module that is not instantiated; its code is compiled all the same.
fn around(module: &Module) -> Vec<u8> {
    rule(0, |component| {
        component.section(&ModuleSection(module));
    })
}

/// A core module of `count` functions without parameters.
fn functions(count: u32, body: &Function) -> Module {
    let (mut types, mut functions, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for _ in 0..count {
        functions.function(0);
        code.function(body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module
}

/// Loops within loops, each of whose headers gets a value for each local.
fn loops(locals: u32, depth: u32) -> Function {
    let mut body = Function::new([(locals, ValType::I64)]);
    let mut sink = body.instructions();
    for _ in 0..depth {
        sink.loop_(BlockType::Empty);
    }
    for local in 0..locals {
        sink.local_get(local).local_get((local * 7 + 1) % locals).i64_add().local_set(local);
    }
    for _ in 0..depth {
        sink.local_get(0).i32_wrap_i64().br_if(0).end();
    }
    sink.end();
    body
}

/// Those that cost a compiler more than their size lets one expect.
pub(super) fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("loops", around(&functions(1, &loops(3_000, 1_500)))),
        ("many-loops", around(&functions(60, &loops(2_000, 300)))),
    ]
}

/// Large, deep or wide, each in one respect.
pub(super) fn oddities() -> Vec<(&'static str, Vec<u8>)> {
    let mut empty = Function::new([]);
    empty.instructions().end();

    let mut types = TypeSection::new();
    for count in 0..100_000_u32 {
        types.ty().function(vec![ValType::I64; (count % 900) as usize], [ValType::I32]);
    }
    let mut typed = Module::new();
    typed.section(&types);

    let (mut memories, mut data) = (MemorySection::new(), DataSection::new());
    memories.memory(memory(512));
    data.active(0, &ConstExpr::i32_const(0), vec![7_u8; 32 << 20]);
    let mut filled = Module::new();
    filled.section(&memories).section(&data);

    let mut deep = Function::new([]);
    let mut sink = deep.instructions();
    for _ in 0..100_000 {
        sink.block(BlockType::Empty);
    }
    for _ in 0..100_000 {
        sink.end();
    }
    sink.end();

    let mut branches = Function::new([]);
    let mut sink = branches.instructions();
    sink.i32_const(0).br_table(vec![0; 1_000_000], 0).end();

    let mut wide = Function::new([(49_000, ValType::I64)]);
    wide.instructions().end();

    vec![
        ("functions", around(&functions(200_000, &empty))),
        ("types", around(&typed)),
        ("data", around(&filled)),
        ("nesting", around(&functions(1, &deep))),
        ("branches", around(&functions(1, &branches))),
        ("locals", around(&functions(1_000, &wide))),
    ]
}

fn memory(pages: u64) -> MemoryType {
    MemoryType { minimum: pages, maximum: None, memory64: false, shared: false, page_size_log2: None }
}

/// A core module with this many memories and tables.
fn holding(memories: u32, tables: u32) -> Module {
    let (mut table_section, mut memory_section) = (TableSection::new(), MemorySection::new());
    for _ in 0..tables {
        let element_type = RefType::FUNCREF;
        table_section.table(TableType {
            element_type,
            table64: false,
            minimum: 1,
            maximum: None,
            shared: false,
        });
    }
    for _ in 0..memories {
        memory_section.memory(memory(1));
    }
    let mut module = Module::new();
    module.section(&table_section).section(&memory_section);
    module
}

/// `times` core instances of `module`.
fn instances(component: &mut Component, module: &Module, times: u32) {
    component.section(&ModuleSection(module));
    let mut section = InstanceSection::new();
    for _ in 0..times {
        section.instantiate::<_, &str>(0, Vec::<(&str, ModuleArg)>::new());
    }
    component.section(&section);
}

/// A component that instantiates `inner` so many times.
fn multiplied(component: &mut Component, inner: &Component, times: u32) {
    component.section(&NestedComponentSection(inner));
    let mut section = ComponentInstanceSection::new();
    for _ in 0..times {
        section.instantiate::<_, &str>(0, Vec::<(&str, ComponentExportKind, u32)>::new());
    }
    component.section(&section);
}

/// Those that would take more of the pool than their share, by what they take too much of.
pub(super) fn greedy() -> Vec<(&'static str, Vec<u8>)> {
    let instantiated = |module: &Module, times| rule(0, |it| instances(it, module, times));
    // Seven times seven times seven, in a few bytes.
    let mut inner = Component::new();
    instances(&mut inner, &Module::new(), 7);
    let mut middle = Component::new();
    multiplied(&mut middle, &inner, 7);
    let nested = rule(7, |it| multiplied(it, &middle, 7));

    let mut deep = Component::new();
    for _ in 0..40 {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&deep));
        deep = outer;
    }
    let mut wide = Component::new();
    for _ in 0..1_100 {
        wide.section(&ModuleSection(&Module::new()));
    }
    let mut ports = ComponentInstanceSection::new();
    ports.export_items::<&str, _>([]);
    let mut exports = ComponentExportSection::new();
    let names: Vec<String> = (0..1_100).map(|number| format!("a{number}")).collect();
    for name in &names {
        exports.export(name.as_str(), ComponentExportKind::Instance, 0, None);
    }
    let mut exporting = Component::new();
    exporting.section(&ports).section(&exports);

    vec![
        ("1 memories", instantiated(&holding(2, 0), 1)),
        ("1 memories", instantiated(&holding(1, 0), 45)),
        ("4 tables", instantiated(&holding(0, 5), 1)),
        ("4 tables", instantiated(&holding(0, 1), 5)),
        ("50 instances of core modules", instantiated(&Module::new(), 51)),
        ("50 instances of core modules", nested),
        ("32 levels of components", deep.finish()),
        ("1000 core modules and components", wide.finish()),
        ("1000 exports", exporting.finish()),
    ]
}

/// As much as a component may have.
pub(super) fn modest() -> Vec<u8> {
    rule(0, |it| instances(it, &holding(1, 4), 1))
}

/// A component that exports a core module from an instance, and instantiates it from there.
pub(super) fn given_a_module() -> Vec<u8> {
    rule(1, |component| {
        let mut instance = ComponentInstanceSection::new();
        instance.export_items([("m", ComponentExportKind::Module, 0)]);
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::InstanceExport { instance: 0, kind: ComponentExportKind::Module, name: "m" });
        let mut section = InstanceSection::new();
        section.instantiate::<_, &str>(1, Vec::<(&str, ModuleArg)>::new());
        component.section(&ModuleSection(&holding(1, 0))).section(&instance);
        component.section(&aliases).section(&section);
    })
}
