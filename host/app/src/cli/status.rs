use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use serde::de::DeserializeOwned;
use watchbell_contract::Timestamp;
use watchbell_manifest::Bundle;
use watchbell_pipeline::health::{Cause, CauseKind};
use watchbell_pipeline::record::RuleRecord;
use watchbell_pipeline::spec::RuleName;
use watchbell_store::{EpisodeFilter, IntentFilter, IntentPhase, Read, Reader, Sqlite};

use super::args::Status;
use super::place::{catalog, tell};
use super::{BOLD, Failure, RED, YELLOW, paint, print};
use crate::clock::{self, rfc3339};
use crate::view::{CauseView, Health, LastRun, RuleView, View};

/// A host answers at once; this is for one that hangs.
const ANSWER_MAX: std::time::Duration = std::time::Duration::from_secs(3);

pub(crate) fn status(args: &Status) -> Result<(), Failure> {
    let source = Source::find(args)?;
    let view = match source.ask::<View>("status")? {
        Answer::Given(view) => view,
        Answer::Missing => return Err(Failure::Faults(anyhow::anyhow!("the host does not know `/status`"))),
        Answer::Silent => from_store(args, &source)?,
    };
    if args.json { print(&serde_json::to_string_pretty(&view)?) } else { print(&table(&view)) }
}

pub(super) enum Answer<T> {
    Given(T),
    /// A host answers, and does not have it.
    Missing,
    /// No host answers.
    Silent,
}

/// Where answers come from: a host's address and its store.
pub(super) struct Source {
    /// `None`: the manifests have faults, as they may have after a bad deployment, while the host still runs.
    pub(super) bundle: Option<Bundle>,
    listen: Option<SocketAddr>,
    store: Option<PathBuf>,
}

impl Source {
    /// From the manifests, or without them where the call itself says whom to ask.
    pub(super) fn find(args: &Status) -> Result<Self, Failure> {
        match args.place.load_as(&args.place.environment, &catalog(None)?, false) {
            Ok(bundle) => Ok(Self {
                listen: args.listen.or(bundle.environment.listen),
                store: Some(args.store.clone().unwrap_or_else(|| bundle.environment.store.sqlite.clone())),
                bundle: Some(bundle),
            }),
            Err(_) if args.listen.is_some() || args.store.is_some() => {
                eprintln!("the manifests have faults, which `watchbell check` tells: asking without them");
                Ok(Self { bundle: None, listen: args.listen, store: args.store.clone() })
            }
            Err(report) => {
                tell(&report);
                eprintln!("\nhint: `--listen ADDRESS` or `--store FILE` asks without the manifests");
                Err(Failure::Told)
            }
        }
    }

    /// Asks the running host.
    pub(super) fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Failure> {
        let Some(address) = self.listen else { return Ok(Answer::Silent) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?;
            let url = format!("http://{address}/{path}");
            let Ok(response) = client.get(&url).send().await else { return Ok(Answer::Silent) };
            match response.status() {
                status if status.is_success() => {}
                reqwest::StatusCode::NOT_FOUND => return Ok(Answer::Missing),
                status => return Err(Failure::Faults(anyhow::anyhow!("{url} answers {status}"))),
            }
            let answer = response.json().await.with_context(|| format!("{url} is not a watchbell host"))?;
            Ok(Answer::Given(answer))
        })
    }

    pub(super) fn reader(&self) -> Result<Reader, Failure> {
        let Some(path) = &self.store else {
            return Err(Failure::Faults(anyhow::anyhow!(
                "no host answers, and no store is named\n\nhint: name it with `--store FILE`"
            )));
        };
        Sqlite::open_reader(path).map_err(|error| Failure::Store(error.into()))
    }
}

/// What the store knows while no host runs.
fn from_store(args: &Status, source: &Source) -> Result<View, Failure> {
    let reader = source.reader()?;
    let now = clock::wall();
    let head = reader.heads()?.into_iter().next();
    let records = reader.rules()?;
    let named: Vec<(RuleName, bool)> = match &source.bundle {
        Some(bundle) => bundle.rules.iter().map(|rule| (rule.spec.name.clone(), rule.spec.enabled)).collect(),
        None => {
            records.iter().map(|view| (view.record.rule.clone(), view.record.off_since.is_none())).collect()
        }
    };
    let mut rules = Vec::new();
    for (name, enabled) in &named {
        let record = records.iter().find(|view| view.record.rule == *name).map(|view| &view.record);
        let filter = EpisodeFilter { rule: Some(name.clone()), ..EpisodeFilter::default() };
        let open = reader.episodes(&filter)?.len() as u64;
        rules.push(rule_view(name, *enabled, record, open, now));
    }
    let owed = IntentFilter { phase: Some(IntentPhase::Open), ..IntentFilter::default() };
    let silent =
        Health::of(&[Cause::new(CauseKind::Silent, "no host answers: this is what the store holds")]);
    Ok(View {
        environment: args.place.environment.clone(),
        host: head.as_ref().map(|head| head.owner.0.clone()).unwrap_or_default(),
        at: rfc3339(now),
        bundle: head.and_then(|head| head.bundle),
        generation: 0,
        rules,
        owed: reader.intents(&owed)?.len() as u64,
        clock_drift_seconds: 0.0,
        alive: silent.clone(),
        ready: silent,
    })
}

pub(super) fn rule_view(
    name: &RuleName,
    enabled: bool,
    record: Option<&RuleRecord>,
    open_episodes: u64,
    now: Timestamp,
) -> RuleView {
    let failure = record.and_then(|record| record.failure.as_ref());
    RuleView {
        name: name.0.clone(),
        enabled,
        evaluated_until: record.map(|record| rfc3339(record.cursor)),
        window_age_seconds: record.map_or(0.0, |record| now.since(record.cursor).secs_f64()),
        priming: record.and_then(|record| record.priming.as_ref()).map(|priming| rfc3339(priming.reached)),
        last_error: failure.map(|failure| failure.message.clone()),
        failures_in_a_row: failure.map_or(0, |failure| failure.streak),
        open_episodes,
        last_run: record.and_then(|record| record.last_run.as_ref()).map(|run| LastRun {
            window_start: rfc3339(run.window.start),
            window_end: rfc3339(run.window.end),
            rows: run.rows,
            signals: run.signals,
            took_ms: run.took.millis(),
            ended_at: rfc3339(run.ended_at),
        }),
        ..RuleView::default()
    }
}

fn table(view: &View) -> String {
    let out = std::io::stdout();
    let mut text = format!(
        "environment {}, host {}, bundle {}, {} deliveries owed\n",
        view.environment,
        if view.host.is_empty() { "none" } else { &view.host },
        view.bundle.as_deref().map_or("none", |digest| digest.get(..12).unwrap_or(digest)),
        view.owed,
    );
    for (what, health) in [("alive", &view.alive), ("ready", &view.ready)] {
        for CauseView { message, .. } in &health.causes {
            text.push_str(&format!("{} {message}\n", paint(&format!("not {what}:"), YELLOW, &out)));
        }
    }
    let width = view.rules.iter().map(|rule| rule.name.len()).max().unwrap_or(4).max(4);
    let header = format!(
        "{:width$}  {:8}  {:20}  {:>8}  {:20}  {:>4}  last error",
        "rule", "state", "evaluated until", "age", "next due", "open"
    );
    text.push_str(&format!("\n{}\n", paint(&header, BOLD, &out)));
    for rule in &view.rules {
        let state = match rule {
            rule if !rule.enabled => "disabled",
            rule if rule.priming.is_some() => "priming",
            rule if rule.failures_in_a_row > 0 => "failing",
            rule if rule.running => "running",
            _ => "waiting",
        };
        let colour = if state == "failing" { RED } else { "0" };
        text.push_str(&format!(
            "{:width$}  {}  {:20}  {:>8}  {:20}  {:>4}  {}\n",
            rule.name,
            paint(&format!("{state:8}"), colour, &out),
            short(rule.evaluated_until.as_deref()),
            age(rule),
            short(rule.next_due.as_deref()),
            rule.open_episodes,
            rule.last_error.as_deref().unwrap_or("-"),
        ));
    }
    text
}

/// To the second: nobody reads milliseconds at night.
fn short(at: Option<&str>) -> String {
    let Some(at) = at else { return "-".into() };
    match at.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => at.to_owned(),
    }
}

fn age(rule: &RuleView) -> String {
    if rule.evaluated_until.is_none() {
        return "-".into();
    }
    watchbell_contract::Duration::from_secs(rule.window_age_seconds.max(0.0) as u64).to_string()
}
