//! How a destination receives messages. Each kind has its own keys besides those that all destinations share, and a
//! schema for them. A product's alerter says which kind it uses.
mod exec; // a program on the host's machine
mod http; // an HTTP receiver
mod mail; // a mail server and its recipients

pub use exec::ExecEndpoint;
pub use http::{Auth, Grants, HttpEndpoint, Method};
pub use mail::{MailEndpoint, MailGrants, MailTls};

use serde_json::Value;

use crate::secret::SecretRef;

/// Where a destination's messages go.
#[derive(Clone, Debug, PartialEq)]
pub enum Endpoint {
    Http(HttpEndpoint),
    Mail(MailEndpoint),
    Exec(ExecEndpoint),
    /// The host's standard output.
    Stdout,
}

/// How a product receives messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    Http,
    Mail,
    Exec,
    Stdout,
}

impl EndpointKind {
    /// All kinds.
    pub(crate) const ALL: &[Self] = &[Self::Http, Self::Mail, Self::Exec, Self::Stdout];

    /// The keys that are specific to destinations of this kind, as a JSON Schema that refers to the environment's
    /// definitions.
    pub(crate) fn keys(self) -> Value {
        let text = match self {
            Self::Http => include_str!("../schema/endpoint/http.json"),
            Self::Mail => include_str!("../schema/endpoint/mail.json"),
            Self::Exec => include_str!("../schema/endpoint/exec.json"),
            Self::Stdout => include_str!("../schema/endpoint/stdout.json"),
        };
        serde_json::from_str(text).expect("a shipped schema is JSON")
    }
}

impl Endpoint {
    /// Every secret that it references, with the key that references it.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match self {
            Self::Http(http) => http.secrets(),
            Self::Mail(mail) => mail.secrets(),
            Self::Exec(exec) => exec.secrets(),
            Self::Stdout => Vec::new(),
        }
    }
}
