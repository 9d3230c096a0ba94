use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose};
use url::Url;
use watchbell_secret::Secret;

/// Addresses, credentials and limits of a cluster.
#[derive(Clone)]
pub struct ClusterConfig {
    /// The name that environments use; part of every error.
    pub name: String,
    /// Used in turn; one that fails is set aside for a while.
    pub nodes: Vec<Url>,
    pub auth: Auth,
    /// PEM, trusted in addition to the system's authorities.
    pub ca: Option<Vec<u8>>,
    /// PEM: the certificate chain and its private key.
    pub client_identity: Option<Vec<u8>>,
    /// An HTTP proxy; the environment's proxy variables are ignored.
    pub proxy: Option<Url>,
    /// Whether servers may compress responses, which costs more time than it saves on a fast network.
    pub gzip: bool,
    /// Concurrent requests; the rest wait in order of arrival.
    pub concurrency: usize,
    /// Hits per request, 1..=10_000 (the default of `index.max_result_window`).
    pub page_hits: usize,
    /// Buckets per request, 1..=65_535 (the default of `search.max_buckets`; 10_000 on older servers).
    pub page_buckets: usize,
    /// Bytes of one response, decompressed; a longer one is not read to its end. As a tree it may take twice as much
    /// memory.
    pub page_bytes_max: usize,
    /// Requests for one answer. One of more pages is too large.
    pub pages_max: usize,
    /// Rows of one instant that are held back to be sorted; more are released in the server's order.
    pub tie_rows_max: usize,
    /// Timeout of one request, from connecting to the last byte of its response.
    pub request_timeout: Duration,
    /// Retries of a failed request.
    pub retry_max: u32,
    /// The pause before the first retry; doubled each time up to `retry_pause_max`, with jitter.
    pub retry_first: Duration,
    pub retry_pause_max: Duration,
    /// How long learned field types are trusted.
    pub mapping_ttl: Duration,
}

#[derive(Clone, Default)]
pub enum Auth {
    #[default]
    None,
    Basic {
        user: String,
        password: String,
    },
    /// The encoded form, `base64(id:key)`.
    ApiKey(String),
    Bearer(String),
}

/// Why a configuration is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error("cluster `{cluster}` has no node")]
    NoNode { cluster: String },
    #[error("cluster `{cluster}`: `{node}` is not an HTTP or HTTPS URL")]
    Node { cluster: String, node: String },
    #[error("cluster `{cluster}`: `{key}` must be between {least} and {most}")]
    OutOfBounds { cluster: String, key: &'static str, least: usize, most: usize },
    #[error("cluster `{cluster}`: the credentials contain characters that are not allowed in a header")]
    Credentials { cluster: String },
    #[error("cluster `{cluster}`: the certificate authority is not a PEM certificate: {reason}")]
    Ca { cluster: String, reason: String },
    #[error(
        "cluster `{cluster}`: the client identity is not a PEM certificate with its private key: {reason}"
    )]
    Identity { cluster: String, reason: String },
    #[error("cluster `{cluster}`: {reason}")]
    Client { cluster: String, reason: String },
}

impl ClusterConfig {
    pub fn new(name: impl Into<String>, nodes: Vec<Url>) -> Self {
        Self {
            name: name.into(),
            nodes,
            auth: Auth::None,
            ca: None,
            client_identity: None,
            proxy: None,
            gzip: false,
            concurrency: 5,
            page_hits: 10_000,
            page_buckets: 5_000,
            page_bytes_max: 64 << 20,
            pages_max: 10_000,
            tie_rows_max: 100_000,
            request_timeout: Duration::from_secs(30),
            retry_max: 4,
            retry_first: Duration::from_millis(200),
            retry_pause_max: Duration::from_secs(10),
            mapping_ttl: Duration::from_secs(300),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let cluster = || self.name.clone();
        if self.nodes.is_empty() {
            return Err(ConfigError::NoNode { cluster: cluster() });
        }
        for node in &self.nodes {
            if !matches!(node.scheme(), "http" | "https") || node.host().is_none() {
                return Err(ConfigError::Node { cluster: cluster(), node: shown(node) });
            }
        }
        let bounds = [
            ("concurrency", self.concurrency, 1, 10_000),
            ("page_hits", self.page_hits, 1, 10_000),
            ("page_buckets", self.page_buckets, 1, 65_535),
            ("page_bytes_max", self.page_bytes_max, 1_024, 1 << 31),
            ("pages_max", self.pages_max, 1, 1_000_000),
        ];
        for (key, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(ConfigError::OutOfBounds { cluster: cluster(), key, least, most });
            }
        }
        Ok(())
    }

    /// Every credential, in each form in which it is sent or can be read from what is sent.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let mut secrets: Vec<String> = match &self.auth {
            Auth::None => vec![],
            Auth::Basic { user, password } => {
                let both = format!("{user}:{password}");
                vec![password.clone(), base64(&both), both]
            }
            Auth::Bearer(token) => vec![token.clone()],
            Auth::ApiKey(encoded) => {
                let decoded = general_purpose::STANDARD.decode(encoded).ok();
                let both = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                let both = both.unwrap_or_else(|| encoded.clone());
                let key = both.split_once(':').map(|(_, key)| key.to_owned());
                key.into_iter().chain([both, encoded.clone()]).collect()
            }
        };
        for url in self.nodes.iter().chain(&self.proxy) {
            let password = url.password().unwrap_or_default();
            let plain = percent_decoded(password);
            let both = format!("{}:{plain}", percent_decoded(url.username()));
            // A user name alone is no secret.
            if !plain.is_empty() {
                secrets.extend([password.to_owned(), base64(&both), both, plain]);
            }
        }
        secrets.into_iter().map(Secret::new).collect()
    }
}

pub(crate) fn base64(text: &str) -> String {
    general_purpose::STANDARD.encode(text)
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A node's address without credentials.
pub(crate) fn shown(node: &Url) -> String {
    let mut node = node.clone();
    if !node.username().is_empty() || node.password().is_some() {
        // Both fail only for urls that cannot hold either.
        _ = node.set_username("");
        _ = node.set_password(None);
    }
    node.to_string()
}

impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("name", &self.name)
            .field("nodes", &self.nodes.iter().map(shown).collect::<Vec<_>>())
            .field("auth", &self.auth)
            .field("ca", &self.ca.is_some())
            .field("client_identity", &self.client_identity.is_some())
            .field("proxy", &self.proxy.as_ref().map(shown))
            .field("gzip", &self.gzip)
            .field("concurrency", &self.concurrency)
            .field("page_hits", &self.page_hits)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(redacted)",
            Self::ApiKey(_) => "ApiKey(redacted)",
            Self::Bearer(_) => "Bearer(redacted)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(node: &str) -> ClusterConfig {
        ClusterConfig::new("main", vec![Url::parse(node).unwrap()])
    }

    #[test]
    fn secrets_stay_out_of_debug() {
        let mut config = config("https://u:hunter2@es:9200");
        config.auth = Auth::Basic { user: "elastic".into(), password: "hunter2".into() };
        config.client_identity = Some(b"hunter2".to_vec());
        let text =
            format!("{config:?} {:?} {:?}", Auth::ApiKey("hunter2".into()), Auth::Bearer("hunter2".into()));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("https://es:9200/"), "{text}");
    }

    #[test]
    fn every_form_of_a_credential_is_scrubbed() {
        use watchbell_secret::Scrubber;
        let told = |auth: Auth, node: &str, text: &str| {
            let mut config = config(node);
            config.auth = auth;
            Scrubber::new(&config.secrets()).text(text)
        };
        let key = || Auth::ApiKey(base64("an-id:its-key-1"));
        let basic = || Auth::Basic { user: "elastic".into(), password: "p/ss wörd1".into() };
        for (auth, text) in [
            (key(), base64("an-id:its-key-1")),
            (key(), "an-id:its-key-1".into()),
            (key(), "its-key-1".into()),
            (Auth::ApiKey("an-id:its-key-1".into()), "its-key-1".into()),
            (basic(), "p/ss wörd1".into()),
            (basic(), r"p\/ss w\u00f6rd1".into()),
            (basic(), "p%2Fss%20w%C3%B6rd1".into()),
            (basic(), base64("elastic:p/ss wörd1")),
            (Auth::Bearer("a-token-1".into()), "a-token-1".into()),
            (Auth::Bearer("a-token-1".into()), base64("a-token-1")),
        ] {
            assert_eq!(told(auth, "http://es/", &format!("<{text}>")), "<[redacted]>", "{text}");
        }
        assert_eq!(told(Auth::None, "http://u:p%40ss1@es/", "p@ss1 p%40ss1"), "[redacted] [redacted]");
        assert_eq!(told(basic(), "http://es/", "elastic"), "elastic");
    }

    #[test]
    fn what_cannot_work_is_said_at_once() {
        let none = ClusterConfig::new("main", vec![]);
        assert_eq!(none.check().unwrap_err().to_string(), "cluster `main` has no node");
        let ftp = config("ftp://es/");
        assert_eq!(
            ftp.check().unwrap_err().to_string(),
            "cluster `main`: `ftp://es/` is not an HTTP or HTTPS URL"
        );
        let mut wide = config("http://es/");
        wide.page_hits = 10_001;
        assert_eq!(
            wide.check().unwrap_err().to_string(),
            "cluster `main`: `page_hits` must be between 1 and 10000"
        );
    }
}
