//! A host from start to end: store, coordinator, shell, web.
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, watch};
use watchbell_manifest::Environment;
use watchbell_pipeline::record::{COMMAND_IDS_MAX, HostId};
use watchbell_pipeline::{Config, Coordinator};
use watchbell_store::{OpenError, Read, Sqlite, Store, StoreError, TakeoverError};

use crate::acknowledge::Links;
use crate::bind::Deployment;
use crate::clock::Clock;
use crate::commands::Commands;
use crate::metrics::Metrics;
use crate::observer::{self, Pulse};
use crate::shell::{End, HostCommand, Parts, Reload, Shell};
use crate::shrink_guard::{self, Shrunk};
use crate::store_writer::StoreWriter;
use crate::web::{self, Door, Failures, Outside, Socket, SocketFault, Sources};

/// Everything that a host needs to start.
pub struct Host {
    pub deployment: Deployment,
    /// Whether most of the known rules may end at once.
    pub allow_shrink: bool,
    /// Whether rules run even if a cluster's clock says that this host's is wrong.
    pub accept_clock: bool,
    /// How many connections for health and metrics may be open at once.
    pub connections_max: usize,
    /// The host's time.
    pub clock: Clock,
    pub commands: mpsc::Receiver<HostCommand>,
    pub reload: Reload,
}

/// Why a host did not start. Nothing was evaluated or sent.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error(transparent)]
    Socket(#[from] SocketFault),
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Shrunk(#[from] Shrunk),
    #[error("cannot start the store's thread")]
    Thread(#[source] std::io::Error),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    TakeOver(#[from] TakeoverError),
    #[error(transparent)]
    Read(#[from] StoreError),
}

/// Runs until told to stop.
///
/// # Errors
/// `StartFault`; once started, a host ends with an `End`.
pub async fn run(host: Host) -> Result<End, StartFault> {
    let clock = host.clock;
    let id = HostId(host_id());
    let Deployment { store: path, listen, socket, .. } = &host.deployment;
    let mut store = Sqlite::open(path).map_err(StoreFault::from)?;
    if store.is_new() {
        tracing::warn!(
            store = %path.display(),
            "no store was found, so a new one was created: every rule starts over"
        );
    }
    let store_made_at = store.made_at();
    let holdings = store.take_all(&id).map_err(StoreFault::from)?;
    if !host.allow_shrink {
        shrink_guard::check(&shrink_guard::kept(&holdings), &host.deployment.specs)?;
    }
    let reader = Sqlite::open_reader(path).map_err(StoreFault::from)?;
    let log = reader.commands(COMMAND_IDS_MAX as u32).map_err(StoreFault::from)?;
    let socket = open_socket(socket.as_deref(), path)?;
    let door = match *listen {
        Some(address) => {
            let opened = Door::open(address, host.connections_max).await;
            Some(opened.map_err(|source| StartFault::Listen { address, source })?)
        }
        None => None,
    };
    tracing::info!(
        host = id.0,
        store = %path.display(),
        epoch = holdings.notifier.tenure.epoch.0,
        rules = holdings.partitions.iter().map(|partition| partition.rules.len()).sum::<usize>(),
        episodes = holdings.notifier.episodes.len(),
        owed = holdings.notifier.intents.len(),
        "took over the store"
    );
    let config = Config {
        environment: host.deployment.environment.clone(),
        store_made_at,
        cluster_concurrency: host.deployment.cluster_concurrency.clone(),
        seed: u64::try_from(clock.now().0).unwrap_or(0) ^ u64::from(std::process::id()),
        ..Config::new(id.clone())
    };
    let bundle = holdings.meta.bundle.clone();
    let links = Links::new(holdings.meta.incarnation.clone(), host.deployment.acknowledge.clone());
    let coordinator = Coordinator::owning(config, clock.now(), holdings);
    let metrics = Arc::new(Metrics::new());
    let (events, inbox) = mpsc::unbounded_channel();
    let people = Commands::new(events.clone(), log);
    let store_writer =
        StoreWriter::start(Box::new(store), id.clone(), clock, Arc::clone(&metrics), events.clone())
            .map_err(StartFault::Thread)?;
    let pulse = Arc::new(Pulse::new());
    let (updates, newest) = observer::start();
    let (access, accessed) = watch::channel(Arc::clone(&host.deployment.access));
    let mut is_loopback = true;
    if let Some(address) = door.as_ref().and_then(|door| door.address().ok()) {
        is_loopback = address.ip().to_canonical().is_loopback();
        tracing::info!("listening on http://{address} (/livez /readyz /metrics /status /explain /api/v1)");
    }
    if let Some(socket) = &socket {
        tracing::info!(socket = %socket.path().display(), "listening for commands");
    }
    let store = Arc::new(Mutex::new(Box::new(reader) as Box<dyn Read>));
    let outside = Outside::new(&links, clock, people.clone(), Arc::clone(&store));
    let sources = Sources {
        newest,
        pulse: Arc::clone(&pulse),
        metrics: Arc::clone(&metrics),
        store: Arc::clone(&store),
        commands: people.clone(),
        access: accessed,
        failures: Arc::new(Failures::default()),
        is_loopback,
        clock,
    };
    let web = tokio::spawn(web::serve(door, socket, sources, outside));
    let shell = Shell::new(Parts {
        clock,
        coordinator,
        bundle,
        deployment: host.deployment,
        links,
        store_writer,
        metrics,
        pulse,
        updates,
        events,
        inbox,
        commands: host.commands,
        people: people.clone(),
        access,
        reload: host.reload,
        allow_shrink: host.allow_shrink,
        accept_clock: host.accept_clock,
        host: id.0,
    });
    let end = shell.run().await;
    people.close();
    web.abort();
    // The socket is removed when the task is gone.
    let _ = web.await;
    tracing::info!(?end, "stopped");
    Ok(end)
}

/// Opens the socket for commands. One that nobody asked for by name is not worth a host that does not start.
fn open_socket(named: Option<&Path>, store: &Path) -> Result<Option<Socket>, SocketFault> {
    let path = Environment::socket_beside(named, store);
    match Socket::open(&path) {
        Ok(socket) => Ok(Some(socket)),
        Err(fault) if named.is_none() => {
            tracing::error!(
                error = crate::chain(&fault),
                "no socket, so `watchbell ack` and the like cannot work"
            );
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// The machine's name and the process id: shown to people, never compared across restarts.
fn host_id() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = if name.trim().is_empty() { "host" } else { name.trim() };
    format!("{name}-{}", std::process::id())
}
