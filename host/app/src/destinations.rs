//! The destinations of an environment: which there are, and whether a message arrives.
use anyhow::{Context, Result};
use serde_json::{Value, json};
use url::Url;
use watchbell_contract::{Duration, Receipt, Refusal};
use watchbell_manifest::{AlerterRef, Bundle, DestinationSpec, Endpoint, SecretOr};
use watchbell_pipeline::spec::DestinationName;

use crate::bind;
use crate::catalog::Catalog;
use crate::clock;
use crate::deliver::deliver;
use crate::metrics::Metrics;
use crate::preview::{self, auth};
use crate::sample;

/// A destination as people see it, without its secrets.
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) alerter: AlerterRef,
    /// Its host, its program, or the name of the secret that contains its address.
    pub(crate) address: String,
    /// How the host authenticates; `None`: not at all, or by the address.
    pub(crate) auth: Option<String>,
    /// The rules whose messages may reach it.
    pub(crate) rules: Vec<String>,
}

/// What came of a test.
pub(crate) struct Tried {
    pub(crate) outcome: Result<Receipt, Refusal>,
    pub(crate) took: Duration,
}

/// All of them, by name.
pub(crate) fn list(bundle: &Bundle) -> Vec<Listed> {
    let listed = |(name, spec): (&String, &DestinationSpec)| {
        let (address, auth) = match &spec.endpoint {
            Endpoint::Http(http) => {
                let address = match &http.url {
                    SecretOr::Plain(url) => host(url),
                    SecretOr::Secret(secret) => secret.to_string(),
                };
                (address, auth(&http.auth))
            }
            Endpoint::Mail(mail) => (format!("{}:{}", mail.host, mail.port), preview::mail_auth(mail)),
            Endpoint::Exec(exec) => (exec.program.display().to_string(), None),
            Endpoint::Stdout => ("-".to_owned(), None),
        };
        let reaches = bundle.rules.iter().filter(|rule| preview::destinations(bundle, rule).contains(name));
        Listed {
            name: name.clone(),
            alerter: spec.alerter.clone(),
            address,
            auth,
            rules: reaches.map(|rule| rule.spec.name.0.clone()).collect(),
        }
    };
    bundle.environment.destinations.iter().map(listed).collect()
}

/// What stands after the host may be a credential, whatever the manifest says.
fn host(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    parsed.and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_else(|| "?".to_owned())
}

/// Sends one message to the destination `name`, once, as the host would.
///
/// # Errors
/// The destination is not known, or a secret of it is missing.
pub(crate) async fn test(bundle: &Bundle, name: &str, catalog: &Catalog) -> Result<Tried> {
    let spec = bundle.environment.destinations.get(name).with_context(|| {
        let known: Vec<&str> = bundle.environment.destinations.keys().map(String::as_str).collect();
        format!("no destination `{name}`\n\nhint: there are {}", known.join(", "))
    })?;
    let destination = bind::destination(spec, &bundle.environment, catalog)
        .with_context(|| format!("destination `{name}`"))?;
    let now = clock::wall();
    let message = sample::of_destination(bundle, name, format!("test-{name}-{}", now.0), now);
    let began = clock::monotonic();
    let name = DestinationName(name.to_owned());
    let (outcome, _) = deliver(&message, &name, &destination, &Metrics::default()).await;
    Ok(Tried { outcome, took: began.elapsed().into() })
}

impl Listed {
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name, "product": self.alerter.product, "module": preview::module(&self.alerter),
            "address": self.address, "auth": self.auth, "rules": self.rules,
        })
    }
}

impl Tried {
    pub(crate) fn is_delivered(&self) -> bool {
        self.outcome.is_ok()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        let (outcome, reference, reason, retry_after) = match &self.outcome {
            Ok(receipt) => ("delivered", receipt.reference.as_deref(), None, None),
            Err(refusal) => {
                let (outcome, reason, retry_after) = told(refusal);
                (outcome, None, Some(reason), retry_after)
            }
        };
        json!({
            "destination": name, "outcome": outcome, "reference": reference, "reason": reason,
            "retry_after_ms": retry_after.map(Duration::millis), "took_ms": self.took.millis(),
        })
    }
}

/// What an attempt is called that did not deliver, why it did not, and when the receiver wants another.
pub(crate) fn told(refusal: &Refusal) -> (&'static str, &str, Option<Duration>) {
    match refusal {
        Refusal::Refused(reason) => ("refused", reason, None),
        Refusal::Unavailable { reason, retry_after } => ("unavailable", reason, *retry_after),
        Refusal::Unanswered { reason, retry_after } => ("unanswered", reason, *retry_after),
    }
}
