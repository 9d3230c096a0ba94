//! Finds the files below a folder.
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// What is looked for below a folder, and how far.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    /// Whether a file is wanted, by its path.
    pub is_wanted: &'a dyn Fn(&Path) -> bool,
    /// Whether a file or folder is passed over, by its path.
    pub is_skipped: &'a dyn Fn(&Path) -> bool,
    /// Folders within one another.
    pub folders_max: usize,
    /// Files and folders of any name, all folders together.
    pub entries_max: usize,
}

/// What was found, in the order of its paths, folder by folder.
#[derive(Debug, Default)]
pub struct Walked {
    /// Every folder that was looked into.
    pub folders: Vec<PathBuf>,
    /// The wanted files.
    pub files: Vec<PathBuf>,
    pub faults: Vec<(PathBuf, WalkError)>,
}

/// Why something below a folder was not looked at. As text it goes on a sentence that names the place.
#[derive(Debug)]
pub enum WalkError {
    Io(io::Error),
    /// A link that leads to itself.
    Loop,
    /// A link to a folder that it lies in.
    Circle,
    /// A link out of the folder that is walked.
    Leaves,
    /// Folders within one another, more than this many.
    Deep(usize),
    /// More entries than this; what follows was not looked at.
    Many(usize),
}

/// A walk ends after so many faults: who reads more of them?
const FAULTS_MAX: usize = 2_000;

impl Walk<'_> {
    /// Walks `root`. Links are followed within it; one that leads out is a fault.
    pub fn below(&self, root: &Path) -> Walked {
        let mut walker =
            Walker { walk: self, root: PathBuf::new(), above: vec![], entries: 0, found: Walked::default() };
        match root.canonicalize() {
            Ok(real) => {
                walker.root.clone_from(&real);
                let complete = walker.folder(root, real);
                if complete.is_err() {
                    let fault = WalkError::Many(self.entries_max);
                    walker.found.faults.push((root.to_owned(), fault));
                }
            }
            Err(error) => walker.fault(root, error),
        }
        walker.found
    }
}

struct Walker<'a> {
    walk: &'a Walk<'a>,
    /// Its real path.
    root: PathBuf,
    /// The real paths of the folders that we are in: following a link to one of them would never end.
    above: Vec<PathBuf>,
    entries: usize,
    found: Walked,
}

/// There is more than is looked at.
struct Enough;

impl Walker<'_> {
    fn folder(&mut self, folder: &Path, real: PathBuf) -> Result<(), Enough> {
        if self.above.contains(&real) {
            self.found.faults.push((folder.to_owned(), WalkError::Circle));
            return Ok(());
        }
        if self.above.len() >= self.walk.folders_max {
            self.found.faults.push((folder.to_owned(), WalkError::Deep(self.walk.folders_max)));
            return Ok(());
        }
        let listed = match fs::read_dir(folder) {
            Ok(listed) => listed,
            Err(error) => {
                self.fault(folder, error);
                return Ok(());
            }
        };
        self.found.folders.push(folder.to_owned());
        let mut entries = Vec::new();
        for entry in listed {
            self.entries += 1;
            if self.entries > self.walk.entries_max || self.found.faults.len() > FAULTS_MAX {
                return Err(Enough);
            }
            match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_symlink()))) {
                Ok(entry) => entries.push(entry),
                Err(error) => self.fault(folder, error),
            }
        }
        entries.sort();
        self.above.push(real);
        let walked = entries.iter().try_for_each(|(path, is_link)| self.entry(path, *is_link));
        self.above.pop();
        walked
    }

    fn entry(&mut self, path: &Path, is_link: bool) -> Result<(), Enough> {
        if (self.walk.is_skipped)(path) {
            return Ok(());
        }
        let is_wanted = (self.walk.is_wanted)(path);
        let about = match fs::metadata(path) {
            Ok(about) => about,
            Err(error) => {
                if is_wanted || is_loop(&error) {
                    self.fault(path, error);
                }
                return Ok(());
            }
        };
        if !about.is_dir() && !is_wanted {
            return Ok(());
        }
        let real = match if is_link || about.is_dir() { path.canonicalize() } else { Ok(PathBuf::new()) } {
            Ok(real) => real,
            Err(error) => {
                self.fault(path, error);
                return Ok(());
            }
        };
        if is_link && !real.starts_with(&self.root) {
            self.found.faults.push((path.to_owned(), WalkError::Leaves));
            return Ok(());
        }
        if about.is_dir() {
            return self.folder(path, real);
        }
        self.found.files.push(path.to_owned());
        Ok(())
    }

    fn fault(&mut self, path: &Path, error: io::Error) {
        let fault = if is_loop(&error) { WalkError::Loop } else { WalkError::Io(error) };
        self.found.faults.push((path.to_owned(), fault));
    }
}

fn is_loop(error: &io::Error) -> bool {
    const ELOOP: i32 = 40;
    error.raw_os_error() == Some(ELOOP) || error.to_string().contains("symbolic link")
}

impl WalkError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io(_) | Self::Deep(_) => None,
            Self::Loop => Some("remove the link"),
            Self::Circle => Some("remove the link; a folder of rules must not contain itself"),
            Self::Leaves => Some("copy or mount what it leads to into the folder"),
            Self::Many(_) => Some("name the folder that holds these files alone"),
        }
    }
}

impl fmt::Display for WalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => {
                let text = error.to_string();
                let words = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
                write!(f, "cannot be read: {words}")
            }
            Self::Loop => f.write_str("is a symbolic link loop"),
            Self::Circle => f.write_str("is a link to a folder that contains it"),
            Self::Leaves => f.write_str("is a link that leads out of the folder"),
            Self::Deep(most) => write!(f, "is nested more than {most} folders deep"),
            Self::Many(most) => write!(f, "holds more than {most} files and folders"),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn walked(root: &Path, entries_max: usize) -> (Vec<String>, Vec<String>) {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let walk = Walk {
            is_wanted: &|path| path.extension().is_some_and(|end| end == "yaml"),
            is_skipped: &|path| name(path).starts_with('.'),
            folders_max: 4,
            entries_max,
        };
        let found = walk.below(root);
        let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let faults = found.faults.iter().map(|(path, fault)| format!("{}: {fault}", below(path)));
        (found.files.iter().map(|path| below(path)).collect(), faults.collect())
    }

    #[test]
    fn links_are_followed_within_the_root_alone() {
        let (scratch, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = scratch.path();
        fs::create_dir_all(root.join(".v1")).unwrap();
        fs::write(root.join(".v1/a.yaml"), "").unwrap();
        fs::write(other.path().join("b.yaml"), "").unwrap();
        // As Kubernetes mounts a ConfigMap.
        symlink(".v1", root.join(".data")).unwrap();
        symlink(".data/a.yaml", root.join("a.yaml")).unwrap();
        symlink(".v1", root.join("inner")).unwrap();
        symlink(other.path(), root.join("outer")).unwrap();
        symlink(other.path().join("b.yaml"), root.join("b.yaml")).unwrap();
        // Nobody reads it.
        symlink("/etc/hostname", root.join("notes.txt")).unwrap();
        let (files, faults) = walked(root, 1_000);
        assert_eq!(files, ["a.yaml", "inner/a.yaml"]);
        let out = "is a link that leads out of the folder";
        assert_eq!(faults, [format!("b.yaml: {out}"), format!("outer: {out}")]);
    }

    #[test]
    fn entries_are_counted_while_they_are_read() {
        let scratch = tempfile::tempdir().unwrap();
        for index in 0..20 {
            fs::write(scratch.path().join(format!("{index}.txt")), "").unwrap();
        }
        assert_eq!(walked(scratch.path(), 20).1, Vec::<String>::new());
        let (_, faults) = walked(scratch.path(), 19);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].ends_with("holds more than 19 files and folders"), "{faults:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_of_the_kernel_end() {
        let (_, faults) = walked(Path::new("/proc"), 1_000);
        assert!(
            faults.iter().any(|fault| fault.ends_with("holds more than 1000 files and folders")),
            "{faults:?}"
        );
    }
}
