//! Whose credentials a registry gets, and which token service may see them.
use std::env;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use url::Url;
use watchbell_secret::Secret;

use super::access::RegistryFault;

/// Registries whose token service is another host, as their operators document it.
const TOKEN_SERVICES: [(&str, &str); 2] =
    [("docker.io", "https://auth.docker.io"), ("registry.gitlab.com", "https://gitlab.com")];

#[derive(Debug)]
pub(super) enum Credentials {
    Basic {
        user: String,
        password: Secret,
    },
    /// Exchanged for a token by the service that the registry names.
    Identity(Secret),
}

impl Credentials {
    /// From the environment, for the one host that it names; else from where `docker login` keeps them; else none.
    pub(super) fn find(host: &str) -> Result<Option<Self>, RegistryFault> {
        if is_named(host)
            && let (user, Some(password)) =
                (set("WATCHBELL_REGISTRY_USERNAME"), set("WATCHBELL_REGISTRY_PASSWORD"))
        {
            let password = Secret::new(password);
            return Ok(Some(Self::Basic { user: user.unwrap_or_default(), password }));
        }
        // Docker stores the credentials of its own registry under the legacy address.
        let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
        let why = match docker_credential::get_credential(server) {
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                return Ok(Some(Self::Basic { user, password: Secret::new(password) }));
            }
            Ok(DockerCredential::IdentityToken(token)) => {
                return Ok(Some(Self::Identity(Secret::new(token))));
            }
            Err(
                CredentialRetrievalError::ConfigNotFound
                | CredentialRetrievalError::ConfigReadError
                | CredentialRetrievalError::NoCredentialConfigured,
            ) => return Ok(None),
            // Its output may be the credentials.
            Err(CredentialRetrievalError::HelperFailure { helper, .. }) => format!("`{helper}` failed"),
            Err(error) => error.to_string(),
        };
        Err(RegistryFault::Credentials { host: host.to_owned(), why })
    }

    /// Everything that must not be shown.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Basic { user, password } => {
                // Together they are one more secret: in base64 the password alone is not found.
                vec![password.clone(), Secret::new(format!("{user}:{}", password.expose()))]
            }
            Self::Identity(token) => vec![token.clone()],
        }
    }
}

/// Whether the token service at `realm` may see the credentials for the registry `host` at `registry`: it is of the
/// same origin, known to be this registry's, or named by the operator.
pub(super) fn is_trusted(realm: &Url, registry: &Url, host: &str) -> bool {
    let is_same = |service: &str| Url::parse(service).is_ok_and(|service| service.origin() == realm.origin());
    realm.origin() == registry.origin()
        || TOKEN_SERVICES.iter().any(|(known, service)| *known == host && is_same(service))
        || is_named(host) && set("WATCHBELL_REGISTRY_TOKEN_SERVICE").is_some_and(|service| is_same(&service))
}

/// Whether the environment speaks of this registry.
fn is_named(host: &str) -> bool {
    set("WATCHBELL_REGISTRY").as_deref() == Some(host)
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_service_is_trusted_by_its_origin() {
        let url = |text: &str| Url::parse(text).unwrap();
        let registry = url("https://r.example.com/v2/rules/a/manifests/1");
        for (realm, is) in [
            ("https://r.example.com/token", true),
            ("https://r.example.com:443/token", true),
            ("https://r.example.com:8443/token", false),
            ("http://r.example.com/token", false),
            ("https://r.example.com.evil.example/token", false),
            ("https://r.example.com@evil.example/token", false),
            ("https://auth.docker.io/token", false),
        ] {
            assert_eq!(is_trusted(&url(realm), &registry, "r.example.com"), is, "{realm}");
        }
        let docker = url("https://registry-1.docker.io/v2/a/b/manifests/1");
        assert!(is_trusted(&url("https://auth.docker.io/token"), &docker, "docker.io"));
        assert!(!is_trusted(&url("http://auth.docker.io/token"), &docker, "docker.io"));
    }
}
