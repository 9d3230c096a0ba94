//! Keeps more than it may.
watchbell_guests::rule!("oversized-state", Vec<u8>, |row, kept, out| {
    kept.resize(2 << 20, 7);
});
