//! Whether what was made passes `watchbell check`.
use std::collections::BTreeSet;
use std::path::Path;

use watchbell_manifest::{Diagnostic, Level, Modules, Options, load};

use crate::folder::write;
use crate::import::Import;

/// A fault of an environment, unless it is that a token awaits its value, which the report says already.
fn environment_note(found: &Diagnostic) -> Option<String> {
    let path = Path::new(&*found.place.file);
    let file = path.file_name().and_then(|name| name.to_str())?;
    let is_environment = path.parent().is_some_and(|folder| folder.ends_with("environments"));
    let awaits_value = found.message.starts_with("the token `") && found.message.ends_with("has no value");
    (is_environment && !awaits_value).then(|| {
        format!("`watchbell check` will refuse environments/{file}:{}: {}", found.place.line, found.message)
    })
}

impl Import {
    /// Leaves out each manifest that `watchbell check` would reject, because a single one prevents its whole folder from
    /// running; the report says why. Manifests with tokens are kept: the values of those are not known yet.
    ///
    /// # Errors
    /// The manifests cannot be written to a temporary folder.
    pub fn refuse_rejected(&mut self, modules: &dyn Modules) -> std::io::Result<()> {
        let none = |_: &str| None;
        let options =
            Options { environment: "default", token_overrides: &[], env: &none, check_secrets: false };
        // A report holds a limited number of errors, so this takes several rounds.
        loop {
            // Without a rule there is nothing to check, and no environment either.
            if self.files.is_empty() {
                return Ok(());
            }
            let folder = tempfile::tempdir()?;
            write(folder.path(), &self.files, true).map_err(std::io::Error::other)?;
            let Err(report) = load(folder.path(), &options, modules) else { return Ok(()) };
            let errors: Vec<_> =
                report.diagnostics.iter().filter(|found| found.level == Level::Error).collect();
            let scratch = folder.path().file_name().unwrap_or_default();
            let rejected = self.files.iter().filter_map(|file| {
                let path = Path::new(scratch).join(&file.path);
                let of_it = errors.iter().filter(|found| Path::new(&*found.place.file).ends_with(&path));
                let reasons: Vec<String> = of_it.map(|found| found.message.clone()).collect();
                let is_known = !file.text.contains("@@") && !file.path.starts_with("environments/");
                (is_known && !reasons.is_empty()).then(|| (file.path.clone(), reasons))
            });
            let rejected: Vec<(String, Vec<String>)> = rejected.collect();
            if rejected.is_empty() {
                // An environment is for every rule, so it is kept; what is wrong with it is told.
                let notes: BTreeSet<String> =
                    errors.iter().filter_map(|found| environment_note(found)).collect();
                self.report.notes.extend(notes);
                return Ok(());
            }
            for (path, reasons) in rejected {
                self.refuse(&path, &reasons);
            }
        }
    }
}
