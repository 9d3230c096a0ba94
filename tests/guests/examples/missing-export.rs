//! Has a rule's interface by name, but not all of its functions.
#![allow(unsafe_code, reason = "generated")]

wit_bindgen::generate!({
    inline: "
        package watchbell:plugin@0.2.0;
        interface rule {
            resource run;
            prepare: func(params: string, key: list<string>) -> bool;
        }
        world half { export rule; }
    ",
});

use exports::watchbell::plugin::rule::{Guest, GuestRun};

struct Half;
struct Run;

impl GuestRun for Run {}

impl Guest for Half {
    type Run = Run;

    fn prepare(_params: String, _key: Vec<String>) -> bool {
        true
    }
}

export!(Half);
