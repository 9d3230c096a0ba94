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
    let mut indices: Vec<&str> = indices.iter().map(String::as_str).collect();
    // A segment of dots alone is a step to another path; a name that is given twice is the same name.
    if let [name @ ("." | "..")] = indices[..] {
        indices.push(name);
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn path(names: &[String]) -> String {
        let base = Url::parse("http://node:9200/").unwrap();
        base.join(&format!("{}/_search?{WHOLE}", index_path(names))).unwrap().to_string()
    }

    proptest! {
        #[test]
        fn no_name_changes_the_requests_path(
            names in prop::collection::vec(r"([a-z*:<{}>,-]|[./\\?#% _+@&=;\t\r\n]|%2[ef]|é){1,12}", 1..3),
        ) {
            let url = Url::parse(&path(&names)).unwrap();
            let segments: Vec<&str> = url.path_segments().unwrap().collect();
            prop_assert_eq!((segments.len(), segments[1]), (2, "_search"), "{} of {:?}", url, names);
            let told = decoded(segments[0]);
            prop_assert!(told == names.join(",") || names.iter().all(|name| name.chars().all(|c| c == '.')));
            prop_assert_eq!(url.query(), Some(WHOLE));
            prop_assert!(url.fragment().is_none());
        }
    }

    fn decoded(segment: &str) -> String {
        let pair = format!("n={}", segment.replace('+', "%2B"));
        let (_, decoded) = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap();
        decoded.into_owned()
    }

    #[test]
    fn a_name_of_dots_stays_a_name() {
        for (name, expected) in [
            ("..", "http://node:9200/..,../_search"),
            (".", "http://node:9200/.,./_search"),
            ("../_cluster/settings", "http://node:9200/..%2F_cluster%2Fsettings/_search"),
            ("%2e%2e", "http://node:9200/%252e%252e/_search"),
            ("<logs-{now/d}>", "http://node:9200/%3Clogs-%7Bnow%2Fd%7D%3E/_search"),
        ] {
            assert_eq!(path(&[name.into()]), format!("{expected}?{WHOLE}"));
        }
    }
}
