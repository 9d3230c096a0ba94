//! Responses of real servers in situations that the gate must tell apart: `tests/cases/gate`.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use watchbell_gate::{Allowed, Answers, Explained, Explanation, Facts, REQUESTS, Standing, judge};

/// What the gate makes of each situation: the standing of its worst shard, and a decider that it names for it.
const EXPECTED: &[(&str, &str, Option<&str>)] = &[
    ("allocation-disabled", "refused", Some("enable")),
    ("allocation-filter", "refused", Some("filter")),
    ("both-conflicts", "accepted", Some("node_version")),
    ("both-conflicts-and-a-filter", "refused", Some("filter")),
    ("damaged-primary", "refused", None),
    ("full-disk", "refused", Some("disk_threshold")),
    ("node-left", "waiting", None),
    ("node-left-of-two", "waiting", None),
    ("node-lost", "refused", None),
    ("same-node", "accepted", Some("same_shard")),
    ("throttled", "waiting", None),
    ("too-many-retries", "refused", Some("max_retry")),
    ("version-conflict", "accepted", Some("node_version")),
    ("zone-conflict", "accepted", Some("awareness")),
];

struct Recording {
    file: PathBuf,
    situation: String,
    whole: Value,
}

fn recordings() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/gate");
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).expect("a folder").flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let mut found = Vec::new();
    for file in folders(&folder).iter().filter(|path| path.is_dir()).flat_map(|path| folders(path)) {
        if file.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&file).expect("a file");
            let whole: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let situation = file.file_stem().expect("a name").to_string_lossy().into_owned();
            found.push(Recording { file, situation, whole });
        }
    }
    assert!(found.len() >= 20, "the recordings were not found");
    found
}

impl Recording {
    /// By path: what is filtered out of an answer may change.
    fn answer(&self, request: &str) -> String {
        let path = request.split('?').next().unwrap_or_default();
        let answers = self.whole["answers"].as_object().expect("answers").iter();
        let mut named = answers.filter(|(name, _)| {
            name.split('?').next().and_then(|name| name.strip_prefix("GET ")) == Some(path)
        });
        let (_, answer) = named.next().unwrap_or_else(|| panic!("{}: no {path}", self.file.display()));
        answer["body"].to_string()
    }

    fn facts(&self) -> Facts {
        let bodies = REQUESTS.map(|request| self.answer(request));
        let facts = Facts::read(Answers(bodies.each_ref().map(|body| body.as_bytes())));
        facts.unwrap_or_else(|fault| panic!("{}: {fault}", self.file.display()))
    }

    fn explanations(&self) -> Vec<Explanation> {
        let bodies = self.whole["explanations"].as_array().expect("explanations").iter();
        bodies
            .map(|one| {
                let body = one.get("answer").unwrap_or(one);
                let body = body.get("body").unwrap_or(body);
                Explanation::read(body.to_string().as_bytes())
                    .unwrap_or_else(|fault| panic!("{}: {fault}", self.file.display()))
            })
            .collect()
    }
}

#[test]
fn every_recorded_situation_is_judged_as_an_operator_would() {
    let expected: BTreeMap<&str, (&str, Option<&str>)> =
        EXPECTED.iter().map(|(name, standing, decider)| (*name, (*standing, *decider))).collect();
    for recording in recordings() {
        let file = recording.file.display();
        let (standing, decider) = expected
            .get(recording.situation.as_str())
            .unwrap_or_else(|| panic!("{file}: say in EXPECTED what the gate makes of this situation"));
        let facts = recording.facts();
        assert!(facts.doubts.is_empty(), "{file}: {:?}", facts.doubts);
        let explanations = recording.explanations();
        let groups = facts.unassigned();
        assert!(!groups.is_empty(), "{file}");
        let judged: Vec<_> = groups
            .iter()
            .map(|group| {
                let about = |one: &&Explanation| one.shard == group.shard && one.primary == group.primary;
                let found = explanations.iter().find(about).cloned();
                let explained = found.map_or_else(|| Explained::Failed("not recorded".into()), Explained::By);
                judge(group, &explained, &facts, &Allowed::default())
            })
            .collect();
        let rank = |standing: &Standing| match standing {
            Standing::Accepted => 0,
            Standing::Waiting(_) => 1,
            Standing::Refused { .. } => 2,
            Standing::Unknown(_) => 3,
        };
        let worst = judged.iter().max_by_key(|one| rank(&one.standing)).expect("a shard");
        assert_eq!(worst.standing.word(), *standing, "{file}: {worst:#?}");
        if let Some(decider) = decider {
            let named = worst.rows.iter().any(|row| row.decider.as_deref() == Some(decider));
            assert!(named, "{file}: {worst:#?}");
        }
    }
}

#[test]
fn voting_configurations_and_roles_are_found_on_every_server() {
    for recording in recordings() {
        let file = recording.file.display();
        let facts = recording.facts();
        assert!(facts.master.is_some(), "{file}");
        assert!(facts.nodes.values().any(|node| node.is_electable()), "{file}");
        assert!(facts.data_nodes().all(|node| node.disk.is_some()), "{file}");
        let is_old = facts.nodes.values().any(|node| node.version.major == 6);
        match &facts.voting {
            Some(voting) => assert!(!voting.committed.is_empty(), "{file}"),
            None => assert!(is_old, "{file}"),
        }
    }
}
