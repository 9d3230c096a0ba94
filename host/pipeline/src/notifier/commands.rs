use watchbell_contract::Cause;

use crate::action::Note;
use crate::message::Message;
use crate::reason::SendReason;
use crate::record::{
    COMMAND_IDS_MAX, Command, CommandId, CommandRecord, DEAD_LETTERS_MAX, EpisodeId, EpisodeRecord, Phase,
};
use crate::spec::RuleName;

use super::decider::{Context, Decider};
use super::escalation::Verdict;

impl Decider {
    /// Applies a command and logs it. A command whose id is known has no effect, because people retry a command that
    /// got no answer.
    pub(super) fn command(&mut self, id: CommandId, by: String, command: Command, context: &mut Context<'_>) {
        if self.log.recent.contains(&id) {
            return;
        }
        let refused = self.obey(&by, &command, context).err();
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

    fn obey(&mut self, by: &str, command: &Command, context: &mut Context<'_>) -> Result<(), String> {
        let (at, by) = (context.now, by.to_owned());
        match command {
            Command::Note { .. } => Ok(()),
            Command::Acknowledge { episode } => self.change(episode, context, |open| match open.phase {
                Phase::Active => {
                    open.phase = Phase::Acknowledged { at, by };
                    Ok(())
                }
                // The first person to acknowledge it keeps it.
                Phase::Acknowledged { .. } => Ok(()),
                Phase::Pending => {
                    Err("nobody has been notified yet: it is waiting for `for` or `active`".into())
                }
                Phase::ResolvedByHand { .. } | Phase::Resolved { .. } => Err("it is already resolved".into()),
            }),
            Command::Unacknowledge { episode } => self.change(episode, context, |open| match open.phase {
                Phase::Acknowledged { .. } => {
                    open.phase = Phase::Active;
                    Ok(())
                }
                _ => Err("it is not acknowledged".into()),
            }),
            Command::Resolve { episode } => self.resolve(episode, by, context),
            Command::Retry { intent } => match self.outbox.revive(intent, context.now) {
                Some(record) => {
                    context.draft.intent(record);
                    Ok(())
                }
                None => {
                    Err(format!("`{}` is not one of the newest {DEAD_LETTERS_MAX} dead letters", intent.0))
                }
            },
        }
    }

    /// Changes an open episode, stores it, and updates its timer.
    fn change(
        &mut self,
        id: &EpisodeId,
        context: &mut Context<'_>,
        change: impl FnOnce(&mut EpisodeRecord) -> Result<(), String>,
    ) -> Result<(), String> {
        let episode = self.open_episode(id)?;
        change(episode)?;
        context.draft.episode(episode);
        let (rule, labels) = (episode.rule.clone(), episode.labels.clone());
        self.set_timer(&rule, &labels);
        Ok(())
    }

    /// Everyone who was notified of the episode is notified that it is resolved. It is quiet from then on until its
    /// level has ended once.
    fn resolve(&mut self, id: &EpisodeId, by: String, context: &mut Context<'_>) -> Result<(), String> {
        let mut episode = self.open_episode(id)?.clone();
        match episode.phase {
            Phase::Active | Phase::Acknowledged { .. } => {}
            Phase::Pending => {
                return Err("nobody has been notified yet: it is waiting for `for` or `active`".into());
            }
            Phase::ResolvedByHand { .. } | Phase::Resolved { .. } => {
                return Err("it is already resolved".into());
            }
        }
        episode.phase = Phase::ResolvedByHand { at: context.now, by };
        let to: Vec<_> = episode.notified.drain(..).map(|notified| notified.destination).collect();
        if !to.is_empty() {
            let cause = Cause::Resolved;
            let verdict = Verdict::Send { cause, to: to.clone(), step: None, reason: SendReason::Ended };
            self.remember(&episode.rule, &verdict, context);
            let owner = self.rules.get(&episode.rule).and_then(|known| known.spec.owner.clone());
            let message = Message::of(&episode, cause, owner, context.config.environment.clone());
            self.send(&message, episode.ordinal, &to, context);
            episode.ordinal += 1;
        }
        let (rule, labels): (RuleName, _) = (episode.rule.clone(), episode.labels.clone());
        context.draft.episode(&episode);
        if let Some(known) = self.rules.get_mut(&rule) {
            known.open.insert(labels.clone(), episode);
        }
        self.set_timer(&rule, &labels);
        Ok(())
    }

    fn open_episode(&mut self, id: &EpisodeId) -> Result<&mut EpisodeRecord, String> {
        let mut open = self.rules.values_mut().flat_map(|known| known.open.values_mut());
        open.find(|episode| episode.id == *id).ok_or_else(|| format!("there is no open episode `{}`", id.0))
    }
}
