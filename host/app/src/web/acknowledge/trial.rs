use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use tokio::sync::mpsc;
use tower::ServiceExt as _;
use watchbell_contract::{Severity, Timestamp};
use watchbell_links::Keys;
use watchbell_pipeline::input::Input;
use watchbell_pipeline::record::{
    Command, CommandRecord, EpisodeId, EpisodeProgress, EpisodeRecord, GapRecord, IntentRecord, LastSignal,
    Level, Notified, PauseRecord, Phase, SilenceRecord, StoreMeta,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_sandbox::Secret;
use watchbell_store::{EpisodeFilter, Head, IntentFilter, Read, StoreError, StoredRule};

use super::*;
use crate::acknowledge::{Answers, Signing};
use crate::shell_event::ShellEvent;

const NOW: Timestamp = Timestamp(1_796_000_000_000);
const ADDRESS: &str = "https://bell.example.com/below/twilio/sms";
const TOKEN: &str = "12345";
const ANN: &str = "+15550100001";

/// An active episode, of which nobody was notified.
pub(super) fn episode(id: &str) -> EpisodeRecord {
    EpisodeRecord {
        id: EpisodeId(id.into()),
        rule: RuleName(format!("rule-{id}")),
        labels: Vec::new(),
        phase: Phase::Active,
        severity: Severity::Warning,
        since: NOW,
        opened_at: NOW,
        until: NOW,
        last: LastSignal {
            at: NOW,
            value: None,
            threshold: None,
            summary: String::new(),
            details: "{}".into(),
            link: None,
        },
        steps: Vec::new(),
        repeat: None,
        early: Vec::new(),
        stepped_until: None,
        announced_at: None,
        notified: Vec::new(),
        ordinal: 1,
        progress: EpisodeProgress::default(),
    }
}

fn notified(id: &str, destination: &str) -> EpisodeRecord {
    let destination = DestinationName(destination.into());
    EpisodeRecord { notified: vec![Notified { destination, at: NOW, step: None }], ..episode(id) }
}

/// A store of episodes alone.
#[derive(Clone, Default)]
struct Episodes(Arc<StdMutex<Vec<EpisodeRecord>>>);

impl Read for Episodes {
    fn episodes(&self, filter: &EpisodeFilter) -> Result<Vec<EpisodeRecord>, StoreError> {
        let all = self.0.lock().unwrap().clone();
        let is_open = |it: &EpisodeRecord| !matches!(it.phase, Phase::Resolved { .. });
        let taken = all.into_iter().filter(|it| !filter.open || is_open(it));
        Ok(taken.filter(|it| filter.id.as_ref().is_none_or(|id| *id == it.id)).collect())
    }

    fn meta(&self) -> Result<StoreMeta, StoreError> {
        unreachable!("no route asks for it")
    }

    fn heads(&self) -> Result<Vec<Head>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn rule(&self, _: &RuleName) -> Result<Option<StoredRule>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn levels(&self, _: Option<&RuleName>) -> Result<Vec<(RuleName, Level)>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn intents(&self, _: &IntentFilter) -> Result<Vec<IntentRecord>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn gaps(&self, _: Option<&RuleName>, _: u32) -> Result<Vec<GapRecord>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn silences(&self) -> Result<Vec<SilenceRecord>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn pause(&self) -> Result<Option<PauseRecord>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn commands(&self, _: u32) -> Result<Vec<CommandRecord>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn episode_outlines(&self) -> Result<Vec<watchbell_store::EpisodeOutline>, StoreError> {
        unreachable!("no route asks for it")
    }

    fn message_outlines(&self) -> Result<Vec<watchbell_store::MessageOutline>, StoreError> {
        unreachable!("no route asks for it")
    }
}

struct Trial {
    router: Router,
    episodes: Episodes,
    keys: Keys,
}

impl Trial {
    /// Two destinations for text messages, of one account.
    fn new(episodes: Vec<EpisodeRecord>) -> Self {
        let keys = Keys::new(vec![Secret::new("k".repeat(32))]).unwrap();
        let sms = |number: &str| Signing {
            secret: Secret::new(TOKEN),
            answers: Answers::Sms { numbers: vec![number.into()] },
        };
        let signing = BTreeMap::from([
            (DestinationName("ann".into()), sms(ANN)),
            (DestinationName("bob".into()), sms("+15550100002")),
        ]);
        let in_force =
            Acknowledge { keys: keys.clone(), public_url: "https://bell.example.com/below".into(), signing };
        let links = Links::new(Incarnation("store".into()), Some(Arc::new(in_force)));
        let (events, mut inbox) = mpsc::unbounded_channel();
        let commands = Commands::new(events, Vec::new());
        let episodes = Episodes(Arc::new(StdMutex::new(episodes)));
        // As the notifier and the store would.
        let (applied, answers) = (episodes.clone(), commands.clone());
        tokio::spawn(async move {
            while let Some(ShellEvent::Input(Input::Command { id, by, command })) = inbox.recv().await {
                if let Command::Acknowledge { episode } = command {
                    let mut all = applied.0.lock().unwrap();
                    let found = all.iter_mut().find(|it| it.id == episode).unwrap();
                    found.phase = Phase::Acknowledged { at: NOW, by };
                }
                answers.answer(&id, None);
            }
        });
        let clock = Clock::reading(|| NOW);
        let store: Box<dyn Read> = Box::new(episodes.clone());
        let outside = Outside::new(&links, clock, commands, Arc::new(Mutex::new(store)));
        Self { router: router(outside), episodes, keys }
    }

    /// A text message from `number`, signed by `token` for `address`: the status and what is sent back.
    async fn text_signed(
        &self,
        number: &str,
        text: &str,
        token: &str,
        address: &str,
    ) -> (StatusCode, String) {
        let form = [("Body", text), ("From", number), ("MessageSid", "SM1")];
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(token.as_bytes()).unwrap();
        mac.update(address.as_bytes());
        form.iter().for_each(|(name, value)| mac.update(format!("{name}{value}").as_bytes()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post("/twilio/sms")
            .header("x-twilio-signature", STANDARD.encode(mac.finalize().into_bytes()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The sentence that `number` gets back for `text`, if any.
    async fn text(&self, number: &str, text: &str) -> Option<String> {
        let (status, answer) = self.text_signed(number, text, TOKEN, ADDRESS).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let (_, rest) = answer.split_once("<Message>")?;
        Some(rest.split_once("</Message>").unwrap().0.to_owned())
    }

    fn person(&self, id: &str) -> Option<String> {
        let all = self.episodes.0.lock().unwrap();
        all.iter().find(|it| it.id.0 == id).unwrap().phase.person().map(str::to_owned)
    }
}

#[tokio::test]
async fn a_text_message_counts_only_if_twilio_signed_it_for_this_address() {
    let trial = Trial::new(vec![notified("a", "ann")]);
    for (token, address) in [
        ("another", ADDRESS),
        (TOKEN, "http://bell.example.com/below/twilio/sms"),
        (TOKEN, "https://bell.example.com/twilio/sms"),
    ] {
        let (status, answer) = trial.text_signed(ANN, "a", token, address).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    }
    assert_eq!(trial.person("a"), None);
    assert_eq!(trial.text(ANN, "a").await.as_deref(), Some("rule-a is acknowledged."));
    assert_eq!(trial.person("a").as_deref(), Some("a reply from …0001 to `ann`"));
}

#[tokio::test]
async fn a_reply_acknowledges_what_its_number_was_notified_of_and_nothing_else() {
    let trial =
        Trial::new(vec![notified("a", "ann"), notified("b", "ann"), notified("c", "bob"), episode("d")]);
    let code = |id: &str| format!("A {}", trial.keys.code(id).to_uppercase());
    let said = trial.text(ANN, "a").await.unwrap();
    assert!(said.starts_with("2 alerts are open"), "{said}");
    // Of others, or of nobody.
    for id in ["c", "d", "e"] {
        let said = trial.text(ANN, &code(id)).await.unwrap();
        assert!(said.starts_with("No open alert to this number has the code"), "{said}");
    }
    for text in ["", "resolve", "c 12345", "stop that"] {
        let said = trial.text(ANN, text).await.unwrap();
        assert!(said.starts_with("Reply "), "{text}: {said}");
    }
    assert_eq!(trial.text("+15550199999", "a").await, None, "a stranger gets no answer");
    assert!(["a", "b", "c", "d"].iter().all(|id| trial.person(id).is_none()));

    assert_eq!(trial.text(ANN, &code("b")).await.as_deref(), Some("rule-b is acknowledged."));
    assert_eq!(trial.text(ANN, "a").await.as_deref(), Some("rule-a is acknowledged."));
    assert_eq!(
        trial.text(ANN, "a").await.as_deref(),
        Some("No alert to this number waits to be acknowledged.")
    );
    let said = trial.text(ANN, &code("b")).await.unwrap();
    assert_eq!(said, "rule-b was already acknowledged by a reply from …0001 to `ann`.");
    assert!(["c", "d"].iter().all(|id| trial.person(id).is_none()));
}

#[tokio::test]
async fn what_was_taken_back_can_be_acknowledged_by_the_same_reply_again() {
    let trial = Trial::new(vec![notified("a", "ann")]);
    assert_eq!(trial.text(ANN, "a").await.as_deref(), Some("rule-a is acknowledged."));
    trial.episodes.0.lock().unwrap()[0].phase = Phase::Active;
    assert_eq!(trial.text(ANN, "a").await.as_deref(), Some("rule-a is acknowledged."));
    assert_eq!(trial.person("a").as_deref(), Some("a reply from …0001 to `ann`"));
}

#[tokio::test]
async fn a_number_that_writes_without_end_is_no_longer_answered() {
    let trial = Trial::new(vec![notified("a", "ann")]);
    let mut answered = 0;
    while trial.text(ANN, "hello").await.is_some() {
        answered += 1;
        assert!(answered < 100, "answers without end cost money");
    }
    assert_eq!(answered, 12);
}
