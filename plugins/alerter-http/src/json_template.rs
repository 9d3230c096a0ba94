use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::context::Context;
use crate::template::Templates;

/// A JSON tree whose strings are templates. They are rendered inside the parsed tree, so no value can change its
/// structure. These objects are operators:
///
/// - `{"$if": EXPRESSION, "$then": TREE, "$else": TREE}`: one of the two trees, or nothing.
/// - `{"$each": EXPRESSION, "$item": TREE}`: a list of the tree once per item, which is called `item`.
/// - `{"$each": EXPRESSION, "$key": TEMPLATE, "$item": TREE}`: an object with a member per item. Of two with one key,
///   the later one stays.
/// - `{"$merge": [TREE, …]}`: one object of the members of several, of which later ones win.
/// - `{"$template": POINTER, "$else": TREE}`: the parameter at that pointer, itself a tree. In product data only. With
///   `"$text": true`, all that its templates come to is text, also where it could be a number.
/// - `{"$part": NAME}`: a tree of the product's `parts`. In product data only.
///
/// A member or an item that renders to nothing is omitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonTemplate<'a> {
    tree: &'a Json,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Product,
    Params,
}

/// What a tree is rendered with.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) templates: &'a Templates,
    /// What `$template` points into.
    pub(crate) params: &'a Json,
    /// What `$part` names.
    pub(crate) parts: &'a Map<String, Json>,
    pub(crate) context: &'a Context,
    /// Whether numbers and the like are written as text.
    pub(crate) is_text: bool,
}

/// A JSON pointer into the template, and what is wrong there.
pub(crate) type Failure = (String, String);

/// How many items an `$each` may have.
const ITEMS_MAX: usize = 1_000;

const IF: &str = "$if";
const THEN: &str = "$then";
const ELSE: &str = "$else";
const EACH: &str = "$each";
const ITEM: &str = "$item";
const KEY: &str = "$key";
const MERGE: &str = "$merge";

impl<'a> JsonTemplate<'a> {
    pub(crate) const TEMPLATE: &'static str = "$template";
    pub(crate) const PART: &'static str = "$part";
    const TEXT: &'static str = "$text";

    pub(crate) fn from_product(tree: &'a Json) -> Self {
        Self { tree, origin: Origin::Product }
    }

    pub(crate) fn from_params(tree: &'a Json) -> Self {
        Self { tree, origin: Origin::Params }
    }

    /// Renders the tree; `None`: nothing.
    pub(crate) fn render(self, scope: Scope<'_>) -> Result<Option<Json>, Failure> {
        self.render_at(scope, &mut String::new())
    }

    fn render_at(self, scope: Scope<'_>, at: &mut String) -> Result<Option<Json>, Failure> {
        let Scope { templates, params, parts, context, is_text } = scope;
        match self.tree {
            Json::String(source) => {
                let value = templates.value(source, context).map_err(|message| (at.clone(), message))?;
                Ok(if is_text { value.and_then(as_text) } else { value })
            }
            Json::Array(items) => {
                let mut rendered = Vec::with_capacity(items.len());
                for (number, item) in items.iter().enumerate() {
                    let item_tree = self.inner(item);
                    let item = deeper(at, &number.to_string(), |at| item_tree.render_at(scope, at))?;
                    match item {
                        // The items of an `$each` in a list are items of that list.
                        Some(Json::Array(inner)) if item_tree.is_each() => rendered.extend(inner),
                        Some(item) => rendered.push(item),
                        None => {}
                    }
                }
                Ok(Some(Json::Array(rendered)))
            }
            Json::Object(members) => match operator(members) {
                Some(IF) => {
                    let condition = text(members, IF);
                    let holds = templates
                        .holds(condition, context)
                        .map_err(|message| (format!("{at}/{IF}"), message))?;
                    let branch = if holds { THEN } else { ELSE };
                    self.branch(members, branch, scope, at)
                }
                Some(EACH) => self.each(members, scope, at).map(Some),
                Some(MERGE) => self.merged(members, scope, at).map(Some),
                Some(Self::TEMPLATE) if self.origin == Origin::Product => {
                    let pointer = text(members, Self::TEMPLATE);
                    match params.pointer(pointer) {
                        Some(own) => {
                            let is_text = is_text || members.contains_key(Self::TEXT);
                            let scope = Scope { is_text, ..scope };
                            JsonTemplate::from_params(own).render_at(scope, &mut pointer.to_owned())
                        }
                        None => self.branch(members, ELSE, scope, at),
                    }
                }
                Some(Self::PART) if self.origin == Origin::Product => {
                    match parts.get(text(members, Self::PART)) {
                        Some(tree) => self.inner(tree).render_at(scope, at),
                        None => Ok(None),
                    }
                }
                Some(other) => Err((at.clone(), unknown_operator(other))),
                None => {
                    let mut rendered = Map::new();
                    for (name, member) in members {
                        let member = deeper(at, name, |at| self.inner(member).render_at(scope, at))?;
                        if let Some(member) = member {
                            rendered.insert(name.clone(), member);
                        }
                    }
                    Ok(Some(Json::Object(rendered)))
                }
            },
            plain => Ok(Some(plain.clone())),
        }
    }

    fn branch(
        self,
        members: &'a Map<String, Json>,
        name: &str,
        scope: Scope<'_>,
        at: &mut String,
    ) -> Result<Option<Json>, Failure> {
        match members.get(name) {
            Some(tree) => deeper(at, name, |at| self.inner(tree).render_at(scope, at)),
            None => Ok(None),
        }
    }

    fn each(
        self,
        members: &'a Map<String, Json>,
        scope: Scope<'_>,
        at: &mut String,
    ) -> Result<Json, Failure> {
        let items = scope
            .templates
            .expression(text(members, EACH), scope.context)
            .map_err(|message| (format!("{at}/{EACH}"), message))?;
        let items = match items {
            Some(Json::Array(items)) => items,
            None | Some(Json::Null) => vec![],
            Some(_) => return Err((format!("{at}/{EACH}"), "not a list".to_owned())),
        };
        let mut rendered = Vec::new();
        let mut named = Map::new();
        for item in items.into_iter().take(ITEMS_MAX) {
            let context = scope.context.with_item(item);
            let scope = Scope { context: &context, ..scope };
            let Some(tree) = self.branch(members, ITEM, scope, at)? else { continue };
            if !members.contains_key(KEY) {
                rendered.push(tree);
            } else if let Some(Json::String(key)) = self.branch(members, KEY, scope, at)? {
                named.insert(key, tree);
            }
        }
        Ok(if members.contains_key(KEY) { Json::Object(named) } else { Json::Array(rendered) })
    }

    fn merged(
        self,
        members: &'a Map<String, Json>,
        scope: Scope<'_>,
        at: &mut String,
    ) -> Result<Json, Failure> {
        let mut merged = Map::new();
        if let Some(Json::Array(trees)) = self.branch(members, MERGE, scope, at)? {
            for tree in trees {
                match tree {
                    Json::Object(members) => merged.extend(members),
                    _ => return Err((format!("{at}/{MERGE}"), "not a list of objects".to_owned())),
                }
            }
        }
        Ok(Json::Object(merged))
    }

    /// Adds every fault of the tree, which is at `at`.
    pub(crate) fn check(self, at: &str, faults: &mut BTreeSet<Failure>) {
        self.check_within(false, at, faults);
    }

    /// The same; `within_each`: the tree is rendered once per item.
    pub(crate) fn check_within(self, within_each: bool, at: &str, faults: &mut BTreeSet<Failure>) {
        self.check_at(&Templates::new(), within_each, &mut at.to_owned(), faults);
    }

    fn check_at(
        self,
        templates: &Templates,
        within_each: bool,
        at: &mut String,
        faults: &mut BTreeSet<Failure>,
    ) {
        match self.tree {
            Json::String(source) => templates.check(source, within_each, &mut |message| {
                faults.insert((at.clone(), message));
            }),
            Json::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    deeper(at, &number.to_string(), |at| {
                        self.inner(item).check_at(templates, within_each, at, faults);
                    });
                }
            }
            Json::Object(members) => {
                let operator = operator(members);
                let belonging: &[&str] = match operator {
                    Some(IF) => &[IF, THEN, ELSE],
                    Some(EACH) => &[EACH, KEY, ITEM],
                    Some(MERGE) => &[MERGE],
                    Some(Self::TEMPLATE) if self.origin == Origin::Product => {
                        &[Self::TEMPLATE, Self::TEXT, ELSE]
                    }
                    Some(Self::PART) if self.origin == Origin::Product => &[Self::PART],
                    Some(other) => {
                        faults.insert((at.clone(), unknown_operator(other)));
                        return;
                    }
                    None => &[],
                };
                for (name, member) in members {
                    if operator.is_some() && !belonging.contains(&name.as_str()) {
                        let message =
                            format!("`{name}` does not belong here: use `{}`", belonging.join("`, `"));
                        faults.insert((at.clone(), message));
                        continue;
                    }
                    let within_each =
                        within_each || [ITEM, KEY].contains(&name.as_str()) && operator == Some(EACH);
                    deeper(at, name, |at| match operator {
                        Some(MERGE) if !member.is_array() => {
                            faults.insert((at.clone(), "not a list".to_owned()));
                        }
                        Some(it) if it == name && it != MERGE => match member.as_str() {
                            Some(_) if it == Self::TEMPLATE || it == Self::PART => {}
                            Some(source) => templates.check_expression(source, within_each, &mut |message| {
                                faults.insert((at.clone(), message));
                            }),
                            None => {
                                faults.insert((at.clone(), "not a string".to_owned()));
                            }
                        },
                        _ => self.inner(member).check_at(templates, within_each, at, faults),
                    });
                }
            }
            _ => {}
        }
    }

    fn inner(self, tree: &'a Json) -> Self {
        Self { tree, ..self }
    }

    fn is_each(self) -> bool {
        self.tree.get(EACH).is_some()
    }
}

/// The first member that names an operator.
fn operator(members: &Map<String, Json>) -> Option<&str> {
    let first =
        |names: &[&str]| members.keys().find(|name| names.contains(&name.as_str())).map(String::as_str);
    first(&[IF, EACH, MERGE, JsonTemplate::TEMPLATE, JsonTemplate::PART])
        .or_else(|| members.keys().find(|name| name.starts_with('$')).map(String::as_str))
}

fn unknown_operator(name: &str) -> String {
    format!("unknown operator `{name}`: use `{IF}`, `{EACH}` or `{MERGE}`")
}

fn text<'a>(members: &'a Map<String, Json>, name: &str) -> &'a str {
    members.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// A value where only text is possible; `None`: there is none.
fn as_text(value: Json) -> Option<Json> {
    match value {
        Json::Null => None,
        Json::String(_) => Some(value),
        other => Some(Json::String(other.to_string())),
    }
}

/// Calls `what` with `at` extended by `step`.
fn deeper<T>(at: &mut String, step: &str, what: impl FnOnce(&mut String) -> T) -> T {
    let length = at.len();
    at.push('/');
    at.push_str(&step.replace('~', "~0").replace('/', "~1"));
    let result = what(at);
    at.truncate(length);
    result
}
