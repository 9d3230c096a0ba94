//! `watchbell preview`: what the destinations of a rule would get.
use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use watchbell_contract::{Cause as Reason, Intent};
use watchbell_manifest::{BoundRule, Bundle, load_tests};
use watchbell_store::Sqlite;

use super::place::{catalog, tell};
use super::{Colour, Failure, Place, json, paint, plain, print};
use crate::preview::{self, Previewed, PreviewedRequest, Source};

const HELP: &str =
    "The message is that of the rule's first test that sends one; without such a test, it is made up.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Preview {
    /// The rule's name.
    pub rule: String,
    /// Only what this destination would get, whether or not the rule names it.
    #[arg(long, value_name = "DESTINATION")]
    pub to: Option<String>,
    /// Why the message is sent.
    #[arg(long, value_enum, default_value_t = Cause::Opened)]
    pub cause: Cause,
    #[command(flatten)]
    pub place: Place,
    /// The store to look for a message in; by default the environment's, if it is there.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Cause {
    Opened,
    Worse,
    Repeat,
    Escalated,
    Acknowledged,
    Resolved,
    Event,
    Was,
    Summary,
    Test,
}

pub(crate) fn preview(args: &Preview) -> Result<(), Failure> {
    let catalog = catalog(None)?;
    let bundle = args.place.load_to_ask(&catalog)?;
    let name = bundle.environment.name.clone();
    let bundle = BTreeMap::from([(name.clone(), bundle)]);
    let loaded = &bundle[&name];
    let rule = loaded.rule(&args.rule).ok_or_else(|| {
        let known: Vec<&str> = loaded.rules.iter().map(|rule| rule.spec.name.0.as_str()).collect();
        anyhow!("no rule `{}` in environment `{name}`\n\nhint: there are {}", args.rule, known.join(", "))
    })?;
    let to = args.to.clone().map_or_else(|| preview::destinations(loaded, rule), |to| vec![to]);
    if to.is_empty() {
        let why = anyhow!("rule `{}` names no destination\n\nhint: choose one with `--to`", args.rule);
        return Err(why.into());
    }
    let tests = load_tests(&args.place.rules).map_err(|report| {
        tell(&report);
        Failure::Told
    })?;
    let (source, message) = match newest(args, loaded, rule)? {
        Some(message) => (Source::Store, message),
        None => preview::message(&bundle, rule, &tests, &catalog)?,
    };
    let message = preview::because(args.cause.into(), message);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let previewed = runtime.block_on(async {
        let mut previewed = Vec::new();
        for name in &to {
            previewed.push(preview::preview(loaded, rule, name, &message, &catalog).await?);
        }
        anyhow::Ok(previewed)
    })?;
    if args.json {
        let messages: Vec<Value> = previewed.iter().map(Previewed::json).collect();
        let (source, test) = source.json();
        json(&json!({ "rule": args.rule, "source": source, "test": test, "messages": messages }))?;
    } else {
        let from = match &source {
            Source::Store => "its newest message in the store".to_owned(),
            Source::Test { name, place } => format!("from the test `{name}` ({place})"),
            Source::MadeUp => "made up: the rule has no test in which it sends anything".to_owned(),
        };
        print(&format!("rule `{}`, {}", plain(&args.rule), plain(&from)))?;
        for one in &previewed {
            print(&text(one))?;
        }
    }
    let is_well = |one: &Previewed| one.refused.is_none() && one.faults.is_empty();
    if previewed.iter().all(is_well) { Ok(()) } else { Err(Failure::Told) }
}

/// The rule's newest message in the store, if there is one. A store that nobody has named may be missing.
fn newest(args: &Preview, bundle: &Bundle, rule: &BoundRule) -> Result<Option<Intent>, Failure> {
    let path = args.store.as_ref().unwrap_or(&bundle.environment.store.sqlite);
    let read = || anyhow::Ok(preview::newest(&Sqlite::open_reader(path)?, rule)?);
    match read() {
        Ok(message) => Ok(message),
        Err(_) if args.store.is_none() => Ok(None),
        Err(error) => Err(Failure::Store(error)),
    }
}

fn text(one: &Previewed) -> String {
    let heading = format!("{} ({})", plain(&one.destination), plain(&one.alerter.to_string()));
    let mut lines =
        vec![String::new(), paint(&heading, Colour::Bold), format!("  title: {}", plain(&one.title))];
    lines.push("  body:".to_owned());
    lines.extend(one.body.lines().map(|line| format!("    {}", plain(line))));
    for fault in &one.faults {
        lines.push(format!("  {} the rule's {}", paint("error:", Colour::Red), plain(fault)));
    }
    if let Some(why) = &one.refused {
        lines.push(format!("  {} nothing would be sent: {}", paint("error:", Colour::Red), plain(why)));
    }
    for request in &one.requests {
        lines.push(format!("  {} {}", request.method, plain(&request.url)));
        let auth = request.auth.as_ref().map(|auth| format!("    (auth: {})", plain(auth)));
        lines.extend(auth);
        let headers = request.headers.iter();
        lines.extend(headers.map(|(name, value)| format!("    {}: {}", plain(name), plain(value))));
        lines.extend(request.readable_body().lines().map(|line| format!("    {}", plain(line))));
    }
    lines.join("\n")
}

impl Source {
    /// What kind it is, and the test's name.
    fn json(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Store => ("store", None),
            Self::Test { name, .. } => ("test", Some(name)),
            Self::MadeUp => ("made_up", None),
        }
    }
}

impl Previewed {
    fn json(&self) -> Value {
        json!({
            "destination": self.destination, "product": self.alerter.product, "module": preview::module(&self.alerter),
            "title": self.title, "body": self.body, "faults": self.faults, "refused": self.refused,
            "requests": self.requests.iter().map(PreviewedRequest::json).collect::<Vec<_>>(),
        })
    }
}

impl PreviewedRequest {
    fn json(&self) -> Value {
        let headers: BTreeMap<&String, &String> =
            self.headers.iter().map(|(name, value)| (name, value)).collect();
        json!({
            "method": self.method, "url": self.url, "auth": self.auth, "headers": headers, "body": self.body,
        })
    }

    fn readable_body(&self) -> String {
        let json: Option<Value> = serde_json::from_str(&self.body).ok();
        json.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_else(|| self.body.clone())
    }
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Opened => Self::Opened,
            Cause::Worse => Self::Worse,
            Cause::Repeat => Self::Repeat,
            Cause::Escalated => Self::Escalated,
            Cause::Acknowledged => Self::Acknowledged,
            Cause::Resolved => Self::Resolved,
            Cause::Event => Self::Event,
            Cause::Was => Self::Was,
            Cause::Summary => Self::Summary,
            Cause::Test => Self::Test,
        }
    }
}
