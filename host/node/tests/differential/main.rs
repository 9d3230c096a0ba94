//! The same documents and requests to the node and, where there are any, to real servers.
//!
//! `WATCHBELL_SERVERS` names the servers (`es7=http://127.0.0.1:9207,es9=…,os3=…`); without it the golden answers alone
//! are compared. `BLESS=1` writes those anew: only after the servers were seen to agree.
mod servers; // the node and the real servers
mod case; // documents and requests, from a folder
mod compare; // when two responses are the same
mod pages; // paged responses
mod dialect; // the host's requests besides searches
mod grammar; // random queries
mod grammar_aggs; // random aggregations
mod random; // sent to every server
mod tally; // and their results
mod listed; // known differences between the servers
mod naming; // aliases, templates and data streams
mod documents; // creating documents

use std::io::Write;
use std::sync::Arc;

use crate::case::{Case, cases};
use crate::compare::{same, same_within};
use crate::servers::{Server, node, real};

#[tokio::test]
async fn answers_are_the_golden_ones() {
    let node = node().await;
    let server = Server::new("node", &node.url());
    let bless = ["BLESS", "WATCHBELL_BLESS"].into_iter().any(|name| std::env::var_os(name).is_some());
    let mut wrong = Vec::new();
    for case in cases() {
        let answers = case.ask(&server).await;
        if bless {
            case.bless(&answers);
            continue;
        }
        let expected = case.expected();
        for request in &case.requests {
            let name = Case::name_of(request);
            if !same(&answers[name], &expected[name], 1e-12) {
                wrong.push(format!(
                    "{} `{name}`\n  expected {}\n  answered {}",
                    case.name, expected[name], answers[name]
                ));
            }
            let refused = if request["unmodelled"] == true { 400 } else { 200 };
            let status = request["status"].as_u64().unwrap_or(refused);
            if answers[name]["status"].as_u64().unwrap_or(200) != status {
                wrong.push(format!("{} `{name}`: status is not {status}: {}", case.name, answers[name]));
            }
        }
    }
    node.stop().await;
    assert!(wrong.is_empty(), "{} wrong answers\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn real_servers_answer_the_same() {
    let servers = real("the same answers");
    if servers.is_empty() {
        return;
    }
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    let (mut wrong, mut equal, mut known, mut refused) = (Vec::new(), 0, 0, 0);
    for case in cases() {
        let ours = case.ask(&embedded).await;
        let case = Arc::new(case);
        let able: Vec<Server> = servers.iter().filter(|one| !case.lacks(one.name)).cloned().collect();
        known += (servers.len() - able.len()) * case.requests.len();
        let asked: Vec<_> = able
            .iter()
            .map(|server| {
                let (case, server) = (Arc::clone(&case), server.clone());
                tokio::spawn(async move { case.ask(&server).await })
            })
            .collect();
        let mut theirs = Vec::new();
        for answers in asked {
            theirs.push(answers.await.expect("every request is answered"));
        }
        for request in &case.requests {
            let name = Case::name_of(request);
            if request["unmodelled"] == true {
                refused += 1;
                continue;
            }
            // Servers word refusals differently; where all of them agree, the node does too.
            let kinds: Vec<_> = theirs.iter().map(|answers| &answers[name]["error"]).collect();
            let agreed = kinds.len() == servers::NAMES.len() && kinds.iter().all(|kind| *kind == kinds[0]);
            for (server, theirs) in able.iter().zip(&theirs) {
                let is_same = same_within(&case, request, &ours[name], &theirs[name], agreed);
                let place = format!("{} {} `{name}`", server.name, case.name);
                match (is_same, request["differs"][server.name].as_str()) {
                    (true, None) => equal += 1,
                    (false, Some(_)) => known += 1,
                    (true, Some(why)) => {
                        wrong.push(format!("{place} no longer differs; it was said to, because {why}"))
                    }
                    (false, None) => {
                        wrong.push(format!("{place}\n  server {}\n  node   {}", theirs[name], ours[name]))
                    }
                }
            }
        }
    }
    node.stop().await;
    let line = format!(
        "cases: {equal} answers equal, {refused} refused as not modelled, {} different, {known} listed\n",
        wrong.len()
    );
    // Bypasses the capture of test output; a closed pipe is not a failure.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
    assert!(wrong.is_empty(), "{} answers are wrong\n{}", wrong.len(), wrong.join("\n"));
}
