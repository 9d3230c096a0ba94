//! Finds more than anyone can be told of. The SDK keeps within the limit at each instant, so these lie at two.
watchbell_guests::rule!("too-many-signals", (), |row, kept, out| {
    for number in 0..10_001 {
        let at = row.time() + watchbell_sdk::Duration(number % 2);
        out.push(watchbell_sdk::Signal::event(row.labels(), at).summary("x"));
    }
});
