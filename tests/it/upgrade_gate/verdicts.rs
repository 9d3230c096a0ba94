//! What the gate says of the situations in `tests/cases/gate/situations`, each on a real cluster.

use super::{Answer, NEW, OLD, gate, in_words, page};
use crate::nodes::script::{self, Cast};
use crate::nodes::{Nodes, programs};

/// Brings a cluster into a situation and asks the gate; `None` where there are no nodes.
async fn ask(situation: &str, master: &str) -> Option<(Nodes, Answer)> {
    let programs = programs(&format!("the gate, {situation}"), &[OLD, NEW])?;
    let mut nodes = Nodes::new(programs);
    let cast = Cast { new: NEW, old: Some(OLD), master };
    script::play(&mut nodes, &script::read(situation), cast).await;
    let answer = gate(&nodes, &["--wait", "40s", "--stable", "2s"]).await;
    Some((nodes, answer))
}

/// Shows two of them in the documentation.
async fn keep(nodes: &Nodes, situation: &str) {
    if situation.starts_with("both-conflicts") {
        page::keep(situation, &in_words(nodes, &["--wait", "40s", "--stable", "2s"]).await);
    }
}

async fn is_safe(situation: &str, master: &str, deciders: &[&str]) {
    let Some((nodes, answer)) = ask(situation, master).await else { return };
    assert_eq!(answer.code, 0, "{situation}: {answer}");
    keep(&nodes, situation).await;
    for decider in deciders {
        assert!(answer.text().contains(decider), "{situation}, {decider}: {answer}");
    }
    // What is safe with the default list is not safe where the list is empty of it.
    let strict = gate(&nodes, &["--wait", "20s", "--stable", "1s", "--allow", "same-node"]).await;
    assert_eq!(strict.code, 1, "{situation}, same-node alone: {strict}");
}

async fn is_refused(situation: &str, said: &[&str]) {
    let Some((nodes, answer)) = ask(situation, NEW).await else { return };
    assert_eq!(answer.code, 1, "{situation}: {answer}");
    keep(&nodes, situation).await;
    for word in said {
        assert!(answer.text().contains(word), "{situation}, {word}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_conflict_alone_is_safe() {
    is_safe("version-conflict", OLD, &["node_version", "same_shard"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_conflict_alone_is_safe() {
    is_safe("zone-conflict", NEW, &["awareness", "same_shard"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_conflicts_are_safe() {
    is_safe("both-conflicts", NEW, &["node_version", "awareness", "same_shard"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_shard_that_a_filter_blocks_is_refused() {
    is_refused("both-conflicts-and-a-filter", &["letters", "filter"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unassigned_primary_is_refused() {
    is_refused("node-lost", &["books", "primary"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_refused() {
    is_refused("full-disk", &["books", "disk_threshold"]).await;
}
