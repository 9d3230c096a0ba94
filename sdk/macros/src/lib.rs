//! The attributes `#[watchbell_sdk::rule(…)]` and `#[watchbell_sdk::alerter(…)]`, and `#[derive(Aged)]`.
mod aged;

use proc_macro::TokenStream;
use proc_macro2::Span;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{DeriveInput, Ident, ItemImpl, LitInt, LitStr, Token, parse_macro_input, parse_quote};

/// Exports `impl Rule for …` from the module, as the rule with the given `name`.
///
/// - `name`: the name that manifests write after `use:`.
/// - `summary`: one sentence for people.
/// - `state_version`: a number, 1 by default; increase it when the state's layout changes.
///
/// The version is the crate's version.
#[proc_macro_attribute]
pub fn rule(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as Arguments);
    let mut item = parse_macro_input!(item as ItemImpl);
    let name = match arguments.required("name") {
        Ok(name) => name,
        Err(error) => return error.into_compile_error().into(),
    };
    let summary = match arguments.required("summary") {
        Ok(summary) => summary,
        Err(error) => return error.into_compile_error().into(),
    };
    let state_version = arguments.state_version.unwrap_or_else(|| LitInt::new("1", Span::call_site()));
    let rule = &item.self_ty;
    let export = quote!(::watchbell_sdk::export_rule!(#rule););
    item.items.push(parse_quote!(const NAME: &'static str = #name;));
    item.items.push(parse_quote!(
        const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    ));
    item.items.push(parse_quote!(const SUMMARY: &'static str = #summary;));
    item.items.push(parse_quote!(const STATE_VERSION: u32 = #state_version;));
    quote!(#item #export).into()
}

/// Exports `impl Alerter for …` from the module, as the alerter with the given `name`.
///
/// The version is the crate's version.
#[proc_macro_attribute]
pub fn alerter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as Arguments);
    let mut item = parse_macro_input!(item as ItemImpl);
    let name = match arguments.required("name") {
        Ok(name) => name,
        Err(error) => return error.into_compile_error().into(),
    };
    let alerter = &item.self_ty;
    let export = quote!(::watchbell_sdk::export_alerter!(#alerter););
    item.items.push(parse_quote!(const NAME: &'static str = #name;));
    item.items.push(parse_quote!(
        const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    ));
    quote!(#item #export).into()
}

/// Implements `watchbell_sdk::Aged` for the values of a `KeyMap` or `NamedMap`: the newest event is the latest time in
/// any field, and the memory is that of all fields.
///
/// On fields: `#[aged(newest)]` (only fields marked so hold the newest event), `#[aged(spare)]` (a full map may reset
/// it), `#[aged(skip)]` (its type does not implement `Aged`). On the type: `#[aged(part)]` (it needs no time, because it
/// is only a part of a map's values).
#[proc_macro_derive(Aged, attributes(aged))]
pub fn aged(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    aged::derive(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[derive(Default)]
struct Arguments {
    texts: Vec<(Ident, LitStr)>,
    state_version: Option<LitInt>,
}

impl Arguments {
    fn required(&self, wanted: &str) -> syn::Result<LitStr> {
        let text = self.texts.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.clone());
        text.ok_or_else(|| syn::Error::new(Span::call_site(), format!("missing `{wanted} = \"…\"`")))
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match name.to_string().as_str() {
                "name" | "summary" => arguments.texts.push((name, input.parse()?)),
                "state_version" => arguments.state_version = Some(input.parse()?),
                other => {
                    let message = format!("unknown `{other}`: use `name`, `summary` or `state_version`");
                    return Err(syn::Error::new(name.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}
