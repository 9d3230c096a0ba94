//! Generated from `sdk/wit`. Rule calls are plain calls; an alerter's are async, for it waits for its receiver.

pub(crate) mod rule {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "rule-component",
    });
}

pub(crate) mod alerter {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "alerter-component",
        imports: {
            "watchbell:plugin/http": async | trappable,
            "watchbell:plugin/mail": async | trappable,
        },
        exports: { default: async },
        with: {
            "watchbell:plugin/types": crate::contract::since_v0_2::bindings::rule::watchbell::plugin::types,
            "watchbell:plugin/log": crate::contract::since_v0_2::bindings::rule::watchbell::plugin::log,
        },
    });
}

pub(crate) use alerter::AlerterComponent;
pub(crate) use alerter::exports::watchbell::plugin::alerter as alerter_types;
pub(crate) use alerter::watchbell::plugin::{http, mail};
pub(crate) use rule::RuleComponent;
pub(crate) use rule::watchbell::plugin::{log, types};
