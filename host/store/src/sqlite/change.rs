use serde::{Deserialize, Serialize};
use watchbell_contract::{Range, Timestamp};
use watchbell_pipeline::record::{Change, EpisodeId, Level, Occurrence};

use super::json::{Column, Labels, LastForm};
use super::names::{ending, ending_name, severity};

/// A change of a kind that this version does not know cannot be read.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum ChangeForm {
    Level { level: LevelForm, worse: Option<String> },
    Renewed { level: LevelForm },
    Suspended { level: LevelForm },
    Ended { level: LevelForm, why: String },
    Events { events: Vec<OccurrenceForm>, window_end: i64 },
    Withheld { at: i64 },
    Later { events: Vec<OccurrenceForm>, more: u64 },
    Gap { start: i64, end: i64, message: String },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct LevelForm {
    id: String,
    labels: Labels,
    has_begun: bool,
    severity: String,
    since: i64,
    until: i64,
    last: LastForm,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OccurrenceForm {
    labels: Labels,
    last: LastForm,
    nth: u32,
    mark: u64,
}

impl Column for Change {
    type Form = ChangeForm;
    fn form(&self) -> Self::Form {
        match self {
            Self::Level { level, worse } => ChangeForm::Level {
                level: level.form(),
                worse: worse.map(|severity| severity.as_str().to_owned()),
            },
            Self::Renewed { level } => ChangeForm::Renewed { level: level.form() },
            Self::Suspended { level } => ChangeForm::Suspended { level: level.form() },
            Self::Ended { level, why } => {
                ChangeForm::Ended { level: level.form(), why: ending_name(*why).to_owned() }
            }
            Self::Events { events, window_end } => {
                ChangeForm::Events { events: events.form(), window_end: window_end.0 }
            }
            Self::Withheld { at } => ChangeForm::Withheld { at: at.0 },
            Self::Later { events, more } => ChangeForm::Later { events: events.form(), more: *more },
            Self::Gap { over, message } => {
                ChangeForm::Gap { start: over.start.0, end: over.end.0, message: message.clone() }
            }
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(match form {
            ChangeForm::Level { level, worse } => Self::Level {
                level: Column::read(level)?,
                worse: match worse {
                    Some(name) => Some(severity(&name)?),
                    None => None,
                },
            },
            ChangeForm::Renewed { level } => Self::Renewed { level: Column::read(level)? },
            ChangeForm::Suspended { level } => Self::Suspended { level: Column::read(level)? },
            ChangeForm::Ended { level, why } => {
                Self::Ended { level: Column::read(level)?, why: ending(&why)? }
            }
            ChangeForm::Events { events, window_end } => {
                Self::Events { events: Column::read(events)?, window_end: Timestamp(window_end) }
            }
            ChangeForm::Withheld { at } => Self::Withheld { at: Timestamp(at) },
            ChangeForm::Later { events, more } => Self::Later { events: Column::read(events)?, more },
            ChangeForm::Gap { start, end, message } => {
                Self::Gap { over: Range::new(Timestamp(start), Timestamp(end)), message }
            }
        })
    }
}

impl Column for Level {
    type Form = LevelForm;
    fn form(&self) -> Self::Form {
        LevelForm {
            id: self.id.0.clone(),
            labels: self.labels.form(),
            has_begun: self.has_begun,
            severity: self.severity.as_str().to_owned(),
            since: self.since.0,
            until: self.until.0,
            last: self.last.form(),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(Self {
            id: EpisodeId(form.id),
            labels: Column::read(form.labels)?,
            has_begun: form.has_begun,
            severity: severity(&form.severity)?,
            since: Timestamp(form.since),
            until: Timestamp(form.until),
            last: Column::read(form.last)?,
        })
    }
}

impl Column for Vec<Occurrence> {
    type Form = Vec<OccurrenceForm>;
    fn form(&self) -> Self::Form {
        let form = |event: &Occurrence| OccurrenceForm {
            labels: event.labels.form(),
            last: event.last.form(),
            nth: event.nth,
            mark: event.mark,
        };
        self.iter().map(form).collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        let read = |form: OccurrenceForm| {
            Some(Occurrence {
                labels: Column::read(form.labels)?,
                last: Column::read(form.last)?,
                nth: form.nth,
                mark: form.mark,
            })
        };
        form.into_iter().map(read).collect()
    }
}
