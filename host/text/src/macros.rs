//! Macros that several rules share. They are in files of their own, which a template imports by name.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use minijinja::machinery::ast::Stmt;
use minijinja::machinery::parse;
use serde::{Deserialize, Serialize};

use super::bounds;
use super::names::{Name, NameKind, names};
use super::template::{TemplateFault, check_source};

/// The most bytes of all files together that one template imports.
pub const IMPORTED_BYTES_MAX: usize = 256 << 10;

/// Files of macros, by the names by which templates import them. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Macros {
    files: BTreeMap<String, Arc<File>>,
}

#[derive(Debug)]
struct File {
    source: String,
    /// What it imports: found once, however many files lead to it.
    imports: OnceLock<Vec<String>>,
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for File {}

impl File {
    fn imports(&self) -> &[String] {
        self.imports.get_or_init(|| imports(&self.source))
    }
}

impl Macros {
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Names and minijinja sources, ordered by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file.source.as_str()))
    }

    pub fn source(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(|file| file.source.as_str())
    }

    /// The files that `templates` import, directly or through one another.
    pub fn imported<'a>(&self, templates: impl IntoIterator<Item = &'a str>) -> Self {
        self.closure(templates.into_iter().flat_map(imports).collect())
    }

    fn closure(&self, mut open: Vec<String>) -> Self {
        let mut files = BTreeMap::new();
        while let Some(name) = open.pop() {
            if let Some(file) = self.files.get(&name)
                && !files.contains_key(&name)
            {
                open.extend(file.imports().iter().cloned());
                files.insert(name, Arc::clone(file));
            }
        }
        Self { files }
    }

    /// Whether the file `name` imports itself, directly or through others.
    fn is_circular(&self, name: &str) -> bool {
        let file = self.files.get(name);
        file.is_some_and(|file| self.closure(file.imports().to_vec()).files.contains_key(name))
    }
}

impl<N: Into<String>, S: Into<String>> FromIterator<(N, S)> for Macros {
    fn from_iter<I: IntoIterator<Item = (N, S)>>(files: I) -> Self {
        let file = |source: S| Arc::new(File { source: source.into(), imports: OnceLock::new() });
        Self { files: files.into_iter().map(|(name, source)| (name.into(), file(source))).collect() }
    }
}

impl Serialize for Macros {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.files())
    }
}

impl<'de> Deserialize<'de> for Macros {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<String, String>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// Parses the file `name` of `macros` without running it; for `watchbell check`. Takes bounded time and stack, whatever
/// it is given.
///
/// # Errors
/// What `check_template` finds, a circle of imports, or anything outside of its macros: nobody would see it.
pub fn check_macros(name: &str, macros: &Macros) -> Result<(), TemplateFault> {
    let source = macros.source(name).unwrap_or_default();
    check_source(source, macros)?;
    if macros.is_circular(name) {
        let import = names(source).into_iter().find(|found| {
            let [file, ..] = found.path.as_slice() else { return false };
            found.kind == NameKind::Import && (file == name || macros.is_circular(file))
        });
        let (line, column) = import.map_or((1, 1), |import| (import.line, import.column));
        let message = format!("`{name}` imports itself, directly or through another file");
        return Err(TemplateFault::new(line, column, message));
    }
    match lost(source) {
        Some((line, column)) => {
            let message = "what is written outside of macros is not shown: an import takes the macros alone";
            Err(TemplateFault::new(line, column, message.to_owned()))
        }
        None => Ok(()),
    }
}

/// Where `source` writes something outside of its macros.
fn lost(source: &str) -> Option<(u32, u32)> {
    let Ok(Stmt::Template(template)) = parse(source, "", Default::default()) else { return None };
    template.children.iter().find_map(|statement| {
        let span = match statement {
            Stmt::EmitRaw(raw) if raw.raw.trim().is_empty() => return None,
            Stmt::Macro(_) | Stmt::Import(_) | Stmt::FromImport(_) | Stmt::Set(_) | Stmt::SetBlock(_) => {
                return None;
            }
            Stmt::EmitRaw(raw) => {
                let before = raw.raw.len() - raw.raw.trim_start().len();
                let lines = raw.raw[..before].matches('\n').count() as u32;
                let span = raw.span();
                let column = if lines == 0 { u32::from(span.start_col) + 1 } else { 1 };
                return Some((u32::from(span.start_line) + lines, column));
            }
            Stmt::EmitExpr(it) => it.span(),
            Stmt::ForLoop(it) => it.span(),
            Stmt::IfCond(it) => it.span(),
            Stmt::WithBlock(it) => it.span(),
            Stmt::AutoEscape(it) => it.span(),
            Stmt::FilterBlock(it) => it.span(),
            Stmt::Block(it) => it.span(),
            Stmt::CallBlock(it) => it.span(),
            Stmt::Do(it) => it.span(),
            Stmt::Extends(it) => it.span(),
            Stmt::Include(it) => it.span(),
            Stmt::Template(it) => it.span(),
        };
        Some((span.start_line.into(), u32::from(span.start_col) + 1))
    })
}

/// The macros that `source` defines; `None` if it cannot be parsed.
pub(super) fn defined(source: &str) -> Option<Vec<String>> {
    bounds::check(source).ok()?;
    let Ok(Stmt::Template(template)) = parse(source, "", Default::default()) else { return None };
    let of = |statement: &Stmt<'_>| match statement {
        Stmt::Macro(define) => Some(define.name.to_owned()),
        _ => None,
    };
    Some(template.children.iter().filter_map(of).collect())
}

/// The names that `source` and the macros that it uses name, each with the source that has it.
pub(super) fn reached<'a>(source: &'a str, macros: &'a Macros) -> Vec<(&'a str, Name)> {
    let mut named: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    let mut open: Vec<(String, Part)> = vec![(String::new(), Part::Whole)];
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    while let Some((file, part)) = open.pop() {
        if !done.insert((file.clone(), part.clone())) {
            continue;
        }
        let text = if file.is_empty() { Some(source) } else { macros.source(&file) };
        let Some(text) = text else { continue };
        for name in named.entry(file.clone()).or_insert_with(|| names(text)).iter() {
            if !part.has(name) {
                continue;
            }
            let of = name.path.first().cloned().unwrap_or_default();
            match name.kind {
                NameKind::Import => open.push((of, Part::Outside)),
                // A template's own macros were reached with the whole of it.
                NameKind::Macro => {
                    let part = name.path.get(1).map_or(Part::Whole, |called| Part::Macro(called.clone()));
                    open.push((if of.is_empty() { file.clone() } else { of }, part));
                }
                _ => {}
            }
            found.push((text, name.clone()));
        }
    }
    found
}

/// What of a file is used.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Whole,
    /// What is outside of its macros, which each import runs.
    Outside,
    Macro(String),
}

impl Part {
    fn has(&self, name: &Name) -> bool {
        match self {
            Self::Whole => true,
            Self::Outside => name.within.is_none(),
            Self::Macro(called) => name.within.as_ref() == Some(called),
        }
    }
}

fn imports(source: &str) -> Vec<String> {
    // Parsing takes longer, and few templates import anything.
    if !source.contains("import") {
        return Vec::new();
    }
    let imports = names(source).into_iter().filter(|name| name.kind == NameKind::Import);
    imports.filter_map(|name| name.path.into_iter().next()).collect()
}
