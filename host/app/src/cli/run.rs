use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Failure;
use super::args::Run;
use super::place::{catalog, tell_or_log};
use crate::bind::Deployment;
use crate::catalog::{Catalog, WITHOUT_PLUGINS};
use crate::clock::Clock;
use crate::descriptors;
use crate::host::{self, Host, StartFault};
use crate::{End, HostCommand, logs};

/// How long what was abandoned may take to notice.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &Run) -> Result<(), Failure> {
    logs::start(args.json);
    let files_max = descriptors::raise();
    if !Catalog::has_plugins() {
        return Err(Failure::Faults(anyhow::anyhow!(WITHOUT_PLUGINS)));
    }
    let catalog = catalog(args.cache.as_deref())?;
    let bundle = args.place.load_or_tell(&catalog, logs::is_json(args.json))?;
    let deployment = placed(Deployment::new(&bundle, &catalog)?, args);
    let again = args.clone();
    let reload = Arc::new(move || reload(&again, &catalog));

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let end = runtime.block_on(async {
        let (commands, commanded) = mpsc::channel(4);
        watch_signals(commands)?;
        let host = Host {
            deployment,
            allow_shrink: args.allow_shrink,
            accept_clock: args.accept_clock,
            connections_max: descriptors::connections(args.max_connections, files_max),
            clock: Clock::start(),
            commands: commanded,
            reload,
        };
        host::run(host).await.map_err(|fault| match fault {
            StartFault::Store(_) => Failure::Store(fault.into()),
            _ => Failure::Faults(fault.into()),
        })
    })?;
    // Abandoned work must not keep the process alive; the store is closed. Deliveries are dropped, and with them the
    // programs that they have started.
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    match end {
        End::Drained => Ok(()),
        End::Abandoned(0) => Ok(()),
        End::Abandoned(count) => Err(Failure::Abandoned(count)),
        End::Superseded(by) => Err(Failure::Superseded(by)),
    }
}

fn reload(args: &Run, catalog: &Catalog) -> Option<Deployment> {
    let bundle =
        args.place.load(catalog).inspect_err(|report| tell_or_log(report, logs::is_json(args.json))).ok()?;
    let deployment = Deployment::new(&bundle, catalog)
        .inspect_err(|error| tracing::error!("{}", crate::chain(error.as_ref())))
        .ok()?;
    Some(placed(deployment, args))
}

/// The command line overrides the environment.
fn placed(deployment: Deployment, args: &Run) -> Deployment {
    let store = args.store.clone().unwrap_or_else(|| deployment.store.clone());
    let socket = args.socket.clone().or_else(|| deployment.socket.clone());
    Deployment { store, socket, listen: args.listen.or(deployment.listen), ..deployment }
}

fn watch_signals(commands: mpsc::Sender<HostCommand>) -> Result<(), Failure> {
    let mut signals = Vec::new();
    for (kind, command) in [
        (SignalKind::terminate(), HostCommand::Stop),
        (SignalKind::interrupt(), HostCommand::Stop),
        (SignalKind::hangup(), HostCommand::Reload),
    ] {
        signals.push((signal(kind).context("cannot listen to signals")?, command));
    }
    for (mut signal, command) in signals {
        let commands = commands.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                // If the receiver is gone, the host has ended.
                if commands.send(command).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(())
}
