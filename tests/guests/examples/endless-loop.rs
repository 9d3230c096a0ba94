//! Computes without end.
watchbell_guests::rule!("endless-loop", (), |row, kept, out| {
    let mut steps = 0_u64;
    loop {
        steps = std::hint::black_box(steps.wrapping_add(1));
    }
});
