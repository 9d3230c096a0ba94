//! Returns text that is not UTF-8.
watchbell_guests::rule!("invalid-strings", (), |row, kept, out| {
    #[allow(unsafe_code, invalid_from_utf8_unchecked, reason = "the sin itself")]
    // SAFETY: none. The text is only passed on.
    let text = unsafe { String::from_utf8_unchecked(std::hint::black_box(vec![b'a', 0xff, 0xfe])) };
    out.push(watchbell_sdk::Signal::event(row.labels(), row.time()).summary(text));
});
