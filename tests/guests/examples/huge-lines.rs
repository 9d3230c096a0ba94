//! Writes few lines to the log, each as long as its memory allows.
watchbell_guests::rule!("huge-lines", (), |row, kept, out| {
    let line = "x".repeat(4 << 20);
    for _ in 0..100 {
        watchbell_sdk::log::info(&line);
    }
    out.push(watchbell_sdk::Signal::event(row.labels(), row.time()).summary("found"));
});
