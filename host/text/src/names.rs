//! The names that a template uses: variables, filters, tests and what it imports, with their positions.
use std::collections::BTreeMap;

use minijinja::machinery::ast::{Call, CallArg, Expr, Macro, Stmt};
use minijinja::machinery::{Span, parse};

use super::bounds;

/// A name used in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub kind: NameKind,
    /// A variable and the lookups written after it: `labels`, `host`, `name`. For a macro its file, empty for a macro of
    /// the template itself, and its name; without a name if all of the file's macros may be meant.
    pub path: Vec<String>,
    /// The macro that uses it, unless it is used outside of macros.
    pub within: Option<String>,
    /// Starts at 1, within the template.
    pub line: u32,
    /// In characters, starting at 1.
    pub column: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    Variable,
    Filter,
    Test,
    /// A file of macros that is imported.
    Import,
    Macro,
    /// A statement that texts may not use: one that loads another template and is not an import of a file by its literal
    /// name, or one that sets how values are escaped.
    Unsupported,
}

/// The first part of a path that leads into a file of macros, before the file's name; no variable is called so.
const MACROS: &str = "{}";

/// The names that `source` uses without binding them itself, in source order. A name bound to part of something else
/// counts as that part: in `{% for d in documents %}{{ d.user }}`, `documents`, `0`, `user`. Empty if the template
/// cannot be parsed, or is too large for it.
pub fn names(source: &str) -> Vec<Name> {
    if bounds::check(source).is_err() {
        return Vec::new();
    }
    let Ok(template) = parse(source, "", Default::default()) else { return Vec::new() };
    let mut reader = Reader::default();
    reader.statement(&template);
    let mut names = reader.names;
    names.sort_by_key(|name| (name.line, name.column));
    names
}

#[derive(Default)]
struct Reader<'a> {
    names: Vec<Name>,
    /// By scope: the path that each name stands for, if it is one.
    bound: Vec<BTreeMap<&'a str, Option<Vec<String>>>>,
    /// The outermost macro that is being read.
    within: Option<&'a str>,
}

impl<'a> Reader<'a> {
    fn statement(&mut self, statement: &'a Stmt<'a>) {
        match statement {
            Stmt::Template(template) => {
                self.bound.push(BTreeMap::from([("self", None)]));
                template.children.iter().for_each(|child| self.statement(child));
            }
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                // Any of its items is treated like the first.
                let item = self.path(&each.iter).map(|(mut path, _)| {
                    path.push("0".to_owned());
                    path
                });
                self.scope(&[(&each.target, item)], each.filter_expr.as_ref(), &each.body);
                self.scope(&[], None, &each.else_body);
            }
            Stmt::IfCond(either) => {
                self.expression(&either.expr);
                self.scope(&[], None, &either.true_body);
                self.scope(&[], None, &either.false_body);
            }
            Stmt::WithBlock(with) => {
                with.assignments.iter().for_each(|(_, value)| self.expression(value));
                let targets: Vec<_> =
                    with.assignments.iter().map(|(target, value)| (target, self.meant(value))).collect();
                self.scope(&targets, None, &with.body);
            }
            Stmt::Set(set) => {
                self.expression(&set.expr);
                let meant = self.meant(&set.expr);
                self.bind(&set.target, meant);
            }
            Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.expression(filter));
                self.scope(&[], None, &set.body);
                self.bind(&set.target, None);
            }
            Stmt::AutoEscape(block) => {
                self.unsupported("autoescape", block.span());
                self.scope(&[], None, &block.body);
            }
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter);
                self.scope(&[], None, &block.body);
            }
            Stmt::Block(block) => self.scope(&[], None, &block.body),
            Stmt::Macro(define) => {
                self.bind_name(define.name, Some(vec![MACROS.into(), String::new(), define.name.into()]));
                let outer = self.within;
                self.within = outer.or(Some(define.name));
                self.define(define);
                self.within = outer;
            }
            Stmt::CallBlock(block) => {
                self.call(&block.call);
                self.define(&block.macro_decl);
            }
            Stmt::Do(statement) => self.call(&statement.call),
            Stmt::Import(import) => {
                let file = self.import(&import.expr, import.span());
                self.bind(&import.name, file.map(|file| vec![MACROS.into(), file]));
            }
            Stmt::FromImport(import) => {
                let file = self.import(&import.expr, import.span());
                for (name, alias) in &import.names {
                    let Expr::Var(var) = name else { continue };
                    let path = file.clone().map(|file| vec![MACROS.into(), file, var.id.to_owned()]);
                    path.clone().into_iter().for_each(|path| self.variable(path, var.span()));
                    self.bind(alias.as_ref().unwrap_or(name), path);
                }
            }
            Stmt::Extends(extends) => self.unsupported("extends", extends.span()),
            Stmt::Include(include) => self.unsupported("include", include.span()),
            Stmt::EmitRaw(_) => {}
        }
    }

    /// The file that is imported, if it is known before the template is rendered.
    fn import(&mut self, file: &Expr<'_>, span: Span) -> Option<String> {
        let name = match file {
            Expr::Const(name) => name.value.as_str().map(str::to_owned),
            _ => None,
        };
        match &name {
            Some(name) => self.name(NameKind::Import, vec![name.clone()], span),
            None => self.unsupported("import", span),
        }
        name
    }

    fn unsupported(&mut self, statement: &str, span: Span) {
        self.name(NameKind::Unsupported, vec![statement.to_owned()], span);
    }

    fn scope(
        &mut self,
        targets: &[(&'a Expr<'a>, Option<Vec<String>>)],
        condition: Option<&'a Expr<'a>>,
        body: &'a [Stmt<'a>],
    ) {
        self.bound.push(BTreeMap::from([("loop", None)]));
        targets.iter().for_each(|(target, meant)| self.bind(target, meant.clone()));
        condition.into_iter().for_each(|condition| self.expression(condition));
        body.iter().for_each(|child| self.statement(child));
        self.bound.pop();
    }

    fn define(&mut self, define: &'a Macro<'a>) {
        define.defaults.iter().for_each(|value| self.expression(value));
        let targets: Vec<_> = define.args.iter().map(|target| (target, None)).collect();
        self.bound.push(BTreeMap::from([("caller", None)]));
        self.scope(&targets, None, &define.body);
        self.bound.pop();
    }

    fn bind(&mut self, target: &'a Expr<'a>, meant: Option<Vec<String>>) {
        match target {
            Expr::Var(var) => self.bind_name(var.id, meant),
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item, None)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item, None)),
            _ => {}
        }
    }

    fn bind_name(&mut self, name: &'a str, meant: Option<Vec<String>>) {
        self.bound.last_mut().into_iter().for_each(|scope| {
            scope.insert(name, meant.clone());
        });
    }

    /// The path that a value stands for, if it is one.
    fn meant(&self, value: &Expr<'_>) -> Option<Vec<String>> {
        self.path(value).map(|(path, _)| path)
    }

    /// The path that an expression stands for, in names that the template does not bind. `None` if it is not a path, or
    /// unknown.
    fn path(&self, expression: &Expr<'_>) -> Option<(Vec<String>, Span)> {
        let (path, span) = path(expression)?;
        match self.bound.iter().rev().find_map(|scope| scope.get(path[0].as_str())) {
            None => Some((path, span)),
            Some(meant) => Some((meant.iter().flatten().chain(&path[1..]).cloned().collect(), span))
                .filter(|_| meant.is_some()),
        }
    }

    fn expression(&mut self, expression: &'a Expr<'a>) {
        if path(expression).is_some() {
            if let Some((path, span)) = self.path(expression) {
                self.variable(path, span);
            }
            return;
        }
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::UnaryOp(it) => self.expression(&it.expr),
            Expr::BinOp(it) => [&it.left, &it.right].into_iter().for_each(|side| self.expression(side)),
            Expr::Compare(it) => {
                self.expression(&it.expr);
                it.ops.iter().for_each(|op| self.expression(&op.expr));
            }
            Expr::IfExpr(it) => {
                let parts = [Some(&it.test_expr), Some(&it.true_expr), it.false_expr.as_ref()];
                parts.into_iter().flatten().for_each(|part| self.expression(part));
            }
            Expr::Filter(it) => {
                it.expr.iter().for_each(|expr| self.expression(expr));
                self.name(NameKind::Filter, vec![it.name.to_owned()], expression.span());
                self.arguments(&it.args);
            }
            Expr::Test(it) => {
                self.expression(&it.expr);
                self.name(NameKind::Test, vec![it.name.to_owned()], expression.span());
                self.arguments(&it.args);
            }
            Expr::GetAttr(it) => self.expression(&it.expr),
            Expr::GetItem(it) => {
                [&it.expr, &it.subscript_expr].into_iter().for_each(|part| self.expression(part))
            }
            Expr::Slice(it) => {
                let parts = [Some(&it.expr), it.start.as_ref(), it.stop.as_ref(), it.step.as_ref()];
                parts.into_iter().flatten().for_each(|part| self.expression(part));
            }
            Expr::Call(it) => self.call(it),
            Expr::List(it) => it.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(it) => it.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(it) => it.keys.iter().chain(&it.values).for_each(|part| self.expression(part)),
        }
    }

    fn call(&mut self, call: &'a Call<'a>) {
        // The last step of the path is a macro of a file, or a method of the part before it.
        let is_macro = self.path(&call.expr).is_some_and(|(path, _)| path[0] == MACROS);
        match &call.expr {
            Expr::GetAttr(method) if !is_macro => self.expression(&method.expr),
            function => self.expression(function),
        }
        self.arguments(&call.args);
    }

    fn arguments(&mut self, arguments: &'a [CallArg<'a>]) {
        for argument in arguments {
            let (CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value)) = argument;
            self.expression(value);
        }
    }

    fn variable(&mut self, mut path: Vec<String>, span: Span) {
        if path[0] != MACROS {
            return self.name(NameKind::Variable, path, span);
        }
        // What is looked up in a macro is not a part of a file.
        path.truncate(3);
        path.remove(0);
        self.name(NameKind::Macro, path, span);
    }

    fn name(&mut self, kind: NameKind, path: Vec<String>, span: Span) {
        self.names.push(Name {
            kind,
            path,
            within: self.within.map(str::to_owned),
            line: span.start_line.into(),
            column: u32::from(span.start_col) + 1,
        });
    }
}

/// A variable and the lookups after it, as far as they are literal: `x.a['b.c'][0].d` is `x`, `a`, `b.c`.
fn path(expression: &Expr<'_>) -> Option<(Vec<String>, Span)> {
    match expression {
        Expr::Var(var) => Some((vec![var.id.to_owned()], var.span())),
        Expr::GetAttr(it) => {
            let (mut path, span) = path(&it.expr)?;
            path.push(it.name.to_owned());
            Some((path, span))
        }
        Expr::GetItem(it) => {
            let Expr::Const(key) = &it.subscript_expr else { return None };
            let (mut path, span) = path(&it.expr)?;
            path.push(key.value.as_str().map_or_else(|| key.value.to_string(), str::to_owned));
            Some((path, span))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Vec<String> {
        let written = |name: Name| {
            let kind = match name.kind {
                NameKind::Variable => "",
                NameKind::Filter => "|",
                NameKind::Test => "is ",
                NameKind::Import => "import ",
                NameKind::Macro => "macro ",
                NameKind::Unsupported => "unsupported ",
            };
            format!("{}:{} {kind}{}", name.line, name.column, name.path.join("/"))
        };
        names(source).into_iter().map(written).collect()
    }

    #[test]
    fn names_have_their_places() {
        assert_eq!(
            read("é {{ labels.host.name | upper }}\n{{ x['a.b'][0].c }}"),
            ["1:6 labels/host/name", "1:25 |upper", "2:4 x/a.b/0/c"]
        );
        assert_eq!(read("{% if false %}{{ y[:3] is odd }}{% endif %}"), ["1:18 y", "1:27 is odd"]);
    }

    #[test]
    fn what_the_template_binds_is_not_named() {
        assert!(read("{% for a, b in [] %}{{ a }}{{ b }}{{ loop.index }}{% endfor %}").is_empty());
        assert_eq!(
            read("{% set a = 1 %}{{ a }}{% macro m(b) %}{{ b }}{{ caller() }}{% endmacro %}{{ m(1) }}"),
            ["1:77 macro /m"]
        );
        assert_eq!(read("{% for a in a %}{% endfor %}{{ a }}"), ["1:13 a", "1:32 a"]);
        assert_eq!(read("{% set a = a %}"), ["1:12 a"]);
        assert_eq!(read("{% for a in b | reverse %}{{ a.c }}{% endfor %}"), ["1:13 b", "1:17 |reverse"]);
        assert_eq!(read("{{ details.items() }}{{ details[x] }}").len(), 3);
    }

    #[test]
    fn a_part_by_another_name_is_that_part() {
        assert_eq!(read("{% for d in documents %}{{ d.a.b }}{% endfor %}")[1], "1:28 documents/0/a/b");
        assert_eq!(read("{% set d = document.user %}{{ d['name'] }}")[1], "1:31 document/user/name");
        assert_eq!(read("{% with d = details %}{{ d.a }}{% endwith %}")[1], "1:26 details/a");
        let twice = "{% for d in documents %}{% for d in d.tags %}{{ d }}{% endfor %}{% endfor %}";
        assert_eq!(read(twice)[1..], ["1:37 documents/0/tags", "1:49 documents/0/tags/0"]);
        assert_eq!(
            read("{% for a in b | list %}{% set c = a.x %}{{ c.y }}{% endfor %}"),
            ["1:13 b", "1:17 |list"]
        );
    }

    #[test]
    fn macros_are_known_by_file_and_name() {
        assert_eq!(
            read("{% import 'a' as t %}{{ t.row(labels.host) }}{{ t }}"),
            ["1:4 import a", "1:25 macro a/row", "1:31 labels/host", "1:49 macro a"]
        );
        assert_eq!(
            read("{% from 'a' import row as r, foot %}{% call r(1) %}{{ value }}{% endcall %}"),
            ["1:4 import a", "1:20 macro a/row", "1:30 macro a/foot", "1:45 macro a/row", "1:55 value"]
        );
        assert_eq!(
            read("{% include 'a' %}{% import rule as r %}{{ r.x() }}{% extends 'b' %}"),
            ["1:4 unsupported include", "1:21 unsupported import", "1:54 unsupported extends"]
        );
        let within = |source| names(source).into_iter().map(|name| name.within).collect::<Vec<_>>();
        assert_eq!(
            within("{% macro m() %}{{ a }}{% macro n() %}{{ b }}{% endmacro %}{% endmacro %}{{ c }}"),
            [Some("m".to_owned()), Some("m".to_owned()), None]
        );
    }
}
