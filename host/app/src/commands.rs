//! Commands from people on their way to the loop, and what became of them on the way back.
mod order; // as JSON

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::timeout;
use watchbell_pipeline::input::Input;
use watchbell_pipeline::record::{COMMAND_IDS_MAX, Command, CommandId, CommandRecord};

use crate::clock;
use crate::shell_event::ShellEvent;

pub(crate) use order::{Answer, Body, Order, Outcome, Pause, Silence, span};

/// Whoever gave a command hears what became of it within this time, or that nobody knows yet.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How many commands may be with the loop without being committed. While the store hangs, they are kept in memory.
const TAKEN_MAX: usize = 256;
/// A command that was not committed for so long gives its place up: the notifier that had it may be gone.
const PLACE_MAX: Duration = Duration::from_secs(60);

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// It was carried out, and that is committed.
    Applied,
    /// It was not carried out, for this reason, and that is committed.
    Refused(String),
    /// The loop has it, but it is not committed yet. Sending it again with the same id applies it once, and tells what
    /// became of it.
    Recorded,
    /// The host did not take it, for this reason: nothing will come of it unless it is sent again.
    NotTaken(String),
}

/// Passes commands to the loop. Clones share what they know.
#[derive(Clone)]
pub(crate) struct Commands {
    events: UnboundedSender<ShellEvent>,
    state: Arc<Mutex<State>>,
    answer_max: Duration,
}

#[derive(Default)]
struct State {
    /// With the loop, and not committed as far as anybody knows.
    taken: BTreeMap<CommandId, Taken>,
    /// Why each of the newest was refused, if it was.
    known: BTreeMap<CommandId, Option<String>>,
    /// The keys of `known`, oldest first; at most as many as the notifier recognises.
    order: VecDeque<CommandId>,
    is_closed: bool,
}

struct Taken {
    since: Instant,
    outcome: watch::Sender<Option<Submitted>>,
}

impl Commands {
    /// `log`: the newest commands in the store, in any order, so that a command that is sent again after a restart is
    /// answered too.
    pub(crate) fn new(events: UnboundedSender<ShellEvent>, mut log: Vec<CommandRecord>) -> Self {
        let mut state = State::default();
        log.sort_by_key(|record| record.number);
        log.into_iter().for_each(|record| state.know(record.id, record.refused));
        Self { events, state: Arc::new(Mutex::new(state)), answer_max: ANSWER_MAX }
    }

    /// Has a command applied, once for each id, and waits up to two seconds for it to be committed.
    pub(crate) async fn submit(&self, id: CommandId, by: String, command: Command) -> Submitted {
        let mut outcome = match self.take(&id) {
            Ok(outcome) => outcome,
            Err(submitted) => return submitted,
        };
        // A command that is with the loop already is sent again: if the notifier that had it is gone, its successor
        // needs it, and otherwise the id is known.
        let event = ShellEvent::Input(Input::Command { id, by, command });
        if self.events.send(event).is_err() {
            return stopping();
        }
        match timeout(self.answer_max, outcome.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Submitted::Recorded),
            // The host ended, or the command lost its place.
            Ok(Err(_)) | Err(_) => Submitted::Recorded,
        }
    }

    /// Notes what became of a command, for those who wait for it and those who will ask.
    pub(crate) fn answer(&self, id: &CommandId, refused: Option<String>) {
        let mut state = self.held();
        state.know(id.clone(), refused.clone());
        if let Some(taken) = state.taken.remove(id) {
            taken.outcome.send_replace(Some(Submitted::of(refused)));
        }
    }

    /// The loop has ended: whoever waits still is told that nothing is known.
    pub(crate) fn close(&self) {
        let mut state = self.held();
        state.is_closed = true;
        state.taken.clear();
    }

    /// A place among the commands that the loop has, or what became of the command already.
    fn take(&self, id: &CommandId) -> Result<watch::Receiver<Option<Submitted>>, Submitted> {
        let mut state = self.held();
        if let Some(refused) = state.known.get(id) {
            return Err(Submitted::of(refused.clone()));
        }
        if state.is_closed {
            return Err(stopping());
        }
        if let Some(taken) = state.taken.get(id) {
            return Ok(taken.outcome.subscribe());
        }
        let now = clock::monotonic();
        if state.taken.len() >= TAKEN_MAX {
            state.taken.retain(|_, taken| now.duration_since(taken.since) < PLACE_MAX);
        }
        if state.taken.len() >= TAKEN_MAX {
            let why = format!("{TAKEN_MAX} commands wait for the store already; send it again in a minute");
            return Err(Submitted::NotTaken(why));
        }
        let (sender, receiver) = watch::channel(None);
        state.taken.insert(id.clone(), Taken { since: now, outcome: sender });
        Ok(receiver)
    }

    fn held(&self) -> MutexGuard<'_, State> {
        // No change here panics halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn know(&mut self, id: CommandId, refused: Option<String>) {
        if self.known.insert(id.clone(), refused).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > COMMAND_IDS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

impl Submitted {
    fn of(refused: Option<String>) -> Self {
        refused.map_or(Self::Applied, Self::Refused)
    }
}

fn stopping() -> Submitted {
    Submitted::NotTaken("the host is stopping".into())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use watchbell_pipeline::record::EpisodeId;

    use super::*;

    fn id(text: &str) -> CommandId {
        CommandId(text.into())
    }

    fn commands() -> (Commands, UnboundedReceiver<ShellEvent>) {
        let (events, inbox) = unbounded_channel();
        (Commands::new(events, Vec::new()), inbox)
    }

    async fn submit(commands: &Commands, name: &str) -> Submitted {
        let command = Command::Acknowledge { episode: EpisodeId("e".into()) };
        commands.submit(id(name), "ann".into(), command).await
    }

    #[tokio::test]
    async fn a_command_is_answered_with_what_was_committed_and_again_without_the_loop() {
        let (commands, mut inbox) = commands();
        let asked = commands.clone();
        let asking = tokio::spawn(async move { submit(&asked, "a").await });
        let Some(ShellEvent::Input(Input::Command { id: got, by, .. })) = inbox.recv().await else {
            panic!("no command reached the loop")
        };
        assert_eq!((got.0.as_str(), by.as_str()), ("a", "ann"));
        commands.answer(&got, Some("it is already resolved".into()));
        let refused = Submitted::Refused("it is already resolved".into());
        assert_eq!(asking.await.unwrap(), refused);
        assert_eq!(submit(&commands, "a").await, refused);
        assert!(inbox.try_recv().is_err(), "a known command went to the loop again");
    }

    #[tokio::test]
    async fn without_a_commit_it_is_recorded_and_those_in_the_loop_are_bounded() {
        let (mut commands, mut inbox) = commands();
        commands.answer_max = Duration::from_millis(10);
        let names: Vec<String> = (0..TAKEN_MAX).map(|number| number.to_string()).collect();
        let all = names.iter().map(|name| submit(&commands, name));
        let outcomes = futures::future::join_all(all).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Submitted::Recorded));
        assert!(matches!(submit(&commands, "one more").await, Submitted::NotTaken(_)));
        // One of them sent again has its place already.
        assert_eq!(submit(&commands, "0").await, Submitted::Recorded);
        commands.answer(&id("0"), None);
        assert_eq!(submit(&commands, "0").await, Submitted::Applied);
        assert_eq!(submit(&commands, "one more").await, Submitted::Recorded);
        let mut arrived = 0;
        while inbox.try_recv().is_ok() {
            arrived += 1;
        }
        assert_eq!(arrived, TAKEN_MAX + 2);
    }

    #[tokio::test]
    async fn when_the_loop_ends_who_waits_is_told_and_nobody_else_is_let_in() {
        let (commands, mut inbox) = commands();
        let asked = commands.clone();
        let asking = tokio::spawn(async move { submit(&asked, "a").await });
        assert!(inbox.recv().await.is_some());
        commands.close();
        assert_eq!(asking.await.unwrap(), Submitted::Recorded);
        assert_eq!(submit(&commands, "b").await, stopping());
    }

    #[tokio::test]
    async fn what_the_store_knows_is_known_after_a_restart_as_far_back_as_the_notifier_knows() {
        let record = |number: u64| CommandRecord {
            number,
            id: id(&number.to_string()),
            at: watchbell_contract::Timestamp::MIN,
            by: "ann".into(),
            command: Command::Acknowledge { episode: EpisodeId("e".into()) },
            refused: None,
        };
        let (events, _inbox) = unbounded_channel();
        let newest_first = (1..=COMMAND_IDS_MAX as u64 + 1).rev().map(record).collect();
        let commands = Commands::new(events, newest_first);
        assert_eq!(submit(&commands, "1001").await, Submitted::Applied);
        assert!(!commands.held().known.contains_key(&id("1")));
        assert!(commands.held().known.contains_key(&id("2")));
    }
}
