//! A process killed at any moment. In a binary of its own: a lock lasts until its last handle is closed, and between
//! `fork` and `exec` the child holds those of every test beside it.
#[path = "../src/tests/fixtures.rs"]
#[expect(dead_code, reason = "records for all tests of the store")]
mod fixtures;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{Commit, Phase, Snapshot};

use fixtures::{PARTITION, episode, host, intent, owed, rule};
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
    Commit {
        rules: vec![heavy, rule("light", n)],
        episodes: vec![opened],
        intents: vec![intent(&format!("i{n:08}"), owed(n))],
        ..Commit::default()
    }
}

/// The number of the last commit in the store, after checking that it and all before it are there in full.
fn last_whole(found: &Snapshot) -> i64 {
    let Some(light) = found.rules.iter().find(|rule| rule.rule.0 == "light") else {
        assert!(found.rules.is_empty() && found.episodes.is_empty() && found.intents.is_empty());
        return 0;
    };
    let n = light.cursor.0;
    assert_eq!(found.rules, nth(n).rules);
    let expected: Vec<Commit> = (1..=n).map(nth).collect();
    assert!(found.episodes.iter().eq(expected.iter().flat_map(|commit| &commit.episodes)));
    assert!(found.intents.iter().eq(expected.iter().flat_map(|commit| &commit.intents)));
    n
}

/// Not a promise of its own: the process that the test below kills. Alone, it checks the yardstick.
#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM).map(PathBuf::from) else {
        assert_ne!(nth(1), nth(2));
        return;
    };
    let mut store = Sqlite::open(&path).unwrap();
    let found = store.take_over(PARTITION, &host("victim")).unwrap();
    let mut out = std::io::stdout();
    for n in last_whole(&found) + 1.. {
        let commit = Commit { nonce: n as u64, ..nth(n) };
        store.commit(&Commit { partition: PARTITION, epoch: found.epoch, ..commit }).unwrap();
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
        let found = Sqlite::open(&path).unwrap().take_over(PARTITION, &host("survivor")).unwrap();
        let kept = last_whole(&found);
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
