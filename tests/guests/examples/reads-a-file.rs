//! Reads a file, of which the sandbox has none.
watchbell_guests::rule!("reads-a-file", (), |row, kept, out| {
    let text = std::fs::read_to_string("/etc/passwd").unwrap();
    out.push(watchbell_sdk::Signal::event(row.labels(), row.time()).summary(text));
});
