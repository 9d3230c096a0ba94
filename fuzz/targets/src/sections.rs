//! Several texts in one input: a line `%%`, alone or with a name behind it, begins the next one.

/// The text before the first mark has an empty name.
pub(crate) fn sections(input: &str) -> Vec<(&str, String)> {
    let mut sections = vec![("", String::new())];
    for line in input.split_inclusive('\n') {
        match line.strip_prefix("%%") {
            Some(name) => sections.push((name.trim(), String::new())),
            None => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push_str(line);
                }
            }
        }
    }
    sections
}

/// How many lines a text has; a line ends at \n, at \r\n, and at \r alone.
pub(crate) fn lines(text: &str) -> u32 {
    let count = text.replace("\r\n", "\n").split(['\n', '\r']).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
