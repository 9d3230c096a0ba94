//! An alerter that says something and then ends without a word.
watchbell_guests::alerter!("alerter-trap", |_intent| {
    watchbell_sdk::log::warn("about to fail");
    std::process::abort();
});
