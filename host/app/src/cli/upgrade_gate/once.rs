//! Commands that read the cluster once: which node is next, and what an earlier call left behind.
use anyhow::{anyhow, bail};
use watchbell_elastic::Cluster;
use watchbell_gate::{Candidate, Facts, Finding, Leftovers, Order, Outcome, Stand, order};

use super::args::UpgradeGate;
use super::{machine, people, shell};
use crate::cli::{Colour, Terminal, paint, plain};

/// How often to repeat requests whose responses are from different moments.
const LOOKS_MAX: usize = 5;

pub(super) async fn next(args: &UpgradeGate, cluster: &Cluster) -> anyhow::Result<Outcome> {
    let facts = look(args, cluster).await?;
    if let Some(name) = &args.node
        && facts.node(name).is_none()
    {
        let names: Vec<&str> = facts.nodes.values().map(|node| node.name.as_str()).collect();
        bail!("there is no node `{name}`\n\nhint: there are {}", names.join(", "));
    }
    let order = order(&facts, args.to).ok_or_else(|| anyhow!("the cluster has no node"))?;
    let objections = args.node.as_deref().map(|name| order.objections(name)).unwrap_or_default();
    let refused = objections.iter().any(|finding| finding.stand > Stand::Note);
    let outcome = match refused || args.node.is_none() && !order.is_done() && order.next().is_none() {
        true => Outcome::NotSafe,
        false => Outcome::Safe,
    };
    match args.json {
        true => Terminal::out().json(&machine::order(&order, outcome, &objections))?,
        false => Terminal::out().print(&told(&order, args.node.as_deref(), &objections))?,
    }
    Ok(outcome)
}

fn told(order: &Order, asked: Option<&str>, objections: &[Finding]) -> String {
    let mut text = String::new();
    match (asked, order.next()) {
        (Some(name), _) if objections.iter().any(|finding| finding.stand > Stand::Note) => {
            text.push_str(&format!("{} {} must not be next\n", paint("not safe:", Colour::Red), plain(name)));
        }
        (Some(name), _) => {
            text.push_str(&format!("{} {} may be next\n", paint("safe:", Colour::Green), plain(name)))
        }
        (None, _) if order.is_done() => {
            text.push_str(&format!("every node is upgraded to {}\n", order.target))
        }
        (None, Some(next)) => {
            text.push_str(&format!("next: {}\n", paint(&plain(&next.name), Colour::Bold)));
        }
        (None, None) => {
            text.push_str(&format!("{} no node may be replaced now\n", paint("not safe:", Colour::Red)))
        }
    }
    for finding in objections {
        text.push_str(&people::finding(finding));
    }
    if order.uniform {
        let target = order.target;
        text.push_str(&format!("every node has version {target}: pass the target version with `--to`, unless the upgrade has not begun\n"));
    }
    for (place, candidate) in order.candidates.iter().enumerate() {
        text.push_str(&line(place + 1, candidate));
        for finding in &candidate.hindrances {
            text.push_str(&people::finding(finding));
        }
    }
    text
}

fn line(place: usize, candidate: &Candidate) -> String {
    let zone = candidate.zone.as_ref().map_or_else(String::new, |zone| format!(" in {}", plain(zone)));
    let reasons = plain(&candidate.reasons.join("; "));
    format!("{place}. {} ({}{zone}): {reasons}\n", plain(&candidate.name), candidate.version)
}

pub(super) async fn put_back(args: &UpgradeGate, cluster: &Cluster) -> anyhow::Result<Outcome> {
    let mut undone = Vec::new();
    // Write, then read back: a cluster may lose an acknowledged write together with its master.
    for _ in 0..LOOKS_MAX {
        let facts = look(args, cluster).await?;
        let leftovers = Leftovers::of(&facts.settings);
        let Some(leftover) = leftovers.iter().next() else {
            let text = match undone.is_empty() {
                true => "there is nothing to undo".to_owned(),
                false => undone.join("\n"),
            };
            match args.json {
                true => Terminal::out().json(&machine::put_back(Outcome::Safe, &undone))?,
                false => Terminal::out().print(&plain_lines(&text))?,
            }
            return Ok(Outcome::Safe);
        };
        let undo = leftover.undo(&facts.settings);
        shell::write(cluster, &undo.change).await?;
        if !undone.contains(&undo.told) {
            undone.push(undo.told);
        }
    }
    bail!(
        "the change is still in the cluster's settings after it was undone\n\nhint: another call may be running on the same cluster"
    )
}

fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// A consistent set of responses.
async fn look(args: &UpgradeGate, cluster: &Cluster) -> anyhow::Result<Facts> {
    let mut doubts = Vec::new();
    for attempt in 0..LOOKS_MAX {
        if attempt > 0 {
            shell::pause(args.poll).await;
        }
        let facts = shell::look(cluster).await.map_err(|trouble| anyhow!(trouble.message))?;
        if facts.doubts.is_empty() {
            return Ok(facts);
        }
        doubts = facts.doubts;
    }
    bail!("the cluster's responses are inconsistent: {}", doubts.join("; "))
}
