/// A span of time as people write it: `200ms`, `2s`.
pub(crate) fn pause(text: &str) -> Result<std::time::Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "write it like `200ms` or `2s`".to_owned())?;
    std::time::Duration::try_from(span).map_err(|_| "must not be negative".to_owned())
}
