//! Request paths: index names, and the parameters of every search.
use elasticsearch::SearchParts;

use crate::target::Target;

/// Part of every search: an error rather than a partial result.
pub(crate) const WHOLE: &str = "allow_partial_search_results=false";

/// The search path of `target`'s indices. `more`: further parameters, each after its `&`.
pub(crate) fn search_path(target: &Target, more: &str) -> String {
    format!("{}/_search?{WHOLE}{}{more}", index_path(&target.indices), ignoring(target, '&'))
}

/// `/a,b*`, encoded as the official client encodes it; empty for no index.
pub(crate) fn index_path(indices: &[String]) -> String {
    if indices.is_empty() {
        return String::new();
    }
    let indices: Vec<&str> = indices.iter().map(String::as_str).collect();
    let url = SearchParts::Index(&indices).url();
    url.strip_suffix("/_search").unwrap_or(&url).to_owned()
}

pub(crate) fn ignoring(target: &Target, separator: char) -> String {
    match target.ignore_unavailable {
        true => format!("{separator}ignore_unavailable=true"),
        false => String::new(),
    }
}

pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
