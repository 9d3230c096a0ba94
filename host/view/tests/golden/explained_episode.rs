use watchbell_contract::{Cause, Duration, Severity};
use watchbell_pipeline::active::{self, Active};
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::matcher::Matcher;
use watchbell_pipeline::oncall::{self, Person, Rotation};
use watchbell_pipeline::outlook::Surroundings;
use watchbell_pipeline::record::{
    Command, CommandId, CommandRecord, Delivery, EpisodeId, IntentRecord, Phase, SilenceId, SilenceRecord,
    SilenceSpec, Standstill,
};
use watchbell_pipeline::spec::{AlertSpec, DestinationName, RuleSpec, Step};
use watchbell_view::{EpisodeExplanation, Facts, Source};

use super::{MINUTE, NOW, episode, intent};

/// Chat at once, mail after 15 minutes unless acknowledged, a rotation after 45 if critical and in office hours.
fn escalating() -> RuleSpec {
    let step = |minutes, to: &str| Step {
        after: Duration::from_mins(minutes),
        to: vec![DestinationName(to.into())],
        unless_acknowledged: minutes > 0,
        severity: None,
        when: None,
    };
    let hours = ["08:00-18:00".to_owned()];
    let hours = active::Written {
        hours: &hours,
        days: &[],
        holidays: &[],
        timezone: "Europe/Berlin",
        outside: active::Outside::Skip,
    };
    let on_call = Step { when: Some(Active::parse(hours).unwrap()), ..step(45, "web") };
    let wanted = Step { severity: Some(Severity::Critical), ..step(60, "ops-sms") };
    let alert = AlertSpec {
        steps: vec![step(0, "ops-chat"), step(15, "ops-mail"), on_call, wanted],
        repeat: vec![Duration::from_hours(4)],
        ..AlertSpec::default()
    };
    let every = RuleSpec::every("failed-logins", MINUTE);
    RuleSpec { owner: Some("auth-team".into()), alert, ..every }
}

fn rotation() -> Rotation {
    let person =
        |name: &str| Person { name: name.into(), destination: DestinationName(format!("{name}-sms")) };
    Rotation::parse(oncall::Written {
        name: "web",
        people: vec![person("ann"), person("bob")],
        every: Duration::from_hours(24),
        hand_over: "06:00",
        starts: "2026-11-23",
        timezone: "Europe/Berlin",
        overrides: Vec::new(),
    })
    .unwrap()
}

/// An open episode that a silence holds, and whose first message has arrived.
pub(super) fn explained() -> EpisodeExplanation {
    let rule = escalating();
    let mut about = episode("e1", Some("web-1"), Phase::Active);
    about.severity = Severity::Warning;
    about.progress.followed = Severity::Warning;
    about.stepped_until = Some(NOW - Duration::from_mins(4));
    about.notified[0].step = Some(rule.alert.steps[0].id());
    about.progress.held = Some(Standstill { since: NOW - MINUTE, until: Some(NOW + MINUTE) });
    let silence = |name: &str, from, until| SilenceRecord {
        id: SilenceId(name.into()),
        spec: SilenceSpec {
            matchers: vec![Matcher::parse("host.name=web-*").unwrap()],
            from,
            until,
            reason: "planned work".into(),
        },
        by: "ann".into(),
        at: NOW - Duration::from_mins(2),
    };
    let silences = vec![
        silence("s-1", NOW - MINUTE, NOW + MINUTE),
        silence("s-2", NOW + Duration::from_hours(20), NOW + Duration::from_hours(21)),
    ];
    let holds = HoldsSpec { rotations: vec![rotation()], ..HoldsSpec::default() };
    let around = Surroundings::new(holds, silences, None, NOW);
    let outlook = around.outlook(&rule, &about, NOW, NOW, 5);
    let delivered_at = NOW - Duration::from_mins(4) + Duration(412);
    let delivered = Delivery::Delivered { at: delivered_at, attempt: 1, reference: None };
    let command = |number, at, command, refused: Option<&str>| CommandRecord {
        number,
        id: CommandId(format!("c-{number}")),
        at,
        by: "ann (user root)".into(),
        command,
        refused: refused.map(str::to_owned),
    };
    let id = || EpisodeId("e1".into());
    let commands = [
        command(3, NOW, Command::Unacknowledge { episode: id() }, Some("it is not acknowledged")),
        command(2, NOW - MINUTE, Command::Note { episode: id(), text: "the cable".into() }, None),
        command(1, NOW - MINUTE, Command::Acknowledge { episode: EpisodeId("e2".into()) }, None),
    ];
    let mut first = intent("i1", Cause::Opened, delivered);
    first.message.last.at = NOW - Duration::from_mins(5);
    let again = IntentRecord {
        destination: DestinationName("ops-mail".into()),
        ..intent("i2", Cause::Repeat, Delivery::Owed { due: NOW, attempt: 2, last: Some("503".into()) })
    };
    EpisodeExplanation::of(Facts {
        environment: "prod".into(),
        source: Source::Host,
        episode: &about,
        rule: Some(&rule),
        outlook: Some(&outlook),
        intents: &[again, first],
        commands: &commands,
        now: NOW,
    })
}
