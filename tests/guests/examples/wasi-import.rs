//! Reads its environment, which a rule has none of.
#![allow(unsafe_code, reason = "generated")]

wit_bindgen::generate!({
    inline: "
        package test:guest;
        world nosy { import wasi:cli/environment@0.2.0; }
        package wasi:cli@0.2.0 {
            interface environment { get-environment: func() -> list<tuple<string, string>>; }
        }
    ",
    generate_all,
});

watchbell_guests::rule!("wasi-import", (), |row, kept, out| {
    watchbell_sdk::log::info(wasi::cli::environment::get_environment().len());
});
