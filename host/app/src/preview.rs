//! What the destinations of a rule would get, without sending it and without any secret.
use std::collections::BTreeMap;

use anyhow::{Context, Result};
use watchbell_contract::{AlertText, Cause, Intent, Receipt};
use watchbell_manifest::{
    AlerterRef, Auth, BoundRule, Bundle, DestinationSpec, Endpoint, Environment, ExecEndpoint, HttpEndpoint,
    MailEndpoint, Mailbox, SecretOr, SecretRef, TestFile,
};
use watchbell_pipeline::record::IntentRecord;
use watchbell_sandbox as sandbox;
use watchbell_sandbox::{Draft, Secret};
use watchbell_store::{IntentFilter, Read, StoreError};

use crate::catalog::Catalog;
use crate::native::Console;
use crate::testing::suite;
use crate::{bind, chain, destinations, endpoint, sample};

/// A message as one destination would get it.
pub(crate) struct Previewed {
    pub(crate) destination: String,
    pub(crate) alerter: AlerterRef,
    pub(crate) title: String,
    pub(crate) body: String,
    /// What is wrong with the rule's texts.
    pub(crate) faults: Vec<String>,
    pub(crate) requests: Vec<PreviewedRequest>,
    /// Why the alerter would send nothing.
    pub(crate) refused: Option<String>,
}

pub(crate) struct PreviewedRequest {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// How the host would authenticate, with the names of secrets alone.
    pub(crate) auth: Option<String>,
}

/// Where a previewed message comes from.
pub(crate) enum Source {
    /// The newest message in the store.
    Store,
    Test {
        name: String,
        place: String,
    },
    MadeUp,
}

/// Stands for every secret.
const PLACEHOLDER: &str = "placeholder-of-a-secret";
/// Stands for an address that is a secret.
const ADDRESS: &str = "https://address.invalid";

/// The newest message of the rule in the store.
///
/// # Errors
/// What the store cannot read.
pub(crate) fn newest(reader: &dyn Read, rule: &BoundRule) -> Result<Option<Intent>, StoreError> {
    let filter = IntentFilter { rule: Some(rule.spec.name.clone()), rows_max: 1, ..IntentFilter::default() };
    Ok(reader.intents(&filter)?.first().map(IntentRecord::intent))
}

/// A message of the rule: the first of its tests that sends one, else a made-up one.
pub(crate) fn message(
    bundle: &BTreeMap<String, Bundle>,
    rule: &BoundRule,
    tests: &[TestFile],
    catalog: &Catalog,
) -> Result<(Source, Intent)> {
    let (environment, bundle_of_rule) = bundle.first_key_value().context("one environment")?;
    let mut jobs = suite::jobs(tests, Some(environment), None);
    jobs.retain(|job| job.file.rule == rule.spec.name.0);
    for outcome in suite::run(&jobs, bundle, catalog, &|_| {})? {
        let opens = |message: &&Intent| matches!(message.cause, Cause::Opened | Cause::Event);
        let first = outcome.messages.iter().find(opens).or(outcome.messages.first());
        if let Some(message) = first {
            let source = Source::Test { name: outcome.name.clone(), place: outcome.place() };
            return Ok((source, message.clone()));
        }
    }
    Ok((Source::MadeUp, sample::of_rule(bundle_of_rule, rule)))
}

/// The destinations that a message of the rule may reach, each once, in the order of its steps.
pub(crate) fn destinations(bundle: &Bundle, rule: &BoundRule) -> Vec<String> {
    bundle.environment.reached(&rule.spec.alert).into_iter().map(|name| name.0).collect()
}

/// `message` as it would be sent because of `cause`.
pub(crate) fn because(cause: Cause, message: Intent) -> Intent {
    let previous = match cause {
        Cause::Worse | Cause::Repeat | Cause::Escalated | Cause::Acknowledged | Cause::Resolved => {
            // As a product's reference may look; some have two parts.
            Some(Receipt { reference: Some("channel/first-message".into()) })
        }
        Cause::Opened | Cause::Event | Cause::Was | Cause::Summary | Cause::Test => None,
    };
    let person = (cause == Cause::Acknowledged).then(|| "ann".to_owned());
    Intent { cause, previous, person, recorded: Vec::new(), ..message }
}

/// `message` as the destination `name` would get it.
///
/// # Errors
/// The destination or its alerter is not known, or its settings can never work.
pub(crate) async fn preview(
    bundle: &Bundle,
    rule: &BoundRule,
    name: &str,
    message: &Intent,
    catalog: &Catalog,
) -> Result<Previewed> {
    let spec = bundle.environment.destinations.get(name).with_context(|| {
        let known: Vec<&str> = bundle.environment.destinations.keys().map(String::as_str).collect();
        format!("no destination `{name}`\n\nhint: there are {}", known.join(", "))
    })?;
    let (message, faults) = worded(rule, message, spec.outbox.text, catalog)?;
    let (requests, refused) = drafted(spec, &bundle.environment, &message, catalog).await?;
    Ok(Previewed {
        destination: name.to_owned(),
        alerter: spec.alerter.clone(),
        title: message.title,
        body: message.body,
        faults,
        requests,
        refused,
    })
}

/// The message with the rule's texts, as the destination wants them, and what is wrong with these.
fn worded(
    rule: &BoundRule,
    message: &Intent,
    wants: AlertText,
    catalog: &Catalog,
) -> Result<(Intent, Vec<String>)> {
    let alert = &rule.spec.alert;
    let job = sample::job(&alert.title, &alert.body, message, &[], wants).with_macros(alert.macros.clone());
    let rendered = catalog.texts()?.render(&job)?;
    let faults = rendered.faults.iter().map(|found| format!("{}: {}", found.part.as_str(), found.fault));
    let faults = faults.collect();
    Ok((Intent { title: rendered.text.title, body: rendered.text.body, ..message.clone() }, faults))
}

async fn drafted(
    spec: &DestinationSpec,
    environment: &Environment,
    message: &Intent,
    catalog: &Catalog,
) -> Result<(Vec<PreviewedRequest>, Option<String>)> {
    let http = match &spec.endpoint {
        Endpoint::Http(http) => http,
        Endpoint::Exec(exec) => return Ok((vec![started(exec, message)], None)),
        Endpoint::Stdout => return Ok((vec![written(spec, message)], None)),
        // A mail is what its title and body are; to whom it goes is the destination's.
        Endpoint::Mail(mail) => return Ok((vec![mailed(mail, message)], None)),
    };
    let address = match &http.url {
        SecretOr::Plain(url) => url.clone(),
        SecretOr::Secret(_) => ADDRESS.to_owned(),
    };
    let stand_in = HttpEndpoint { url: SecretOr::Plain(address), ..http.clone() };
    let settings = endpoint::settings(&stand_in, &|_: &SecretRef| Ok(Secret::new(PLACEHOLDER)))?;
    let (destination, drafts) = sandbox::Destination::drafting(settings)?;
    let params = spec.params.to_string();
    let module = bind::alerter(&spec.alerter, catalog)?;
    let limits = bind::alerter_limits(&spec.alerter, environment);
    let delivery = module.deliver(&spec.alerter.product, &params, message, &destination, &limits).await;
    let requests: Vec<PreviewedRequest> = drafts.take().into_iter().map(|draft| shown(http, draft)).collect();
    let refused = match delivery.outcome {
        Err(fault) => Some(chain(&fault)),
        // What an alerter makes of the stand-in's answers says nothing.
        Ok(Err(refusal)) if requests.is_empty() => Some(destinations::told(&refusal).1.to_owned()),
        Ok(_) => None,
    };
    Ok((requests, refused))
}

fn shown(http: &HttpEndpoint, draft: Draft) -> PreviewedRequest {
    let base = match &http.url {
        SecretOr::Plain(url) => url.trim_end_matches('/').to_owned(),
        SecretOr::Secret(secret) => format!("<{secret}>"),
    };
    // The credential is told once, by the name of its secret.
    let headers = draft.headers.into_iter().filter(|(_, value)| value != "[redacted]").collect();
    PreviewedRequest {
        method: draft.method,
        url: format!("{base}{}", draft.below),
        headers,
        body: draft.body,
        auth: auth(&http.auth),
    }
}

fn mailed(mail: &MailEndpoint, message: &Intent) -> PreviewedRequest {
    let list =
        |mailboxes: &[Mailbox]| mailboxes.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(", ");
    let headers = [
        ("From", mail.from.to_string()),
        ("To", list(&mail.to)),
        ("Cc", list(&mail.cc)),
        ("Bcc", list(&mail.bcc)),
        ("Reply-To", list(&mail.reply_to)),
    ];
    PreviewedRequest {
        method: "SMTP".to_owned(),
        url: format!("{}:{}", mail.host, mail.port),
        headers: headers
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        body: message.body.clone(),
        auth: mail_auth(mail),
    }
}

/// The program's command, its variables without the values of secrets, and its input.
fn started(exec: &ExecEndpoint, message: &Intent) -> PreviewedRequest {
    let shown = |(name, value): &(String, SecretOr<String>)| match value {
        SecretOr::Plain(plain) => (name.clone(), plain.clone()),
        SecretOr::Secret(secret) => (name.clone(), format!("<{secret}>")),
    };
    let words = std::iter::once(exec.program.display().to_string()).chain(exec.arguments.iter().cloned());
    PreviewedRequest {
        method: "EXEC".to_owned(),
        url: words.collect::<Vec<_>>().join(" "),
        headers: exec.variables.iter().map(shown).collect(),
        body: watchbell_program::json(message),
        auth: None,
    }
}

fn written(spec: &DestinationSpec, message: &Intent) -> PreviewedRequest {
    PreviewedRequest {
        method: "STDOUT".to_owned(),
        url: String::new(),
        headers: Vec::new(),
        body: Console::new(&spec.params).text(message),
        auth: None,
    }
}

/// The module of an alerter that is not built in, for programs.
pub(crate) fn module(alerter: &AlerterRef) -> Option<String> {
    alerter.builtin().is_none().then(|| alerter.module.to_string())
}

/// How the host authenticates to a mail server, with the name of the secret alone.
pub(crate) fn mail_auth(mail: &MailEndpoint) -> Option<String> {
    mail.credentials.as_ref().map(|(username, password)| format!("basic {username}, {password}"))
}

/// How the host authenticates, with the names of secrets alone.
pub(crate) fn auth(auth: &Auth) -> Option<String> {
    Some(match auth {
        Auth::None => return None,
        Auth::Bearer(token) => format!("bearer {token}"),
        Auth::Basic { username, password } => format!("basic {username}, {password}"),
        Auth::Header { name, value } => format!("header {name}, {value}"),
        Auth::Query { name, value } => format!("query {name}, {value}"),
        Auth::Body { pointer, value } => format!("body {pointer}, {value}"),
        Auth::Hmac { header, secret, .. } => format!("hmac in {header}, {secret}"),
        Auth::SigV4 { region, service, secret_access_key, .. } => {
            format!("sigv4 for {service} in {region}, {secret_access_key}")
        }
    })
}
