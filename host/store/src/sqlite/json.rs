use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use watchbell_contract::{Duration, Label, Range, RecordedCall, Timestamp};
use watchbell_pipeline::matcher::Matcher;
use watchbell_pipeline::message::{Message, Route, Wording};
use watchbell_pipeline::record::{
    EpisodeId, EpisodeProgress, Failure, LastSignal, Later, LaterEvent, Notified, RunSummary, SeenSignal,
    SilenceSpec, Standstill,
};
use watchbell_pipeline::spec::{DestinationName, RuleName, Step, StepId};
use watchbell_text::Text;

use super::destinations::RouteForm;
use super::names::{cause, severity, wording, wording_name};

/// A type of the pipeline and its representation in a column.
pub(crate) trait Column: Sized {
    type Form: Serialize + for<'de> Deserialize<'de>;
    fn form(&self) -> Self::Form;
    fn read(form: Self::Form) -> Option<Self>;
}

/// A float as its shortest exact decimal. JSON cannot represent infinities, and its readers may round.
#[derive(Serialize, Deserialize)]
pub(crate) struct Exact(String);

/// An escalation step as stored in format 1 of episodes.
#[derive(Serialize, Deserialize)]
pub(crate) struct StepForm {
    after: u64,
    to: Vec<String>,
    unless_acknowledged: bool,
    severity: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct LastForm {
    at: i64,
    value: Option<Exact>,
    threshold: Option<Exact>,
    summary: String,
    details: String,
    link: Option<String>,
}

/// What is at its beginning is left out: most episodes are never held.
#[derive(Serialize, Deserialize)]
pub(crate) struct ProgressForm {
    #[serde(default, skip_serializing_if = "is_zero")]
    stood: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<(i64, Option<i64>)>,
    followed: String,
    #[serde(default, skip_serializing_if = "is_none")]
    repeats: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeat_dropped_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    late: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledged_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledged_clock: Option<u64>,
}

fn is_zero(span: &u64) -> bool {
    *span == 0
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RunForm {
    start: i64,
    end: i64,
    rows: u64,
    signals: u32,
    took: u64,
    ended_at: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FailureForm {
    at: i64,
    start: i64,
    end: i64,
    message: String,
    streak: u32,
    /// Absent in older stores.
    #[serde(default)]
    since: Option<i64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct MessageForm {
    episode: String,
    rule: String,
    owner: Option<String>,
    environment: String,
    labels: Labels,
    /// If they differ from the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    named: Option<Labels>,
    cause: String,
    severity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    since: i64,
    last: LastForm,
    count: u32,
    more: Vec<String>,
    wording: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<RouteForm>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RecordedForm {
    number: u32,
    status: u16,
    headers: Vec<(String, String)>,
    /// In base64.
    body: String,
}

pub(crate) type Labels = Vec<(String, Option<String>)>;

/// An intent as stored in format 1, text included.
#[derive(Deserialize)]
pub(crate) struct IntentForm {
    episode: String,
    rule: String,
    owner: Option<String>,
    environment: String,
    labels: Labels,
    cause: String,
    severity: String,
    at: i64,
    since: i64,
    value: Option<Exact>,
    threshold: Option<Exact>,
    title: String,
    body: String,
    summary: String,
    details: String,
    link: Option<String>,
    maybe_repeated: bool,
}

impl Exact {
    pub(crate) fn of(value: f64) -> Self {
        Self(format!("{value:?}"))
    }

    fn value(&self) -> Option<f64> {
        self.0.parse().ok()
    }
}

pub(crate) fn read_exact(form: Option<Exact>) -> Option<Option<f64>> {
    form.map_or(Some(None), |exact| exact.value().map(Some))
}

impl Column for Vec<Label> {
    type Form = Vec<(String, Option<String>)>;
    fn form(&self) -> Self::Form {
        self.iter().map(|label| (label.name.clone(), label.value.clone())).collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(form.into_iter().map(|(name, value)| Label { name, value }).collect())
    }
}

impl Column for Vec<SeenSignal> {
    type Form = Vec<(i64, u64)>;
    fn form(&self) -> Self::Form {
        self.iter().map(|seen| (seen.at.0, seen.signal)).collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(form.into_iter().map(|(at, signal)| SeenSignal { at: Timestamp(at), signal }).collect())
    }
}

impl Column for Vec<DestinationName> {
    type Form = Vec<String>;
    fn form(&self) -> Self::Form {
        self.iter().map(|name| name.0.clone()).collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(form.into_iter().map(DestinationName).collect())
    }
}

impl Column for Vec<Step> {
    type Form = Vec<StepForm>;
    fn form(&self) -> Self::Form {
        self.iter()
            .map(|step| StepForm {
                after: step.after.0,
                to: step.to.form(),
                unless_acknowledged: step.unless_acknowledged,
                severity: step.severity.map(|severity| severity.as_str().to_owned()),
            })
            .collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        form.into_iter()
            .map(|step| {
                let from = match step.severity {
                    Some(name) => Some(severity(&name)?),
                    None => None,
                };
                Some(Step {
                    after: Duration(step.after),
                    to: Column::read(step.to)?,
                    unless_acknowledged: step.unless_acknowledged,
                    severity: from,
                    when: None,
                })
            })
            .collect()
    }
}

impl Column for Vec<StepId> {
    type Form = Vec<u64>;
    fn form(&self) -> Self::Form {
        self.iter().map(|step| step.0).collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(form.into_iter().map(StepId).collect())
    }
}

impl Column for Vec<Notified> {
    type Form = Vec<(String, i64, Option<u64>)>;
    fn form(&self) -> Self::Form {
        self.iter()
            .map(|notified| (notified.destination.0.clone(), notified.at.0, notified.step.map(|step| step.0)))
            .collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        let notified = |(name, at, step): (String, i64, Option<u64>)| Notified {
            destination: DestinationName(name),
            at: Timestamp(at),
            step: step.map(StepId),
        };
        Some(form.into_iter().map(notified).collect())
    }
}

impl Column for Vec<Matcher> {
    type Form = Vec<String>;
    fn form(&self) -> Self::Form {
        self.iter().map(Matcher::to_string).collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        form.iter().map(|text| Matcher::parse(text).ok()).collect()
    }
}

impl Column for SilenceSpec {
    type Form = (Vec<String>, i64, i64, String);
    fn form(&self) -> Self::Form {
        (self.matchers.form(), self.from.0, self.until.0, self.reason.clone())
    }
    fn read((matchers, from, until, reason): Self::Form) -> Option<Self> {
        let matchers = Column::read(matchers)?;
        Some(Self { matchers, from: Timestamp(from), until: Timestamp(until), reason })
    }
}

impl Column for (Timestamp, String) {
    type Form = (i64, String);
    fn form(&self) -> Self::Form {
        (self.0.0, self.1.clone())
    }
    fn read((at, text): Self::Form) -> Option<Self> {
        Some((Timestamp(at), text))
    }
}

impl Column for EpisodeProgress {
    type Form = ProgressForm;
    fn form(&self) -> Self::Form {
        ProgressForm {
            stood: self.stood.0,
            held: self.held.map(|held| (held.since.0, held.until.map(|until| until.0))),
            followed: self.followed.as_str().to_owned(),
            repeats: self.repeats,
            repeat_dropped_at: self.repeat_dropped_at.map(|at| at.0),
            late: self.late.form(),
            acknowledged_until: self.acknowledged_until.map(|at| at.0),
            acknowledged_clock: self.acknowledged_clock.map(|clock| clock.0),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        let held = |(since, until): (i64, Option<i64>)| Standstill {
            since: Timestamp(since),
            until: until.map(Timestamp),
        };
        Some(Self {
            stood: Duration(form.stood),
            held: form.held.map(held),
            followed: severity(&form.followed)?,
            repeats: form.repeats,
            repeat_dropped_at: form.repeat_dropped_at.map(Timestamp),
            late: Column::read(form.late)?,
            acknowledged_until: form.acknowledged_until.map(Timestamp),
            acknowledged_clock: form.acknowledged_clock.map(Duration),
        })
    }
}

impl Column for LastSignal {
    type Form = LastForm;
    fn form(&self) -> Self::Form {
        LastForm {
            at: self.at.0,
            value: self.value.map(Exact::of),
            threshold: self.threshold.map(Exact::of),
            summary: self.summary.clone(),
            details: self.details.clone(),
            link: self.link.clone(),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(Self {
            at: Timestamp(form.at),
            value: read_exact(form.value)?,
            threshold: read_exact(form.threshold)?,
            summary: form.summary,
            details: form.details,
            link: form.link,
        })
    }
}

impl Column for Later {
    type Form = (Vec<(<Vec<Label> as Column>::Form, LastForm)>, u64);
    fn form(&self) -> Self::Form {
        (self.events.iter().map(|event| (event.labels.form(), event.last.form())).collect(), self.more)
    }
    fn read((events, more): Self::Form) -> Option<Self> {
        let event =
            |(labels, last)| Some(LaterEvent { labels: Column::read(labels)?, last: Column::read(last)? });
        Some(Self { events: events.into_iter().map(event).collect::<Option<_>>()?, more })
    }
}

impl Column for RunSummary {
    type Form = RunForm;
    fn form(&self) -> Self::Form {
        RunForm {
            start: self.window.start.0,
            end: self.window.end.0,
            rows: self.rows,
            signals: self.signals,
            took: self.took.0,
            ended_at: self.ended_at.0,
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(Self {
            window: Range::new(Timestamp(form.start), Timestamp(form.end)),
            rows: form.rows,
            signals: form.signals,
            took: Duration(form.took),
            ended_at: Timestamp(form.ended_at),
        })
    }
}

impl Column for Failure {
    type Form = FailureForm;
    fn form(&self) -> Self::Form {
        FailureForm {
            at: self.at.0,
            start: self.window.start.0,
            end: self.window.end.0,
            message: self.message.clone(),
            streak: self.streak,
            since: Some(self.since.0),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(Self {
            at: Timestamp(form.at),
            window: Range::new(Timestamp(form.start), Timestamp(form.end)),
            message: form.message,
            streak: form.streak,
            since: Timestamp(form.since.unwrap_or(form.at)),
        })
    }
}

impl Column for Message {
    type Form = MessageForm;
    fn form(&self) -> Self::Form {
        MessageForm {
            episode: self.episode.0.clone(),
            rule: self.rule.0.clone(),
            owner: self.owner.clone(),
            environment: self.environment.clone(),
            labels: self.labels.form(),
            named: (self.named != self.labels).then(|| self.named.form()),
            cause: self.cause.as_str().to_owned(),
            severity: self.severity.as_str().to_owned(),
            person: self.person.clone(),
            since: self.since.0,
            last: self.last.form(),
            count: self.count,
            more: self.more.clone(),
            wording: wording_name(self.wording).to_owned(),
            route: (self.route != Route::default()).then(|| self.route.form()),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        let labels: Vec<Label> = Column::read(form.labels)?;
        Some(Self {
            episode: EpisodeId(form.episode),
            rule: RuleName(form.rule),
            owner: form.owner,
            environment: form.environment,
            named: form.named.map_or_else(|| Some(labels.clone()), Column::read)?,
            labels,
            cause: cause(&form.cause)?,
            severity: severity(&form.severity)?,
            person: form.person,
            since: Timestamp(form.since),
            last: Column::read(form.last)?,
            count: form.count,
            more: form.more,
            wording: wording(&form.wording)?,
            route: form.route.map_or_else(|| Some(Route::default()), Column::read)?,
        })
    }
}

impl Column for Vec<RecordedCall> {
    type Form = Vec<RecordedForm>;
    fn form(&self) -> Self::Form {
        self.iter()
            .map(|call| RecordedForm {
                number: call.number,
                status: call.status,
                headers: call.headers.clone(),
                body: BASE64.encode(&call.body),
            })
            .collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        form.into_iter()
            .map(|RecordedForm { number, status, headers, body }| {
                Some(RecordedCall { number, status, headers, body: BASE64.decode(body).ok()? })
            })
            .collect()
    }
}

impl Column for Text {
    type Form = (String, String);
    fn form(&self) -> Self::Form {
        (self.title.clone(), self.body.clone())
    }
    fn read((title, body): Self::Form) -> Option<Self> {
        Some(Self { title, body })
    }
}

impl IntentForm {
    /// What it is about, as sent, and whether an attempt may have arrived.
    pub(crate) fn parts(self) -> Option<(Message, Text, bool)> {
        let labels: Vec<Label> = Column::read(self.labels)?;
        let message = Message {
            episode: EpisodeId(self.episode),
            rule: RuleName(self.rule),
            owner: self.owner,
            environment: self.environment,
            named: labels.clone(),
            labels,
            cause: cause(&self.cause)?,
            severity: severity(&self.severity)?,
            person: None,
            since: Timestamp(self.since),
            last: LastSignal {
                at: Timestamp(self.at),
                value: read_exact(self.value)?,
                threshold: read_exact(self.threshold)?,
                summary: self.summary,
                details: self.details,
                link: self.link,
            },
            count: 1,
            more: Vec::new(),
            wording: Wording::Rule,
            route: Route::default(),
        };
        Some((message, Text { title: self.title, body: self.body }, self.maybe_repeated))
    }
}
