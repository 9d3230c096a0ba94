//! Reads, waits and writes as the procedure says.
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use watchbell_contract::Timestamp;
use watchbell_elastic::Cluster;
use watchbell_gate::{Facts, Group, Procedure, Step, Trouble, Verdict};

use super::args::UpgradeGate;
use super::machine;
use super::progress::Teller;
use crate::cli::{Terminal, plain};
use crate::clock::{self, Clock};

/// The time limit for one read of the cluster, retries included.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// The time limit for each write.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// The time limit for all explanations: each of 10,000 takes the elected master a few milliseconds.
const EXPLAIN_MAX: Duration = Duration::from_secs(600);

pub(super) async fn drive(
    procedure: &mut dyn Procedure,
    cluster: &Cluster,
    clock: &Clock,
    args: &UpgradeGate,
) -> anyhow::Result<Verdict> {
    let mut interrupts = interrupts()?;
    let mut interrupted = 0_u32;
    let mut teller = Teller::new(clock.now());
    loop {
        let now = clock.now();
        match procedure.step(now) {
            Step::Done(verdict) => {
                teller.end();
                return Ok(*verdict);
            }
            Step::Look(at) => {
                let look = async {
                    wait_until(at, clock, procedure, &mut teller).await;
                    look(cluster).await
                };
                let looked = tokio::select! {
                    biased;
                    Some(()) = interrupts.recv() => None,
                    looked = look => Some(looked),
                };
                match looked {
                    Some(looked) => procedure.look(clock.now(), looked),
                    None => {
                        interrupted += 1;
                        if interrupted > 1 {
                            teller.end();
                            anyhow::bail!(
                                "interrupted again: changes to the cluster's settings may not have been undone\n\n\
                                 hint: run `watchbell upgrade-gate --put-back` with the same cluster to undo them"
                            );
                        }
                        teller.line("interrupted: undoing changes");
                        procedure.interrupt(clock.now());
                    }
                }
            }
            Step::Explain(groups) => {
                let explained = tokio::select! {
                    biased;
                    Some(()) = interrupts.recv() => None,
                    explained = explain(cluster, &groups, &mut teller) => Some(explained),
                };
                match explained {
                    Some(explained) => procedure.explained(clock.now(), &explained),
                    None => {
                        interrupted += 1;
                        procedure.interrupt(clock.now());
                    }
                }
            }
            // Never abandoned half-way: we would not know whether it was written.
            Step::Write(change) => {
                let written = cluster.write_settings(&change, deadline(WRITE_MAX)).await;
                procedure.written(clock.now(), written.map_err(|error| error.trouble()));
            }
            Step::Tell(text) => {
                teller.end();
                match args.json {
                    true => Terminal::out().json(&machine::ready(&text))?,
                    false => Terminal::out().print(&plain(&text))?,
                }
                procedure.told(clock.now());
            }
        }
        teller.tell(clock.now(), procedure.progress());
    }
}

pub(super) async fn look(cluster: &Cluster) -> Result<Facts, Trouble> {
    cluster.facts(deadline(LOOK_MAX)).await.map_err(|error| error.trouble())
}

pub(super) async fn write(cluster: &Cluster, change: &watchbell_gate::Change) -> anyhow::Result<()> {
    Ok(cluster.write_settings(change, deadline(WRITE_MAX)).await?)
}

pub(super) async fn pause(time: Duration) {
    tokio::time::sleep_until(deadline(time)).await;
}

async fn explain(cluster: &Cluster, groups: &[Group], teller: &mut Teller) -> Vec<watchbell_gate::Explained> {
    cluster.explain(groups, deadline(EXPLAIN_MAX), |done| teller.explained(done, groups.len())).await
}

async fn wait_until(at: Timestamp, clock: &Clock, procedure: &dyn Procedure, teller: &mut Teller) {
    loop {
        let left = at.since(clock.now());
        if left.is_zero() {
            return;
        }
        // On a terminal the times advance between two reads.
        let pause = left.std().min(Duration::from_secs(1));
        self::pause(pause).await;
        teller.tell(clock.now(), procedure.progress());
    }
}

fn deadline(after: Duration) -> Instant {
    Instant::from_std(clock::monotonic() + after)
}

fn interrupts() -> anyhow::Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(4);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).context("cannot listen to signals")?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // If the receiver is gone, the procedure has ended.
                if sender.send(()).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(receiver)
}
