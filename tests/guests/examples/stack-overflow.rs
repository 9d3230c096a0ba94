//! Calls itself without end.
watchbell_guests::rule!("stack-overflow", (), |row, kept, out| {
    std::hint::black_box(deeper(1, row.time().0));
});

#[inline(never)]
pub fn deeper(depth: i64, end: i64) -> i64 {
    if depth == end { 0 } else { deeper(depth + 2, end).rotate_left(3) ^ depth }
}
