//! Ends without a word.
watchbell_guests::rule!("trap", (), |row, kept, out| {
    gives_up();
});

#[inline(never)]
pub fn gives_up() {
    std::process::abort();
}
