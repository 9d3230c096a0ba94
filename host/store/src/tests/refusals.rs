use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use watchbell_pipeline::record::PartitionCommit;

use super::fixtures::{PARTITION, host, of_partition, partition, rule};
use crate::{OpenError, Sqlite, Store};

/// The message an operator sees, without the folder's name.
fn refusal(folder: &Path, opened: Result<Sqlite, OpenError>) -> String {
    match opened {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string().replace(&folder.display().to_string(), "DIR"),
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    (folder, path)
}

/// A store with a megabyte in it, closed.
fn filled() -> (TempDir, PathBuf) {
    let (folder, path) = folder();
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let mut heavy = rule("heavy", 60);
    heavy.state.as_mut().unwrap().bytes = vec![7; 1 << 20];
    store.commit(&of_partition(1, PartitionCommit { rules: vec![heavy], ..partition(mine) })).unwrap();
    (folder, path)
}

#[test]
fn a_missing_store_is_created_for_its_owner_alone() {
    let (folder, _) = folder();
    let path = folder.path().join("state/watchbell/store.db");
    assert!(Sqlite::open(&path).unwrap().is_new());
    assert!(!Sqlite::open(&path).unwrap().is_new());
    assert!(!path.with_extension("db.new").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_creation_that_was_cut_short_is_begun_again() {
    let (_folder, path) = folder();
    fs::write(path.with_extension("db.new"), "half of a store").unwrap();
    assert!(Sqlite::open(&path).unwrap().is_new());
}

#[test]
fn a_store_that_is_in_use() {
    let (folder, path) = folder();
    let _held = Sqlite::open(&path).unwrap();
    assert_eq!(
        refusal(folder.path(), Sqlite::open(&path)),
        format!(
            "the store `DIR/store.db` is in use by process {}: stop that host, or give this one a store of its own",
            std::process::id()
        )
    );
    drop(_held);
    Sqlite::open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_store_in_use_is_known_by_whatever_name_it_is_reached() {
    let (folder, path) = folder();
    let held = Sqlite::open(&path).unwrap();
    let other = folder.path().join("other.db");
    std::os::unix::fs::symlink(&path, &other).unwrap();
    let said = refusal(folder.path(), Sqlite::open(&other));
    let expected = format!("the store `DIR/other.db` is in use by process {}: ", std::process::id());
    assert!(said.starts_with(&expected), "{said}");
    fs::remove_file(&other).unwrap();

    // By a hard link it would have another log, and two hosts would damage it.
    fs::hard_link(&path, &other).unwrap();
    let linked = "the store `DIR/other.db` has 2 names (hard links), and a host by another name would not notice this one: \
                  remove the others (`find DIRECTORY -samefile DIR/other.db` lists them)";
    assert_eq!(refusal(folder.path(), Sqlite::open(&other)), linked);
    drop(held);
    assert_eq!(refusal(folder.path(), Sqlite::open(&other)), linked);
    fs::remove_file(&other).unwrap();
    Sqlite::open(&path).unwrap();
}

/// A mount of the file alone has another folder, and so another lock file: what then counts is the file itself.
#[cfg(unix)]
#[test]
fn a_store_that_another_program_has_locked() {
    let (folder, path) = folder();
    drop(Sqlite::open(&path).unwrap());
    let other = File::open(&path).unwrap();
    other.try_lock().unwrap();
    let said = refusal(folder.path(), Sqlite::open(&path));
    assert_eq!(
        said,
        "the store `DIR/store.db` is in use by another process: stop that host, or give this one a store of its own"
    );
    drop(other);
    Sqlite::open(&path).unwrap();
}

#[test]
fn a_directory() {
    let (folder, path) = folder();
    fs::create_dir(&path).unwrap();
    let expected =
        "the store `DIR/store.db` is a directory: name a file in it, for example `DIR/store.db/watchbell.db`";
    assert_eq!(refusal(folder.path(), Sqlite::open(&path)), expected);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn a_place_where_nothing_can_be_written() {
    let (folder, path) = folder();
    fs::write(&path, "a file in the way").unwrap();
    assert_eq!(
        refusal(folder.path(), Sqlite::open(&path.join("store.db"))),
        "cannot write `DIR/store.db`, which the store `DIR/store.db/store.db` needs: give the host's user write \
         access to that directory"
    );
    // Nobody can create files here, not even the superuser.
    let error = Sqlite::open(Path::new("/proc/store.db")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write `/proc/store.db.lock`, which the store `/proc/store.db` needs: give the host's user write \
         access to that directory"
    );
}

#[test]
fn a_full_store() {
    let (folder, path) = filled();
    let bytes = fs::metadata(&path).unwrap().len();
    assert_eq!(
        refusal(folder.path(), Sqlite::open_within(&path, bytes)),
        "the store `DIR/store.db` is full: free space on its volume, or move it to a larger one"
    );
    Sqlite::open_within(&path, bytes + (1 << 20)).unwrap();
}

#[test]
fn an_empty_file() {
    let (folder, path) = folder();
    fs::write(&path, "").unwrap();
    assert_eq!(
        refusal(folder.path(), Sqlite::open(&path)),
        "the store `DIR/store.db` is an empty file, not a store: restore a backup, or remove it \
         to start over (rules then start from now, and open episodes are forgotten)"
    );
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn a_log_without_its_store() {
    let (folder, path) = folder();
    fs::write(path.with_extension("db-wal"), "frames").unwrap();
    assert_eq!(
        refusal(folder.path(), Sqlite::open(&path)),
        "the store `DIR/store.db` is missing, but its log `DIR/store.db-wal` is there: restore the store, or \
         remove the log to start over"
    );
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_no_database() {
    let (folder, path) = folder();
    let text = "not a database\n".repeat(1_000);
    fs::write(&path, &text).unwrap();
    assert_eq!(
        refusal(folder.path(), Sqlite::open(&path)),
        "`DIR/store.db` is not a store: it is not an SQLite file, or its header is damaged; name another file"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_database_of_another_program() {
    let (folder, path) = folder();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    assert_eq!(
        refusal(folder.path(), Sqlite::open(&path)),
        "`DIR/store.db` is not a store: it is an SQLite file of another program; name another file"
    );
}

#[test]
fn a_damaged_store() {
    let (folder, path) = filled();
    let mut bytes = fs::read(&path).unwrap();
    // After the header, so that only a check of the whole file can tell.
    for byte in &mut bytes[4_096..40_960] {
        *byte = 0xa5;
    }
    fs::write(&path, &bytes).unwrap();
    let message = refusal(folder.path(), Sqlite::open(&path));
    assert!(message.starts_with("the store `DIR/store.db` is damaged: "), "{message}");
    assert!(message.ends_with("; restore a backup"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_store_that_was_cut_off() {
    let (folder, path) = filled();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let message = refusal(folder.path(), Sqlite::open(&path));
    assert!(message.starts_with("the store `DIR/store.db` is damaged: "), "{message}");
}

#[test]
fn a_store_from_a_newer_version() {
    let (folder, path) = filled();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 10).unwrap();
    let expected = "the store `DIR/store.db` has layout 10, but this version supports layouts up to 9: run the version \
                    that wrote it, or a later one";
    assert_eq!(refusal(folder.path(), Sqlite::open(&path)), expected);
    let error = Sqlite::open_reader(&path).unwrap_err();
    assert_eq!(error.to_string().replace(&folder.path().display().to_string(), "DIR"), expected);
}

#[test]
fn a_reader_creates_nothing() {
    let (folder, path) = folder();
    let error = Sqlite::open_reader(&path).unwrap_err();
    assert_eq!(
        error.to_string().replace(&folder.path().display().to_string(), "DIR"),
        "there is no store at `DIR/store.db`: check the path, or start a host, which creates it"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
