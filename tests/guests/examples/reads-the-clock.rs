//! Asks what time it is, which no run may know.
watchbell_guests::rule!("reads-the-clock", (), |row, kept, out| {
    #[allow(clippy::disallowed_methods, reason = "the sin itself")]
    watchbell_sdk::log::info(std::time::Instant::now().elapsed().as_millis());
});
