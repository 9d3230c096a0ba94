//! Requests to one repository, with the authentication that the registry asks for.
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use url::Url;
use watchbell_secret::Secret;

use super::access::{Access, RegistryFault};
use super::answer::{BodyFault, Quoter, body};
use super::artifact::MANIFEST_TYPE;
use super::credentials::{Credentials, is_trusted};
use super::elsewhere::{HOPS_MAX, Hop, hop, reach};
use super::reference::Reference;

const CONNECT_MAX: Duration = Duration::from_secs(10);
const READ_MAX: Duration = Duration::from_secs(60);
/// Bytes of a token service's answer; tokens have a few KiB.
const TOKEN_BYTES_MAX: u64 = 256 << 10;

pub(super) struct Session<'a> {
    place: &'a Reference,
    is_plain: bool,
    http: Client,
    credentials: Option<Credentials>,
    /// The token of a token service, once requested.
    token: Option<String>,
    quoter: Quoter,
}

/// A token service's answer.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Manifest,
    /// Its digest is checked, so it may lie elsewhere.
    Blob,
}

impl<'a> Session<'a> {
    /// No request is made yet.
    pub(super) fn open(place: &'a Reference, access: Access) -> Result<Self, RegistryFault> {
        let is_plain = access.plain_http || place.is_loopback();
        let http = client(place)
            .build()
            .map_err(|error| RegistryFault::Failed { place: place.to_string(), why: error.to_string() })?;
        let credentials = Credentials::find(&place.host)?;
        let quoter = Quoter::new(credentials.as_ref().map(Credentials::secrets).unwrap_or_default());
        Ok(Self { place, is_plain, http, credentials, token: None, quoter })
    }

    /// Reads a manifest or a blob of at most `bytes_max` bytes.
    pub(super) async fn download(
        &mut self,
        kind: Kind,
        path: &str,
        bytes_max: u64,
    ) -> Result<Vec<u8>, RegistryFault> {
        let registry = self.url(path)?;
        let mut url = registry.clone();
        let mut answer =
            self.ask(&|http| http.get(url.clone()).header(ACCEPT, MANIFEST_TYPE), "pull").await?;
        let mut hops = 0;
        while answer.status().is_redirection() {
            hops += 1;
            if hops > HOPS_MAX {
                return Err(self.failed(&format!("it redirects more than {HOPS_MAX} times")));
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = hop(&url, location, &registry, kind == Kind::Blob);
            answer = match next.map_err(|why| self.failed(&why))? {
                Hop::Same(next) => {
                    url = next;
                    self.ask(&|http| http.get(url.clone()).header(ACCEPT, MANIFEST_TYPE), "pull").await?
                }
                Hop::Other(next) => {
                    url = next;
                    self.stranger(&url).await?
                }
            };
        }
        if !answer.status().is_success() {
            return Err(self.refused(answer).await);
        }
        body(&mut answer, bytes_max).await.map_err(|fault| match fault {
            BodyFault::TooLarge(most) => {
                self.failed(&format!("the response is larger than the expected {most} bytes"))
            }
            BodyFault::Broken(error) => self.unreachable(&error),
        })
    }

    /// Asks another host than the registry, which gets nothing of ours.
    async fn stranger(&self, url: &Url) -> Result<Response, RegistryFault> {
        let client = reach(url, client(self.place), !self.place.is_loopback())
            .await
            .map_err(|why| self.failed(&why))?;
        let client = client.build().map_err(|error| self.failed(&error.to_string()))?;
        client.get(url.clone()).send().await.map_err(|error| {
            let host = url.host_str().unwrap_or_default();
            self.failed(&format!("`{host}`, which it redirects to, cannot be reached: {}", innermost(&error)))
        })
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
        let mut location = location.ok_or_else(|| self.failed("it does not say where to upload a blob"))?;
        location.query_pairs_mut().append_pair("digest", &format!("sha256:{digest}"));
        // A registry may hand uploads to another host, which must not see its credentials.
        if location.origin() != url.origin() {
            return Err(self.failed(&format!("it sends uploads to another host, {location}")));
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
        Url::parse(&text).map_err(|error| self.failed(&format!("`{text}`: {error}")))
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
                self.quoter.hide(Secret::new(&*token));
                let again = request(&self.http).bearer_auth(&token);
                self.token = Some(token);
                again
            }
            (_, Some(Credentials::Basic { user, password })) => {
                request(&self.http).basic_auth(user, Some(password.expose()))
            }
            _ => return Err(self.denied()),
        };
        let answer = again.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status() == StatusCode::UNAUTHORIZED { Err(self.denied()) } else { Ok(answer) }
    }

    /// Gets a token from the service that the registry names.
    async fn token(&self, challenge: &str, actions: &str) -> Result<String, RegistryFault> {
        let realm = parameter(challenge, "realm").and_then(|realm| Url::parse(&realm).ok());
        let mut realm = realm.ok_or_else(|| self.failed("it names no token service"))?;
        let registry = self.url("")?;
        let is_trusted = is_trusted(&realm, &registry, &self.place.host);
        let service_host = realm.host_str().unwrap_or_default().to_owned();
        // Over TLS only, unless plain HTTP was requested.
        if realm.scheme() != "https" && !(is_trusted && self.is_plain) {
            return Err(self.failed(&format!("its token service `{service_host}` does not use TLS")));
        }
        if self.credentials.is_some() && !is_trusted {
            return Err(self.failed(&format!(
                "its token service is another host, `{service_host}`, which may not see the credentials for `{host}`: \
                 if it is this registry's, set WATCHBELL_REGISTRY={host} and \
                 WATCHBELL_REGISTRY_TOKEN_SERVICE=https://{service_host}",
                host = self.place.host
            )));
        }
        let scope = format!("repository:{}:{actions}", self.place.repository);
        let service = parameter(challenge, "service");
        let answer = match &self.credentials {
            Some(Credentials::Identity(token)) => {
                let mut form = vec![
                    ("grant_type", "refresh_token"),
                    ("refresh_token", token.expose()),
                    ("scope", &scope),
                ];
                form.push(("client_id", "watchbell"));
                form.extend(service.as_deref().map(|service| ("service", service)));
                self.http.post(realm).form(&form).send().await.map_err(|error| self.unreachable(&error))
            }
            credentials => {
                realm.query_pairs_mut().append_pair("scope", &scope);
                if let Some(service) = &service {
                    realm.query_pairs_mut().append_pair("service", service);
                }
                match credentials {
                    Some(Credentials::Basic { user, password }) => {
                        let request = self.http.get(realm).basic_auth(user, Some(password.expose()));
                        request.send().await.map_err(|error| self.unreachable(&error))
                    }
                    _ if is_trusted => {
                        self.http.get(realm).send().await.map_err(|error| self.unreachable(&error))
                    }
                    _ => self.stranger(&realm).await,
                }
            }
        };
        let mut answer = answer?;
        if answer.status().is_redirection() {
            return Err(self.failed("its token service redirects, which is not followed"));
        }
        if !answer.status().is_success() {
            return Err(self.denied());
        }
        let given = body(&mut answer, TOKEN_BYTES_MAX).await.map_err(|fault| match fault {
            BodyFault::TooLarge(most) => {
                self.failed(&format!("its token service's response is larger than {} KiB", most >> 10))
            }
            BodyFault::Broken(error) => self.unreachable(&error),
        })?;
        // A fault of its form could quote a token.
        let given: Token = serde_json::from_slice(&given)
            .map_err(|_| self.failed("its token service's response is not the JSON that was expected"))?;
        given.token.or(given.access_token).ok_or_else(|| self.failed("its token service returned no token"))
    }

    async fn refused(&self, mut answer: Response) -> RegistryFault {
        let status = answer.status();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.denied(),
            StatusCode::NOT_FOUND => RegistryFault::Missing(self.place.to_string()),
            _ => {
                let said = self.quoter.beginning(&mut answer).await;
                RegistryFault::Failed {
                    place: self.place.to_string(),
                    why: format!("it answered {status}: {said}"),
                }
            }
        }
    }

    fn denied(&self) -> RegistryFault {
        RegistryFault::Denied { host: self.place.host.clone(), is_known: self.credentials.is_some() }
    }

    /// It is no module; `why` may quote the registry.
    pub(super) fn no_module(&self, why: &str) -> RegistryFault {
        RegistryFault::NoModule { place: self.place.to_string(), why: self.quoter.quote(why) }
    }

    /// `why` may quote the registry.
    fn failed(&self, why: &str) -> RegistryFault {
        RegistryFault::Failed { place: self.place.to_string(), why: self.quoter.sentence(why) }
    }

    fn unreachable(&self, error: &reqwest::Error) -> RegistryFault {
        let (host, is_plain) = (self.place.host.clone(), self.is_plain);
        RegistryFault::Unreachable { host, why: self.quoter.quote(&innermost(error)), is_plain }
    }
}

fn client(place: &Reference) -> ClientBuilder {
    let http = Client::builder()
        .connect_timeout(CONNECT_MAX)
        .read_timeout(READ_MAX)
        // Followed here, one by one, or not at all.
        .redirect(Policy::none())
        .referer(false)
        .user_agent(concat!("watchbell/", env!("CARGO_PKG_VERSION")));
    if place.is_loopback() { http.no_proxy() } else { http }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
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
