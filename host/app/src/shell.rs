//! The shell: the only `select!`. It carries out the coordinator's actions and reports what happened.
mod reload; // reads the manifests again

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;
use watchbell_contract::{Duration, Receipt, Refusal, Timestamp};
use watchbell_elastic::Cluster;
use watchbell_pipeline::Coordinator;
use watchbell_pipeline::action::{Action, Note, Run};
use watchbell_pipeline::fault::{RunFault, RunFaultKind};
use watchbell_pipeline::health::Progress;
use watchbell_pipeline::input::{Evaluation, Input, Persisted};
use watchbell_pipeline::record::{BundleRef, Epoch, IntentId};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_view::{HostState, Update};

use crate::acknowledge::Links;
use crate::bind::{Deployment, LiveRule};
use crate::clock::{Clock, DRIFT_MAX};
use crate::clocks::{self, Clocks};
use crate::commands::Commands;
use crate::deliver::deliver;
use crate::evaluate::evaluate;
use crate::evidence;
use crate::failpoint::{self, Step};
use crate::metrics::Metrics;
use crate::observer::Pulse;
use crate::recording::{self, Recorder, RecordingStore};
use crate::shell_event::ShellEvent;
use crate::store_writer::{StoreRequest, StoreWriter};
use crate::texts::Texts;
use crate::web::Access;

use reload::Reading;

/// After being told to stop, runs and deliveries in progress get this long. Including the store's last commit, the host
/// ends within ten seconds.
pub const DRAIN_MAX: Duration = Duration::from_secs(7);
/// How often the shell wakes up without any event, mainly to check the wall clock.
const IDLE_MAX: Duration = Duration::from_secs(1);
/// Changes are published at most this often.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// Reads the manifests again, on a thread that may block. `None`: they have errors, which were reported.
pub type Reload = Arc<dyn Fn() -> Option<Deployment> + Send + Sync>;

/// What an operator requests of a running host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCommand {
    Stop,
    Reload,
}

/// How a host ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As requested, with nothing left in progress.
    Drained,
    /// As requested, but this many runs and deliveries were still in progress.
    Abandoned(usize),
    /// Another host took over.
    Superseded(String),
}

/// What a shell is made of.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) coordinator: Coordinator,
    /// The bundle in the store.
    pub(crate) bundle: Option<BundleRef>,
    pub(crate) deployment: Deployment,
    pub(crate) links: Links,
    pub(crate) store_writer: StoreWriter,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) updates: mpsc::UnboundedSender<Update>,
    pub(crate) events: mpsc::UnboundedSender<ShellEvent>,
    pub(crate) inbox: mpsc::UnboundedReceiver<ShellEvent>,
    pub(crate) commands: mpsc::Receiver<HostCommand>,
    /// Those who gave commands to the coordinator.
    pub(crate) people: Commands,
    /// Who may ask and command the host.
    pub(crate) access: watch::Sender<Arc<Access>>,
    pub(crate) reload: Reload,
    /// A bundle is accepted even if more than half of the rules would end.
    pub(crate) allow_shrink: bool,
    /// Windows are evaluated even if a cluster's clock disagrees.
    pub(crate) accept_clock: bool,
    /// The host's name.
    pub(crate) host: String,
}

pub(crate) struct Shell {
    pub(crate) clock: Clock,
    pub(crate) coordinator: Coordinator,
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) links: Links,
    pub(crate) store_writer: StoreWriter,
    texts: Texts,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: mpsc::UnboundedSender<ShellEvent>,
    pub(crate) inbox: mpsc::UnboundedReceiver<ShellEvent>,
    pub(crate) commands: mpsc::Receiver<HostCommand>,
    people: Commands,
    access: watch::Sender<Arc<Access>>,
    /// The limits that the coordinator was started with, per cluster.
    concurrency: Arc<BTreeMap<String, usize>>,
    pulse: Arc<Pulse>,
    updates: mpsc::UnboundedSender<Update>,
    published_at: Option<Timestamp>,
    /// Rules whose episodes or messages changed, or were decided on, since then.
    unexplained: BTreeSet<RuleName>,
    /// Whether a change should be published at once: another bundle, another clock.
    is_news: bool,
    reload: Reload,
    reading: Reading,
    allow_shrink: bool,
    pub(crate) host: String,
    pub(crate) generation: u64,
    /// Limits how many rules may compute at once.
    guests: Arc<Semaphore>,
    /// Runs ordered while a clock disagrees.
    held: Vec<Run>,
    pub(crate) clocks: Clocks,
    /// Tasks that ask the clusters for their time.
    comparing: Vec<AbortHandle>,
    /// Nothing is owned until the clocks have been compared.
    has_begun: bool,
    /// Why ownership was lost last.
    lost: Option<String>,
    /// First the bundle that the store held when this host started, then the one in force.
    bundle: Option<BundleRef>,
    /// The number of runs and deliveries in progress.
    under_way: usize,
    pub(crate) progress: Progress,
    /// Why the store refuses commits, if it does.
    store_fault: Option<Arc<str>>,
}

impl Shell {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            clock,
            coordinator,
            bundle,
            deployment,
            links,
            store_writer,
            metrics,
            pulse,
            updates,
            events,
            inbox,
            commands,
            people,
            access,
            reload,
            allow_shrink,
            accept_clock,
            host,
        } = parts;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let progress = Progress::starting(clock.now());
        let concurrency = Arc::new(deployment.cluster_concurrency.clone());
        let texts = Texts::new(deployment.texts.clone());
        Self {
            clock,
            coordinator,
            deployment: Arc::new(deployment),
            links,
            store_writer,
            texts,
            metrics,
            events,
            inbox,
            commands,
            people,
            access,
            concurrency,
            pulse,
            updates,
            published_at: None,
            unexplained: BTreeSet::new(),
            is_news: false,
            reload,
            reading: Reading::No,
            allow_shrink,
            clocks: Clocks::new(host.clone(), accept_clock),
            comparing: Vec::new(),
            has_begun: false,
            host,
            generation: 0,
            guests: Arc::new(Semaphore::new(cores)),
            held: Vec::new(),
            lost: None,
            bundle,
            under_way: 0,
            progress,
            store_fault: None,
        }
    }

    /// Runs until told to stop, and returns how it ended.
    pub(crate) async fn run(mut self) -> End {
        self.compare_clocks();
        let mut stopping = None;
        loop {
            if !self.has_begun && stopping.is_none() && self.clocks.let_begin() {
                self.has_begun = true;
                self.put_in_force();
            }
            self.release_held();
            while let Some(action) = self.coordinator.poll_action() {
                self.start(action);
            }
            self.publish();
            // Continue with the rest as long as this host owns anything.
            if self.coordinator.owned().next().is_none()
                && let Some(why) = self.lost.take()
            {
                return End::Superseded(why);
            }
            if let Some(since) = stopping {
                if self.coordinator.is_drained() {
                    return End::Drained;
                }
                if self.clock.now().since(since) >= DRAIN_MAX {
                    return End::Abandoned(self.under_way);
                }
            }
            let pause = self.pause(stopping.map(|since| since + DRAIN_MAX));
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => match command {
                    HostCommand::Reload if stopping.is_some() => {}
                    HostCommand::Reload => self.start_reload(),
                    HostCommand::Stop if stopping.is_some() => return End::Abandoned(self.under_way),
                    HostCommand::Stop => {
                        stopping = Some(self.clock.now());
                        self.handle(Input::Drain);
                    }
                },
                Some(event) = self.inbox.recv() => match event {
                    ShellEvent::Input(input) => self.handle(input),
                    ShellEvent::Store(fault) => self.store_changed(fault),
                    ShellEvent::Reloaded(_) if stopping.is_some() => {}
                    ShellEvent::Reloaded(deployment) => self.reloaded(deployment),
                    ShellEvent::Compared(cluster, comparison) => {
                        self.clocks.take(&cluster, comparison);
                        self.is_news = true;
                    }
                },
                () = pause => if self.has_begun || stopping.is_some() {
                    self.handle(Input::Tick);
                },
            }
        }
    }

    /// What is no longer committed is not sent either: a claim is a commit.
    fn store_changed(&mut self, fault: Option<String>) {
        match &fault {
            Some(_) => self.progress.store_lost(self.clock.now()),
            None => self.progress.store_restored(),
        }
        self.store_fault = fault.map(Into::into);
        self.is_news = true;
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        match &input {
            Input::Evaluated { .. } | Input::Delivered { .. } => self.under_way -= 1,
            Input::Persisted { outcome, .. } => {
                self.progress.commit_ended(now, *outcome != Persisted::Unknown);
            }
            _ => {}
        }
        let step = match &input {
            Input::Evaluated { .. } => Some(Step::Evaluated),
            Input::Persisted { outcome: Persisted::Written { .. }, .. } => Some(Step::Acknowledged),
            Input::Delivered { .. } => Some(Step::Answered),
            _ => None,
        };
        self.coordinator.handle(now, input);
        step.into_iter().for_each(failpoint::reach);
    }

    fn start(&mut self, action: Action) {
        match action {
            Action::Evaluate(run) if self.is_held(&run) => self.held.push(run),
            Action::Evaluate(run) => self.start_run(run),
            Action::Persist(commit) => {
                self.progress.commit_began(self.clock.now());
                if let Some(part) = &commit.notifier {
                    let episodes = part.episodes.iter().map(|episode| &episode.rule);
                    let intents = part.intents.iter().map(|intent| &intent.message.rule);
                    self.unexplained.extend(episodes.chain(intents).cloned());
                }
                self.store_writer.ask(StoreRequest::Commit(commit));
            }
            Action::ReadTransitions(after) => {
                self.store_writer.ask(StoreRequest::ReadTransitions(after));
            }
            Action::RetakeNotifier { seen } => {
                self.store_writer.ask(StoreRequest::RetakeNotifier(seen));
            }
            Action::Render { order, epoch, job } => {
                let (texts, events) = (self.texts.clone(), self.events.clone());
                tokio::spawn(async move {
                    let outcome = texts.render(*job).await;
                    let _ = events.send(ShellEvent::Input(Input::Rendered { order, epoch, outcome }));
                });
            }
            Action::Deliver { id, epoch, destination, mut intent, acknowledges } => {
                intent.acknowledge_link = acknowledges
                    .and_then(|episode| self.links.link(&intent, &episode, &destination, self.clock.now()));
                self.start_delivery((id, epoch), destination, *intent);
            }
            Action::Note(note) => self.note(note),
        }
    }

    fn start_run(&mut self, run: Run) {
        self.under_way += 1;
        let events = self.events.clone();
        let Some(rule) = self.deployment.rules.get(&run.rule).cloned() else {
            let message = format!("rule `{}` is not in the bundle in force", run.rule);
            let fault = RunFault::new(RunFaultKind::Outside, message);
            let _ = events.send(ShellEvent::Input(Input::Evaluated { run: run.id, outcome: Err(fault) }));
            return;
        };
        let (guests, metrics) = (Arc::clone(&self.guests), Arc::clone(&self.metrics));
        let (recordings, environment) =
            (RecordingStore::beside(&self.deployment.store), self.deployment.environment.clone());
        tokio::spawn(async move {
            let began = crate::clock::monotonic();
            let rows = AtomicU64::new(0);
            let mut recorder = Recorder::default();
            let mut outcome = evaluate(&run, &rule, &guests, &rows, &mut recorder).await;
            if let Ok(evaluation) = &mut outcome {
                // Other runs may query the cluster while this one fetches documents for messages.
                let _ = events.send(ShellEvent::Input(Input::Judged { run: run.id }));
                evidence::gather(&run, &rule, evaluation).await;
            }
            let (outcome, recorded) = record(recordings, &run, &rule, environment, recorder, outcome).await;
            let (name, took) = (&run.rule.0, began.elapsed());
            metrics.run_ended(name, outcome_name(&outcome), took);
            if let Some(id) = recorded {
                tracing::info!(rule = name, recorded = id, "replay this run with `watchbell replay`");
            }
            crate::event_log::run_ended(&run, &outcome, rows.load(Ordering::Relaxed), took.into());
            match &outcome {
                Ok(done) => metrics.evaluated(name, done.rows, done.finding.signals.len() as u64),
                Err(fault) if fault.kind.is_the_rules_own() => metrics.sandbox_fault(name),
                Err(_) => {}
            }
            // The shell may have ended by now; then nobody waits for this.
            let _ = events.send(ShellEvent::Input(Input::Evaluated { run: run.id, outcome }));
        });
    }

    fn start_delivery(
        &mut self,
        (id, epoch): (IntentId, Epoch),
        name: DestinationName,
        intent: watchbell_contract::Intent,
    ) {
        self.under_way += 1;
        let events = self.events.clone();
        let metrics = Arc::clone(&self.metrics);
        let destination = self.deployment.destinations.get(&name).cloned();
        failpoint::reach(Step::Sending);
        tokio::spawn(async move {
            let (outcome, recorded) = match destination {
                Some(destination) => deliver(&intent, &name, &destination, &metrics).await,
                // It may come back with the next bundle; the outbox keeps its messages until their deadline.
                None => {
                    let reason = format!("destination `{name}` is not in the environment");
                    (Err(Refusal::Unavailable { reason, retry_after: None }), intent.recorded)
                }
            };
            failpoint::reach(Step::Sent);
            metrics.delivery_ended(&name.0, delivery_name(&outcome));
            let delivered = Input::Delivered { intent: id, epoch, outcome, recorded };
            let _ = events.send(ShellEvent::Input(delivered));
        });
    }

    /// Starts runs that were held because the clocks disagreed, once they agree again.
    fn release_held(&mut self) {
        let (held, free): (Vec<Run>, Vec<Run>) =
            std::mem::take(&mut self.held).into_iter().partition(|run| self.is_held(run));
        self.held = held;
        if !free.is_empty() {
            self.progress.freed(self.clock.now());
        }
        free.into_iter().for_each(|run| self.start_run(run));
    }

    /// Whether clocks disagree for the cluster that a run queries.
    fn is_held(&self, run: &Run) -> bool {
        let cluster = self.deployment.rules.get(&run.rule).map(|rule| rule.cluster.name());
        self.clock.drift() > DRIFT_MAX || cluster.is_some_and(|cluster| self.clocks.holds(cluster))
    }

    /// Compares clocks with the clusters in force, now and from then on.
    fn compare_clocks(&mut self) {
        self.comparing.drain(..).for_each(|task| task.abort());
        let rules = self.deployment.rules.values();
        let clusters: BTreeMap<&str, &Cluster> =
            rules.map(|rule| (rule.cluster.name(), &rule.cluster)).collect();
        self.clocks.watch(clusters.keys().copied());
        for (name, cluster) in clusters {
            let (name, cluster, clock, events) =
                (name.to_owned(), cluster.clone(), self.clock, self.events.clone());
            let task = tokio::spawn(async move {
                loop {
                    let comparison = clocks::compare(&cluster, &clock).await;
                    let again = clocks::again(&comparison);
                    if events.send(ShellEvent::Compared(name.clone(), comparison)).is_err() {
                        return;
                    }
                    wait(again).await;
                }
            });
            self.comparing.push(task.abort_handle());
        }
    }

    /// Waits until the coordinator has something to do, but not beyond `stop_at`.
    fn pause(&self, stop_at: Option<Timestamp>) -> impl Future<Output = ()> + use<> {
        let now = self.clock.now();
        let next = self.coordinator.next_wakeup().filter(|_| self.has_begun || stop_at.is_some());
        let wakeup = [next, stop_at].into_iter().flatten().min();
        wait(wakeup.map_or(IDLE_MAX, |at| at.since(now)).min(IDLE_MAX))
    }

    /// Publishes what has changed for everyone who asks about the host.
    fn publish(&mut self) {
        self.pulse.beat();
        let now = self.clock.now();
        if !self.is_news && self.published_at.is_some_and(|at| now.since(at) < PUBLISH_EVERY) {
            return;
        }
        (self.is_news, self.published_at) = (false, Some(now));
        let host = HostState {
            at: now,
            name: self.host.clone(),
            environment: self.deployment.environment.clone(),
            bundle: self.deployment.digest.clone(),
            generation: self.generation,
            owed: self.coordinator.outbox_depth() as u64,
            drift: self.clock.drift(),
            apart: self.clocks.causes(),
            destinations: self.coordinator.destination_warnings(),
            progress: self.progress,
            store_fault: self.store_fault.clone(),
            concurrency: Arc::clone(&self.concurrency),
        };
        let rules = self.coordinator.take_changed();
        let mut unexplained = std::mem::take(&mut self.unexplained);
        unexplained.extend(rules.iter().map(|(name, _)| name.clone()));
        let reasons = unexplained.into_iter().map(|name| {
            let reasons = self.coordinator.explain(&name);
            (name, reasons)
        });
        let reasons = reasons.collect();
        // The observer runs as long as the runtime does.
        let _ = self.updates.send(Update { rules, reasons, host });
    }

    fn note(&mut self, note: Note) {
        match &note {
            Note::Announced { reason, .. } => self.metrics.announced(reason.name()),
            Note::Held { reason, .. } => self.metrics.held(reason.name()),
            Note::Merged { destination, count, .. } => self.metrics.merged(&destination.0, *count),
            Note::TextFailed { rule, .. } => self.metrics.text_failed(&rule.0),
            Note::Lost { why, .. } => self.lost = Some(why.clone()),
            Note::Commanded { id, refused, .. } => self.people.answer(id, refused.clone()),
            _ => {}
        }
        if let Note::Announced { rule, .. } | Note::Held { rule, .. } = &note {
            self.unexplained.insert(rule.clone());
        }
        crate::event_log::log(note);
    }
}

/// Records a run if it is worth it, on a thread that may wait for a disk.
async fn record(
    recordings: RecordingStore,
    run: &Run,
    rule: &Arc<LiveRule>,
    environment: String,
    recorder: Recorder,
    outcome: Result<Evaluation, RunFault>,
) -> (Result<Evaluation, RunFault>, Option<String>) {
    if !recording::is_worth_it(run, &outcome) {
        return (outcome, None);
    }
    let (run, rule, kept) = (run.clone(), Arc::clone(rule), outcome.clone());
    let written = tokio::task::spawn_blocking(move || {
        let ended = kept.as_ref().map(|evaluation| &evaluation.finding);
        recordings.record(&run, &rule, &environment, recorder, ended)
    });
    (outcome, written.await.unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "the one place that waits")]
async fn wait(span: Duration) {
    tokio::time::sleep(span.std()).await;
}

fn outcome_name<T>(outcome: &Result<T, RunFault>) -> &'static str {
    match outcome {
        Ok(_) => "evaluated",
        Err(fault) => fault.kind.name(),
    }
}

fn delivery_name(outcome: &Result<Receipt, Refusal>) -> &'static str {
    match outcome {
        Ok(_) => "delivered",
        Err(Refusal::Refused(_)) => "refused",
        Err(Refusal::Unavailable { .. }) => "unavailable",
        Err(Refusal::Unanswered { .. }) => "unanswered",
    }
}
