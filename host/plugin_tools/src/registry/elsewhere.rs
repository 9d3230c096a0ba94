//! Other hosts that a registry sends us to: where its blobs lie, and a token service that needs no credentials.
//!
//! Registries keep blobs with a storage service and redirect to it; without that, none of the large ones can be used. So
//! a blob, whose digest is checked, may come from elsewhere: over TLS, without credentials, and never from an address
//! of this machine or its network, where a redirect could reach what no outsider can.
use std::env;
use std::net::{IpAddr, SocketAddr};

use reqwest::ClientBuilder;
use url::{Host, Url};
use watchbell_outside::private;

/// Redirects in a row.
pub(super) const HOPS_MAX: usize = 5;

/// Where a redirect leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// The same host; credentials go along.
    Same(Url),
    /// Another one, which gets none.
    Other(Url),
}

/// Judges a redirect of `registry`'s. `is_blob`: whether a digest says what comes.
///
/// # Errors
/// Why it is not followed.
pub(super) fn hop(from: &Url, location: Option<&str>, registry: &Url, is_blob: bool) -> Result<Hop, String> {
    let location = location.ok_or("it redirects without saying where")?;
    let to = from.join(location).map_err(|error| format!("it redirects to an invalid URL: {error}"))?;
    if to.origin() == registry.origin() {
        // Once elsewhere, nobody gets our credentials by sending us back.
        return Ok(if from.origin() == registry.origin() { Hop::Same(to) } else { Hop::Other(to) });
    }
    let host = to.host_str().unwrap_or_default().to_owned();
    if !is_blob {
        return Err(format!("it redirects to another host, `{host}`, which is followed for blobs alone"));
    }
    if to.scheme() != "https" {
        return Err(format!("it redirects to `{host}` without TLS"));
    }
    Ok(Hop::Other(to))
}

/// `client`, which will connect to public addresses of `to` alone.
///
/// `is_proxied`: whether `client` uses the machine's proxy, which resolves names itself.
///
/// # Errors
/// It has none, or its name is not known.
pub(super) async fn reach(
    to: &Url,
    client: ClientBuilder,
    is_proxied: bool,
) -> Result<ClientBuilder, String> {
    let port = to.port_or_known_default().unwrap_or(443);
    let name = match to.host() {
        Some(Host::Domain(name)) => name,
        Some(Host::Ipv4(address)) => return public(&address.to_string(), address.into()).map(|()| client),
        Some(Host::Ipv6(address)) => return public(&address.to_string(), address.into()).map(|()| client),
        None => return Err("it redirects to a URL without a host".into()),
    };
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((name, port)).await {
        Ok(found) => found.collect(),
        Err(_) if is_proxied && has_proxy() => return Ok(client),
        Err(error) => return Err(format!("`{name}` is not known: {error}")),
    };
    let mut refused = Err(format!("`{name}` has no address"));
    let mut addresses = Vec::new();
    for address in found {
        match public(name, address.ip()) {
            Ok(()) => addresses.push(address),
            Err(why) => refused = Err(why),
        }
    }
    if addresses.is_empty() {
        return refused;
    }
    // Those that were checked, whatever the name says next time.
    Ok(client.resolve_to_addrs(name, &addresses))
}

fn public(name: &str, address: IpAddr) -> Result<(), String> {
    match private(address) {
        None => Ok(()),
        Some(what) => Err(format!(
            "it leads to `{name}`, which is {address}, {what}: let the registry serve its blobs itself"
        )),
    }
}

fn has_proxy() -> bool {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    names.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(from: &str, location: &str, is_blob: bool) -> Result<Hop, String> {
        let url = |text: &str| Url::parse(text).unwrap();
        hop(&url(from), Some(location), &url("https://r.example.com/v2/"), is_blob)
    }

    const HERE: &str = "https://r.example.com/v2/a/blobs/x";

    #[test]
    fn blobs_alone_come_from_elsewhere_and_over_tls() {
        let same = Url::parse("https://r.example.com/v2/b").unwrap();
        assert_eq!(judged(HERE, "/v2/b", false), Ok(Hop::Same(same)));
        let storage = Url::parse("https://s.example.net/x?sig=1").unwrap();
        assert_eq!(judged(HERE, storage.as_str(), true), Ok(Hop::Other(storage.clone())));
        for (location, is_blob, why) in [
            ("https://s.example.net/x", false, "another host, `s.example.net`"),
            ("http://s.example.net/x", true, "without TLS"),
            ("http://r.example.com/x", true, "without TLS"),
            ("file:///etc/passwd", true, "without TLS"),
            ("https://r.example.com:8443/x", false, "another host"),
        ] {
            let told = judged(HERE, location, is_blob).unwrap_err();
            assert!(told.contains(why), "{location}: {told}");
        }
        assert!(hop(&storage, None, &storage, true).unwrap_err().contains("without saying where"));
    }

    #[test]
    fn nobody_gets_credentials_by_sending_back() {
        assert!(matches!(judged("https://s.example.net/x", HERE, true), Ok(Hop::Other(_))));
    }

    #[tokio::test]
    async fn inner_addresses_are_not_reached() {
        for host in ["127.0.0.1", "[::1]", "169.254.169.254", "localhost", "[::ffff:10.0.0.1]", "0x7f.1"] {
            let url = Url::parse(&format!("https://{host}/x")).unwrap();
            let told = reach(&url, reqwest::Client::builder(), true).await.unwrap_err();
            assert!(told.contains("address"), "{host}: {told}");
        }
        let public = Url::parse("https://192.88.98.1/x").unwrap();
        assert!(reach(&public, reqwest::Client::builder(), true).await.is_ok());
    }
}
