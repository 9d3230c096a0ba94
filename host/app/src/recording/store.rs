//! Where recordings are stored: a folder next to the store, with a folder for each rule and a file for each run.
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use watchbell_contract::Finding;
use watchbell_outside::ReadError;
use watchbell_pipeline::action::{Purpose, Run};
use watchbell_pipeline::fault::RunFault;
use watchbell_pipeline::input::Evaluation;

use super::form::{Ended, PageForm, Recording};
use super::recorder::Recorder;
use super::refused::RefusedForm;
use crate::bind::LiveRule;

/// How many of the newest runs are kept for each rule.
const RUNS_KEPT: usize = 20;
/// A folder with more is not one of ours.
const ENTRIES_MAX: usize = 100_000;
/// A larger file is not one of ours.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[derive(Clone, Debug)]
pub(crate) struct RecordingStore {
    folder: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingFault {
    #[error("no run `{id}` is recorded in `{}`", folder.display())]
    Unknown { id: String, folder: PathBuf },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: ReadError },
    #[error("`{}` is not a recording", path.display())]
    Form { path: PathBuf, source: serde_json::Error },
    #[error("`{}` is larger than any recording", path.display())]
    Size { path: PathBuf },
}

/// Whether to record a run: only live runs that found something, or that the rule itself failed. Others would just fill
/// the disk.
pub(crate) fn is_worth_it(run: &Run, outcome: &Result<Evaluation, RunFault>) -> bool {
    let says_something = match outcome {
        Ok(evaluation) => !evaluation.finding.signals.is_empty(),
        Err(fault) => fault.kind.is_the_rules_own(),
    };
    run.purpose == Purpose::Live && says_something
}

impl RecordingStore {
    /// Next to the store's file.
    pub(crate) fn beside(store: &Path) -> Self {
        let mut name = store.file_name().unwrap_or_default().to_os_string();
        name.push(".runs");
        Self { folder: store.with_file_name(name) }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Records a run if it is worth it. Best effort: a full disk must not delay the rule.
    pub(crate) fn record(
        &self,
        run: &Run,
        rule: &LiveRule,
        environment: &str,
        recorder: Recorder,
        outcome: Result<&Finding, &RunFault>,
    ) -> Option<String> {
        let ended = match outcome {
            Ok(finding) => Ended::of(finding),
            Err(fault) => Ended::Failed { message: fault.message.clone() },
        };
        let (pages, refused) = recorder.into_parts()?;
        let recording = Recording {
            rule: run.rule.0.clone(),
            environment: environment.to_owned(),
            module: rule.module.digest().to_owned(),
            params: serde_json::from_str(&rule.params(run)).ok()?,
            key: rule.context.key.clone(),
            every: rule.context.every.map(|every| every.millis()),
            lateness: rule.context.lateness.millis(),
            indices: rule.context.indices.clone(),
            limits: (&rule.limits).into(),
            window: [run.window.start.0, run.window.settled.0, run.window.end.0],
            attempt: run.attempt,
            state: run.state.as_ref().map(|state| hex::encode(&state.bytes)),
            pages: pages.iter().map(PageForm::of).collect::<Option<_>>()?,
            refused: refused.as_ref().map(RefusedForm::of),
            ended,
        };
        match self.write(&recording) {
            Ok(()) => Some(recording.id()),
            Err(error) => {
                tracing::warn!(rule = run.rule.0, %error, folder = %self.folder.display(), "cannot record a run");
                None
            }
        }
    }

    fn write(&self, recording: &Recording) -> std::io::Result<()> {
        let folder = self.folder.join(&recording.rule);
        private_folder(&self.folder)?;
        private_folder(&folder)?;
        let path = folder.join(file_name(recording));
        let draft = path.with_extension("draft");
        // A leftover of a process that ended here may be readable by others.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(&serde_json::to_vec(recording)?)?;
        fs::rename(&draft, &path)?;
        let mut kept = paths(&folder)?;
        let spare = kept.len().saturating_sub(RUNS_KEPT);
        for old in kept.drain(..spare) {
            fs::remove_file(old)?;
        }
        Ok(())
    }

    /// Every recording's rule and file, oldest first within each rule.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().take(ENTRIES_MAX);
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.sort();
        folders.iter().flat_map(|folder| paths(folder).unwrap_or_default()).collect()
    }

    /// The recording with this id, or in this file.
    pub(crate) fn find(&self, id: &str) -> Result<Recording, RecordingFault> {
        let file = Path::new(id);
        if file.is_file() {
            return read(file);
        }
        let unknown = || RecordingFault::Unknown { id: id.to_owned(), folder: self.folder.clone() };
        let (rule, _) = id.split_once('@').ok_or_else(unknown)?;
        // A rule's name never contains a path separator.
        if rule.is_empty() || rule.starts_with('.') || rule.contains(['/', '\\']) {
            return Err(unknown());
        }
        let files = paths(&self.folder.join(rule)).unwrap_or_default();
        for path in files.iter().rev() {
            let recording = read(path)?;
            if recording.id() == id {
                return Ok(recording);
            }
        }
        Err(unknown())
    }
}

/// Creates `folder` for this user alone: what is in it contains fields of documents, as the store does. One that an
/// earlier version created is closed to others.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(())
}

/// Order by name is order by time: the window's end has the same number of digits for the next two centuries.
fn file_name(recording: &Recording) -> String {
    format!("{:013}-{:04}.json", recording.window[2].max(0), recording.attempt)
}

fn paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .take(ENTRIES_MAX)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    Ok(paths)
}

pub(crate) fn read(path: &Path) -> Result<Recording, RecordingFault> {
    let unreadable = |source| RecordingFault::Read { path: path.to_path_buf(), source };
    let bytes = match watchbell_outside::read(path, FILE_BYTES_MAX) {
        Err(ReadError::TooLarge { .. }) => return Err(RecordingFault::Size { path: path.to_path_buf() }),
        read => read.map_err(unreadable)?,
    };
    serde_json::from_slice(&bytes).map_err(|source| RecordingFault::Form { path: path.to_path_buf(), source })
}
