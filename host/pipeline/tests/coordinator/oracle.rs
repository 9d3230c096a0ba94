//! Who hears what of a story, second by second, as `docs/notifications.md` says it. It knows nothing of the code: it counts
//! seconds where the code computes instants.
use crate::story::{Deed, LENGTH, Second, Story, StoryStep, is_within};

/// What is received: when, by whom, why.
pub(crate) type Heard = (Second, &'static str, &'static str);

pub(crate) struct Oracle<'a> {
    story: &'a Story,
    episode: Option<Episode>,
    /// Ends of those that were made, first made first.
    silences: Vec<Second>,
    paused_until: Second,
    /// Decided, and held by a pause.
    waiting: Vec<(&'static str, &'static str)>,
    heard: Vec<Heard>,
}

struct Episode {
    opened: Second,
    /// Seconds since then in which nothing held it.
    clock: Second,
    is_held: bool,
    /// A step, or that there was none, has been judged.
    is_judged: bool,
    is_critical: bool,
    /// Critical, as far as was said.
    said_critical: bool,
    /// By the clock.
    done: Vec<bool>,
    /// Never fires by the clock again.
    early: Vec<bool>,
    late: Vec<usize>,
    announced: u32,
    notified: Vec<&'static str>,
    said_at: Option<Second>,
    repeats: usize,
    /// The clock when it was acknowledged, and when that ends.
    acknowledged: Option<(Second, Option<Second>)>,
    is_quiet: bool,
}

/// What happens in a story.
pub(crate) fn heard(story: &Story) -> Vec<Heard> {
    let mut oracle = Oracle {
        story,
        episode: None,
        silences: Vec::new(),
        paused_until: 0,
        waiting: Vec::new(),
        heard: Vec::new(),
    };
    let mut deeds = story.deeds.iter().peekable();
    for second in 0..LENGTH {
        oracle.pass(second);
        // What is due at an instant leaves before people act at it.
        oracle.flush(second);
        while let Some((_, deed)) = deeds.next_if(|(at, _)| *at == second) {
            oracle.obey(second, *deed);
            oracle.judge(second);
            oracle.flush(second);
        }
    }
    oracle.heard
}

impl Oracle<'_> {
    fn pass(&mut self, second: Second) {
        self.silences.retain(|until| *until > second);
        if let Some(episode) = &mut self.episode
            && !episode.is_held
        {
            episode.clock += 1;
        }
        let level = self.story.level;
        if second == level.opens * 60 {
            let steps = self.story.steps.len();
            self.episode = Some(Episode {
                opened: second,
                clock: 0,
                is_held: false,
                is_judged: false,
                is_critical: false,
                said_critical: false,
                done: vec![false; steps],
                early: vec![false; steps],
                late: Vec::new(),
                announced: 0,
                notified: Vec::new(),
                said_at: None,
                repeats: 0,
                acknowledged: None,
                is_quiet: false,
            });
        }
        if level.worse.is_some_and(|minute| second == minute * 60)
            && let Some(episode) = &mut self.episode
        {
            episode.is_critical = true;
        }
        if second == level.ends * 60 {
            self.end(second);
        }
        self.judge(second);
    }

    /// Nothing but a pause.
    fn is_paused(&self, second: Second) -> bool {
        second < self.paused_until
    }

    /// Held by anything else.
    fn is_muted(&self, second: Second) -> bool {
        let is_maintained =
            self.story.maintenance.iter().any(|(from, until)| (*from..*until).contains(&second));
        let is_inhibited =
            self.story.source.is_some_and(|it| (it.opens * 60..it.ends * 60).contains(&second));
        !self.silences.is_empty() || is_maintained || is_inhibited
    }

    fn judge(&mut self, second: Second) {
        let is_held = self.is_muted(second) || self.is_paused(second);
        let Some(mut episode) = self.episode.take() else { return };
        if !episode.is_quiet {
            let is_released = episode.is_held && !is_held;
            episode.is_held = is_held;
            if is_released && self.repeat_at(&episode).is_some_and(|at| at <= second) {
                episode.said_at = Some(second);
            }
            // A first message waits for what would mute it.
            if !is_held && (episode.announced > 0 || second >= episode.opened + 15) {
                self.announce(second, &mut episode);
            }
        }
        self.episode = Some(episode);
    }

    fn announce(&mut self, second: Second, episode: &mut Episode) {
        let steps = &self.story.steps;
        if episode.is_critical && !episode.said_critical && episode.is_judged {
            episode.said_critical = true;
            episode.repeats = 0;
            self.end_acknowledgement(episode);
            let mut to = episode.notified.clone();
            for (number, step) in steps.iter().enumerate().filter(|(_, step)| step.critical) {
                add(&mut to, &step.to);
                episode.early[number] |= !episode.done[number];
            }
            let cause = if episode.announced == 0 { "opened" } else { "worse" };
            self.say(second, episode, cause, &to);
        }
        episode.said_critical |= episode.is_critical;
        if episode.acknowledged.is_some_and(|(_, until)| until.is_some_and(|until| until <= second)) {
            self.end_acknowledgement(episode);
            episode.repeats = 0;
            let to = episode.notified.clone();
            self.say(second, episode, "repeat", &to);
        }
        let is_below = |step: &StoryStep| step.critical && !episode.is_critical;
        let is_left = |step: &StoryStep| step.unless && episode.acknowledged.is_some();
        let is_outside = |step: &StoryStep| step.when.is_some_and(|hours| !is_within(hours, second));
        let mut to = Vec::new();
        let due: Vec<usize> =
            (0..steps.len()).filter(|n| !episode.done[*n] && steps[*n].after <= episode.clock).collect();
        let fires = |n: &usize| {
            let step = &steps[*n];
            !episode.early[*n] && !is_below(step) && !is_left(step) && !is_outside(step)
        };
        let latest = due.iter().filter(|n| fires(n)).map(|n| steps[*n].after).max();
        for n in due.iter().filter(|n| fires(n) && Some(steps[**n].after) == latest) {
            add(&mut to, &steps[*n].to);
        }
        let late: Vec<usize> = episode.late.iter().copied().filter(|n| is_outside(&steps[*n])).collect();
        for n in &episode.late {
            let step = &steps[*n];
            if !is_outside(step) && !is_below(step) && !is_left(step) {
                add(&mut to, &step.to);
            }
        }
        let waits = due.iter().filter(|n| {
            let step = &steps[**n];
            !episode.early[**n] && !is_below(step) && !is_left(step) && is_outside(step)
        });
        let stays = late.iter().filter(|n| !is_below(&steps[**n]) && !is_left(&steps[**n]));
        let late = stays.chain(waits).copied().collect();
        episode.late = late;
        episode.is_judged |= !due.is_empty();
        due.iter().for_each(|n| episode.done[*n] = true);
        let cause = if episode.announced == 0 { "opened" } else { "escalated" };
        self.say(second, episode, cause, &to);
        if episode.acknowledged.is_none() && self.repeat_at(episode).is_some_and(|at| at <= second) {
            episode.repeats += 1;
            let to = episode.notified.clone();
            self.say(second, episode, "repeat", &to);
        }
    }

    fn repeat_at(&self, episode: &Episode) -> Option<Second> {
        let Story { repeat, repeats_max, .. } = self.story;
        if repeats_max.is_some_and(|most| episode.repeats >= most as usize) || episode.notified.is_empty() {
            return None;
        }
        let span = repeat.get(episode.repeats).or(repeat.last())?;
        Some(episode.said_at? + span)
    }

    fn end_acknowledgement(&self, episode: &mut Episode) {
        let Some((clock, _)) = episode.acknowledged.take() else { return };
        episode.clock = clock;
        for (n, step) in self.story.steps.iter().enumerate() {
            if step.after > clock && episode.done[n] {
                episode.done[n] = false;
                episode.early[n] |= !step.unless;
            }
        }
    }

    fn end(&mut self, second: Second) {
        let Some(mut episode) = self.episode.take() else { return };
        if episode.is_quiet {
            return;
        }
        if episode.announced == 0 && !self.is_muted(second) {
            let steps = &self.story.steps;
            let would_fire = |n: &usize| {
                let step = &steps[*n];
                !episode.done[*n]
                    && !episode.early[*n]
                    && step.after <= episode.clock
                    && (!step.critical || episode.is_critical)
                    && step.when.is_none_or(|hours| is_within(hours, second))
            };
            let eligible: Vec<usize> = (0..steps.len()).filter(would_fire).collect();
            let latest = eligible.iter().map(|n| steps[*n].after).max();
            let mut to = Vec::new();
            for n in eligible.iter().filter(|n| Some(steps[**n].after) == latest) {
                add(&mut to, &steps[*n].to);
            }
            return self.say(second, &mut episode, "was", &to);
        }
        let to = episode.notified.clone();
        self.say(second, &mut episode, "resolved", &to);
    }

    fn obey(&mut self, second: Second, deed: Deed) {
        match deed {
            Deed::Silence(lasts) => self.silences.push(second + lasts),
            Deed::Unsilence if !self.silences.is_empty() => drop(self.silences.remove(0)),
            Deed::Unsilence => {}
            Deed::Pause(lasts) => self.paused_until = second + lasts,
            Deed::Unpause => self.paused_until = self.paused_until.min(second),
            Deed::Acknowledge | Deed::Unacknowledge | Deed::Resolve => {
                let Some(mut episode) = self.episode.take().filter(|episode| !episode.is_quiet) else {
                    return;
                };
                let to = episode.notified.clone();
                match deed {
                    Deed::Acknowledge if episode.acknowledged.is_none() => {
                        let until = self.story.ack_for.map(|lasts| second + lasts);
                        episode.acknowledged = Some((episode.clock, until));
                        let (said_at, announced) = (episode.said_at, episode.announced);
                        self.say(second, &mut episode, "acknowledged", &to);
                        (episode.said_at, episode.announced) = (said_at, announced);
                    }
                    Deed::Unacknowledge if episode.acknowledged.is_some() => {
                        self.end_acknowledgement(&mut episode);
                        episode.repeats = 0;
                        self.say(second, &mut episode, "repeat", &to);
                    }
                    Deed::Resolve => {
                        self.say(second, &mut episode, "resolved", &to);
                        episode.is_quiet = true;
                    }
                    _ => {}
                }
                self.episode = Some(episode);
            }
        }
    }

    fn say(&mut self, second: Second, episode: &mut Episode, cause: &'static str, to: &[&'static str]) {
        if to.is_empty() {
            return;
        }
        episode.announced += 1;
        episode.said_at = Some(second);
        add(&mut episode.notified, to);
        self.waiting.extend(to.iter().map(|to| (*to, cause)));
    }

    fn flush(&mut self, second: Second) {
        if !self.is_paused(second) {
            self.heard.extend(self.waiting.drain(..).map(|(to, cause)| (second, to, cause)));
        }
    }
}

fn add(names: &mut Vec<&'static str>, more: &[&'static str]) {
    for name in more {
        if !names.contains(name) {
            names.push(name);
        }
    }
}
