//! Accepts connections within bounds, so that strangers on the port cost neither evaluation nor delivery anything.
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tower::Service;

use super::access::Caller;

/// How long a connection may take to send a request's head, and how long it may be idle between requests.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// After this long a connection takes no further request.
const CONNECTION_MAX: Duration = Duration::from_secs(60);
/// A request that a connection has begun by then gets this much longer: to send a body, or to read the answer.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(30);
/// The pause after an error of the listener itself.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a request's line and headers, together.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// Serves `router` on `listener`, on at most `connections_max` connections at once.
///
/// When all are taken, a new one takes the place of another: the oldest of those that wait for a request, of the address
/// that has most of them. So a stranger who holds many connections loses his own, and a probe is always let in.
pub(super) async fn serve(door: Door, router: Router) -> Infallible {
    let Door { listener, connections_max } = door;
    let open = Connections::default();
    let seats = Arc::new(Semaphore::new(connections_max.max(1)));
    // Given up to accept a connection that could otherwise not even be closed.
    let mut spare = spare();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                let is_short = matches!(error.raw_os_error(), Some(EMFILE | ENFILE));
                tracing::warn!(%error, "cannot accept a connection");
                if is_short {
                    open.evict();
                    spare = None;
                }
                pass(PAUSE).await;
                continue;
            }
        };
        if spare.is_none() {
            spare = self::spare();
        }
        if seats.available_permits() == 0 {
            open.evict();
        }
        // What was told to close does so at once; until then its descriptor is in use.
        let Ok(permit) = Arc::clone(&seats).acquire_owned().await else { continue };
        // Answers are written whole.
        let _ = stream.set_nodelay(true);
        let (address, router) = (peer.ip().to_canonical(), router.clone());
        tokio::spawn(attend(stream, router, Caller::Network(address), open.enter(peer.ip(), permit)));
    }
}

const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Serves one connection to its end.
pub(super) async fn attend(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    caller: Caller,
    mut seat: Seat,
) {
    let service = Watched { router, caller, seat: seat.mark() };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    // Whoever breaks a connection off or sends nonsense is told so by hyper; there is nothing to do about it here.
    tokio::select! {
        _ = &mut connection => return,
        _ = &mut seat.evicted => return,
        () = pass(CONNECTION_MAX) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = &mut connection => {}
        _ = &mut seat.evicted => {}
        () = pass(LAST_ANSWER_MAX) => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a stranger may stay is a matter of real time")]
pub(super) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// The open connections.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    /// Oldest first.
    by_number: BTreeMap<u64, Connection>,
    /// The number of the next; none is used twice, because a closed connection leaves a little later.
    next: u64,
}

struct Connection {
    peer: IpAddr,
    /// Whether a request has arrived and its answer is being made.
    is_asking: bool,
    /// Dropped to close it.
    _evict: oneshot::Sender<()>,
}

/// A place among the connections, given back when it is dropped.
pub(super) struct Seat {
    open: Connections,
    number: u64,
    /// Ends when another connection takes the place.
    evicted: oneshot::Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

/// Notes whether a connection waits for a request.
#[derive(Clone)]
struct Mark {
    open: Connections,
    number: u64,
}

impl Connections {
    fn held(&self) -> MutexGuard<'_, Open> {
        // Each change is a single insertion or removal, so the map is intact even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, peer: IpAddr, permit: OwnedSemaphorePermit) -> Seat {
        let (evict, evicted) = oneshot::channel();
        let mut open = self.held();
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, Connection { peer, is_asking: false, _evict: evict });
        Seat { open: self.clone(), number, evicted, _permit: permit }
    }

    /// Closes the oldest connection that waits for a request, of the address that has most of them; if none waits, the
    /// oldest of all.
    pub(super) fn evict(&self) {
        let mut open = self.held();
        let open = &mut open.by_number;
        let mut waiting: BTreeMap<IpAddr, (usize, u64)> = BTreeMap::new();
        for (number, connection) in open.iter().filter(|(_, connection)| !connection.is_asking) {
            waiting.entry(connection.peer).or_insert((0, *number)).0 += 1;
        }
        let of_most = waiting.into_values().max_by_key(|(count, _)| *count).map(|(_, oldest)| oldest);
        if let Some(number) = of_most.or_else(|| open.keys().next().copied()) {
            open.remove(&number);
        }
    }
}

impl Seat {
    fn mark(&self) -> Mark {
        Mark { open: self.open.clone(), number: self.number }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.held().by_number.remove(&self.number);
    }
}

impl Mark {
    fn asking(&self, is_asking: bool) {
        if let Some(connection) = self.open.held().by_number.get_mut(&self.number) {
            connection.is_asking = is_asking;
        }
    }
}

/// The router, which marks its connection while a request is answered and says where it comes from.
#[derive(Clone)]
struct Watched {
    router: Router,
    caller: Caller,
    seat: Mark,
}

impl Service<Request<Incoming>> for Watched {
    type Response = Response;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.caller.clone());
        let (mut router, seat) = (self.router.clone(), self.seat.clone());
        seat.asking(true);
        Box::pin(async move {
            let answer = router.call(request).await;
            seat.asking(false);
            answer
        })
    }
}

/// Where a door was opened, and how many may come in at once.
pub(crate) struct Door {
    listener: TcpListener,
    connections_max: usize,
}

impl Door {
    /// # Errors
    /// The address is in use, or may not be listened on.
    pub(crate) async fn open(address: SocketAddr, connections_max: usize) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, connections_max })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn is_evicted(seat: &mut Seat) -> bool {
        !matches!(seat.evicted.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    #[test]
    fn who_holds_most_loses_the_oldest_and_answers_are_spared() {
        let (open, seats) = (Connections::default(), Arc::new(Semaphore::new(4)));
        let enter = |last| open.enter(peer(last), Arc::clone(&seats).try_acquire_owned().unwrap());
        let mut prober = enter(1);
        let mut crowd: Vec<Seat> = (0..3).map(|_| enter(2)).collect();
        crowd[0].mark().asking(true);
        open.evict();
        assert_eq!((is_evicted(&mut prober), is_evicted(&mut crowd[0])), (false, false));
        assert_eq!((is_evicted(&mut crowd[1]), is_evicted(&mut crowd[2])), (true, false));
        // One that is told to close keeps its place until it has closed.
        assert_eq!(seats.available_permits(), 0);
        crowd[2].mark().asking(true);
        open.evict();
        assert!(is_evicted(&mut prober));
        // When all are being answered, the oldest makes room.
        open.evict();
        assert!(is_evicted(&mut crowd[0]) && !is_evicted(&mut crowd[2]));
        drop((crowd, prober));
        assert_eq!((seats.available_permits(), open.held().by_number.len()), (4, 0));
    }
}
