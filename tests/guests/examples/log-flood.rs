//! Writes more to the log than anyone reads, and then still finds what it was to find.
watchbell_guests::rule!("log-flood", (), |row, kept, out| {
    for line in 0..5_000 {
        watchbell_sdk::log::info(format_args!("line {line} {}", "x".repeat(10_000)));
    }
    out.push(watchbell_sdk::Signal::event(row.labels(), row.time()).summary("found"));
});
