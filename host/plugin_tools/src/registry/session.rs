//! Requests to one repository, with the authentication that the registry asks for.
use std::env;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use url::Url;

use super::access::{Access, RegistryFault};
use super::artifact::MANIFEST_TYPE;
use super::reference::Reference;

const CONNECT_MAX: Duration = Duration::from_secs(10);
const READ_MAX: Duration = Duration::from_secs(60);
/// How much of an error is quoted, in characters.
const QUOTE_MAX: usize = 300;

pub(super) struct Session<'a> {
    place: &'a Reference,
    is_plain: bool,
    http: Client,
    credentials: Option<Credentials>,
    /// The token of a token service, once requested.
    token: Option<String>,
}

enum Credentials {
    Basic {
        user: String,
        password: String,
    },
    /// Exchanged for a token by the service that the registry names.
    Identity(String),
}

/// A token service's answer.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'a> Session<'a> {
    /// No request is made yet.
    pub(super) fn open(place: &'a Reference, access: Access) -> Result<Self, RegistryFault> {
        let is_plain = access.plain_http || place.is_loopback();
        let mut http = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(READ_MAX)
            .user_agent(concat!("watchbell/", env!("CARGO_PKG_VERSION")));
        if place.is_loopback() {
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| RegistryFault::Failed { place: place.to_string(), why: error.to_string() })?;
        let credentials = credentials(&place.host)?;
        Ok(Self { place, is_plain, http, credentials, token: None })
    }

    /// Reads a manifest or a blob of at most `bytes_max` bytes.
    pub(super) async fn download(&mut self, path: &str, bytes_max: u64) -> Result<Vec<u8>, RegistryFault> {
        let url = self.url(path)?;
        let mut answer =
            self.ask(&|http| http.get(url.clone()).header(ACCEPT, MANIFEST_TYPE), "pull").await?;
        if !answer.status().is_success() {
            return Err(self.refused(answer).await);
        }
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if (bytes.len() + part.len()) as u64 > bytes_max {
                return Err(
                    self.failed(format!("the response is larger than the expected {bytes_max} bytes"))
                );
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// Uploads a blob, unless it is there already.
    pub(super) async fn upload(&mut self, bytes: &[u8], digest: &str) -> Result<(), RegistryFault> {
        let url = self.url(&format!("blobs/sha256:{digest}"))?;
        let head = self.ask(&|http| http.request(Method::HEAD, url.clone()), "pull,push").await?;
        if head.status().is_success() {
            return Ok(());
        }
        let url = self.url("blobs/uploads/")?;
        let begun = self.ask(&|http| http.post(url.clone()), "pull,push").await?;
        if begun.status() != StatusCode::ACCEPTED {
            return Err(self.refused(begun).await);
        }
        let location = begun.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.and_then(|location| url.join(location).ok());
        let mut location =
            location.ok_or_else(|| self.failed("it does not say where to upload a blob".into()))?;
        location.query_pairs_mut().append_pair("digest", &format!("sha256:{digest}"));
        // A registry may hand uploads to another host, which must not see its credentials.
        if location.origin() != url.origin() {
            return Err(self.failed(format!("it sends uploads to another host, {location}")));
        }
        let body = bytes.to_vec();
        let put = |http: &Client| {
            http.put(location.clone()).header(CONTENT_TYPE, "application/octet-stream").body(body.clone())
        };
        let done = self.ask(&put, "pull,push").await?;
        if done.status() == StatusCode::CREATED { Ok(()) } else { Err(self.refused(done).await) }
    }

    pub(super) async fn put_manifest(&mut self, bytes: Vec<u8>, kind: &str) -> Result<(), RegistryFault> {
        let url = self.url(&format!("manifests/{}", self.place.name()))?;
        let put = |http: &Client| http.put(url.clone()).header(CONTENT_TYPE, kind).body(bytes.clone());
        let done = self.ask(&put, "pull,push").await?;
        if done.status() == StatusCode::CREATED { Ok(()) } else { Err(self.refused(done).await) }
    }

    fn url(&self, path: &str) -> Result<Url, RegistryFault> {
        let scheme = if self.is_plain { "http" } else { "https" };
        // Docker's registry answers under another name than its own.
        let host = if self.place.host == "docker.io" { "registry-1.docker.io" } else { &self.place.host };
        let text = format!("{scheme}://{host}/v2/{}/{path}", self.place.repository);
        Url::parse(&text).map_err(|error| self.failed(format!("`{text}`: {error}")))
    }

    /// Sends a request, and once more with a token or credentials if the registry asks for them.
    async fn ask(
        &mut self,
        request: &(dyn Fn(&Client) -> RequestBuilder + Send + Sync),
        actions: &str,
    ) -> Result<Response, RegistryFault> {
        let mut first = request(&self.http);
        if let Some(token) = &self.token {
            first = first.bearer_auth(token);
        }
        let answer = first.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let challenge = answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let challenge = challenge.unwrap_or_default().to_owned();
        let again = match (challenge.split_once(' '), &self.credentials) {
            (Some((scheme, parameters)), _) if scheme.eq_ignore_ascii_case("bearer") => {
                let token = self.token(parameters, actions).await?;
                let again = request(&self.http).bearer_auth(&token);
                self.token = Some(token);
                again
            }
            (_, Some(Credentials::Basic { user, password })) => {
                request(&self.http).basic_auth(user, Some(password))
            }
            _ => return Err(self.denied()),
        };
        let answer = again.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status() == StatusCode::UNAUTHORIZED { Err(self.denied()) } else { Ok(answer) }
    }

    /// Gets a token from the service that the registry names.
    async fn token(&self, challenge: &str, actions: &str) -> Result<String, RegistryFault> {
        let realm = parameter(challenge, "realm").and_then(|realm| Url::parse(&realm).ok());
        let mut realm = realm.ok_or_else(|| self.failed("it names no token service".into()))?;
        // Send credentials over TLS only, unless plain HTTP was requested.
        if realm.scheme() != "https" && !self.is_plain {
            return Err(self.failed(format!("its token service {realm} does not use TLS")));
        }
        let scope = format!("repository:{}:{actions}", self.place.repository);
        let service = parameter(challenge, "service");
        let request = match &self.credentials {
            Some(Credentials::Identity(token)) => {
                let mut form =
                    vec![("grant_type", "refresh_token"), ("refresh_token", token), ("scope", &scope)];
                form.push(("client_id", "watchbell"));
                form.extend(service.as_deref().map(|service| ("service", service)));
                self.http.post(realm).form(&form)
            }
            credentials => {
                realm.query_pairs_mut().append_pair("scope", &scope);
                if let Some(service) = &service {
                    realm.query_pairs_mut().append_pair("service", service);
                }
                let request = self.http.get(realm);
                match credentials {
                    Some(Credentials::Basic { user, password }) => request.basic_auth(user, Some(password)),
                    _ => request,
                }
            }
        };
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return Err(self.denied());
        }
        let given: Token = answer.json().await.map_err(|error| self.failed(error.to_string()))?;
        given
            .token
            .or(given.access_token)
            .ok_or_else(|| self.failed("its token service returned no token".into()))
    }

    async fn refused(&self, answer: Response) -> RegistryFault {
        let status = answer.status();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.denied(),
            StatusCode::NOT_FOUND => RegistryFault::Missing(self.place.to_string()),
            _ => {
                let said: String = answer.text().await.unwrap_or_default().chars().take(QUOTE_MAX).collect();
                self.failed(format!("it answered {status}: {}", said.trim()))
            }
        }
    }

    fn denied(&self) -> RegistryFault {
        RegistryFault::Denied { host: self.place.host.clone(), is_known: self.credentials.is_some() }
    }

    fn failed(&self, why: String) -> RegistryFault {
        RegistryFault::Failed { place: self.place.to_string(), why }
    }

    fn unreachable(&self, error: &reqwest::Error) -> RegistryFault {
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        let (host, is_plain) = (self.place.host.clone(), self.is_plain);
        RegistryFault::Unreachable { host, why: innermost.to_string(), is_plain }
    }
}

/// From the environment, for the one host that it names; else from where `docker login` keeps them; else none.
fn credentials(host: &str) -> Result<Option<Credentials>, RegistryFault> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if set("WATCHBELL_REGISTRY").as_deref() == Some(host) {
        let user = set("WATCHBELL_REGISTRY_USERNAME").unwrap_or_default();
        let password = set("WATCHBELL_REGISTRY_PASSWORD").unwrap_or_default();
        return Ok(Some(Credentials::Basic { user, password }));
    }
    // Docker stores the credentials of its own registry under the legacy address.
    let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    match docker_credential::get_credential(server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Some(Credentials::Basic { user, password }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credentials::Identity(token))),
        Err(
            CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError
            | CredentialRetrievalError::NoCredentialConfigured,
        ) => Ok(None),
        Err(error) => Err(RegistryFault::Credentials { host: host.to_owned(), why: error.to_string() }),
    }
}

/// A quoted parameter of a challenge: `realm` of `realm="https://…",service="…"`.
pub(super) fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        if key.trim().trim_start_matches(',').trim().eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn a_challenge_is_read() {
        let challenge = r#"realm="https://auth.example.com/token",service="r.example.com", scope="repository:a:pull,push",x=y"#;
        for (name, value) in [
            ("realm", Some("https://auth.example.com/token")),
            ("service", Some("r.example.com")),
            ("scope", Some("repository:a:pull,push")),
            ("x", Some("y")),
            ("error", None),
        ] {
            assert_eq!(parameter(challenge, name).as_deref(), value, "{name}");
        }
        assert_eq!(parameter("", "realm"), None);
        assert_eq!(parameter("realm=\"open", "realm"), None);
    }
}
