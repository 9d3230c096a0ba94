//! Counts what an instance of a component takes of the pool, before anything is compiled. Nested components multiply: one
//! that is instantiated ten times, and instantiates another ten times, takes a hundred of what that one takes.
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, Instance, Payload,
};

use super::{LoadFault, unreadable};
use crate::limits::{CORE_INSTANCES_MAX, DEPTH_MAX, MEMORIES_MAX, MODULES_MAX, TABLES_MAX};

/// What one instance takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resources {
    pub(super) instances: usize,
    pub(super) memories: usize,
    pub(super) tables: usize,
}

impl Resources {
    fn add(&mut self, more: Self) {
        self.instances = self.instances.saturating_add(more.instances);
        self.memories = self.memories.saturating_add(more.memories);
        self.tables = self.tables.saturating_add(more.tables);
    }
}

/// Follows the payloads of a component, in their order.
#[derive(Default)]
pub(super) struct Counter {
    /// The outermost component or module first.
    open: Vec<Scope>,
    /// Modules and components in it, however deep.
    nested: usize,
    whole: Resources,
}

/// A component or core module that is being read.
#[derive(Default)]
struct Scope {
    is_module: bool,
    takes: Resources,
    /// What an instance of each of its core modules takes; `None` if another component decides that.
    modules: Vec<Option<Resources>>,
    components: Vec<Option<Resources>>,
}

impl Counter {
    /// # Errors
    /// The component cannot be read, or is nested too deep; `finish` judges the rest.
    pub(super) fn take(&mut self, payload: &Payload<'_>) -> Result<(), LoadFault> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.nested += 1;
                bounded("core modules and components", self.nested, MODULES_MAX)?;
                bounded("levels of components", self.open.len() + 1, DEPTH_MAX)?;
                let is_module = *encoding == wasmparser::Encoding::Module;
                let instances = usize::from(is_module);
                let takes = Resources { instances, ..Resources::default() };
                self.open.push(Scope { is_module, takes, ..Scope::default() });
            }
            Payload::End(_) => self.close(),
            Payload::MemorySection(section) => self.top().takes.memories += section.count() as usize,
            Payload::TableSection(section) => self.top().takes.tables += section.count() as usize,
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance.map_err(unreadable)? {
                        let takes = known(&self.top().modules, module_index)?;
                        self.top().takes.add(takes);
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    if let ComponentInstance::Instantiate { component_index, .. } =
                        instance.map_err(unreadable)?
                    {
                        let takes = known(&self.top().components, component_index)?;
                        self.top().takes.add(takes);
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias.map_err(unreadable)?);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    self.add(import.map_err(unreadable)?.ty.kind(), None);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(unreadable)?;
                    // What is exported gets another index.
                    let takes = match export.kind {
                        ComponentExternalKind::Module => of(&self.top().modules, export.index),
                        ComponentExternalKind::Component => of(&self.top().components, export.index),
                        _ => None,
                    };
                    self.add(export.kind, takes);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What an instance of the whole takes.
    ///
    /// # Errors
    /// It takes more than its share of the pool.
    pub(super) fn finish(&self) -> Result<(), LoadFault> {
        let Resources { instances, memories, tables } = self.whole;
        bounded("instances of core modules", instances, CORE_INSTANCES_MAX)?;
        bounded("memories", memories, MEMORIES_MAX)?;
        bounded("tables", tables, TABLES_MAX)
    }

    fn close(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(outer) if closed.is_module => outer.modules.push(Some(closed.takes)),
            Some(outer) => outer.components.push(Some(closed.takes)),
            None => self.whole = closed.takes,
        }
    }

    /// Every payload but the first lies in a scope.
    fn top(&mut self) -> &mut Scope {
        if self.open.is_empty() {
            self.open.push(Scope::default());
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn add(&mut self, kind: ComponentExternalKind, takes: Option<Resources>) {
        match kind {
            ComponentExternalKind::Module => self.top().modules.push(takes),
            ComponentExternalKind::Component => self.top().components.push(takes),
            _ => {}
        }
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match *alias {
            ComponentAlias::InstanceExport { kind, .. } => self.add(kind, None),
            ComponentAlias::CoreInstanceExport { .. } => {}
            ComponentAlias::Outer { kind, count, index } => {
                let outer = self.open.len().checked_sub(1 + count as usize).and_then(|at| self.open.get(at));
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let takes = outer.and_then(|outer| of(&outer.modules, index));
                        self.add(ComponentExternalKind::Module, takes);
                    }
                    ComponentOuterAliasKind::Component => {
                        let takes = outer.and_then(|outer| of(&outer.components, index));
                        self.add(ComponentExternalKind::Component, takes);
                    }
                    ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
                }
            }
        }
    }
}

fn of(items: &[Option<Resources>], index: u32) -> Option<Resources> {
    items.get(index as usize).copied().flatten()
}

fn known(items: &[Option<Resources>], index: u32) -> Result<Resources, LoadFault> {
    of(items, index).ok_or(LoadFault::Uncounted)
}

fn bounded(what: &'static str, count: usize, max: usize) -> Result<(), LoadFault> {
    if count > max { Err(LoadFault::TooMany { what, max }) } else { Ok(()) }
}
