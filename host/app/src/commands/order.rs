//! Commands as JSON: what the API takes and the command line sends.
use serde::{Deserialize, Serialize};
use watchbell_contract::{Duration, Timestamp};
use watchbell_manifest::Role;
use watchbell_pipeline::matcher::{MATCHERS_MAX, Matcher};
use watchbell_pipeline::record::{Command, CommandId, EpisodeId, IntentId, SilenceId, SilenceSpec};

/// Characters of an id of any kind.
const ID_CHARS_MAX: usize = 128;
/// Characters of a note.
const NOTE_CHARS_MAX: usize = 4_000;
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 1_000;
/// Characters of what somebody calls themselves.
const CALLED_CHARS_MAX: usize = 64;

/// The body of `POST /api/v1/commands`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    /// Made by the sender: the same id again has no further effect.
    pub(crate) id: String,
    pub(crate) command: Order,
    /// What the sender calls themselves: shown beside what is known of them.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub(crate) called: Option<String>,
}

/// A command as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    Acknowledge { episode: String },
    Unacknowledge { episode: String },
    Resolve { episode: String },
    Note { episode: String, text: String },
    Retry { message: String },
    Drop { message: String },
    Silence(Silence),
    Unsilence { silence: String },
    Pause(Pause),
    Unpause {},
}

/// Until an instant, or for so long from now on (or from `from` on).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Silence {
    /// Conditions such as `host.name=db-*`; what meets all of them is held back.
    pub(crate) matchers: Vec<String>,
    /// By default now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub(crate) lasts: Option<String>,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pause {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub(crate) lasts: Option<String>,
    pub(crate) reason: String,
}

/// What became of a command: the answer of `POST /api/v1/commands`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) outcome: Outcome,
    /// Why it was refused, or not taken, or is not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Applied,
    Refused,
    Recorded,
    NotTaken,
}

impl Body {
    /// The command with its id, and what the sender calls themselves.
    ///
    /// # Errors
    /// What is wrong with the body, in words.
    pub(crate) fn read(&self, now: Timestamp) -> Result<(CommandId, Command, Option<&str>), String> {
        let id = CommandId(id("id", &self.id)?);
        let called = self.called.as_deref().map(called).transpose()?;
        Ok((id, self.command.read(now)?, called))
    }
}

impl Order {
    /// Who may give it.
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Acknowledge { .. }
            | Self::Unacknowledge { .. }
            | Self::Resolve { .. }
            | Self::Note { .. }
            | Self::Retry { .. }
            | Self::Drop { .. }
            | Self::Silence(_)
            | Self::Unsilence { .. } => Role::Ack,
            Self::Pause(_) | Self::Unpause {} => Role::Deploy,
        }
    }

    fn read(&self, now: Timestamp) -> Result<Command, String> {
        Ok(match self {
            Self::Acknowledge { episode } => Command::Acknowledge { episode: self::episode(episode)? },
            Self::Unacknowledge { episode } => Command::Unacknowledge { episode: self::episode(episode)? },
            Self::Resolve { episode } => Command::Resolve { episode: self::episode(episode)? },
            Self::Note { episode, text } => {
                Command::Note { episode: self::episode(episode)?, text: words("text", text, NOTE_CHARS_MAX)? }
            }
            Self::Retry { message } => Command::Retry { intent: IntentId(id("message", message)?) },
            Self::Drop { message } => Command::Drop { intent: IntentId(id("message", message)?) },
            Self::Silence(silence) => Command::Silence(silence.read(now)?),
            Self::Unsilence { silence } => Command::Unsilence { silence: SilenceId(id("silence", silence)?) },
            Self::Pause(pause) => Command::Pause {
                until: end(pause.until.as_deref(), pause.lasts.as_deref(), now)?,
                reason: words("reason", &pause.reason, REASON_CHARS_MAX)?,
            },
            Self::Unpause {} => Command::Unpause,
        })
    }

    /// As it was given, for the audit log.
    pub(crate) fn of(command: &Command) -> Self {
        let episode = |episode: &EpisodeId| episode.0.clone();
        match command {
            Command::Acknowledge { episode: id } => Self::Acknowledge { episode: episode(id) },
            Command::Unacknowledge { episode: id } => Self::Unacknowledge { episode: episode(id) },
            Command::Resolve { episode: id } => Self::Resolve { episode: episode(id) },
            Command::Note { episode: id, text } => Self::Note { episode: episode(id), text: text.clone() },
            Command::Retry { intent } => Self::Retry { message: intent.0.clone() },
            Command::Drop { intent } => Self::Drop { message: intent.0.clone() },
            Command::Silence(spec) => Self::Silence(Silence {
                matchers: spec.matchers.iter().map(ToString::to_string).collect(),
                from: Some(spec.from.to_string()),
                until: Some(spec.until.to_string()),
                lasts: None,
                reason: spec.reason.clone(),
            }),
            Command::Unsilence { silence } => Self::Unsilence { silence: silence.0.clone() },
            Command::Pause { until, reason } => {
                Self::Pause(Pause { until: Some(until.to_string()), lasts: None, reason: reason.clone() })
            }
            Command::Unpause => Self::Unpause {},
        }
    }
}

impl Silence {
    fn read(&self, now: Timestamp) -> Result<SilenceSpec, String> {
        if self.matchers.len() > MATCHERS_MAX {
            return Err(format!("a silence has at most {MATCHERS_MAX} conditions"));
        }
        let matchers = self.matchers.iter().map(|text| Matcher::parse(text));
        let matchers = matchers.collect::<Result<_, _>>().map_err(|fault| fault.to_string())?;
        let from = self.from.as_deref().map_or(Ok(now), |text| instant("from", text))?;
        Ok(SilenceSpec {
            matchers,
            from,
            until: end(self.until.as_deref(), self.lasts.as_deref(), from)?,
            reason: words("reason", &self.reason, REASON_CHARS_MAX)?,
        })
    }
}

fn end(until: Option<&str>, lasts: Option<&str>, from: Timestamp) -> Result<Timestamp, String> {
    match (until, lasts) {
        (Some(until), None) => instant("until", until),
        (None, Some(lasts)) => {
            let span =
                span(lasts).ok_or_else(|| format!("`{lasts}` is not a duration such as `30m` or `2h`"))?;
            Ok(from + span)
        }
        _ => Err("say either `for` (such as `2h`) or `until` (such as `2026-11-20T08:00:00Z`)".into()),
    }
}

fn instant(name: &str, text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| format!("`{name}` must be an instant such as `2026-11-20T08:00:00Z`, found `{text}`"))
}

/// `90s`, `2h30m` or `7d`, at most a year.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    let span = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    let span = u64::try_from(span.as_millis()).ok().map(Duration)?;
    (span <= Duration::from_hours(24 * 366)).then_some(span)
}

fn episode(text: &str) -> Result<EpisodeId, String> {
    id("episode", text).map(EpisodeId)
}

fn id(name: &str, text: &str) -> Result<String, String> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._:-".contains(char);
    if text.is_empty() || text.len() > ID_CHARS_MAX || !text.chars().all(is_plain) {
        return Err(format!("`{name}` must be 1 to {ID_CHARS_MAX} letters, digits and characters of `._:-`"));
    }
    Ok(text.to_owned())
}

/// Words of a person, which are shown as they are.
fn words(name: &str, text: &str, chars_max: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > chars_max {
        return Err(format!("`{name}` must have 1 to {chars_max} characters"));
    }
    Ok(text.to_owned())
}

/// A name without the parentheses in which the host says what it knows.
fn called(text: &str) -> Result<&str, String> {
    let is_plain = |char: char| char.is_alphanumeric() || " ._@+-".contains(char);
    let text = text.trim();
    if text.is_empty() || text.chars().count() > CALLED_CHARS_MAX || !text.chars().all(is_plain) {
        return Err(format!(
            "`as` must be 1 to {CALLED_CHARS_MAX} letters, digits, spaces and characters of `._@+-`"
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(body: Value) -> Result<(CommandId, Command, Option<String>), String> {
        let body: Body = from_value(body).map_err(|error| error.to_string())?;
        let (id, command, called) = body.read(Timestamp(0))?;
        Ok((id, command, called.map(str::to_owned)))
    }

    #[test]
    fn a_command_is_read_with_its_id_and_the_senders_name() {
        let body =
            json!({ "id": "7f-1", "command": { "acknowledge": { "episode": "e1" } }, "as": "Ann Äbele" });
        let (id, command, called) = read(body).unwrap();
        assert_eq!((id.0.as_str(), called.as_deref()), ("7f-1", Some("Ann Äbele")));
        assert_eq!(command, Command::Acknowledge { episode: EpisodeId("e1".into()) });
    }

    #[test]
    fn a_silence_and_a_pause_last_from_now_or_until_an_instant() {
        let read =
            |command: Value| read(json!({ "id": "1", "command": command })).map(|(_, command, _)| command);
        let silence =
            json!({ "matchers": ["host.name=db-*", "severity!=critical"], "for": "2h", "reason": "move" });
        let Ok(Command::Silence(spec)) = read(json!({ "silence": silence })) else { panic!("no silence") };
        assert_eq!((spec.from, spec.until), (Timestamp(0), Timestamp(7_200_000)));
        // The audit log tells it in the same words.
        let again = serde_json::to_value(Order::of(&Command::Silence(spec))).unwrap();
        assert_eq!(again["silence"]["matchers"], json!(["host.name=db-*", "severity!=critical"]));
        assert!(read(again).is_ok());
        let pause = json!({ "pause": { "until": "1970-01-01T00:30:00Z", "reason": "a bad deploy" } });
        assert!(matches!(read(pause), Ok(Command::Pause { until: Timestamp(1_800_000), .. })));
        assert_eq!(read(json!({ "unpause": {} })), Ok(Command::Unpause));
        let both = json!({ "pause": { "for": "1h", "until": "1970-01-01T00:30:00Z", "reason": "x" } });
        assert!(read(both).unwrap_err().starts_with("say either `for`"));
        let odd = json!({ "silence": { "matchers": ["host"], "for": "2h", "reason": "x" } });
        assert!(read(odd).unwrap_err().contains("`host` is not a condition"));
        for lasts in ["-2h", "soon", "900d"] {
            let fault = read(json!({ "pause": { "for": lasts, "reason": "x" } })).unwrap_err();
            assert!(fault.contains("is not a duration"), "{fault}");
        }
    }

    #[test]
    fn what_is_no_command_is_told() {
        let with = |id: &str, command: Value| read(json!({ "id": id, "command": command })).unwrap_err();
        let ack = json!({ "acknowledge": { "episode": "e" } });
        assert!(with("", ack.clone()).starts_with("`id` must be"));
        assert!(with(&"x".repeat(129), ack).starts_with("`id` must be"));
        assert!(with("1", json!({ "acknowledge": { "episode": "a b" } })).starts_with("`episode` must be"));
        assert!(
            with("1", json!({ "note": { "episode": "e", "text": " " } })).starts_with("`text` must have")
        );
        assert!(with("1", json!({ "explode": {} })).contains("unknown variant `explode`"));
        assert!(with("1", json!({ "resolve": { "episode": "e", "x": 1 } })).contains("unknown field `x`"));
        let named =
            json!({ "id": "1", "command": { "resolve": { "episode": "e" } }, "as": "ann (token root)" });
        assert!(read(named).unwrap_err().starts_with("`as` must be"));
    }
}
