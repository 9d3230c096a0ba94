//! `#[derive(Aged)]`: what a bounded map knows about a value, from its fields.
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DataUnion, DeriveInput, Error, Field, Fields, Ident, Member, Type, Variant};

/// A field, and what its attribute says.
struct Part<'f> {
    member: Member,
    binding: Ident,
    kind: &'f Type,
    is_newest: bool,
    is_spare: bool,
    is_skipped: bool,
}

pub(crate) fn derive(item: &DeriveInput) -> syn::Result<TokenStream> {
    let variants = match &item.data {
        Data::Struct(data) => vec![(quote!(Self), parts(&data.fields)?)],
        Data::Enum(data) => data.variants.iter().map(variant).collect::<syn::Result<_>>()?,
        Data::Union(DataUnion { union_token, .. }) => {
            return Err(Error::new(union_token.span, "`Aged` can be derived for structs and enums"));
        }
    };
    let is_chosen = variants.iter().flat_map(|(_, parts)| parts).any(|part| part.is_newest);
    let timed = |part: &&Part<'_>| !part.is_skipped && (part.is_newest || !is_chosen);
    let times = variants.iter().flat_map(|(_, parts)| parts).filter(timed).map(|part| part.kind);
    let has_time = quote!(false #(|| <#times as ::watchbell_sdk::Aged>::HAS_TIME)*);

    let held =
        variants.iter().flat_map(|(_, parts)| parts).filter(|part| !part.is_skipped).map(|part| part.kind);
    let has_heap = quote!(false #(|| <#held as ::watchbell_sdk::Aged>::HAS_HEAP)*);

    let arms = |used: &dyn Fn(&&Part<'_>) -> bool, body: &dyn Fn(Vec<&Part<'_>>) -> TokenStream| {
        let arms = variants.iter().map(|(path, parts)| {
            let used: Vec<_> = parts.iter().filter(used).collect();
            let members = used.iter().map(|part| &part.member);
            let bindings = used.iter().map(|part| &part.binding);
            let pattern = quote!(#path { #(#members: #bindings,)* .. });
            let body = body(used);
            quote!(#pattern => #body)
        });
        quote!(#(#arms,)*)
    };
    let newest = arms(&timed, &|used| {
        let times = used.iter().map(|part| {
            let binding = &part.binding;
            quote!(::watchbell_sdk::Aged::newest(#binding))
        });
        let none = quote!(::core::option::Option::<::watchbell_sdk::Timestamp>::None);
        quote!([#none, #(#times),*].into_iter().flatten().max())
    });
    let heap = arms(&|part| !part.is_skipped, &|used| {
        let bytes = used.iter().map(|part| {
            let binding = &part.binding;
            quote!(::watchbell_sdk::Aged::heap_bytes(#binding))
        });
        quote!(0 #(+ #bytes)*)
    });
    let spare = arms(&|part| part.is_spare || !part.is_skipped, &|used| {
        let spared = used.iter().map(|part| match (part.is_spare, &part.binding) {
            (true, binding) => quote!(*#binding = ::core::default::Default::default();),
            (false, binding) => quote!(::watchbell_sdk::Aged::spare(#binding);),
        });
        quote!({ #(#spared)* })
    });

    let name = &item.ident;
    let message = format!(
        "no field of `{name}` holds a time: add one such as `newest: Timestamp`, so that a full map can forget the \
         oldest; or mark `{name}` itself `#[aged(part)]` if it is only a part of a map's values"
    );
    let (generics, arguments, bounds) = item.generics.split_for_impl();
    // A part, and a generic type, are checked where a map holds them.
    let check = (item.generics.params.is_empty() && !is_part(item)?).then(|| {
        quote! { const _: () = assert!(<#name as ::watchbell_sdk::Aged>::HAS_TIME, #message); }
    });
    Ok(quote! {
        impl #generics ::watchbell_sdk::Aged for #name #arguments #bounds {
            const HAS_TIME: bool = #has_time;
            const HAS_HEAP: bool = #has_heap;

            #[inline]
            fn newest(&self) -> ::core::option::Option<::watchbell_sdk::Timestamp> {
                match self { #newest }
            }

            #[inline]
            fn heap_bytes(&self) -> usize {
                match self { #heap }
            }

            fn spare(&mut self) {
                match self { #spare }
            }
        }

        #check
    })
}

/// Whether the type is marked as a part of a map's values.
fn is_part(item: &DeriveInput) -> syn::Result<bool> {
    let mut is_part = false;
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("aged")) {
        attribute.parse_nested_meta(|meta| {
            is_part = meta.path.is_ident("part");
            if is_part { Ok(()) } else { Err(meta.error("unknown: use `part`")) }
        })?;
    }
    Ok(is_part)
}

fn variant(variant: &Variant) -> syn::Result<(TokenStream, Vec<Part<'_>>)> {
    let name = &variant.ident;
    Ok((quote!(Self::#name), parts(&variant.fields)?))
}

fn parts(fields: &Fields) -> syn::Result<Vec<Part<'_>>> {
    fields
        .members()
        .zip(fields)
        .enumerate()
        .map(|(index, (member, field))| part(index, member, field))
        .collect()
}

fn part(index: usize, member: Member, field: &Field) -> syn::Result<Part<'_>> {
    let mut part = Part {
        member,
        binding: format_ident!("field_{index}"),
        kind: &field.ty,
        is_newest: false,
        is_spare: false,
        is_skipped: false,
    };
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("aged")) {
        attribute.parse_nested_meta(|meta| {
            match meta.path.get_ident().map(Ident::to_string).as_deref() {
                Some("newest") => part.is_newest = true,
                Some("spare") => part.is_spare = true,
                Some("skip") => part.is_skipped = true,
                _ => return Err(meta.error("unknown: use `newest`, `spare` or `skip`")),
            }
            Ok(())
        })?;
        if part.is_newest && part.is_skipped {
            return Err(Error::new_spanned(
                attribute,
                "a field that is skipped cannot hold the newest event",
            ));
        }
    }
    Ok(part)
}
