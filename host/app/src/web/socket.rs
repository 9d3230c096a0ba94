//! The Unix socket: for the host's own user and root, whom the kernel names.
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use super::access::Caller;
use super::door::{Connections, PAUSE, attend, pass};

/// Connections at once; beyond, the oldest that waits for a request is closed.
const CONNECTIONS_MAX: usize = 32;
/// Bytes of the list of users.
const USERS_BYTES_MAX: u64 = 1 << 20;

/// Why no socket was opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    #[error("another host listens on the socket `{}`: give this one its own with `--socket`", .0.display())]
    InUse(PathBuf),
    #[error("`{}` is not a socket: remove it, or name another with `--socket`", .0.display())]
    NotASocket(PathBuf),
    #[error("the path of the socket `{}` is too long for the system: name a shorter one with `--socket`", .0.display())]
    TooLong(PathBuf),
    #[error("cannot listen on the socket `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A listening socket, removed when it is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// The user that the host runs as.
    own: u32,
    /// Held for as long as the host lives: whoever holds it may replace the socket. Never removed, because a lock is on
    /// a file and not on a name.
    _lock: File,
}

impl Socket {
    /// Listens at `path`, in place of what a host that is gone has left there.
    ///
    /// # Errors
    /// Another host listens there, something that is not a socket is there, or the system refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, SocketFault> {
        let io = |source: io::Error| SocketFault::Io { path: path.to_owned(), source };
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SocketFault::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        match path.symlink_metadata() {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path).map_err(io)?,
            Ok(_) => return Err(SocketFault::NotASocket(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => SocketFault::TooLong(path.to_owned()),
            _ => io(error),
        })?;
        // Whoever connects before the mode is set is refused by name, as everybody is.
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io)?;
        let own = path.symlink_metadata().map_err(io)?.uid();
        Ok(Self { listener, path: path.to_owned(), own, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves `router` until the task is aborted.
    pub(super) async fn serve(self, router: Router) -> std::convert::Infallible {
        let open = Connections::default();
        let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let (stream, peer) = match self.listener.accept().await.and_then(|(stream, _)| {
                let peer = stream.peer_cred()?.uid();
                Ok((stream, peer))
            }) {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection on the socket");
                    pass(PAUSE).await;
                    continue;
                }
            };
            if peer != self.own && peer != 0 {
                tracing::warn!(uid = peer, "another user tried to connect to the socket");
                continue;
            }
            if seats.available_permits() == 0 {
                open.evict();
            }
            let Ok(permit) = Arc::clone(&seats).acquire_owned().await else { continue };
            let seat = open.enter(IpAddr::V4(Ipv4Addr::LOCALHOST), permit);
            let caller = Caller::Socket { user: user(peer).into() };
            tokio::spawn(attend(stream, router.clone(), caller, seat));
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The lock is held still, so that the name is this socket's; what is left is replaced by the next host.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A user's name, or the number where the system's own list does not have it.
fn user(uid: u32) -> String {
    let users = watchbell_outside::read_text(Path::new("/etc/passwd"), USERS_BYTES_MAX).unwrap_or_default();
    named(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

fn named(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_of_the_first_line_with_the_number() {
        let users = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:\n:x:7:7::/:\nodd\n";
        assert_eq!(named(users, 0), Some("root"));
        assert_eq!(named(users, 1000), Some("ann"));
        assert_eq!((named(users, 7), named(users, 8)), (None, None));
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bell.sock");
        // Left by a host that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::open(&path).unwrap();
        assert_eq!(path.symlink_metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Socket::open(&path), Err(SocketFault::InUse(_))));
        assert!(path.exists());
        drop(socket);
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::open(&path), Err(SocketFault::NotASocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        let long = folder.path().join("x".repeat(120));
        assert!(matches!(Socket::open(&long), Err(SocketFault::TooLong(_))));
    }
}
