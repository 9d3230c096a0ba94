//! References to modules: `oci://host/repository:tag` or `oci://host/repository@sha256:…`.
use std::fmt;
use std::net::IpAddr;

/// A reference to a module in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub(super) host: String,
    pub(super) repository: String,
    pub(super) tag: Option<String>,
    /// Of the registry's manifest, in hexadecimal.
    pub(super) digest: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{typed}` is not a registry reference: {why}; write, for example, `registry.example.com/rules/login-burst:1.0`, or \
     `…@sha256:` with 64 digits"
)]
pub struct ReferenceFault {
    typed: String,
    why: &'static str,
}

impl Reference {
    /// # Errors
    /// It is malformed, or has no host: there is no default registry.
    pub fn parse(typed: &str) -> Result<Self, ReferenceFault> {
        let fault = |why| ReferenceFault { typed: typed.to_owned(), why };
        let text = typed.strip_prefix("oci://").unwrap_or(typed);
        if text.contains("://") {
            return Err(fault("it must start with `oci://` or with the host"));
        }
        let (host, path) = text.split_once('/').ok_or_else(|| fault("it does not start with a host"))?;
        let is_host = host == "localhost" || host.contains(['.', ':']);
        if !is_host || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) {
            return Err(fault("it does not start with a host"));
        }
        let (path, digest) = match path.split_once('@') {
            None => (path, None),
            Some((path, digest)) => {
                let hex = digest.strip_prefix("sha256:").unwrap_or_default().to_lowercase();
                if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(fault("its digest must be `sha256:` and 64 hexadecimal digits"));
                }
                (path, Some(hex))
            }
        };
        let (repository, tag) = match path.split_once(':') {
            None => (path, None),
            Some((repository, tag)) => (repository, Some(tag)),
        };
        if repository.len() > 255 || !repository.split('/').all(is_component) {
            return Err(fault("a repository consists of words of lower-case letters and digits"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(fault("a tag has up to 128 letters, digits, `_`, `.` and `-`"));
        }
        let (repository, tag) = (repository.to_owned(), tag.map(str::to_owned));
        Ok(Self { host: host.to_owned(), repository, tag, digest })
    }

    /// The digest of the manifest, in hexadecimal, if it names one.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// `host/repository`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// Whether the registry is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let name = match self.host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.host.rsplit_once(':').map_or(&*self.host, |(name, _)| name),
        };
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// As a manifest names it: by digest.
    pub(super) fn pinned(&self, digest: &str) -> Self {
        Self { tag: None, digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// The name of its manifest in the registry: its digest, or else its tag.
    pub(super) fn name(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("sha256:{digest}"),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".into(),
        }
    }
}

/// `[a-z0-9]+` joined by `.`, `_`, `__` or hyphens: the distribution specification's words.
fn is_component(word: &str) -> bool {
    let is_end =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = word.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte);
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(is_inner) && !word.contains("..")
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = tag.bytes();
    tag.len() <= 128
        && bytes.next().is_some_and(is_word)
        && bytes.all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "f6c0d945dc8a9e01854484f4e9b123945919e553778d4386d1d939451c038a0c";

    #[test]
    fn places_are_read_and_written() {
        for (typed, told) in [
            (
                "oci://r.example.com/rules/burst:1.0".to_owned(),
                "oci://r.example.com/rules/burst:1.0".to_owned(),
            ),
            ("localhost:5000/burst".to_owned(), "oci://localhost:5000/burst".to_owned()),
            (format!("r.example.com/burst@sha256:{HEX}"), format!("oci://r.example.com/burst@sha256:{HEX}")),
        ] {
            assert_eq!(Reference::parse(&typed).unwrap().to_string(), told);
        }
        let pinned = Reference::parse("r.example.com/burst:1.0").unwrap().pinned(HEX);
        assert_eq!((pinned.tag.as_deref(), pinned.digest()), (None, Some(HEX)));
    }

    #[test]
    fn what_is_no_place_is_told() {
        for (typed, why) in [
            ("burst", "does not start with a host"),
            ("rules/burst:1.0", "does not start with a host"),
            ("https://r.example.com/burst", "start with `oci://`"),
            ("r.example.com/Burst", "lower-case"),
            ("r.example.com/../etc", "lower-case"),
            ("r.example.com/burst:", "a tag has"),
            ("r.exam ple.com/burst", "does not start with a host"),
            ("r.example.com/burst@sha256:abc", "must be `sha256:`"),
        ] {
            let told = Reference::parse(typed).unwrap_err().to_string();
            assert!(told.contains(typed) && told.contains(why) && told.contains("for example"), "{told}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (typed, is) in [
            ("localhost:5000/a", true),
            ("127.0.0.1:5000/a", true),
            ("127.8.0.1/a", true),
            ("localhost.example.com/a", false),
            ("10.0.0.1:5000/a", false),
        ] {
            assert_eq!(Reference::parse(typed).unwrap().is_loopback(), is, "{typed}");
        }
    }
}
