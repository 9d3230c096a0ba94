//! Who asks, and what they may: the user at the socket, a token, or anybody on the same machine.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use watchbell_manifest::{AccessSpec, OpenPath, Role};
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::spec::{RuleName, RuleSpec};

use super::Sources;
use super::answers::refusal;

/// A shorter secret can be guessed.
const SECRET_CHARS_MIN: usize = 16;

/// What proxies add: whoever asks is not on this machine then.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// `access:` with its secrets, and the rules that it speaks of; replaced with each bundle.
pub(crate) struct Access {
    tokens: Vec<Token>,
    open: BTreeSet<OpenPath>,
    trust_proxy_tls: bool,
    /// The rules in force.
    pub(crate) rules: BTreeMap<RuleName, Arc<RuleSpec>>,
    /// The environment's name, and what it holds back.
    pub(crate) environment: String,
    pub(crate) holds: HoldsSpec,
}

struct Token {
    name: String,
    /// Secrets are compared by their digests, which have one length.
    digest: [u8; 32],
    roles: BTreeSet<Role>,
    owner: Option<String>,
}

/// Where a connection comes from.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// The socket: the name of the Unix user at its other end, who is the host's own or root.
    Socket {
        user: Arc<str>,
    },
    Network(IpAddr),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    name: Name,
    roles: BTreeSet<Role>,
    /// Only rules of this owner.
    pub(super) owner: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    User(Arc<str>),
    Token(String),
    /// Somebody on the same machine, who may only read.
    Nobody,
}

/// What a route asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing, unless the environment says otherwise.
    Open(OpenPath),
    View,
    /// A role that the command decides on.
    Command,
}

impl Access {
    /// # Errors
    /// A secret that cannot be read or is weak; the message names the token.
    pub(crate) fn new(
        spec: &AccessSpec,
        specs: &[Arc<RuleSpec>],
        reveal: impl Fn(&watchbell_manifest::SecretRef) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let mut tokens: Vec<Token> = Vec::new();
        for token in &spec.tokens {
            let secret = reveal(&token.secret).with_context(|| format!("the token `{}`", token.name))?;
            if secret.chars().count() < SECRET_CHARS_MIN {
                bail!(
                    "the secret of the token `{}` is shorter than {SECRET_CHARS_MIN} characters\n\nhint: make one \
                     with `openssl rand -hex 32`",
                    token.name
                );
            }
            if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
                bail!(
                    "the secret of the token `{}` has characters that no header can carry: use letters, digits and \
                     ASCII punctuation",
                    token.name
                );
            }
            let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
            if let Some(twin) = tokens.iter().find(|known| known.digest == digest) {
                bail!("the tokens `{}` and `{}` have the same secret", twin.name, token.name);
            }
            let (name, roles, owner) = (token.name.clone(), token.roles.clone(), token.owner.clone());
            tokens.push(Token { name, digest, roles, owner });
        }
        Ok(Self {
            tokens,
            open: spec.open.clone(),
            trust_proxy_tls: spec.trust_proxy_tls,
            rules: specs.iter().map(|spec| (spec.name.clone(), Arc::clone(spec))).collect(),
            environment: String::new(),
            holds: HoldsSpec::default(),
        })
    }

    /// Of the environment `name`, with what it holds back.
    pub(crate) fn within(self, name: &str, holds: &HoldsSpec) -> Self {
        Self { environment: name.to_owned(), holds: holds.clone(), ..self }
    }

    /// The owner of a rule in force.
    pub(super) fn owner(&self, rule: &RuleName) -> Option<&str> {
        self.rules.get(rule)?.owner.as_deref()
    }

    /// Compares with every token, so that the time tells nothing about which was nearly right.
    fn token(&self, secret: &str) -> Option<&Token> {
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let mut found = None;
        for token in &self.tokens {
            if bool::from(token.digest.ct_eq(&digest)) {
                found = Some(token);
            }
        }
        found
    }
}

impl Identity {
    fn user(name: &Arc<str>) -> Self {
        let roles = BTreeSet::from([Role::View, Role::Ack, Role::Deploy]);
        Self { name: Name::User(Arc::clone(name)), roles, owner: None }
    }

    fn nobody() -> Self {
        Self { name: Name::Nobody, roles: BTreeSet::from([Role::View]), owner: None }
    }

    /// As it is shown and logged. What somebody calls themselves is shown with what is known of them.
    pub(super) fn shown(&self, called: Option<&str>) -> String {
        match (&self.name, called) {
            (Name::User(user), None) => user.to_string(),
            (Name::User(user), Some(called)) if called == &**user => user.to_string(),
            (Name::User(user), Some(called)) => format!("{called} (user {user})"),
            (Name::Token(token), None) => format!("token {token}"),
            (Name::Token(token), Some(called)) => format!("{called} (token {token})"),
            (Name::Nobody, _) => "nobody".into(),
        }
    }

    /// # Errors
    /// The identity lacks the role.
    #[expect(clippy::result_large_err, reason = "an answer, on its way out")]
    pub(super) fn must_have(&self, role: Role) -> Result<(), Response> {
        if self.roles.contains(&role) {
            return Ok(());
        }
        let why = format!("`{}` does not have the role `{}`", self.shown(None), role.name());
        Err(refusal(StatusCode::FORBIDDEN, why))
    }

    /// Whether a rule's doings are its business.
    pub(super) fn may_see(&self, owner: Option<&str>) -> bool {
        self.owner.as_deref().is_none_or(|own| owner == Some(own))
    }
}

/// Lets a request through with the identity of whoever sent it, or answers it.
pub(super) async fn guard(
    State((sources, need)): State<(Sources, Need)>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&sources, need, &request) {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        Err(answer) => answer,
    }
}

#[expect(clippy::result_large_err, reason = "an answer, on its way out")]
fn admit(sources: &Sources, need: Need, request: &Request) -> Result<Identity, Response> {
    let access = sources.access.borrow().clone();
    let headers = request.headers();
    if need == Need::Command {
        from_same_origin(headers)?;
    }
    let peer = match request.extensions().get::<Caller>() {
        Some(Caller::Socket { user }) => return Ok(Identity::user(user)),
        Some(Caller::Network(peer)) => *peer,
        // Every connection says where it comes from.
        None => return Err(refusal(StatusCode::FORBIDDEN, "unknown caller".into())),
    };
    let secret = bearer(headers);
    // A proxy on this machine asks for somebody who is elsewhere.
    let is_local = sources.is_loopback
        && !access.trust_proxy_tls
        && !FORWARDED.iter().any(|name| headers.contains_key(*name));
    match need {
        Need::Open(path) if is_local || access.open.contains(&path) => {
            return Ok(Identity::nobody());
        }
        // A page of another site may have its name lead to this machine; its requests still carry that name.
        Need::View if is_local && secret.is_none() && names_this_machine(headers) => {
            return Ok(Identity::nobody());
        }
        Need::Command if !sources.is_loopback && !access.trust_proxy_tls => {
            let why = "commands over the network need TLS, which this host does not terminate: put a proxy that \
                       does in front of `listen` and set `access: { trust_proxy_tls: true }`, or use the socket";
            return Err(refusal(StatusCode::FORBIDDEN, why.into()));
        }
        Need::Open(_) | Need::View | Need::Command => {}
    }
    let Some(secret) = secret else { return Err(unauthorized("a token is needed")) };
    let address = if access.trust_proxy_tls { forwarded_for(headers).unwrap_or(peer) } else { peer };
    if let Some(wait) = sources.failures.wait(address) {
        let mut answer = refusal(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens".into());
        answer.headers_mut().insert(header::RETRY_AFTER, wait.into());
        return Err(answer);
    }
    let Some(token) = access.token(secret) else {
        sources.failures.note(address);
        return Err(unauthorized("the token is not known"));
    };
    let identity = Identity {
        name: Name::Token(token.name.clone()),
        roles: token.roles.clone(),
        owner: token.owner.clone(),
    };
    match need {
        Need::View => identity.must_have(Role::View)?,
        Need::Open(_) => {
            identity.must_have(Role::View)?;
            if identity.owner.is_some() {
                let why = "this tells about rules of every owner, and the token is limited to one";
                return Err(refusal(StatusCode::FORBIDDEN, why.into()));
            }
        }
        Need::Command => {}
    }
    Ok(identity)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn unauthorized(why: &str) -> Response {
    let mut answer = refusal(StatusCode::UNAUTHORIZED, format!("{why}: send `Authorization: Bearer SECRET`"));
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
    answer
}

/// A page of another site may make a browser send a request; the browser says so.
#[expect(clippy::result_large_err, reason = "an answer, on its way out")]
fn from_same_origin(headers: &HeaderMap) -> Result<(), Response> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site");
    let is_own_site = site.is_none_or(|site| site == "same-origin" || site == "none");
    let is_own_origin = text("origin").is_none_or(|origin| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority
            .is_some_and(|authority| text("host").is_some_and(|host| host.eq_ignore_ascii_case(authority)))
    });
    if is_own_site && is_own_origin {
        return Ok(());
    }
    Err(refusal(StatusCode::FORBIDDEN, "requests from pages of other sites are refused".into()))
}

/// Whether the request was sent to an address or `localhost`, not to a name.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// The address that the trusted proxy adds at the end.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use watchbell_manifest::{SecretRef, TokenSpec};

    use super::*;

    fn headers<const N: usize>(pairs: [(&'static str, &'static str); N]) -> HeaderMap {
        let pairs =
            pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.into_iter().collect()
    }

    fn access(secrets: &[(&str, &str)]) -> anyhow::Result<Access> {
        let token = |(name, secret): &(&str, &str)| TokenSpec {
            name: (*name).into(),
            secret: SecretRef::Env((*secret).into()),
            roles: BTreeSet::from([Role::View]),
            owner: None,
        };
        let spec = AccessSpec { tokens: secrets.iter().map(token).collect(), ..AccessSpec::default() };
        // The name of the variable is its value.
        Access::new(&spec, &[], |secret| match secret {
            SecretRef::Env(name) => Ok(name.clone()),
            _ => bail!("not here"),
        })
    }

    #[test]
    fn a_token_is_found_by_its_secret_alone_and_weak_or_equal_secrets_are_refused() {
        let known = access(&[("ops", "0123456789abcdef"), ("web", "fedcba9876543210")]).unwrap();
        assert_eq!(known.token("fedcba9876543210").unwrap().name, "web");
        assert!(known.token("fedcba987654321").is_none() && known.token("").is_none());
        let fault = |secrets: &[(&str, &str)]| access(secrets).err().unwrap().to_string();
        assert!(fault(&[("ops", "short")]).contains("`ops` is shorter than 16 characters"));
        assert!(fault(&[("ops", "0123456789abcdé-")]).contains("no header can carry"));
        let twins = fault(&[("a", "0123456789abcdef"), ("b", "0123456789abcdef")]);
        assert_eq!(twins, "the tokens `a` and `b` have the same secret");
    }

    #[test]
    fn a_browser_on_another_site_is_refused() {
        assert!(from_same_origin(&headers([("host", "bell:9310")])).is_ok());
        assert!(from_same_origin(&headers([("sec-fetch-site", "same-origin")])).is_ok());
        assert!(from_same_origin(&headers([("host", "bell"), ("origin", "https://BELL")])).is_ok());
        for site in ["cross-site", "same-site", "odd"] {
            assert!(from_same_origin(&headers([("sec-fetch-site", site)])).is_err(), "{site}");
        }
        for origin in ["null", "https://evil.example", "https://bell.evil.example", "bell"] {
            assert!(from_same_origin(&headers([("host", "bell"), ("origin", origin)])).is_err(), "{origin}");
        }
    }

    #[test]
    fn only_an_address_or_localhost_is_this_machine() {
        for host in ["127.0.0.1:9310", "[::1]:9310", "localhost", "LocalHost:1", "10.0.0.1"] {
            assert!(names_this_machine(&headers([("host", host)])), "{host}");
        }
        for host in ["evil.example:9310", "localhost.evil.example", ""] {
            assert!(!names_this_machine(&headers([("host", host)])), "{host}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }

    #[test]
    fn the_last_address_is_the_proxys_and_what_people_call_themselves_comes_with_what_is_known() {
        let many = headers([("x-forwarded-for", "1.2.3.4, 10.0.0.7")]);
        assert_eq!(forwarded_for(&many), Some(IpAddr::from([10, 0, 0, 7])));
        assert_eq!(forwarded_for(&headers([("x-forwarded-for", "unknown")])), None);
        let ann = Identity::user(&"ann".into());
        assert_eq!(ann.shown(None), "ann");
        assert_eq!(ann.shown(Some("bob")), "bob (user ann)");
        let token = Identity { name: Name::Token("ops".into()), ..Identity::nobody() };
        assert_eq!(token.shown(Some("ann")), "ann (token ops)");
        assert!(token.must_have(Role::Ack).is_err() && token.must_have(Role::View).is_ok());
    }
}
