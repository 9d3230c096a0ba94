//! Loads the manifests of an environment, or prints every error.
use watchbell_manifest::{Bundle, Level, Options, Report};

use super::shared_args::Place;
use super::{Colour, Failure, block, note, paint};
use crate::catalog::Catalog;
use crate::modules;

/// The modules; compiled code is cached in `cache`, or in the user's cache folder.
pub(crate) fn catalog(cache: Option<&std::path::Path>) -> Result<Catalog, Failure> {
    let cache_dir = cache.map(Into::into).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(std::path::PathBuf::from)
            .or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(base.join("watchbell").join("modules"))
    });
    Ok(Catalog::new(modules::sandbox(cache_dir)?)?)
}

impl Place {
    pub(crate) fn load(&self, catalog: &Catalog) -> Result<Bundle, Report> {
        self.load_as(&self.environment, catalog, true)
    }

    /// `check_secrets`: whether a missing secret is an error.
    pub(crate) fn load_as(
        &self,
        environment: &str,
        catalog: &Catalog,
        check_secrets: bool,
    ) -> Result<Bundle, Report> {
        // An empty variable counts as unset.
        let environment = if environment.is_empty() { "default" } else { environment };
        let env = |name: &str| std::env::var(name).ok();
        let options = Options { environment, token_overrides: &self.tokens, env: &env, check_secrets };
        watchbell_manifest::load(&self.rules, &options, catalog)
    }

    /// Loads, or prints every error to standard error; `json`: as log lines.
    pub(crate) fn load_or_tell(&self, catalog: &Catalog, json: bool) -> Result<Bundle, Failure> {
        told(self.load(catalog), json)
    }

    /// The same for a command that sends nothing: secrets of destinations may be missing, and a cluster's secrets are
    /// needed only when it is queried.
    pub(crate) fn load_to_ask(&self, catalog: &Catalog) -> Result<Bundle, Failure> {
        told(self.load_as(&self.environment, catalog, false), false)
    }
}

fn told(loaded: Result<Bundle, Report>, json: bool) -> Result<Bundle, Failure> {
    let bundle = loaded.map_err(|report| {
        tell_or_log(&report, json);
        Failure::Told
    })?;
    for warning in &bundle.warnings {
        let warning = warning.to_string();
        let warning = without_level(&warning);
        if json {
            tracing::warn!("{warning}");
        } else {
            note(&format!("{} {}", paint("warning:", Colour::Yellow), block(warning)));
        }
    }
    Ok(bundle)
}

/// One JSON log line per error if logs are JSON, the readable report otherwise.
pub(crate) fn tell_or_log(report: &Report, json: bool) {
    if !json {
        return tell(report);
    }
    for diagnostic in &report.diagnostics {
        match diagnostic.level {
            Level::Error => tracing::error!("{diagnostic}"),
            Level::Warning => tracing::warn!("{diagnostic}"),
        }
    }
}

/// A diagnostic from a file already begins with its level.
pub(crate) fn without_level(diagnostic: &str) -> &str {
    diagnostic.strip_prefix("warning: ").unwrap_or(diagnostic)
}

pub(crate) fn tell(report: &Report) {
    let text = report.to_string();
    let error = paint("error:", Colour::Red);
    let warning = paint("warning:", Colour::Yellow);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("error:") {
            note(&format!("{error}{rest}"));
        } else if let Some(rest) = line.strip_prefix("warning:") {
            note(&format!("{warning}{rest}"));
        } else {
            note(line);
        }
    }
}
