use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use watchbell_pipeline::record::{PARTITIONS, PartitionId};
use watchbell_pipeline::spec::RuleName;

use super::lock::{self, beside};
use super::open_error::OpenError;
use super::place::{self, Place};

/// `WBEL`, in the file's header, as shown by `file store.db` and SQLite tools.
const APPLICATION_ID: i32 = 0x5742_454c;

/// Each upgrades a store from the layout of its index to the next. Never edited once released.
const LAYOUTS: &[Step] = &[
    Step { sql: include_str!("schema.sql"), then: None },
    Step { sql: include_str!("layout-2.sql"), then: None },
    Step { sql: include_str!("layout-3.sql"), then: None },
    Step { sql: include_str!("layout-4.sql"), then: None },
    Step { sql: include_str!("layout-5.sql"), then: Some(spread_rules) },
    Step { sql: include_str!("layout-6.sql"), then: None },
    Step { sql: include_str!("layout-7.sql"), then: None },
    Step { sql: include_str!("layout-8.sql"), then: None },
    Step { sql: include_str!("layout-9.sql"), then: None },
];

/// Upgrades one layout to the next.
struct Step {
    sql: &'static str,
    /// What SQL cannot do. It names the columns that it needs, because later layouts may have more, or others.
    then: Option<fn(&Connection) -> rusqlite::Result<()>>,
}

/// How long to wait for another program's transaction.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// The log is truncated to this size after it was written into the store.
const LOG_BYTES_MAX: i64 = 64 << 20;

/// The free space required at start.
const PROBE_BYTES: i32 = 64 << 10;

pub(crate) struct Opened {
    pub(crate) db: Connection,
    pub(crate) locks: [File; 2],
    pub(crate) is_new: bool,
    pub(crate) file: Place,
}

pub(crate) fn open(path: &Path, bytes_max: u64) -> Result<Opened, OpenError> {
    let failed = |error| failure(path, error);
    create_folder(path)?;
    if path.is_dir() {
        return Err(OpenError::Directory { store: path.to_owned() });
    }
    let lock = lock::take(path)?;
    let is_new = !examine_file(path)?;
    if is_new {
        create(path)?;
    }
    let unreadable = |error: io::Error| OpenError::Failed { store: path.to_owned(), source: error.into() };
    // Read before SQLite opens the file, so that a file that replaces it in between is noticed.
    let file = Place::of(path).map_err(unreadable)?;
    if let names @ 2.. = place::names(&fs::metadata(path).map_err(unreadable)?) {
        return Err(OpenError::Linked { store: path.to_owned(), names });
    }
    let locks = [lock, lock::take_file(path)?];
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags).map_err(failed)?;
    let layout = identify(path, &db)?;
    if db.is_readonly(rusqlite::MAIN_DB).map_err(failed)? {
        return Err(OpenError::ReadOnly { store: path.to_owned() });
    }
    check(path, &db)?;
    let mode: String =
        db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(OpenError::NoLog { store: path.to_owned(), mode });
    }
    settle(&db, bytes_max).map_err(failed)?;
    migrate(&mut db, layout).map_err(failed)?;
    probe(&db).map_err(failed)?;
    // The probe was written to the log, so the log exists.
    let file = file.with_log(path).map_err(unreadable)?;
    Ok(Opened { db, locks, is_new, file })
}

pub(crate) fn open_read_only(path: &Path) -> Result<Connection, OpenError> {
    if path.is_dir() {
        return Err(OpenError::Directory { store: path.to_owned() });
    }
    if !examine_file(path)? {
        return Err(OpenError::Missing { store: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|error| failure(path, error))?;
    let (found, known) = (identify(path, &db)?, newest_layout());
    if found < known {
        return Err(OpenError::Older { store: path.to_owned(), found, known });
    }
    Ok(db)
}

/// Whether the file exists, without opening it.
fn examine_file(path: &Path) -> Result<bool, OpenError> {
    let store = path.to_owned();
    match fs::metadata(path) {
        Ok(file) if file.len() == 0 => Err(OpenError::Empty { store }),
        Ok(_) => Ok(true),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::Failed { store, source: error.into() })
        }
        // A new store next to an old log would adopt the log as its own.
        Err(_) if beside(path, "-wal").exists() => Err(OpenError::LogWithoutStore { store }),
        Err(_) => Ok(false),
    }
}

fn create_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| OpenError::Unwritable {
        store: path.to_owned(),
        file: folder.to_owned(),
        source,
    })
}

/// Builds a complete store under another name first, so that a process that ends half-way leaves no store rather than
/// half of one.
fn create(path: &Path) -> Result<(), OpenError> {
    let draft = beside(path, ".new");
    let unwritable = |source| OpenError::Unwritable { store: path.to_owned(), file: draft.clone(), source };
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(&draft).map_err(unwritable)?);
    write_layout(&draft).map_err(|error| failure(path, error))?;
    fs::rename(&draft, path).map_err(unwritable)?;
    // The name must survive a power failure too.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)
}

fn write_layout(draft: &Path) -> rusqlite::Result<()> {
    let mut db = Connection::open_with_flags(draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(&mut db, 0)?;
    db.close().map_err(|(_, error)| error)
}

/// The layout of the store, once it is known to be a store.
fn identify(path: &Path, db: &Connection) -> Result<i32, OpenError> {
    let store = path.to_owned();
    let failed = |error| failure(path, error);
    db.busy_timeout(BUSY_MAX).map_err(failed)?;
    let application: i32 = match db.pragma_query_value(None, "application_id", |row| row.get(0)) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(OpenError::Foreign { store, what: "not an SQLite file, or its header is damaged" });
        }
        application => application.map_err(failed)?,
    };
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign { store, what: "an SQLite file of another program" });
    }
    let found: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let known = newest_layout();
    if found > known {
        return Err(OpenError::Newer { store, found, known });
    }
    if found < 1 {
        return Err(OpenError::Damaged { store, what: format!("it claims to have layout {found}") });
    }
    Ok(found)
}

fn check(path: &Path, db: &Connection) -> Result<(), OpenError> {
    let damaged = |what| Err(OpenError::Damaged { store: path.to_owned(), what });
    match db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)) {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => damaged(verdict.trim().replace('\n', ", ")),
        Err(error) => Err(failure(path, error)),
    }
}

fn settle(db: &Connection, bytes_max: u64) -> rusqlite::Result<()> {
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_MAX, |_| Ok(()))?;
    let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(bytes_max).unwrap_or(i64::MAX) / page;
    // SQLite's own limit; more is an error.
    let pages = pages.clamp(1, 4_294_967_294);
    db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    db.set_prepared_statement_cache_capacity(48);
    Ok(())
}

fn migrate(db: &mut Connection, layout: i32) -> rusqlite::Result<()> {
    for (from, step) in (0..).zip(LAYOUTS).skip(usize::try_from(layout).unwrap_or(0)) {
        let tx = db.transaction()?;
        tx.execute_batch(step.sql)?;
        if let Some(then) = step.then {
            then(&tx)?;
        }
        tx.pragma_update(None, "user_version", from + 1)?;
        tx.commit()?;
    }
    Ok(())
}

/// All rules used to be in one partition.
fn spread_rules(db: &Connection) -> rusqlite::Result<()> {
    let tables = [
        ("SELECT name, name FROM rules", "UPDATE rules SET partition = ?2 WHERE name = ?1"),
        ("SELECT id, rule FROM levels", "UPDATE levels SET partition = ?2 WHERE id = ?1"),
    ];
    for (read, write) in tables {
        let mut rows = db.prepare(read)?;
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
        let mut write = db.prepare(write)?;
        for (key, rule) in rows {
            write.execute(params![key, PartitionId::of(&RuleName(rule), PARTITIONS).0])?;
        }
    }
    Ok(())
}

fn probe(db: &Connection) -> rusqlite::Result<()> {
    db.execute("INSERT OR REPLACE INTO probe (id, bytes) VALUES (1, zeroblob(?1))", [PROBE_BYTES])?;
    db.execute("DELETE FROM probe", [])?;
    Ok(())
}

fn newest_layout() -> i32 {
    i32::try_from(LAYOUTS.len()).unwrap_or(i32::MAX)
}

fn failure(path: &Path, error: rusqlite::Error) -> OpenError {
    let store = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => OpenError::Full { store, source: error.into() },
        Some(ErrorCode::ReadOnly) => OpenError::ReadOnly { store },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            OpenError::Busy { store, source: error.into() }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Damaged { store, what: error.to_string() }
        }
        _ => OpenError::Failed { store, source: error.into() },
    }
}
