//! An alerter that computes without end.
watchbell_guests::alerter!("alerter-loop", |_intent| {
    let mut steps = 0_u64;
    loop {
        steps = std::hint::black_box(steps.wrapping_add(1));
    }
});
