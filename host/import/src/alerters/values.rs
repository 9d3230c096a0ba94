//! Values of destinations: texts, addresses, credentials.
use crate::mask::{lone_token, tokens, variables};
use crate::node::{Data, Node};
use crate::texts::{Dialect, Writer};
use crate::yaml::Yaml;

/// A map of a request, without absent members.
pub(crate) fn members<const N: usize>(entries: [(&str, Option<Yaml>); N]) -> Vec<(String, Yaml)> {
    entries.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
}

/// The same value for each severity.
pub(crate) fn by_severity(value: &Yaml) -> Yaml {
    Yaml::map([("info", value.clone()), ("warning", value.clone()), ("critical", value.clone())])
}

/// Literal text, with nothing that the request's template would evaluate.
pub(crate) fn literal(text: &str) -> Yaml {
    let mut writer = Writer::new(Dialect::Webhook);
    writer.text(text);
    Yaml::Text(writer.end())
}

/// A literal tree, with nothing that a template would evaluate.
pub(crate) fn constants(node: &Node) -> Yaml {
    match &node.data {
        Data::List(items) => Yaml::List(items.iter().map(constants).collect()),
        Data::Map(entries) => {
            Yaml::Map(entries.iter().map(|entry| (entry.key.clone(), constants(&entry.value))).collect())
        }
        Data::Text(text) => literal(text),
        _ => crate::options::as_yaml(node),
    }
}

/// Whether an address may hold a key: in a query, or before `@`.
pub(crate) fn holds_secret(url: &str) -> bool {
    // The `@` of a token does not count.
    crate::mask::mask(url).map_or(true, |masked| masked.contains(['?', '@']))
}

/// Whether a member of this name is a secret, which a request must not contain.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["auth", "api_key", "apikey", "api-key", "token", "secret", "password", "passwd", "cookie", "credential"]
        .iter()
        .any(|word| name.contains(word))
}

pub(crate) const NO_ADDRESS: &str = "not an address of `http://` or `https://`";

/// Whether an address is one that a destination may have; what a token stands for is not known here.
pub(crate) fn is_address(text: &str) -> bool {
    if !tokens(text).is_empty() {
        return true;
    }
    let rest = match text.trim().split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return false,
        None => text.trim(),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (server, path) = rest.split_at(end);
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().is_ok()),
        None => (server, true),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_number =
        host.split('.').next_back().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host = match is_number {
        true => host.parse::<std::net::Ipv4Addr>().is_ok(),
        false => host.len() <= 250 && host.split('.').all(is_label),
    };
    is_host && port && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// A literal address; `http://` if it has no scheme.
pub(crate) fn address(text: &str) -> Yaml {
    let text = text.trim().trim_end_matches('/');
    let bare = !text.contains("://") && lone_token(text).is_none();
    Yaml::Text(if bare { format!("http://{text}") } else { variables(text).0 })
}

/// A header that holds a secret.
pub(crate) fn header(name: &str, value: Yaml) -> Yaml {
    Yaml::map([("header", Yaml::map([("name", Yaml::text(name)), ("value", value)]))])
}

/// A user and a secret password.
pub(crate) fn basic(username: &str, password: Yaml) -> Yaml {
    Yaml::map([("basic", Yaml::map([("username", Yaml::text(username)), ("password", password)]))])
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn an_address_has_a_server() {
        for text in
            ["http://localhost:9093", "https://a.example.com/x/y", "am-1:9093", "10.0.0.1", "@@URL@@/x"]
        {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "",
            "ftp://a",
            "http://",
            "http://a b",
            "http://a:x",
            "é",
            "http://[::1]/x",
            "1.2.3",
            "http://a/#b",
        ] {
            assert!(!is_address(text), "{text}");
        }
    }
}
