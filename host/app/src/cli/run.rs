use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Failure;
use super::args::Run;
use super::place::{catalog, tell_or_log};
use crate::bind::Bindings;
use crate::catalog::{Catalog, WITHOUT_PLUGINS};
use crate::clock::Clock;
use crate::host::{self, Host, StartFault};
use crate::{End, Wish, logs};

pub(crate) fn run(args: &Run) -> Result<(), Failure> {
    logs::start(args.json);
    if !Catalog::has_plugins() {
        return Err(Failure::Faults(anyhow::anyhow!(WITHOUT_PLUGINS)));
    }
    let catalog = catalog(args.cache.as_deref())?;
    let bundle = args.place.load_or_tell(&catalog, logs::is_json(args.json))?;
    let bindings = placed(Bindings::new(&bundle, &catalog)?, args);
    let again = args.clone();
    let reload = Arc::new(move || reload(&again, &catalog));

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let end = runtime.block_on(async {
        let (wishes, wished) = mpsc::channel(4);
        watch_signals(wishes)?;
        let host = Host {
            bindings,
            allow_shrink: args.allow_shrink,
            accept_clock: args.accept_clock,
            clock: Clock::start(),
            wishes: wished,
            reload,
        };
        host::run(host).await.map_err(|fault| match fault {
            StartFault::Store(_) => Failure::Store(fault.into()),
            _ => Failure::Faults(fault.into()),
        })
    })?;
    // Abandoned work must not keep the process alive; the store is closed.
    runtime.shutdown_background();
    match end {
        End::Drained => Ok(()),
        End::Abandoned(0) => Ok(()),
        End::Abandoned(count) => Err(Failure::Abandoned(count)),
        End::Superseded(by) => Err(Failure::Superseded(by)),
    }
}

fn reload(args: &Run, catalog: &Catalog) -> Option<Bindings> {
    let bundle =
        args.place.load(catalog).inspect_err(|report| tell_or_log(report, logs::is_json(args.json))).ok()?;
    let bindings = Bindings::new(&bundle, catalog)
        .inspect_err(|error| tracing::error!("{}", crate::chain(error.as_ref())))
        .ok()?;
    Some(placed(bindings, args))
}

/// The command line overrides the environment.
fn placed(bindings: Bindings, args: &Run) -> Bindings {
    let store = args.store.clone().unwrap_or_else(|| bindings.store.clone());
    Bindings { store, listen: args.listen.or(bindings.listen), ..bindings }
}

fn watch_signals(wishes: mpsc::Sender<Wish>) -> Result<(), Failure> {
    let mut signals = Vec::new();
    for (kind, wish) in [
        (SignalKind::terminate(), Wish::Stop),
        (SignalKind::interrupt(), Wish::Stop),
        (SignalKind::hangup(), Wish::Reload),
    ] {
        signals.push((signal(kind).context("cannot listen to signals")?, wish));
    }
    for (mut signal, wish) in signals {
        let wishes = wishes.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                // If the receiver is gone, the host has ended.
                if wishes.send(wish).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(())
}
