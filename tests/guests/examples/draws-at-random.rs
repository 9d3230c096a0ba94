//! Draws a random number, which would make two runs over the same rows differ.
#![allow(unsafe_code, reason = "generated")]

wit_bindgen::generate!({
    inline: "
        package test:guest;
        world dice { import wasi:random/random@0.2.0; }
        package wasi:random@0.2.0 {
            interface random { get-random-u64: func() -> u64; }
        }
    ",
    generate_all,
});

watchbell_guests::rule!("draws-at-random", (), |row, kept, out| {
    watchbell_sdk::log::info(wasi::random::random::get_random_u64());
});
