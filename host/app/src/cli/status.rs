use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde::de::DeserializeOwned;
use serde_json::Value;
use watchbell_manifest::{Bundle, Environment};
use watchbell_store::{Reader, Sqlite};
use watchbell_view::{CauseView, RuleView, Status, Time, VERSION};

use super::args::Status as Args;
use super::place::{catalog, tell};
use super::{Colour, Failure, json, note, paint, plain, print};
use crate::{clock, stored};

/// A host answers at once; this is for one that hangs.
const ANSWER_MAX: std::time::Duration = std::time::Duration::from_secs(3);

pub(crate) fn status(args: &Args) -> Result<(), Failure> {
    let known = HostOrStore::find(args)?;
    let status = match known.ask::<Status>("status")? {
        Answer::Given(status) => status,
        Answer::Missing => return Err(Failure::Faults(anyhow!("the host does not know `/status`"))),
        Answer::Silent => {
            let rule = |rule: &watchbell_manifest::BoundRule| (rule.spec.name.clone(), rule.spec.enabled);
            let named = known.bundle.as_ref().map(|bundle| bundle.rules.iter().map(rule).collect());
            stored::status(&known.reader()?, args.place.environment.clone(), named, clock::wall())?
        }
    };
    if args.json { json(&status) } else { print(&table(&status)) }
}

pub(super) enum Answer<T> {
    Given(T),
    /// A host answers, and does not have it.
    Missing,
    /// No host answers.
    Silent,
}

/// Where answers come from: a host's socket or address, and its store.
pub(super) struct HostOrStore {
    /// `None`: the manifests have faults, as they may have after a bad deployment, while the host still runs.
    pub(super) bundle: Option<Bundle>,
    /// Asked first: it needs no token.
    socket: Option<PathBuf>,
    listen: Option<SocketAddr>,
    store: Option<PathBuf>,
}

impl HostOrStore {
    /// From the manifests, or without them where the call itself says whom to ask.
    pub(super) fn find(args: &Args) -> Result<Self, Failure> {
        match args.place.load_as(&args.place.environment, &catalog(None)?, false) {
            Ok(bundle) => {
                let store = &bundle.environment.store.sqlite;
                let socket = Environment::socket_beside(bundle.environment.socket.as_deref(), store);
                Ok(Self {
                    // What the call itself names comes first.
                    socket: (args.listen.is_none() && args.store.is_none()).then_some(socket),
                    listen: args.listen.or(bundle.environment.listen),
                    store: Some(args.store.clone().unwrap_or_else(|| store.clone())),
                    bundle: Some(bundle),
                })
            }
            Err(_) if args.listen.is_some() || args.store.is_some() => {
                note("the manifests have errors (see `watchbell check`); continuing without them");
                Ok(Self { bundle: None, socket: None, listen: args.listen, store: args.store.clone() })
            }
            Err(report) => {
                tell(&report);
                note("\nhint: to do without manifests, pass `--listen ADDRESS` or `--store FILE`");
                Err(Failure::Told)
            }
        }
    }

    /// Asks the running host.
    pub(super) fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Failure> {
        let builder = || reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            if let Some(socket) = &self.socket {
                let client = builder().unix_socket(socket.as_path()).build()?;
                match ask(&client, &format!("http://localhost/{path}")).await? {
                    Answer::Silent => {}
                    answer => return Ok(answer),
                }
            }
            match self.listen {
                Some(address) => ask(&builder().build()?, &format!("http://{address}/{path}")).await,
                None => Ok(Answer::Silent),
            }
        })
    }

    pub(super) fn reader(&self) -> Result<Reader, Failure> {
        let Some(path) = &self.store else {
            return Err(Failure::Faults(anyhow!(
                "no host answers, and no store is named\n\nhint: name it with `--store FILE`"
            )));
        };
        Sqlite::open_reader(path).map_err(|error| Failure::Store(error.into()))
    }
}

async fn ask<T: DeserializeOwned>(client: &reqwest::Client, url: &str) -> Result<Answer<T>, Failure> {
    let Ok(response) = client.get(url).send().await else { return Ok(Answer::Silent) };
    match response.status() {
        status if status.is_success() => {}
        reqwest::StatusCode::NOT_FOUND => return Ok(Answer::Missing),
        reqwest::StatusCode::UNAUTHORIZED => {
            return Err(Failure::Faults(anyhow!(
                "{url} needs a token\n\nhint: ask on the host's own machine, where its socket needs none"
            )));
        }
        status => {
            let said = response.json::<Value>().await.ok();
            let why = said.as_ref().and_then(|said| said["error"].as_str()).map(plain);
            let why = why.unwrap_or_else(|| format!("{url} answers {status}"));
            return Err(Failure::Faults(anyhow!("{why}")));
        }
    }
    let answer: Value = response.json().await.with_context(|| format!("{url} is not a Watchbell host"))?;
    Ok(Answer::Given(read(url, answer)?))
}

/// What a host answered, if it is of this program's version of the read model.
fn read<T: DeserializeOwned>(url: &str, answer: Value) -> anyhow::Result<T> {
    match answer["version"].as_u64() {
        Some(version) if version != u64::from(VERSION) => Err(anyhow!(
            "{url} answers in version {version}, and this program reads version {VERSION}\n\nhint: ask with the \
             program that the host runs"
        )),
        _ => serde_json::from_value(answer).with_context(|| format!("{url} is not a Watchbell host")),
    }
}

fn table(status: &Status) -> String {
    let mut text = format!(
        "environment {}, host {}, bundle {}, {} deliveries owed\n",
        plain(&status.environment),
        plain(status.host.as_deref().unwrap_or("none")),
        plain(status.bundle.as_deref().map_or("none", |digest| digest.get(..12).unwrap_or(digest))),
        status.owed,
    );
    for (what, health) in [("alive", &status.alive), ("ready", &status.ready)] {
        for CauseView { message, .. } in &health.causes {
            text.push_str(&format!(
                "{} {}\n",
                paint(&format!("not {what}:"), Colour::Yellow),
                plain(message)
            ));
        }
    }
    for CauseView { message, .. } in &status.ready.warnings {
        text.push_str(&format!("{} {}\n", paint("warning:", Colour::Yellow), plain(message)));
    }
    let width = status.rules.iter().map(|rule| plain(&rule.name).len()).max().unwrap_or(4).max(4);
    let header = format!(
        "{:width$}  {:8}  {:20}  {:>8}  {:20}  {:>4}  last error",
        "rule", "state", "evaluated until", "age", "next due", "open"
    );
    text.push_str(&format!("\n{}\n", paint(&header, Colour::Bold)));
    for rule in &status.rules {
        let state = match rule {
            rule if !rule.enabled => "disabled",
            rule if rule.failures_in_a_row > 0 => "failing",
            rule if rule.priming.is_some() => "priming",
            rule if rule.running => "running",
            _ => "waiting",
        };
        let word = format!("{state:8}");
        text.push_str(&format!(
            "{:width$}  {}  {:20}  {:>8}  {:20}  {:>4}  {}\n",
            plain(&rule.name),
            if state == "failing" { paint(&word, Colour::Red) } else { word },
            short(rule.evaluated_until),
            age(rule),
            short(rule.next_due),
            rule.open_episodes,
            plain(rule.last_error.as_deref().unwrap_or("-")),
        ));
    }
    text
}

/// To the second: nobody reads milliseconds at night.
pub(super) fn short(at: Option<Time>) -> String {
    let Some(at) = at else { return "-".into() };
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

fn age(rule: &RuleView) -> String {
    let Some(age) = rule.window_age_seconds else { return "-".into() };
    watchbell_contract::Duration::from_secs(age.max(0.0) as u64).to_string()
}
