//! A host in virtual time: the real coordinator and alerters, a store in memory, and a death where it is told.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration as Wall;

use watchbell_contract::{
    AlertText, Duration, Finding, Intent, Label, Severity, Signal, SignalKind, TextFormat, Timestamp,
};
use watchbell_mail::{MailGrants, MailServer, MailSettings, MailTls};
use watchbell_pipeline::action::{Action, Run};
use watchbell_pipeline::input::{Evaluation, Input, Persisted};
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::record::{
    BundleRef, Command, CommandId, Commit, Delivery, EpisodeId, HostId, IntentId,
};
use watchbell_pipeline::spec::{
    AlertSpec, CatchUp, Comparison, DestinationName, DestinationSpec, RuleSpec, Step, Worse,
};
use watchbell_pipeline::{Config, Coordinator};
use watchbell_sandbox::{
    AlerterModule, Destination, DestinationSettings, Grants, Limits, Receiver, Sandbox, Secret,
};
use watchbell_store::{Memory, Store as _};

use super::receivers::Receivers;

/// On a round minute.
const START: Timestamp = Timestamp(1_700_000_040_000);
/// When it opens, in minutes after the start.
const OPENS: u64 = 1;

/// Where a host dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// A commit is about to be written.
    Writing,
    /// It is written, and the host does not know.
    Written,
    /// A claim is written, and the request is about to be sent.
    Sending,
    /// The receiver has it, and the host does not know.
    Sent,
}

/// What a story without a death is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    pub(crate) all: usize,
    pub(crate) messages: usize,
}

pub(crate) struct VirtualHost {
    alerters: BTreeMap<&'static str, Alerter>,
    steps: Steps,
    deaths_while_sending: usize,
}

struct Alerter {
    module: AlerterModule,
    product: &'static str,
    params: String,
    receiver: Receiver,
}

/// One telling of the story.
struct Telling<'a> {
    host: &'a VirtualHost,
    coordinator: Coordinator,
    store: Memory,
    now: Timestamp,
    bundles: u64,
    steps: Steps,
    /// The step at which it dies.
    dies_at: Option<usize>,
    died: Option<(Death, usize)>,
    /// Messages that receivers have, as far as the store does not know.
    in_flight: BTreeSet<IntentId>,
    /// What the store holds of commands: a person who got no answer asks again.
    opened: Option<EpisodeId>,
}

impl VirtualHost {
    /// `None` where no plugins were built, which CI takes for a failure.
    pub(crate) fn new(receivers: &Receivers) -> Option<Self> {
        let folder = std::env::var_os("WATCHBELL_PLUGINS").map(PathBuf::from);
        let folder = folder.filter(|folder| folder.join("alerter-http.wasm").exists());
        assert!(folder.is_some() || std::env::var("CI").as_deref() != Ok("true"), "run cargo xtask plugins");
        let folder = folder?;
        let sandbox = Sandbox::new(watchbell_sandbox::Config::default()).expect("a sandbox");
        let load = |name: &str| {
            let bytes = std::fs::read(folder.join(format!("{name}.wasm"))).expect("a component");
            sandbox.load_alerter(name, &bytes).expect("an alerter")
        };
        let http = load("alerter-http");
        let to = |url: &str| {
            let grants = Grants { private_addresses: true, ..Grants::default() };
            let settings = DestinationSettings { grants, ..DestinationSettings::new(Secret::new(url)) };
            Receiver::Http(Destination::new(settings).expect("an address"))
        };
        let account = format!("AC{}", "0".repeat(32));
        let sms = serde_json::json!({ "account": account, "from": "+15005550006", "to": ["+41790000001"] });
        let chat = Alerter {
            module: http.clone(),
            product: "webhook",
            params: "{}".into(),
            receiver: to(&format!("{}/hook", receivers.chat.url)),
        };
        let sms = Alerter {
            module: http,
            product: "twilio",
            params: sms.to_string(),
            receiver: to(&receivers.sms.url),
        };
        let mail = Alerter {
            module: load("alerter-email"),
            product: "email",
            params: "{}".into(),
            receiver: Receiver::Mail(mail_server(receivers.mail.port)),
        };
        let alerters = BTreeMap::from([("chat", chat), ("mail", mail), ("sms", sms)]);
        Some(Self { alerters, steps: Steps::default(), deaths_while_sending: 0 })
    }

    pub(crate) fn steps(&self) -> Steps {
        self.steps
    }

    pub(crate) fn deaths_while_sending(&self) -> usize {
        self.deaths_while_sending
    }

    /// Tells the story; the host dies at the given step, and another one takes over. Returns where it died, and how many
    /// messages were under way then.
    pub(crate) async fn play(&mut self, dies_at: Option<usize>) -> Option<(Death, usize)> {
        let mut store = Memory::new();
        let coordinator = take_over(&mut store, START);
        let telling = Telling {
            host: self,
            coordinator,
            store,
            now: START,
            bundles: 0,
            steps: Steps::default(),
            dies_at,
            died: None,
            in_flight: BTreeSet::new(),
            opened: None,
        };
        let (steps, died) = telling.tell().await;
        if dies_at.is_none() {
            self.steps = steps;
        }
        self.deaths_while_sending += usize::from(died.is_some_and(|(how, _)| how == Death::Sending));
        died
    }
}

impl Telling<'_> {
    async fn tell(mut self) -> (Steps, Option<(Death, usize)>) {
        self.deploy().await;
        self.until(50).await;
        self.acknowledge().await;
        self.until(100).await;
        (self.steps, self.died)
    }

    /// As a person does: again, if nobody answered.
    async fn acknowledge(&mut self) {
        let before = self.died;
        for _ in 0..2 {
            let episode = self.opened.clone().expect("it is open");
            let (id, command) = (CommandId("ack".into()), Command::Acknowledge { episode });
            self.coordinator.handle(self.now, Input::Command { id, by: "ann".into(), command });
            self.carry_out().await;
            if self.died == before {
                return;
            }
        }
    }

    async fn deploy(&mut self) {
        self.bundles += 1;
        let bundle = Input::Bundle {
            bundle: BundleRef { digest: self.bundles.to_string(), generation: self.bundles },
            rules: vec![Arc::new(rule())],
            destinations: ["chat", "mail", "sms"].into_iter().map(destination).collect(),
            holds: HoldsSpec::default(),
        };
        self.coordinator.handle(self.now, bundle);
        Box::pin(self.carry_out()).await;
    }

    /// Lets everything happen that is due until this minute of the story.
    async fn until(&mut self, minute: u64) {
        let to = START + Duration::from_mins(OPENS + minute);
        while let Some(at) = self.coordinator.next_wakeup().filter(|at| *at <= to) {
            self.now = at.max(self.now);
            self.coordinator.handle(self.now, Input::Tick);
            self.carry_out().await;
        }
        self.now = to;
    }

    async fn carry_out(&mut self) {
        while let Some(action) = self.coordinator.poll_action() {
            let input = match action {
                Action::Evaluate(run) => {
                    let finding = Finding { signals: signals(&run), state: Vec::new() };
                    Input::Evaluated {
                        run: run.id,
                        outcome: Ok(Evaluation { finding, ..Evaluation::default() }),
                    }
                }
                Action::Persist(commit) => match self.persist(&commit) {
                    Some(input) => input,
                    None => return self.take_over().await,
                },
                Action::Render { order, epoch, job } => {
                    Input::Rendered { order, epoch, outcome: Ok(job.render().text) }
                }
                Action::Deliver { id, epoch, destination, intent, .. } => {
                    if self.dies(Death::Sending) {
                        return self.take_over().await;
                    }
                    let delivery = self.host.alerters[destination.0.as_str()].deliver(&intent).await;
                    self.steps.messages += 1;
                    self.in_flight.insert(id.clone());
                    if self.dies(Death::Sent) {
                        return self.take_over().await;
                    }
                    let (outcome, recorded) = delivery;
                    Input::Delivered { intent: id, epoch, outcome, recorded }
                }
                Action::Note(_) => continue,
                Action::ReadTransitions(_) | Action::RetakeNotifier { .. } => {
                    panic!("one host owns everything: {action:?}")
                }
            };
            self.coordinator.handle(self.now, input);
        }
    }

    /// `None`: it died.
    fn persist(&mut self, commit: &Commit) -> Option<Input> {
        // Nothing is at stake in a commit that concerns nobody.
        let concerns = commit.notifier.as_ref().is_some_and(|part| {
            !part.intents.is_empty() || !part.episodes.is_empty() || !part.commands.is_empty()
        });
        if concerns && self.dies(Death::Writing) {
            return None;
        }
        let lost = self.store.commit(commit).expect("memory");
        for intent in commit.notifier.iter().flat_map(|part| &part.intents) {
            if matches!(intent.delivery, Delivery::Delivered { .. }) {
                self.in_flight.remove(&intent.id);
            }
        }
        let episodes = commit.notifier.iter().flat_map(|part| &part.episodes);
        self.opened = episodes.map(|episode| episode.id.clone()).next().or(self.opened.take());
        if concerns && self.dies(Death::Written) {
            return None;
        }
        Some(Input::Persisted { nonce: commit.nonce, outcome: Persisted::Written { lost } })
    }

    fn dies(&mut self, how: Death) -> bool {
        let is_here = self.dies_at == Some(self.steps.all) && self.died.is_none();
        self.steps.all += 1;
        if is_here {
            self.died = Some((how, self.in_flight.len()));
        }
        is_here
    }

    async fn take_over(&mut self) {
        self.coordinator = take_over(&mut self.store, self.now);
        self.deploy().await;
    }
}

impl Alerter {
    async fn deliver(
        &self,
        intent: &Intent,
    ) -> (
        Result<watchbell_contract::Receipt, watchbell_contract::Refusal>,
        Vec<watchbell_contract::RecordedCall>,
    ) {
        let limits = Limits::default();
        let delivery = self.module.deliver(self.product, &self.params, intent, &self.receiver, &limits).await;
        (delivery.outcome.expect("the alerter works"), delivery.recorded)
    }
}

fn take_over(store: &mut Memory, now: Timestamp) -> Coordinator {
    let config = Config {
        jitter_max: Duration::ZERO,
        commit_interval: Duration::ZERO,
        ..Config::new(HostId("host".into()))
    };
    let holdings = store.take_all(&config.host).expect("memory");
    Coordinator::owning(config, now, holdings)
}

fn rule() -> RuleSpec {
    let step = |minutes: u64, to: &str| Step {
        after: Duration::from_mins(minutes),
        to: vec![DestinationName(to.into())],
        unless_acknowledged: true,
        severity: None,
        when: None,
    };
    RuleSpec {
        delay: Duration::ZERO,
        catch_up: CatchUp::All,
        worse: vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }],
        alert: AlertSpec {
            title: "cause-{{ cause }}".into(),
            body: "{{ summary }}".into(),
            steps: vec![step(0, "chat"), step(15, "mail"), step(45, "sms")],
            ..AlertSpec::default()
        },
        ..RuleSpec::every("rule", Duration::from_mins(1))
    }
}

/// Fires from minute 0 to 90 of the story, worth 60 from minute 60 on.
fn signals(run: &Run) -> Vec<Signal> {
    let at = |minute: u64| START + Duration::from_mins(OPENS + minute);
    let signal = |minute: u64| Signal {
        labels: vec![Label { name: "host".into(), value: Some("web-1".into()) }],
        at: at(minute),
        until: Some(at(90) - Duration::from_secs(1)),
        kind: SignalKind::Firing,
        identity: None,
        value: Some(if minute < 60 { 1.0 } else { 60.0 }),
        threshold: None,
        summary: "too many errors".into(),
        details: "{}".into(),
        evidence: None,
    };
    (0..90)
        .map(signal)
        .filter(|signal| run.window.start <= signal.at && signal.at <= run.window.end)
        .collect()
}

fn destination(name: &str) -> DestinationSpec {
    DestinationSpec {
        name: DestinationName(name.into()),
        text: AlertText { format: TextFormat::Plain, styles: true, title_max: 100, body_max: 4_000 },
        retry_first: Duration::from_secs(1),
        retry_max: Duration::from_secs(60),
        deadline: Duration::from_hours(24),
        concurrency: 8,
        limit: None,
        fallback: None,
    }
}

fn mail_server(port: u16) -> MailServer {
    let mailbox = |text: &str| text.parse().expect("an address");
    MailServer::new(MailSettings {
        host: "127.0.0.1".into(),
        port,
        tls: MailTls::None,
        credentials: None,
        from: mailbox("watchbell@example.com"),
        to: vec![mailbox("ops@example.com")],
        cc: Vec::new(),
        bcc: Vec::new(),
        reply_to: Vec::new(),
        ca: None,
        timeout: Wall::from_secs(10),
        grants: MailGrants { private_addresses: true, plain_text: false },
    })
    .expect("a mail server")
}
