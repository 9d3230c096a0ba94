//! A sound component, of another program.
#![allow(unsafe_code, reason = "generated")]

wit_bindgen::generate!({
    inline: "
        package other:program;
        world tool { export run: func() -> string; }
    ",
});

struct Tool;

impl Guest for Tool {
    fn run() -> String {
        "done".into()
    }
}

export!(Tool);
