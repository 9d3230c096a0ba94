//! The client against servers written by hand, over real sockets on loopback.
mod fake; // an HTTP server whose responses a test chooses
mod library; // a search server of a few documents behind it
mod paging; // to the end, in order, however the server continues
mod faults; // every failure, and its exact message
mod whole; // no partial answer passes for a complete one
mod owners; // the class of a refusal
mod nodes; // several nodes, retries, concurrency
mod tls; // authorities, certificates, credentials, compression
mod asks; // the other questions
mod fields; // fields as the indices have them
mod reached; // and indices behind an alias
mod documents; // creating documents
mod bounds; // answers without end, from servers that mean no good

use std::time::Duration;

use tokio::time::Instant;
use watchbell_contract::{Ask, Hits, Question, Range, Rows, Timestamp, Values};
use watchbell_elastic::{AskError, Cluster, ClusterConfig, Target};

/// Pauses so short that no test waits for them.
fn config(nodes: &[&fake::Fake]) -> ClusterConfig {
    let mut config = ClusterConfig::new("main", nodes.iter().map(|fake| fake.url.clone()).collect());
    config.retry_first = Duration::from_millis(2);
    config
}

fn cluster(fake: &fake::Fake) -> Cluster {
    Cluster::new(config(&[fake])).unwrap()
}

fn target() -> Target {
    Target::new("failed-logins", "logs-*")
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn question(fields: &[&str]) -> Question {
    let fields = fields.iter().map(|&field| field.into()).collect();
    let over = Range::new(Timestamp(0), Timestamp(1_000_000));
    Question { over, only: vec![], filter: None, ask: Ask::Hits(Hits { fields, filters: vec![] }) }
}

/// All pages of an answer.
async fn pages(cluster: &Cluster, question: &Question) -> Result<Vec<Rows>, AskError> {
    pages_of(cluster, &target(), question).await
}

async fn pages_of(cluster: &Cluster, target: &Target, question: &Question) -> Result<Vec<Rows>, AskError> {
    let mut answer = cluster.ask(target, question, deadline()).await?;
    let mut pages = vec![];
    while let Some(rows) = answer.next().await? {
        assert_eq!(rows.validate(), Ok(()));
        assert!(!rows.is_empty(), "a page is never empty");
        pages.push(rows);
    }
    answer.close().await;
    Ok(pages)
}

/// `(time, word)` per row of a first column of words.
fn told(pages: &[Rows]) -> Vec<(i64, String)> {
    let rows = pages.iter().flat_map(|rows| {
        let Values::Words(words) = &rows.columns[0].values else { panic!("words") };
        rows.times.iter().enumerate().map(|(row, &time)| (time, words.word(row).unwrap_or("-").to_owned()))
    });
    rows.collect()
}
