//! Ends without a word.
watchbell_guests::rule!("trap", (), |row, kept, out| {
    std::process::abort();
});
