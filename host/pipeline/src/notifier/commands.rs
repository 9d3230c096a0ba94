mod standing; // silences and pauses

use std::sync::Arc;

use watchbell_contract::Cause;

use crate::action::Note;
use crate::message::{Message, Wording};
use crate::reason::SendReason;
use crate::record::{
    COMMAND_IDS_MAX, Command, CommandId, CommandRecord, DEAD_LETTERS_MAX, EpisodeId, EpisodeRecord, IntentId,
    Phase, SilenceId,
};
use crate::spec::RuleName;

use super::decider::{Context, Decider, note_source};
use super::escalation::{self, Verdict};

const PENDING: &str = "nobody has been notified yet: it is waiting for `for` or `active`";
const RESOLVED: &str = "it is already resolved";

fn no_dead_letter(intent: &IntentId) -> String {
    format!("`{}` is not one of the newest {DEAD_LETTERS_MAX} dead letters", intent.0)
}

impl Decider {
    /// Applies a command and logs it. A command whose id is known has no effect, because people retry a command that
    /// got no answer.
    pub(super) fn command(&mut self, id: CommandId, by: String, command: Command, context: &mut Context<'_>) {
        if self.log.recent.contains(&id) {
            return;
        }
        let refused = self.obey(&id, &by, &command, context).err();
        self.log.last += 1;
        self.log.recent.push(id.clone());
        if self.log.recent.len() > COMMAND_IDS_MAX {
            self.log.recent.remove(0);
        }
        let note = Note::Commanded { id: id.clone(), by: by.clone(), refused: refused.clone() };
        let (number, at) = (self.log.last, context.now);
        context.draft.command(CommandRecord { number, id, at, by, command, refused });
        context.draft.note(note);
    }

    fn obey(
        &mut self,
        id: &CommandId,
        by: &str,
        command: &Command,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let by = by.to_owned();
        match command {
            Command::Note { episode, .. } => self.open_episode(episode).map(drop),
            Command::Acknowledge { episode } => self.acknowledge(episode, by, context),
            Command::Unacknowledge { episode } => self.unacknowledge(episode, context),
            Command::Resolve { episode } => self.resolve(episode, by, context),
            Command::Retry { intent } => {
                let record = self.outbox.revive(intent, context.now).ok_or_else(|| no_dead_letter(intent))?;
                context.draft.intent(record);
                Ok(())
            }
            Command::Drop { intent } => {
                let record =
                    self.outbox.drop_dead_letter(intent, &by).ok_or_else(|| no_dead_letter(intent))?;
                context.draft.intent(record);
                Ok(())
            }
            Command::Silence(spec) => self.silence(SilenceId(id.0.clone()), spec, by, context),
            Command::Unsilence { silence } => self.unsilence(silence, context),
            Command::Pause { until, reason } => self.pause(*until, reason, by, context),
            Command::Unpause => self.unpause(context),
        }
    }

    /// Whoever was notified of the episode is notified of who has taken it. The first person to acknowledge it keeps it.
    fn acknowledge(&mut self, id: &EpisodeId, by: String, context: &mut Context<'_>) -> Result<(), String> {
        let mut episode = self.open_episode(id)?.clone();
        match episode.phase {
            Phase::Active => {}
            Phase::Acknowledged { .. } => return Ok(()),
            Phase::Pending => return Err(PENDING.into()),
            Phase::ResolvedByHand { .. } | Phase::Resolved { .. } => return Err(RESOLVED.into()),
        }
        let lasts = self.rules.get(&episode.rule).and_then(|known| known.spec.alert.ack_for);
        episode.progress.acknowledged_clock = Some(escalation::clock::elapsed(&episode, context.now));
        episode.progress.acknowledged_until = lasts.map(|lasts| context.now + lasts);
        episode.phase = Phase::Acknowledged { at: context.now, by };
        self.tell_notified(&mut episode, Cause::Acknowledged, SendReason::Acknowledged, context);
        self.put(episode, context);
        Ok(())
    }

    fn unacknowledge(&mut self, id: &EpisodeId, context: &mut Context<'_>) -> Result<(), String> {
        let mut episode = self.open_episode(id)?.clone();
        let Phase::Acknowledged { .. } = episode.phase else {
            return Err("it is not acknowledged".into());
        };
        let Some(spec) = self.rules.get(&episode.rule).map(|known| Arc::clone(&known.spec)) else {
            return Err("its rule is gone".into());
        };
        let verdict = escalation::unacknowledge(&mut episode, &spec, context.now);
        self.carry_out(spec.owner.clone(), &mut episode, verdict, context);
        self.put(episode, context);
        Ok(())
    }

    /// Everyone who was notified of the episode is notified that it is resolved. It is quiet from then on until its
    /// level has ended once.
    fn resolve(&mut self, id: &EpisodeId, by: String, context: &mut Context<'_>) -> Result<(), String> {
        let mut episode = self.open_episode(id)?.clone();
        match episode.phase {
            Phase::Active | Phase::Acknowledged { .. } => {}
            Phase::Pending => return Err(PENDING.into()),
            Phase::ResolvedByHand { .. } | Phase::Resolved { .. } => return Err(RESOLVED.into()),
        }
        episode.phase = Phase::ResolvedByHand { at: context.now, by };
        self.tell_notified(&mut episode, Cause::Resolved, SendReason::Ended, context);
        episode.notified.clear();
        self.put(episode, context);
        Ok(())
    }

    /// Tells everyone who was notified of the episode something of it that is not an announcement of its own.
    fn tell_notified(
        &mut self,
        episode: &mut EpisodeRecord,
        cause: Cause,
        reason: SendReason,
        context: &mut Context<'_>,
    ) {
        let to: Vec<_> = episode.notified.iter().map(|notified| notified.destination.clone()).collect();
        if to.is_empty() {
            return;
        }
        let verdict = Verdict::Send { cause, to: to.clone(), step: None, reason };
        self.remember(&episode.rule, &verdict, context);
        let owner = self.rules.get(&episode.rule).and_then(|known| known.spec.owner.clone());
        let mut message = Message::of(episode, cause, owner, context.config.environment.clone());
        if cause == Cause::Acknowledged && message.wording == Wording::Rule {
            message.wording = Wording::Acknowledged;
        }
        self.send(&message, episode.ordinal, &to, context);
        episode.ordinal += 1;
    }

    /// Stores an open episode that has changed, and updates its timer and those that it mutes.
    fn put(&mut self, episode: EpisodeRecord, context: &mut Context<'_>) {
        let (rule, labels): (RuleName, _) = (episode.rule.clone(), episode.labels.clone());
        context.draft.episode(&episode);
        if let Some(known) = self.rules.get_mut(&rule) {
            self.is_stale |= note_source(&mut self.standing, &known.spec, &episode);
            known.open.insert(labels.clone(), episode);
        }
        self.set_timer(&rule, &labels, context.now);
    }

    fn open_episode(&mut self, id: &EpisodeId) -> Result<&mut EpisodeRecord, String> {
        let mut open = self.rules.values_mut().flat_map(|known| known.open.values_mut());
        open.find(|episode| episode.id == *id).ok_or_else(|| format!("there is no open episode `{}`", id.0))
    }
}
