//! Cases as folders with `params.json`, `timeline.json` and `expected.json`, so that each file can be read, compared
//! and regenerated separately.
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::case::{Case, Expected};

impl Case {
    /// Reads the case in `folder`; its name is the folder's.
    ///
    /// # Errors
    /// A file is invalid; the message says which one and why.
    pub fn read_folder(folder: &Path) -> Result<Self, String> {
        let mut case: Self = read(&folder.join("timeline.json"))?;
        case.name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        case.params = read::<Value>(&folder.join("params.json"))?;
        case.expect = read::<Vec<Expected>>(&folder.join("expected.json"))?;
        Ok(case)
    }

    /// Reads the case in each folder directly below `folder`, sorted by name.
    ///
    /// # Errors
    /// A case cannot be read, or there are no cases.
    pub fn read_folders(folder: &Path) -> Result<Vec<Self>, String> {
        let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut paths: Vec<PathBuf> =
            listed.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        paths.sort();
        if paths.is_empty() {
            return Err(format!("{}: holds no folder with a case", folder.display()));
        }
        paths.iter().map(|path| Self::read_folder(path)).collect()
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
