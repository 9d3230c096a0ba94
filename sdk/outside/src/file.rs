//! Reads one file.
use std::cell::RefCell;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use std::{fmt, thread};

/// How long one file may take to read.
pub const READ_WAIT_MAX: Duration = Duration::from_secs(10);
/// How much is read at once, in bytes.
const PART: usize = 64 * 1024;

/// Why a file was not read. As text it goes on a sentence that names the file: "it is …".
#[derive(Debug)]
pub enum ReadError {
    Io(io::Error),
    /// Not a regular file; what it is, such as "a FIFO".
    NotAFile(&'static str),
    TooLarge {
        bytes_max: u64,
        /// Its size, where it says one.
        bytes: Option<u64>,
    },
    /// It took longer than the limit, as on a network file system whose server is gone.
    Slow(Duration),
    NotText,
}

/// Reads a regular file of at most `bytes_max` bytes within `READ_WAIT_MAX`.
///
/// # Errors
/// It cannot be read in time, is larger, or is no regular file: a FIFO, a device, a socket or a folder.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    read_within(Wanted { path: path.to_owned(), bytes_max, is_start: false, wait: READ_WAIT_MAX })
}

/// As `read`, for text.
///
/// # Errors
/// As `read`; also bytes that are not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, ReadError> {
    String::from_utf8(read(path, bytes_max)?).map_err(|_| ReadError::NotText)
}

/// The first bytes of a regular file, however large it is.
///
/// # Errors
/// As `read`, but for the size.
pub fn read_start(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    read_within(Wanted { path: path.to_owned(), bytes_max, is_start: true, wait: READ_WAIT_MAX })
}

fn read_within(wanted: Wanted) -> Result<Vec<u8>, ReadError> {
    READER.with_borrow_mut(|kept| {
        let reader = match kept.take() {
            Some(reader) => reader,
            None => Reader::start()?,
        };
        let outcome = reader.read(wanted);
        // A reader that hangs is left behind; it ends when its file answers.
        if !matches!(outcome, Err(ReadError::Slow(_))) {
            *kept = Some(reader);
        }
        outcome
    })
}

thread_local! {
    /// Each thread's reader: one thread for thousands of files.
    static READER: RefCell<Option<Reader>> = const { RefCell::new(None) };
}

struct Wanted {
    path: PathBuf,
    bytes_max: u64,
    /// The rest is not wanted.
    is_start: bool,
    wait: Duration,
}

/// A thread that reads, because nothing else can end a wait for a file system that hangs.
struct Reader {
    ask: Sender<Wanted>,
    answers: Receiver<Result<Vec<u8>, ReadError>>,
}

impl Reader {
    fn start() -> Result<Self, ReadError> {
        let (ask, asked) = mpsc::channel::<Wanted>();
        let (answer, answers) = mpsc::channel();
        let work = move || {
            for wanted in asked {
                if answer.send(blocking(&wanted)).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("file-reader".into()).spawn(work).map_err(ReadError::Io)?;
        Ok(Self { ask, answers })
    }

    fn read(&self, wanted: Wanted) -> Result<Vec<u8>, ReadError> {
        let gone = || ReadError::Io(io::Error::other("the thread that reads files ended"));
        let wait = wanted.wait;
        self.ask.send(wanted).map_err(|_| gone())?;
        match self.answers.recv_timeout(wait) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => Err(ReadError::Slow(wait)),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

fn blocking(wanted: &Wanted) -> Result<Vec<u8>, ReadError> {
    // Before opening, because opening a device may act on it; after it, because the name may have passed to another.
    regular(fs::metadata(&wanted.path)?.file_type())?;
    let mut file = open(&wanted.path)?;
    let about = file.metadata()?;
    regular(about.file_type())?;
    let bytes_max = wanted.bytes_max;
    if about.len() > bytes_max && !wanted.is_start {
        return Err(ReadError::TooLarge { bytes_max, bytes: Some(about.len()) });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len().min(bytes_max)).unwrap_or(0));
    let mut part = vec![0; PART];
    loop {
        // It may grow while it is read, and files of the kernel have no size.
        let read = match file.read(&mut part) {
            Ok(0) => return Ok(bytes),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if (bytes.len() + read) as u64 > bytes_max {
            if wanted.is_start {
                let rest = usize::try_from(bytes_max).unwrap_or(usize::MAX) - bytes.len();
                bytes.extend_from_slice(&part[..rest]);
                return Ok(bytes);
            }
            return Err(ReadError::TooLarge { bytes_max, bytes: None });
        }
        bytes.extend_from_slice(&part[..read]);
    }
}

/// Without waiting for the other end of a FIFO, and without taking a terminal over.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path)
}

fn regular(kind: FileType) -> Result<(), ReadError> {
    if kind.is_file() { Ok(()) } else { Err(ReadError::NotAFile(named(kind))) }
}

#[cfg(unix)]
fn named(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

#[cfg(not(unix))]
fn named(kind: FileType) -> &'static str {
    if kind.is_dir() { "a folder" } else { "something else" }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => {
                let text = error.to_string();
                // Without the operating system's error number.
                f.write_str(&text.split(" (os error").next().unwrap_or(&text).to_lowercase())
            }
            Self::NotAFile(what) => write!(f, "it is not a file but {what}"),
            Self::TooLarge { bytes_max, .. } => write!(f, "it is larger than {}", size(*bytes_max)),
            Self::Slow(wait) => write!(f, "it could not be read within {} s", wait.as_secs_f32()),
            Self::NotText => f.write_str("it is not UTF-8"),
        }
    }
}

/// In the largest unit that divides it.
fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match error {
            ReadError::Io(error) => return error,
            ReadError::NotAFile(_) => io::ErrorKind::InvalidInput,
            ReadError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            ReadError::Slow(_) => io::ErrorKind::TimedOut,
            ReadError::NotText => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &Path) -> String {
        read(path, 1024).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a");
        fs::write(&path, [b'x'; 1024]).unwrap();
        assert_eq!(read(&path, 1024).unwrap().len(), 1024);
        assert_eq!(read_text(&path, 1024).unwrap().len(), 1024);
        fs::write(&path, [b'x'; 1025]).unwrap();
        assert_eq!(told(&path), "it is larger than 1 KiB");
        assert_eq!(read_start(&path, 1024).unwrap().len(), 1024);
        fs::write(&path, [0xff]).unwrap();
        assert!(matches!(read_text(&path, 1024), Err(ReadError::NotText)));
        assert_eq!(told(&scratch.path().join("b")), "no such file or directory");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let scratch = tempfile::tempdir().unwrap();
        let fifo = scratch.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let socket = scratch.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(told(&fifo), "it is not a file but a FIFO");
        assert_eq!(told(&socket), "it is not a file but a socket");
        assert_eq!(told(Path::new("/dev/zero")), "it is not a file but a device");
        assert_eq!(told(scratch.path()), "it is not a file but a folder");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_a_size_is_bounded_while_it_is_read() {
        // The kernel says that it has no bytes.
        assert_eq!(fs::metadata("/proc/self/maps").unwrap().len(), 0);
        assert!(matches!(
            read(Path::new("/proc/self/maps"), 16),
            Err(ReadError::TooLarge { bytes_max: 16, bytes: None })
        ));
    }

    #[test]
    fn a_file_that_hangs_costs_its_time_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a");
        fs::write(&path, "x").unwrap();
        // A thread that hangs: it takes what is asked, and answers nothing.
        let ((ask, _asked), (_answer, answers)) = (mpsc::channel(), mpsc::channel());
        READER.set(Some(Reader { ask, answers }));
        let wanted =
            Wanted { path: path.clone(), bytes_max: 8, is_start: false, wait: Duration::from_millis(1) };
        let slow = read_within(wanted).unwrap_err();
        assert_eq!(slow.to_string(), "it could not be read within 0.001 s");
        // The next file has another.
        assert_eq!(read(&path, 8).unwrap(), b"x");
    }
}
