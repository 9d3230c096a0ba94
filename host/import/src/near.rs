//! Suggestions for unknown names.

/// The name that was probably meant.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = typed.chars().count() / 3;
    known
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, _)| *distance <= far.clamp(1, 3))
        .min()
        .map(|(_, name)| name)
}
