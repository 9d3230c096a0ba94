//! Finds more than anyone can be told of.
watchbell_guests::rule!("too-many-signals", (), |row, kept, out| {
    for _ in 0..10_001 {
        out.push(watchbell_sdk::Signal::event(row.labels(), row.time()).summary("x"));
    }
});
