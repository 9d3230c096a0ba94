//! Panics, and says why.
watchbell_guests::rule!("panic-with-message", (), |row, kept, out| {
    panic!("no field called {:?}", "host.name");
});
