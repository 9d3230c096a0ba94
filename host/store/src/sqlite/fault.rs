use std::path::Path;

use rusqlite::ErrorCode;

use super::rows::RowError;
use crate::StoreError;

/// Classifies an error by how to react to it.
pub(crate) fn store_error(path: &Path, error: RowError) -> StoreError {
    let store = path.to_owned();
    let error = match error {
        RowError::Sqlite(error) => error,
        RowError::Unreadable { table, key, what } => {
            return StoreError::Damaged { store, what: format!("the row `{key}` of `{table}`: {what}") };
        }
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { store, source: error.into() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Busy { store, source: error.into() }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { store, what: error.to_string() }
        }
        _ => StoreError::Failed { store, source: error.into() },
    }
}
