//! The host's API, over its Unix socket or over the network with a token.
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use watchbell_manifest::{Environment, Options, load_environment};

use super::args::Reach;
use crate::cli::place::{catalog, tell};
use crate::cli::shared_args::Place;
use crate::cli::{Failure, note};
use crate::commands::{Answer, Body};
use crate::web::Problem;

/// The host answers a command within 2 s; this is for one that hangs.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Bytes of a file with a token.
const TOKEN_BYTES_MAX: u64 = 4 << 10;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 32 << 20;

pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
    /// The socket, if it is asked there.
    socket: Option<PathBuf>,
    runtime: Runtime,
}

impl Client {
    pub(super) fn new(reach: &Reach) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(WAIT_MAX);
        if let Some(host) = &reach.host {
            let base = address(host)?;
            let token = reach.token_file.as_deref().map(token).transpose()?;
            return Ok(Self { http: builder.build()?, base, token, socket: None, runtime });
        }
        let socket = socket(reach)?;
        let http = builder.unix_socket(socket.as_path()).build()?;
        let base = Url::parse("http://localhost/").context("an address")?;
        Ok(Self { http, base, token: None, socket: Some(socket), runtime })
    }

    /// Reads something: `api/v1/episodes?rule=x`.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Failure> {
        let request = self.request(Method::GET, path)?.query(query);
        let (status, body) = self.send(request)?;
        if !status.is_success() {
            return Err(self.refused(status, &body));
        }
        Ok(serde_json::from_slice(&body)
            .with_context(|| format!("{} is not a Watchbell host", self.name()))?)
    }

    /// Gives a command.
    pub(super) fn post(&self, body: &Body) -> Result<Answer, Failure> {
        let (status, body) = self.send(self.request(Method::POST, "api/v1/commands")?.json(body))?;
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.refused(status, &body)),
        }
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self.base.join(path).context("an address")?;
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => {
                let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {token}"))
                    .context("the token")?;
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            None => request,
        })
    }

    fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Failure> {
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|error| self.unreachable(error))?;
            let status = answer.status();
            Ok((status, body(answer).await?))
        })
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let Some(socket) = &self.socket else {
            return Failure::Faults(anyhow!(error).context(format!("cannot ask {}", self.name())));
        };
        let path = socket.display();
        let message = match io_kind(&error) {
            Some(std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => format!(
                "no host listens on `{path}`: is the host running? (`watchbell run` makes this socket)\n\nhint: name \
                 its socket with `--socket FILE`, or ask over the network with `--host URL --token-file FILE`"
            ),
            Some(std::io::ErrorKind::PermissionDenied) => format!(
                "`{path}` belongs to another user\n\nhint: run this as the user of the host or as root, for example \
                 with `sudo`"
            ),
            _ => {
                return Failure::Faults(
                    anyhow!(error).context(format!("the host at `{path}` does not answer")),
                );
            }
        };
        Failure::Faults(anyhow!(message))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        let what = match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => problem.error,
            Err(_) => format!("{} answers {status}", self.name()),
        };
        Failure::Faults(anyhow!(what))
    }

    fn name(&self) -> String {
        match &self.socket {
            Some(socket) => format!("`{}`", socket.display()),
            None => self.base.to_string(),
        }
    }
}

async fn body(mut answer: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(Failure::Faults(anyhow!("the answer is larger than 32 MiB")));
        }
    }
    Ok(bytes)
}

/// Where the host's socket is.
fn socket(reach: &Reach) -> Result<PathBuf, Failure> {
    match &reach.socket {
        Some(socket) => Ok(socket.clone()),
        None => Ok(socket_and_store(&reach.place, reach.store.as_deref())?.0),
    }
}

/// The host's socket and store, as the environment says; `store` overrides it.
pub(crate) fn socket_and_store(place: &Place, store: Option<&Path>) -> Result<(PathBuf, PathBuf), Failure> {
    // An empty variable counts as unset.
    let name = place.environment.as_str();
    let environment = if name.is_empty() { "default" } else { name };
    let env = |name: &str| std::env::var(name).ok();
    let options = Options { environment, token_overrides: &place.tokens, env: &env, check_secrets: false };
    match (load_environment(&place.rules, &options, &catalog(None)?), store) {
        (Ok(found), store) => {
            let store = store.unwrap_or(&found.store.sqlite).to_owned();
            Ok((Environment::socket_beside(found.socket.as_deref(), &store), store))
        }
        // A bad deployment is no reason to be without commands.
        (Err(_), Some(store)) => Ok((Environment::socket_beside(None, store), store.to_owned())),
        (Err(report), None) => {
            tell(&report);
            note("\nhint: to do without the environment's file, pass `--socket FILE` or `--store FILE`");
            Err(Failure::Told)
        }
    }
}

/// A token is not sent over the network in the clear.
fn address(host: &str) -> anyhow::Result<Url> {
    let mut url = Url::parse(host)
        .with_context(|| format!("`{host}` is not a URL such as `https://bell.example.com`"))?;
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        _ => bail!("`{host}` would carry the token over the network in the clear\n\nhint: use `https://`"),
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn token(path: &Path) -> anyhow::Result<String> {
    let text = watchbell_outside::read_text(path, TOKEN_BYTES_MAX)
        .with_context(|| format!("cannot read the token in `{}`", path.display()))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        bail!("`{}` must hold one token and nothing else", path.display());
    }
    Ok(token.to_owned())
}

fn io_kind(error: &reqwest::Error) -> Option<std::io::ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_token_goes_over_tls_or_stays_on_the_machine() {
        assert_eq!(address("https://bell.example.com/x").unwrap().as_str(), "https://bell.example.com/x/");
        assert!(address("http://127.0.0.1:9310").is_ok() && address("http://[::1]:1").is_ok());
        assert!(address("http://localhost:9310").is_ok());
        for host in ["http://bell.example.com", "http://localhost.example.com", "ftp://127.0.0.1", "bell"] {
            assert!(address(host).is_err(), "{host}");
        }
    }
}
