use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// Takes the lock next to the store; it lasts until the file is closed, however the process ends. It has its own file,
/// so that it can say who holds it, and so that it exists before the store does.
pub(crate) fn take(store: &Path) -> Result<File, OpenError> {
    // By whatever symbolic link the store is reached, its lock is next to the file itself.
    let path = beside(&store.canonicalize().unwrap_or_else(|_| store.to_owned()), ".lock");
    let unwritable = |source| OpenError::Unwritable { store: store.to_owned(), file: path.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::Locked { store: store.to_owned(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(source)) => return Err(unwritable(source)),
    }
    // For the error message of the next process that tries; the lock does not depend on it.
    sign(&mut file).map_err(unwritable)?;
    Ok(file)
}

/// Takes the lock of the file itself, by whatever name it was reached: a mount of the file alone has another folder and
/// so another lock next to it.
///
/// The returned handle must outlive the connection: closing any handle on the file releases the locks by which SQLite
/// separates its readers from this writer. Those are of another kind (`fcntl`) than this one (`flock`).
pub(crate) fn take_file(store: &Path) -> Result<File, OpenError> {
    let failed = |source: io::Error| OpenError::Failed { store: store.to_owned(), source: source.into() };
    let file = File::open(store).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { store: store.to_owned(), holder: None }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// `store` with `ending` appended to its file name.
pub(crate) fn beside(store: &Path, ending: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
