//! Takes memory without end.
watchbell_guests::rule!("memory-hog", (), |row, kept, out| {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
});
