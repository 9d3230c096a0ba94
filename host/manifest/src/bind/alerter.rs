//! What delivers to a destination: a built-in product, or a product of a module.
use std::path::Path;

use serde_json::Value;
use watchbell_contract::{AlertText, Fault, TextFormat};

use super::doc::Doc;
use super::module::{Allowed, Typed, module_ref};
use crate::report::suggest;
use crate::schema::Schema;
use crate::{
    AlerterModuleInfo, AlerterRef, Endpoint, EndpointKind, Method, ModuleFault, ModuleRef, ProductInfo, raw,
};

/// Products and bytes of their names that an error lists.
const LISTED_MAX: usize = 10;
const NAME_BYTES_MAX: usize = 64;

/// A destination's alerter, and what it accepts.
pub(super) struct Taken {
    pub(super) alerter: AlerterRef,
    pub(super) digest: String,
    pub(super) text: AlertText,
    pub(super) kind: EndpointKind,
}

impl Taken {
    /// What an unknown product accepts: anything, so that the other keys are checked all the same.
    fn anything(name: &str) -> Self {
        let alerter = AlerterRef { module: ModuleRef::Builtin(name.into()), product: name.into() };
        let text = AlertText { format: TextFormat::Plain, styles: true, title_max: 0, body_max: 0 };
        Self { alerter, digest: String::new(), text, kind: EndpointKind::Http }
    }

    /// The endpoint, with no more granted to a module of others than what it needs and what the environment names.
    pub(super) fn bounded(&self, mut endpoint: Endpoint) -> Endpoint {
        if let Endpoint::Http(http) = &mut endpoint
            && self.alerter.builtin().is_none()
        {
            http.grants.methods.get_or_insert_with(|| [Method::Post].into());
        }
        endpoint
    }
}

/// What the destination at `at` says of its module. `source` is the environment's file.
pub(super) fn typed<'a>(at: &'a str, raw: &'a raw::Destination, source: &'a Path) -> Typed<'a> {
    Typed {
        at,
        name: &raw.module,
        sha256: raw.sha256.as_deref(),
        source,
        relative_to: "the environment's file",
    }
}

/// Checks a destination's alerter and parameters. `None` if the alerter is unusable; what depends on it is not checked.
pub(super) fn alerter(
    doc: &mut Doc<'_>,
    typed: Typed<'_>,
    raw: &raw::Destination,
    params: &Value,
    allowed: Allowed<'_>,
) -> Option<Taken> {
    let module = module_ref(doc, typed)?;
    let builtin = match &module {
        ModuleRef::Builtin(name) => Some(name.as_str()),
        // Whom the environment allows is not known.
        _ if doc.is_faulty("/plugins") => return None,
        _ => None,
    };
    only_of_modules(doc, typed, raw, builtin);
    let info = match loaded(doc, &module, typed, allowed) {
        Some(info) => info,
        None => return builtin.map(Taken::anything),
    };
    let product = chosen(doc, typed, &info, builtin.or(raw.product.as_deref()))?;
    let alerter = AlerterRef { module, product: product.name.clone() };
    check(doc, typed, product, &alerter, params, allowed);
    let text = product.text;
    Some(Taken { alerter, digest: info.digest, text, kind: info.endpoint })
}

/// Keys that mean something for one of the two alone.
fn only_of_modules(doc: &mut Doc<'_>, typed: Typed<'_>, raw: &raw::Destination, builtin: Option<&str>) {
    match builtin {
        Some(name) if raw.product.is_some() => doc
            .fault(
                &typed.key("product"),
                format!("`product` applies only to alerters of your own, and `{name}` is built in"),
            )
            .hint("remove it; `use` names the product")
            .push(doc),
        None if raw.signing_secret.is_some() => doc
            .fault(
                &typed.key("signing_secret"),
                "`signing_secret` applies only to built-in products: the host does not know what yours signs",
            )
            .hint("remove it; messages have a link to acknowledge by, `acknowledge_link`")
            .push(doc),
        _ => {}
    }
}

fn loaded(
    doc: &mut Doc<'_>,
    module: &ModuleRef,
    typed: Typed<'_>,
    allowed: Allowed<'_>,
) -> Option<AlerterModuleInfo> {
    let name = typed.name;
    let fault = match allowed.may_run(doc, module, typed)?.and_then(|()| allowed.modules.alerter(module)) {
        Ok(info) => return Some(info),
        Err(fault) => fault,
    };
    let at = typed.key("use");
    let told = match fault {
        ModuleFault::Unknown => {
            let known = allowed.modules.products();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            doc.fault(&at, format!("unknown product `{name}`")).maybe_hint(suggest(name, &known))
        }
        ModuleFault::OtherKind => doc
            .fault(&at, format!("the module `{name}` is a rule, not an alerter"))
            .hint("name it in `use` of a rule's manifest"),
        ModuleFault::Unusable(why) => doc.fault(&at, format!("the module `{name}` cannot be used: {why}")),
    };
    told.push(doc);
    None
}

/// The product that is named, or the only one there is.
fn chosen<'a>(
    doc: &mut Doc<'_>,
    typed: Typed<'_>,
    info: &'a AlerterModuleInfo,
    named: Option<&str>,
) -> Option<&'a ProductInfo> {
    let Some(named) = named else {
        if let [only] = &info.products[..] {
            return Some(only);
        }
        if !doc.was_wrong(&typed.key("product")) {
            let (name, count) = (typed.name, info.products.len());
            doc.fault(
                &typed.key("use"),
                format!("the module `{name}` has {count} products, and none is chosen"),
            )
            .hint(format!("add `product:` with one of {}", listed(&info.products)))
            .push(doc);
        }
        return None;
    };
    let found = info.products.iter().find(|product| product.name == named);
    if found.is_none() {
        let known: Vec<&str> = info.products.iter().map(|product| &*product.name).collect();
        doc.fault(&typed.key("product"), format!("the module `{}` has no product `{named}`", typed.name))
            .note(format!("it has {}", listed(&info.products)))
            .maybe_hint(suggest(named, &known))
            .push(doc);
    }
    found
}

fn listed(products: &[ProductInfo]) -> String {
    let shown = products.iter().take(LISTED_MAX).map(|product| {
        let name = &product.name;
        match name.char_indices().find(|(at, one)| at + one.len_utf8() > NAME_BYTES_MAX) {
            Some((end, _)) => format!("`{}…`", &name[..end]),
            None => format!("`{name}`"),
        }
    });
    let shown: Vec<String> = shown.collect();
    match products.len().saturating_sub(LISTED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Checks the parameters, by the product's schema and then by the module.
fn check(
    doc: &mut Doc<'_>,
    typed: Typed<'_>,
    product: &ProductInfo,
    alerter: &AlerterRef,
    params: &Value,
    allowed: Allowed<'_>,
) {
    let below = typed.key("params");
    let schema = match Schema::new(product.params_schema.clone()) {
        Ok(schema) => schema,
        Err(message) => {
            let name = &product.name;
            doc.fault(&typed.key("use"), format!("the product `{name}` has an invalid schema: {message}"))
                .push(doc);
            return;
        }
    };
    let before = doc.faults.len();
    schema.check(params, &below, doc.spans, doc.faults);
    if doc.faults.len() == before
        && let Err(faults) = allowed.modules.prepare_destination(alerter, params)
    {
        told(doc, &below, faults);
    }
}

/// Errors that a module found in the parameters at `below`.
fn told(doc: &mut Doc<'_>, below: &str, faults: Vec<Fault>) {
    for fault in faults {
        let pointer = format!("{below}{}", fault.path);
        let name = crate::schema::path(&pointer);
        doc.fault(&pointer, format!("`{name}`: {}", fault.message)).push(doc);
    }
}
