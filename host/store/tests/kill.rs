//! A process killed at any moment. In a binary of its own: a lock lasts until its last handle is closed, and between
//! `fork` and `exec` the child holds those of every test beside it.
#[path = "../src/tests/fixtures.rs"]
#[expect(dead_code, reason = "records for all tests of the store")]
mod fixtures;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Commit, Epoch, NotifierCommit, PartitionCommit, Phase, Tenure, TransitionRecord,
};

use fixtures::{
    PARTITION, episode, host, intent, level, notifier, of_partition, owed, partition, position, rule,
    transition, withheld,
};
use watchbell_store::{Sqlite, Store};

/// Names the store for the process that is to be killed.
const VICTIM: &str = "WATCHBELL_STORE_VICTIM";
/// What that process prints before the number of a commit that was acknowledged.
const ACKNOWLEDGED: &str = "acknowledged ";
const ROUNDS: u64 = 12;

/// Everything that the `n`th commit changes: each part of it bears the number.
fn nth(n: i64) -> Commit {
    let mut heavy = rule("heavy", n);
    // Some commits stay within a page of the log, some span many.
    heavy.state.as_mut().unwrap().bytes = vec![n as u8; 1 << (8 + n % 9)];
    let mut opened = episode(&format!("e{n:08}"), Phase::Active);
    opened.since = Timestamp(n);
    let tenure = Tenure { epoch: Epoch::default(), number: n as u64 - 1 };
    let evaluated = PartitionCommit {
        rules: vec![heavy, rule("light", n)],
        levels: vec![level(&format!("e{n:08}"))],
        transitions: two(n).to_vec(),
        ..partition(tenure)
    };
    let decided = NotifierCommit {
        // The first of two, and the one that the commit before left.
        positions: vec![position(PARTITION, two(n)[0].number)],
        depends: vec![PARTITION],
        episodes: vec![opened],
        intents: vec![intent(&format!("i{n:08}"), owed(n))],
        ..notifier(tenure)
    };
    Commit { notifier: Some(decided), ..of_partition(n as u64, evaluated) }
}

fn two(n: i64) -> [TransitionRecord; 2] {
    let last = 2 * n as u64;
    [last - 1, last].map(|number| transition(PARTITION, number, withheld(n)))
}

/// The number of the last commit in the store, after checking that it and all before it are there in full; and the
/// epochs under which the partition and the notifier are owned from now on.
fn last_whole(store: &mut Sqlite, owner: &str) -> (i64, [Epoch; 2]) {
    let found = store.take_partition(PARTITION, &host(owner), None).unwrap();
    let decided = store.take_notifier(&host(owner), None).unwrap();
    let transitions = store.transitions(&[position(PARTITION, 0)], 99).unwrap();
    let epochs = [found.tenure.epoch, decided.tenure.epoch];
    let n = found.rules.iter().find(|rule| rule.rule.0 == "light").map_or(0, |light| light.cursor.0);
    assert_eq!([found.tenure.number, decided.tenure.number], [n as u64; 2]);
    assert_eq!(found.transitions, 2 * n as u64);
    if n == 0 {
        assert!(found.rules.is_empty() && found.levels.is_empty() && transitions.is_empty());
        assert!(decided.episodes.is_empty() && decided.intents.is_empty() && decided.positions.is_empty());
        return (0, epochs);
    }
    let all: Vec<Commit> = (1..=n).map(nth).collect();
    let evaluated = || all.iter().flat_map(|commit| &commit.partitions);
    let notifiers = || all.iter().flat_map(|commit| &commit.notifier);
    assert_eq!(Some(&found.rules), evaluated().last().map(|part| &part.rules));
    assert!(found.levels.iter().eq(evaluated().flat_map(|part| &part.levels)));
    assert!(decided.episodes.iter().eq(notifiers().flat_map(|part| &part.episodes)));
    assert!(decided.intents.iter().eq(notifiers().flat_map(|part| &part.intents)));
    assert_eq!(Some(&decided.positions), notifiers().last().map(|part| &part.positions));
    assert_eq!(transitions, two(n)[1..]);
    (n, epochs)
}

/// Not a promise of its own: the process that the test below kills. Alone, it checks the yardstick.
#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM).map(PathBuf::from) else {
        assert_ne!(nth(1), nth(2));
        return;
    };
    let mut store = Sqlite::open(&path).unwrap();
    let (last, [mine, notifiers]) = last_whole(&mut store, "victim");
    let mut out = std::io::stdout();
    for n in last + 1.. {
        let mut commit = nth(n);
        commit.partitions[0].tenure.epoch = mine;
        commit.notifier.as_mut().unwrap().tenure.epoch = notifiers;
        assert_eq!(store.commit(&commit).unwrap(), []);
        writeln!(out, "\n{ACKNOWLEDGED}{n}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_kill_loses_no_acknowledged_commit_and_leaves_none_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..ROUNDS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let acknowledged = kill_after(&path, random >> 59);
        let (kept, _) = last_whole(&mut Sqlite::open(&path).unwrap(), "survivor");
        // One more may have been written than its process lived to tell.
        assert!((acknowledged..=acknowledged + 1).contains(&kept), "told of {acknowledged}, kept {kept}");
    }
}

/// Lets the victim go on until it has acknowledged more commits than that, and kills it wherever it is then.
/// Returns the last one that it told of.
fn kill_after(path: &Path, acknowledged_min: u64) -> i64 {
    let mut child = spawn(path);
    let mut last = 0;
    let mut seen = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = |line: std::io::Result<String>| -> Option<i64> {
        line.ok()?.strip_prefix(ACKNOWLEDGED)?.parse().ok()
    };
    while seen <= acknowledged_min {
        let line = lines.next().expect("the victim ended by itself");
        if let Some(n) = number(line) {
            last = n;
            seen += 1;
        }
    }
    child.kill().unwrap();
    // What it still told before it died counts as told.
    let last = lines.filter_map(number).last().unwrap_or(last);
    child.wait().unwrap();
    last
}

fn spawn(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
        .env(VICTIM, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
