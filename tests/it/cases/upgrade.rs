//! A store that an older version wrote is taken over by this one, over the same documents: nobody is told twice, and
//! nothing is lost. `UPGRADE_FROM=…/watchbell` makes the newest store anew with that program first.
mod make; // how such a store is made
mod dump; // a store as text

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use watchbell_node::{Config, InjectedFault};
use watchbell_store::{EpisodeFilter, IntentFilter, IntentPhase, Read, Sqlite};

use crate::world::{Host, World};
use crate::{folders, name, trial};

const INDEX: &str = "events";

/// A rule that reads months of its past: it is still at it.
const PRIMING: &str = "priming";

/// Rules that never come to a commit of a window.
const STUCK: [&str; 2] = [PRIMING, "broken"];

/// A receiver with a door for each destination.
struct Doors {
    url: String,
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    got: Mutex<Vec<(String, Value)>>,
    arrived: Notify,
    /// What each door answers; 0: nothing, ever. Those that are not named answer 200.
    answers: BTreeMap<&'static str, u16>,
}

impl Doors {
    async fn open(answers: &[(&'static str, u16)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inbox = Arc::new(Inbox { answers: answers.iter().copied().collect(), ..Inbox::default() });
        let router = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inbox }
    }

    fn destinations(&self) -> Value {
        let door = |name: &str| {
            let url = format!("{}/{name}", self.url);
            json!({ "use": "webhook", "url": url, "timeout": "60s", "grants": { "private_addresses": true } })
        };
        let names = ["hook", "mail", "sms", "down", "slow", "refuses"];
        names.into_iter().map(|name| (name.to_owned(), door(name))).collect()
    }

    fn got(&self) -> Vec<(String, Value)> {
        self.inbox.got.lock().expect("no panic").clone()
    }

    async fn until(&self, what: &str, wanted: impl Fn(&[(String, Value)]) -> bool) {
        let waiting = async {
            loop {
                let arrived = self.inbox.arrived.notified();
                if wanted(&self.got()) {
                    return;
                }
                arrived.await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(120), waiting).await.is_err() {
            panic!("{what} did not arrive; got {:#?}", told(&self.got()));
        }
    }
}

async fn take(State(inbox): State<Arc<Inbox>>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let door = head.uri.path().trim_start_matches('/').to_owned();
    let answer = inbox.answers.get(door.as_str()).copied().unwrap_or(200);
    let body = serde_json::from_slice(&body).unwrap_or_default();
    inbox.got.lock().expect("no panic").push((door, body));
    inbox.arrived.notify_waiters();
    if answer == 0 {
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(answer).expect("a status")
}

/// Door, rule and cause of each message.
fn told(got: &[(String, Value)]) -> Vec<String> {
    let text = |body: &Value, key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let line = |(door, body): &(String, Value)| {
        format!("{door}: {} {} {}", text(body, "rule"), text(body, "cause"), text(body, "summary"))
    };
    got.iter().map(line).collect()
}

/// A cluster with the index and `documents`, and `folder`'s rules with a door for each destination.
async fn world(folder: &Path, clock: Option<i64>, doors: &Doors, documents: &[Value]) -> World {
    let mut config = Config::default();
    if let Some(at) = clock {
        let ahead = at - watchbell::clock::wall().0;
        config.clock = Arc::new(move || watchbell::clock::wall().0 + ahead);
    }
    let world = World::with_node(config).await;
    world.node.as_ref().expect("an embedded node").inject_fault(Some(InjectedFault::Unassigned(2)));
    world.environment(&json!({ "destinations": doors.destinations() }));
    for file in fs::read_dir(folder.join("rules")).expect("rules") {
        let file = file.expect("a rule").path();
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        world.write(&name, &fs::read_to_string(&file).expect("a rule"));
    }
    world.index_with(INDEX, &mapping()).await;
    world.documents(INDEX, documents).await;
    world
}

fn mapping() -> Value {
    json!({
        "@timestamp": { "type": "date" },
        "case": { "type": "keyword" },
        "user": { "type": "keyword" },
        "took": { "type": "double" },
        "host": { "properties": { "name": { "type": "keyword" } } },
    })
}

/// Waits until each rule that can has committed `windows` windows.
async fn committed(world: &World, host: &mut Host, windows: usize) {
    let rules = fs::read_dir(world.rules()).expect("rules").flatten();
    let names =
        rules.filter_map(|file| Some(file.path().file_name()?.to_str()?.strip_suffix(".yaml")?.to_owned()));
    let mut missing: BTreeMap<String, usize> =
        names.filter(|name| !STUCK.contains(&name.as_str())).map(|name| (name, windows)).collect();
    while !missing.is_empty() {
        let line = host.until("a window of each rule", |line| line["outcome"] == "committed").await;
        let rule = line["rule"].as_str().unwrap_or_default();
        if let Some(left) = missing.get_mut(rule) {
            *left -= 1;
            if *left == 0 {
                missing.remove(rule);
            }
        }
    }
}

/// Makes the newest store anew where `UPGRADE_FROM` names the program to make it with.
pub(crate) fn prepare() {
    let Some(old) = std::env::var_os("UPGRADE_FROM") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(make::make(Path::new(&old), folders("upgrade").last().expect("a folder")));
}

pub(crate) fn trials() -> Vec<Trial> {
    let of = |folder: PathBuf| {
        trial(format!("upgrade::{}", name(&folder)), move || async move { takes_over(&folder).await })
    };
    folders("upgrade").into_iter().map(of).collect()
}

/// What an older version kept is taken over, and told once.
async fn takes_over(folder: &Path) {
    let read = |file: &str| fs::read_to_string(folder.join(file)).expect(file);
    let old = dump::Old::load(&read("store.sql"));
    let mut documents: Vec<Value> = read("documents.ndjson")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a document"))
        .collect();
    // Just after the old host ended something happened; and a step falls due soon.
    let late = watchbell::clock::rfc3339(watchbell_contract::Timestamp(old.ended_at + 1_000));
    documents.push(json!({ "@timestamp": late, "case": "any", "user": "meanwhile", "_id": "meanwhile" }));
    let at = old.due_soon - 15_000;
    assert!(at > old.ended_at, "the step was due too early");

    let doors = Doors::open(&[]).await;
    let world = world(folder, Some(at), &doors, &documents).await;
    old.write(&world.store());
    let mut host = world.start_with(&[], &[("WATCHBELL_CLOCK_AT", &at.to_string())]);
    let open: BTreeSet<&String> = old.owed.iter().chain(&old.claimed).collect();
    committed(&world, &mut host, 1).await;
    let id = |body: &Value| body["id"].as_str().unwrap_or_default().to_owned();
    doors
        .until("what was owed, the step that is due and what happened meanwhile", |got| {
            let ids: BTreeSet<String> = got.iter().map(|(_, body)| id(body)).collect();
            open.iter().all(|owed| ids.contains(*owed)) && ids.len() >= open.len() + 2
        })
        .await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));

    // Nothing twice: whatever came was owed, or is the two new things.
    let got = doors.got();
    let (kept, new): (Vec<_>, Vec<_>) = got.iter().cloned().partition(|(_, body)| open.contains(&id(body)));
    let ids: BTreeSet<String> = kept.iter().map(|(_, body)| id(body)).collect();
    assert_eq!(ids.len(), kept.len(), "sent twice: {:#?}", told(&kept));
    for (_, body) in &kept {
        let was_claimed = old.claimed.contains(&id(body));
        assert_eq!(
            body["maybe_repeated"] == true,
            was_claimed || old.unanswered.contains(&id(body)),
            "{body}"
        );
    }
    let mut said = told(&new);
    said.sort();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[0].starts_with("hook: any event ")
            && new.iter().any(|(_, it)| it.to_string().contains("meanwhile")),
        "{said:?}"
    );
    assert!(said[1].starts_with("mail: due-soon escalated "), "{said:?}");

    // Nothing lost, and nothing that is not so.
    let reader = Sqlite::open_reader(&world.store()).expect("the store");
    let kept = reader.episodes(&EpisodeFilter::default()).expect("episodes");
    let kept: BTreeSet<String> = kept.into_iter().map(|episode| episode.id.0).collect();
    assert_eq!(kept, old.episodes, "open episodes");
    let dead = IntentFilter { phase: Some(IntentPhase::Dead), ..IntentFilter::default() };
    let dead: BTreeSet<String> =
        reader.intents(&dead).expect("intents").into_iter().map(|intent| intent.id.0).collect();
    assert_eq!(dead, old.dead, "dead letters");
    let gaps: BTreeSet<(String, i64)> = reader
        .gaps(None, 10_000)
        .expect("gaps")
        .into_iter()
        .map(|gap| (gap.rule.0, gap.over.start.0))
        .collect();
    assert!(gaps.is_superset(&old.gaps), "gaps were lost");

    // Who primes anew is listed beside the store, and nobody else does.
    let anew: BTreeSet<String> = host
        .said
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"].as_str().is_some_and(|said| said.contains("reads its history again")))
        .filter_map(|line| Some(line["rule"].as_str()?.to_owned()))
        .collect();
    let listed: BTreeSet<String> = read("primes-anew.txt").lines().map(str::to_owned).collect();
    assert_eq!(anew, listed, "rules whose kept state is of no use any more: see {}", folder.display());
}
