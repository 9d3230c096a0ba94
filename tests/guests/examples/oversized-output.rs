//! Returns more signals than fit.
watchbell_guests::rule!("oversized-output", (), |row, kept, out| {
    for _ in 0..40 {
        let signal = watchbell_sdk::Signal::event(row.labels(), row.time()).summary("large");
        out.push(signal.details(&watchbell_sdk::json!({ "dump": "x".repeat(200 << 10) })));
    }
});
