//! A node and a stage, one test after the other.
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

use super::documents::{self, Arrival};
use super::judge::{self, Passed};
use super::outcome::{Claim, Outcome, Verdict};
use super::stage::{Cast, Stage};
use crate::bind::Bound;
use crate::catalog::Catalog;
use crate::clock;

/// Lines of what happened that a failure shows.
const STORY_MAX: usize = 60;

/// What one worker plays on: an embedded node and a client, used again for every test.
pub(super) struct Theatre {
    node: Node,
    clock: Arc<AtomicI64>,
    cluster: Cluster,
    http: reqwest::Client,
}

/// The indices of one test.
struct Indices<'a> {
    test: &'a Test,
    time_field: &'a str,
    /// Those that are there.
    made: BTreeSet<String>,
}

/// What happens to the world at an instant, in the order in which it does.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Trouble(Option<TroubleKind>),
    Destination(String, bool),
    Restart,
    Arrive(usize),
    Point(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TroubleKind {
    Refuse(u16),
    Partial,
    Unassigned(u32),
}

impl Theatre {
    pub(super) async fn open() -> Result<Self> {
        let clock = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&clock);
        let config = Config { clock: Arc::new(move || told.load(Ordering::Relaxed)), ..Config::default() };
        let node = Node::start(([127, 0, 0, 1], 0).into(), config).await.context("the embedded node")?;
        let mut config = ClusterConfig::new("test", vec![node.url().parse()?]);
        // What fails on purpose fails at once, to be tried again in virtual time.
        config.retry_max = 0;
        Ok(Self { node, clock, cluster: Cluster::new(config)?, http: reqwest::Client::new() })
    }

    /// Plays `test` in the environment of `bundle`.
    pub(super) async fn perform(
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
            story: Vec::new(),
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
        let rule = bundle.rule(rule).with_context(|| format!("there is no rule `{rule}`"))?;
        let index = match &test.index {
            Some(index) => index.clone(),
            None => usual_index(&rule.target.indices)?,
        };
        self.node.clear();
        // Every test has another mapping; within one, mappings are kept as long as they are in production.
        self.cluster.forget_mappings();
        self.node.inject_fault(None);
        self.clock.store(test.start.0, Ordering::Relaxed);
        let arrivals =
            documents::arrivals(test, &index, &rule.target.time_field).map_err(anyhow::Error::msg)?;
        let mut indices = Indices { test, time_field: &rule.target.time_field, made: BTreeSet::new() };
        // One that the rule reaches by a pattern comes with its first document, as by a rollover.
        let is_named = |index: &&str| rule.target.indices.iter().any(|name| name == index);
        let named = arrivals.iter().map(|arrival| arrival.index.as_str()).filter(is_named);
        self.create(&mut indices, named.chain([index.as_str()])).await?;
        let bound = Bound::new(rule, &bundle.environment, catalog, self.cluster.clone())?;
        let cast = Cast {
            digest: bundle.digest.clone(),
            environment: bundle.environment.name.clone(),
            specs: vec![rule.spec.clone()],
            destinations: bundle.outbox(),
            rules: BTreeMap::from([(RuleName(rule.spec.name.0.clone()), Arc::new(bound))]),
        };
        // What was there before the host was.
        let before = arrivals.iter().take_while(|arrival| arrival.at <= test.start).count();
        self.index(&arrivals[..before], &mut indices).await?;
        let mut stage = Stage::open(cast, test.start, Arc::clone(&self.clock))?;
        let outcome_of = self.through(&mut indices, &arrivals, before, &mut stage, outcome).await;
        let lines = stage.story.0.iter().filter_map(|sighting| sighting.line(test.start));
        let mut lines: Vec<String> = lines.collect();
        if lines.len() > STORY_MAX {
            let more = lines.len() - STORY_MAX;
            lines.truncate(STORY_MAX);
            lines.push(format!("           … and {more} more"));
        }
        outcome.story = lines;
        outcome_of
    }

    async fn through(
        &self,
        indices: &mut Indices<'_>,
        arrivals: &[Arrival],
        before: usize,
        stage: &mut Stage,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let test = indices.test;
        let mut turns = turns(test, arrivals, before);
        turns.sort();
        let mut discrepancies = Vec::new();
        let (mut told, mut gaps) = (0, 0);
        let mut turns = turns.into_iter().peekable();
        while let Some((at, turn)) = turns.next() {
            stage.advance(at, false).await?;
            match turn {
                Turn::Arrive(first) => {
                    let mut end = first + 1;
                    while turns.next_if(|(next, turn)| *next == at && *turn == Turn::Arrive(end)).is_some() {
                        end += 1;
                    }
                    self.index(&arrivals[first..end], indices).await?;
                }
                Turn::Trouble(kind) => self.node.inject_fault(kind.map(|kind| match kind {
                    TroubleKind::Refuse(status) => InjectedFault::Refuse(status),
                    TroubleKind::Partial => InjectedFault::PartialShards,
                    TroubleKind::Unassigned(shards) => InjectedFault::Unassigned(shards),
                })),
                Turn::Destination(name, down) => stage.set_down(&name, down),
                Turn::Restart => {
                    self.cluster.forget_mappings();
                    stage.restart()?;
                }
                Turn::Point(number) => {
                    stage.advance(at, true).await?;
                    let point = &test.expect[number];
                    let passed =
                        judge::passed(&stage.story.0[told..], stage, stage.gaps() - gaps, test.start);
                    (told, gaps) = (stage.story.0.len(), stage.gaps());
                    discrepancies.extend(judge::at_point(point, &passed));
                    outcome.points.push((point.place.line, passed));
                }
            }
        }
        stage.advance(test.start + test.until, true).await?;
        let all: Passed = judge::passed(&stage.story.0, stage, stage.gaps(), test.start);
        discrepancies.extend(judge::over_all(test, &all));
        if !discrepancies.is_empty() {
            outcome.verdict = Verdict::Differs(discrepancies);
        }
        Ok(())
    }

    /// Makes those of `names` that are not there yet.
    async fn create(&self, indices: &mut Indices<'_>, names: impl Iterator<Item = &str>) -> Result<()> {
        for index in names {
            if !indices.made.insert(index.to_owned()) {
                continue;
            }
            let body = json!({ "mappings": { "properties": indices.properties(index) } });
            let url = format!("{}/{index}", self.node.url());
            let answer = self.http.put(url).json(&body).send().await?;
            if !answer.status().is_success() {
                bail!("the index `{index}` cannot be made: {}", reason(&answer.json().await?));
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
            None if answer.get("error").is_some() => bail!("documents were refused: {}", reason(&answer)),
            None => Ok(()),
        }
    }
}

impl Indices<'_> {
    fn properties(&self, index: &str) -> Map<String, Value> {
        let own = self.test.mappings.get(index).or(self.test.mapping.as_ref());
        let mut properties = own.and_then(Value::as_object).cloned().unwrap_or_default();
        // An index without documents would lack it, as no index of logs does.
        if !self.time_field.contains('.') {
            properties.entry(self.time_field).or_insert_with(|| json!({ "type": "date" }));
        }
        properties
    }
}

fn turns(test: &Test, arrivals: &[Arrival], before: usize) -> Vec<(Timestamp, Turn)> {
    let mut turns = Vec::new();
    let end = test.start + test.until;
    for (number, arrival) in arrivals.iter().enumerate().skip(before).filter(|(_, arrival)| arrival.at <= end)
    {
        turns.push((arrival.at, Turn::Arrive(number)));
    }
    for fault in &test.faults {
        match fault {
            TestFault::Restart { at } => turns.push((test.start + *at, Turn::Restart)),
            TestFault::Search { from, to, status } => {
                turns.push((test.start + *from, Turn::Trouble(Some(TroubleKind::Refuse(*status)))));
                turns.push((test.start + *to, Turn::Trouble(None)));
            }
            TestFault::PartialShards { from, to } => {
                turns.push((test.start + *from, Turn::Trouble(Some(TroubleKind::Partial))));
                turns.push((test.start + *to, Turn::Trouble(None)));
            }
            TestFault::Unassigned { from, to, shards } => {
                turns.push((test.start + *from, Turn::Trouble(Some(TroubleKind::Unassigned(*shards)))));
                turns.push((test.start + *to, Turn::Trouble(None)));
            }
            TestFault::Destination { from, to, name } => {
                turns.push((test.start + *from, Turn::Destination(name.clone(), true)));
                turns.push((test.start + *to, Turn::Destination(name.clone(), false)));
            }
        }
    }
    for (number, point) in test.expect.iter().enumerate() {
        turns.push((test.start + point.at, Turn::Point(number)));
    }
    turns
}

/// Where a test's documents go if it does not say.
fn usual_index(indices: &[String]) -> Result<String> {
    let first = indices.iter().find(|index| !index.starts_with('-')).map_or("", String::as_str);
    if first.is_empty() || first.contains(['<', '>', ',', ':']) {
        bail!("the rule's index is `{first}`: say with `index:` which index its documents go to");
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
