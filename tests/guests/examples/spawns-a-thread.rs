//! Spawns a thread, of which the sandbox has none.
watchbell_guests::rule!("spawns-a-thread", (), |row, kept, out| {
    let _ = std::thread::spawn(|| std::hint::black_box(1)).join();
});
