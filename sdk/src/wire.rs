//! The bindings, generated from `wit/watchbell.wit`. Plugin authors see them only as the types of pages and messages.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

/// The world of rules.
pub mod rule {
    wit_bindgen::generate!({
        path: "wit",
        world: "rule-component",
        pub_export_macro: true,
        export_macro_name: "export_rule_component",
        default_bindings_module: "watchbell_sdk::wire::rule",
        runtime_path: "::watchbell_sdk::wire::rt",
        additional_derives: [PartialEq],
    });
}

/// The world of alerters.
pub mod alerter {
    wit_bindgen::generate!({
        path: "wit",
        world: "alerter-component",
        pub_export_macro: true,
        export_macro_name: "export_alerter_component",
        default_bindings_module: "watchbell_sdk::wire::alerter",
        runtime_path: "::watchbell_sdk::wire::rt",
        additional_derives: [PartialEq],
        with: {
            "watchbell:plugin/types@0.2.0": crate::wire::rule::watchbell::plugin::types,
            "watchbell:plugin/log@0.2.0": crate::wire::rule::watchbell::plugin::log,
        },
    });
}

#[doc(hidden)]
pub use wit_bindgen::rt;

pub use rule::watchbell::plugin::types;
