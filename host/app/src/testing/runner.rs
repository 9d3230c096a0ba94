//! Runs tests, one after the other, on an embedded node and a virtual host.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use watchbell_contract::Timestamp;
use watchbell_elastic::{Cluster, ClusterConfig};
use watchbell_manifest::{Bundle, Test, TestFault};
use watchbell_node::{Config, InjectedFault, Node};
use watchbell_pipeline::spec::RuleName;

use super::compare::{self, Observed};
use super::documents::{self, Arrival};
use super::outcome::{Claim, Outcome, Verdict};
use super::virtual_host::{VirtualDeployment, VirtualHost};
use crate::bind::LiveRule;
use crate::catalog::Catalog;
use crate::clock;
use crate::texts::Texts;

/// How many lines of the trace a failure shows.
const TRACE_LINES_MAX: usize = 60;

/// What one worker runs tests on: an embedded node and a client, reused for every test.
pub(super) struct Runner {
    node: Node,
    clock: Arc<AtomicI64>,
    cluster: Cluster,
    http: reqwest::Client,
}

/// The indices of one test.
struct Indices<'a> {
    test: &'a Test,
    time_field: &'a str,
    /// Those that exist.
    made: BTreeSet<String>,
}

/// What happens at an instant, in this order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Fault(Option<FaultKind>),
    Destination(String, bool),
    Restart,
    Arrive(usize),
    Point(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FaultKind {
    Refuse(u16),
    Partial,
    Unassigned(u32),
}

impl Runner {
    pub(super) async fn open() -> Result<Self> {
        let clock = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&clock);
        let config = Config { clock: Arc::new(move || told.load(Ordering::Relaxed)), ..Config::default() };
        let node = Node::start(([127, 0, 0, 1], 0).into(), config).await.context("the embedded node")?;
        let mut config = ClusterConfig::new("test", vec![node.url().parse()?]);
        // Injected faults fail at once, to be retried in virtual time.
        config.retry_max = 0;
        Ok(Self { node, clock, cluster: Cluster::new(config)?, http: reqwest::Client::new() })
    }

    /// Runs `test` in the environment of `bundle`.
    pub(super) async fn run(
        &self,
        file: &Path,
        rule: &str,
        test: &Test,
        environment: &str,
        bundle: &Bundle,
        catalog: &Catalog,
    ) -> Outcome {
        let began = clock::monotonic();
        let mut outcome = Outcome {
            file: file.to_path_buf(),
            line: test.place.line,
            rule: rule.to_owned(),
            name: test.name.clone(),
            environment: environment.to_owned(),
            claim: Claim::of(test),
            took: Default::default(),
            verdict: Verdict::Passed,
            trace: Vec::new(),
            warnings: Vec::new(),
            messages: Vec::new(),
            points: Vec::new(),
        };
        if let Err(error) = self.play(rule, test, bundle, catalog, &mut outcome).await {
            outcome.verdict = Verdict::Broken(crate::chain(error.as_ref()));
        }
        outcome.took = began.elapsed().into();
        outcome
    }

    async fn play(
        &self,
        rule: &str,
        test: &Test,
        bundle: &Bundle,
        catalog: &Catalog,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let rule = bundle.rule(rule).with_context(|| format!("no rule `{rule}`"))?;
        let index = match &test.index {
            Some(index) => index.clone(),
            None => usual_index(&rule.target.indices)?,
        };
        self.node.clear();
        // Every test has its own mapping; within a test, mappings are cached as long as in production.
        self.cluster.forget_mappings();
        self.node.inject_fault(None);
        self.clock.store(test.start.0, Ordering::Relaxed);
        let arrivals =
            documents::arrivals(test, &index, &rule.target.time_field).map_err(anyhow::Error::msg)?;
        let mut indices = Indices { test, time_field: &rule.target.time_field, made: BTreeSet::new() };
        // An index that the rule reaches by a pattern is created with its first document, as in a rollover.
        let is_named = |index: &&str| rule.target.indices.iter().any(|name| name == index);
        let named = arrivals.iter().map(|arrival| arrival.index.as_str()).filter(is_named);
        self.create(&mut indices, named.chain([index.as_str()])).await?;
        let bound = LiveRule::new(rule, &bundle.environment, catalog, self.cluster.clone())?;
        let deployment = VirtualDeployment {
            digest: bundle.digest.clone(),
            environment: bundle.environment.name.clone(),
            specs: vec![Arc::new(rule.spec.clone())],
            destinations: bundle.outbox(),
            holds: bundle.environment.holds.clone(),
            texts: Texts::new(catalog.texts()?),
            rules: BTreeMap::from([(RuleName(rule.spec.name.0.clone()), Arc::new(bound))]),
        };
        // What existed before the host did.
        let before = arrivals.iter().take_while(|arrival| arrival.at <= test.start).count();
        self.index(&arrivals[..before], &mut indices).await?;
        let mut host = VirtualHost::open(deployment, test.start, Arc::clone(&self.clock))?;
        let outcome_of = self.through(&mut indices, &arrivals, before, &mut host, outcome).await;
        let lines = host.trace.0.iter().filter_map(|entry| entry.line(test.start));
        let mut lines: Vec<String> = lines.collect();
        if lines.len() > TRACE_LINES_MAX {
            let more = lines.len() - TRACE_LINES_MAX;
            lines.truncate(TRACE_LINES_MAX);
            lines.push(format!("           … and {more} more"));
        }
        outcome.trace = lines;
        outcome.messages = host.trace.first_messages();
        // A test without documents says nothing about fields.
        if !arrivals.is_empty() {
            outcome.warnings = host.warnings();
        }
        outcome_of
    }

    async fn through(
        &self,
        indices: &mut Indices<'_>,
        arrivals: &[Arrival],
        before: usize,
        host: &mut VirtualHost,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let test = indices.test;
        let mut steps = steps(test, arrivals, before);
        steps.sort();
        let mut discrepancies = Vec::new();
        let (mut told, mut gaps) = (0, 0);
        let mut steps = steps.into_iter().peekable();
        while let Some((at, step)) = steps.next() {
            host.advance(at, false).await?;
            match step {
                Step::Arrive(first) => {
                    let mut end = first + 1;
                    while steps.next_if(|(next, step)| *next == at && *step == Step::Arrive(end)).is_some() {
                        end += 1;
                    }
                    self.index(&arrivals[first..end], indices).await?;
                }
                Step::Fault(kind) => self.node.inject_fault(kind.map(|kind| match kind {
                    FaultKind::Refuse(status) => InjectedFault::Refuse(status),
                    FaultKind::Partial => InjectedFault::PartialShards,
                    FaultKind::Unassigned(shards) => InjectedFault::Unassigned(shards),
                })),
                Step::Destination(name, down) => host.set_down(&name, down),
                Step::Restart => {
                    self.cluster.forget_mappings();
                    host.restart()?;
                }
                Step::Point(number) => {
                    host.advance(at, true).await?;
                    let point = &test.expect[number];
                    let observed =
                        compare::observed(&host.trace.0[told..], host, host.gaps() - gaps, test.start);
                    (told, gaps) = (host.trace.0.len(), host.gaps());
                    discrepancies.extend(compare::at_point(point, &observed));
                    outcome.points.push((point.place.line, observed));
                }
            }
        }
        host.advance(test.start + test.until, true).await?;
        let all: Observed = compare::observed(&host.trace.0, host, host.gaps(), test.start);
        discrepancies.extend(compare::over_all(test, &all));
        if !discrepancies.is_empty() {
            outcome.verdict = Verdict::Differs(discrepancies);
        }
        Ok(())
    }

    /// Creates those of `names` that do not exist yet.
    async fn create(&self, indices: &mut Indices<'_>, names: impl Iterator<Item = &str>) -> Result<()> {
        for index in names {
            if !indices.made.insert(index.to_owned()) {
                continue;
            }
            let body = json!({ "mappings": { "properties": indices.properties(index) } });
            let url = format!("{}/{index}", self.node.url());
            let answer = self.http.put(url).json(&body).send().await?;
            if !answer.status().is_success() {
                bail!("cannot create the index `{index}`: {}", reason(&answer.json().await?));
            }
        }
        Ok(())
    }

    async fn index(&self, arrivals: &[Arrival], indices: &mut Indices<'_>) -> Result<()> {
        if arrivals.is_empty() {
            return Ok(());
        }
        self.create(indices, arrivals.iter().map(|arrival| arrival.index.as_str())).await?;
        let mut body = String::new();
        for arrival in arrivals {
            body.push_str(&json!({ "index": { "_index": arrival.index } }).to_string());
            body.push('\n');
            body.push_str(&arrival.source);
            body.push('\n');
        }
        let url = format!("{}/_bulk?refresh=true", self.node.url());
        let request = self.http.post(url).header("content-type", "application/x-ndjson").body(body);
        let answer: Value = request.send().await?.json().await?;
        let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
        match items.iter().find(|item| item.pointer("/index/error").is_some()) {
            Some(item) => bail!("a document does not fit the mapping: {}", reason(&item["index"])),
            None if answer.get("error").is_some() => bail!("documents were rejected: {}", reason(&answer)),
            None => Ok(()),
        }
    }
}

impl Indices<'_> {
    fn properties(&self, index: &str) -> Map<String, Value> {
        let own = self.test.mappings.get(index).or(self.test.mapping.as_ref());
        let mut properties = own.and_then(Value::as_object).cloned().unwrap_or_default();
        // An index without documents would lack the field, which no index of logs does.
        if !self.time_field.contains('.') {
            properties.entry(self.time_field).or_insert_with(|| json!({ "type": "date" }));
        }
        properties
    }
}

fn steps(test: &Test, arrivals: &[Arrival], before: usize) -> Vec<(Timestamp, Step)> {
    let mut steps = Vec::new();
    let end = test.start + test.until;
    for (number, arrival) in arrivals.iter().enumerate().skip(before).filter(|(_, arrival)| arrival.at <= end)
    {
        steps.push((arrival.at, Step::Arrive(number)));
    }
    for fault in &test.faults {
        match fault {
            TestFault::Restart { at } => steps.push((test.start + *at, Step::Restart)),
            TestFault::Search { from, to, status } => {
                steps.push((test.start + *from, Step::Fault(Some(FaultKind::Refuse(*status)))));
                steps.push((test.start + *to, Step::Fault(None)));
            }
            TestFault::PartialShards { from, to } => {
                steps.push((test.start + *from, Step::Fault(Some(FaultKind::Partial))));
                steps.push((test.start + *to, Step::Fault(None)));
            }
            TestFault::Unassigned { from, to, shards } => {
                steps.push((test.start + *from, Step::Fault(Some(FaultKind::Unassigned(*shards)))));
                steps.push((test.start + *to, Step::Fault(None)));
            }
            TestFault::Destination { from, to, name } => {
                steps.push((test.start + *from, Step::Destination(name.clone(), true)));
                steps.push((test.start + *to, Step::Destination(name.clone(), false)));
            }
        }
    }
    for (number, point) in test.expect.iter().enumerate() {
        steps.push((test.start + point.at, Step::Point(number)));
    }
    steps
}

/// The default index of a test's documents.
fn usual_index(indices: &[String]) -> Result<String> {
    let first = indices.iter().find(|index| !index.starts_with('-')).map_or("", String::as_str);
    if first.is_empty() || first.contains(['<', '>', ',', ':']) {
        bail!("the rule's index is `{first}`: set `index:` to the index that its documents go to");
    }
    Ok(first.replace('*', "test"))
}

fn reason(answer: &Value) -> String {
    let error: &Map<String, Value> = match answer.get("error").and_then(Value::as_object) {
        Some(error) => error,
        None => return answer.to_string(),
    };
    let own = error.get("reason").and_then(Value::as_str).unwrap_or_default();
    let cause = error.get("caused_by").and_then(|cause| cause.get("reason")).and_then(Value::as_str);
    match cause {
        Some(cause) => format!("{own}: {cause}"),
        None => own.to_owned(),
    }
}
