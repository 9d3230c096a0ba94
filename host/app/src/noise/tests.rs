use watchbell_pipeline::record::CommandId;

use super::*;

/// 2026-11-30T23:30:00Z: in Berlin it is December.
const LATE: Timestamp = Timestamp(1_796_081_400_000);
const MINUTE: Duration = Duration::from_mins(1);

fn episode(id: &str, rule: &str, resolved: Option<(Timestamp, Ending)>) -> EpisodeOutline {
    EpisodeOutline {
        id: EpisodeId(id.into()),
        rule: RuleName(rule.into()),
        opened_at: LATE - MINUTE,
        resolved,
    }
}

fn message(episode: &str, rule: &str, to: &str, created_at: Timestamp) -> MessageOutline {
    MessageOutline {
        rule: RuleName(rule.into()),
        episode: EpisodeId(episode.into()),
        destination: DestinationName(to.into()),
        created_at,
    }
}

fn command(number: u64, at: Timestamp, command: Command, refused: Option<&str>) -> CommandRecord {
    CommandRecord {
        number,
        id: CommandId(number.to_string()),
        at,
        by: "ann".into(),
        command,
        refused: refused.map(str::to_owned),
    }
}

fn past() -> Past {
    let id = |id: &str| EpisodeId(id.into());
    let ended = |minutes: u64| Some((LATE + Duration::from_mins(minutes), Ending::Lapsed));
    let episodes = [
        episode("taken", "logins", ended(90)),
        episode("taken-late", "logins", ended(90)),
        episode("short", "logins", ended(4)),
        episode("by-hand", "logins", ended(3)),
        episode("open", "logins", None),
        // Nobody was notified of it.
        episode("silent", "logins", ended(1)),
        episode("disk", "disk-full", ended(6)),
    ];
    let ack = |name: &str| Command::Acknowledge { episode: id(name) };
    // The newest first.
    let commands = vec![
        command(6, LATE + Duration::from_mins(2), Command::Resolve { episode: id("by-hand") }, None),
        command(5, LATE + Duration::from_mins(50), ack("taken"), None),
        command(4, LATE + Duration::from_mins(31), ack("taken-late"), None),
        command(3, LATE + Duration::from_mins(11), ack("taken"), None),
        command(2, LATE + Duration::from_mins(1), ack("disk"), Some("it is already resolved")),
    ];
    let messages = vec![
        message("taken", "logins", "ops-chat", LATE + MINUTE),
        message("taken", "logins", "ops-sms", LATE + Duration::from_mins(40)),
        message("taken-late", "logins", "ops-chat", LATE + MINUTE),
        message("short", "logins", "ops-chat", LATE),
        message("by-hand", "logins", "ops-chat", LATE),
        message("open", "logins", "ops-chat", LATE),
        message("an-event", "logins", "gone", LATE),
        message("disk", "disk-full", "ops-chat", LATE),
    ];
    Past {
        episodes: episodes.into_iter().map(|episode| (episode.id.clone(), episode)).collect(),
        messages,
        commands,
    }
}

fn count(zone: &str, from: Timestamp, wanted: &str) -> Vec<RuleNoise> {
    past().count(&Question {
        period: Period { from, until: LATE + Duration::from_hours(48) },
        zone: &TimeZone::get(zone).unwrap(),
        is_wanted: &|rule| rule.0.starts_with(wanted),
        kind: &|name| if name.0 == "ops-sms" { "twilio".into() } else { "slack".into() },
    })
}

#[test]
fn what_people_made_of_each_episode_is_counted_once() {
    let counted = count("Europe/Berlin", LATE - MINUTE, "");
    let [logins, disk] = counted.as_slice() else { panic!("{counted:?}") };
    let kinds = BTreeMap::from([("slack".to_owned(), 6), ("twilio".to_owned(), 1)]);
    assert_eq!(
        *logins,
        RuleNoise {
            month: "2026-12".into(),
            rule: "logins".into(),
            told: 5,
            messages: 7,
            messages_by_kind: kinds,
            acknowledged: 2,
            never_acknowledged: 2,
            open: 1,
            // 10 and 30 minutes.
            median_seconds_to_acknowledge: Some(1_200.0),
            short: 1,
        }
    );
    let of_disk = (disk.told, disk.acknowledged, disk.never_acknowledged, disk.short);
    assert_eq!((of_disk, disk.median_seconds_to_acknowledge), ((1, 0, 1, 0), None));
    assert_eq!(past().oldest(), Some(LATE - MINUTE));
}

#[test]
fn months_are_those_of_the_zone_and_an_episode_counts_in_that_of_its_first_message() {
    let counted = count("UTC", LATE - MINUTE, "logins");
    let months: Vec<(&str, u32, u32)> =
        counted.iter().map(|noise| (noise.month.as_str(), noise.told, noise.messages)).collect();
    // The second message to `taken` is sent in December, of which its episode is not.
    assert_eq!(months, [("2026-11", 5, 6), ("2026-12", 0, 1)]);
    let later = count("UTC", LATE + Duration::from_mins(30), "logins");
    assert_eq!((later[0].told, later[0].messages), (0, 1), "it was told before");
}

#[test]
fn the_median_of_two_lies_between_them() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[MINUTE]), Some(60.0));
    assert_eq!(median(&[MINUTE, Duration::from_mins(2)]), Some(90.0));
}
