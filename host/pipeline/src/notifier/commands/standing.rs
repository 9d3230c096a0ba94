use watchbell_contract::{Duration, Timestamp};

use crate::matcher::MATCHERS_MAX;
use crate::record::{PauseRecord, SILENCES_MAX, SilenceId, SilenceRecord, SilenceSpec};

use super::super::decider::{Context, Decider};

/// The longest pause. It ends by itself, because a forgotten one is worse than an alert.
const PAUSE_MAX: Duration = Duration::from_hours(24);

/// How far the clock of whoever asks may be ahead: `--for 30d` is counted there.
const CLOCKS_MAX: Duration = Duration::from_mins(1);

/// How long a reason may be, in characters.
const REASON_CHARS_MAX: usize = 1_000;

impl Decider {
    pub(super) fn silence(
        &mut self,
        id: SilenceId,
        spec: &SilenceSpec,
        by: String,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let (at, max) = (context.now, self.standing.silence_max());
        check_reason(&spec.reason)?;
        if spec.matchers.is_empty() {
            return Err("it has no conditions, so it would hold nothing".into());
        }
        if spec.matchers.len() > MATCHERS_MAX {
            return Err(format!("it has more than {MATCHERS_MAX} conditions"));
        }
        if spec.until <= spec.from.max(at) {
            return Err(format!("it would end at {}, before it holds anything", spec.until));
        }
        if spec.until.since(at) > max + CLOCKS_MAX {
            return Err(format!("it would end later than in {max}, the most that the environment allows"));
        }
        if self.standing.silences().any(|known| known.id == id) {
            return Err("there is a silence with this id already".into());
        }
        if self.standing.silences().count() >= SILENCES_MAX {
            return Err(format!("there are {SILENCES_MAX} silences already: end some first"));
        }
        let record = SilenceRecord { id, spec: spec.clone(), by, at };
        context.draft.silence(record.clone());
        self.standing.add(record);
        self.judge_anew(context);
        Ok(())
    }

    pub(super) fn unsilence(&mut self, id: &SilenceId, context: &mut Context<'_>) -> Result<(), String> {
        if !self.standing.remove(id) {
            return Err(format!("there is no silence `{}` in force or to come", id.0));
        }
        context.draft.end_silence(id.clone());
        self.judge_anew(context);
        Ok(())
    }

    pub(super) fn pause(
        &mut self,
        until: Timestamp,
        reason: &str,
        by: String,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        check_reason(reason)?;
        let now = context.now;
        if until <= now {
            return Err(format!("it would end at {until}, which has passed"));
        }
        if until.since(now) > PAUSE_MAX + CLOCKS_MAX {
            return Err(format!("it would last longer than {PAUSE_MAX}, the most that is allowed"));
        }
        let since = self.standing.pause(now).map_or(now, |pause| pause.since);
        let pause = PauseRecord { since, until, reason: reason.to_owned(), by };
        context.draft.pause(Some(pause.clone()));
        self.standing.set_pause(Some(pause));
        self.judge_anew(context);
        self.start(context);
        Ok(())
    }

    pub(super) fn unpause(&mut self, context: &mut Context<'_>) -> Result<(), String> {
        if self.standing.set_pause(None).is_none_or(|pause| pause.until <= context.now) {
            return Err("nothing is paused".into());
        }
        context.draft.pause(None);
        self.outbox.grant_all();
        self.judge_anew(context);
        Ok(())
    }

    /// Time has passed: something that stands has begun or ended.
    pub(in super::super) fn follow_standing(&mut self, context: &mut Context<'_>) {
        let (over, is_pause_over) = self.standing.follow(context.now);
        over.into_iter().for_each(|id| context.draft.end_silence(id));
        if is_pause_over {
            context.draft.pause(None);
            self.outbox.grant_all();
        }
        self.judge_anew(context);
    }
}

fn check_reason(reason: &str) -> Result<(), String> {
    if reason.trim().is_empty() {
        return Err("it has no reason: whoever finds it at night needs one".into());
    }
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(format!("its reason has more than {REASON_CHARS_MAX} characters"));
    }
    Ok(())
}
