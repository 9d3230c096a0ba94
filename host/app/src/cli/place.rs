//! Which manifests, in which environment: loaded, or every fault told.
use watchbell_manifest::{Bundle, Level, Options, Report};
use watchbell_sandbox::{Config, Sandbox};

use super::args::Place;
use super::{Failure, RED, YELLOW, paint};
use crate::catalog::Catalog;

/// The modules, compiled code cached in `cache` or where the system keeps caches.
pub(crate) fn catalog(cache: Option<&std::path::Path>) -> Result<Catalog, Failure> {
    let cache_dir = cache.map(Into::into).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(std::path::PathBuf::from)
            .or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(base.join("watchbell").join("modules"))
    });
    let sandbox = Sandbox::new(Config { cache_dir, ..Config::default() })?;
    Ok(Catalog::new(sandbox)?)
}

impl Place {
    pub(crate) fn load(&self, catalog: &Catalog) -> Result<Bundle, Report> {
        self.load_as(&self.environment, catalog, true)
    }

    /// `check_secrets`: whether a secret that is not there is a fault.
    pub(crate) fn load_as(
        &self,
        environment: &str,
        catalog: &Catalog,
        check_secrets: bool,
    ) -> Result<Bundle, Report> {
        // A variable that is set to nothing says nothing.
        let environment = if environment.is_empty() { "default" } else { environment };
        let env = |name: &str| std::env::var(name).ok();
        let options = Options { environment, token_overrides: &self.tokens, env: &env, check_secrets };
        watchbell_manifest::load(&self.rules, &options, catalog)
    }

    /// Loads, or prints every fault to standard error; `json`: as log lines.
    pub(crate) fn load_or_tell(&self, catalog: &Catalog, json: bool) -> Result<Bundle, Failure> {
        told(self.load(catalog), json)
    }

    /// The same for a command that sends nothing: secrets of destinations need not be here, and those of clusters are
    /// missed when they are asked.
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
            eprintln!("{} {warning}", paint("warning:", YELLOW, &std::io::stderr()));
        }
    }
    Ok(bundle)
}

/// A log line each where the output is a log of JSON, the report as people read it otherwise.
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

/// What is found in a file says its level itself.
pub(crate) fn without_level(diagnostic: &str) -> &str {
    diagnostic.strip_prefix("warning: ").unwrap_or(diagnostic)
}

pub(crate) fn tell(report: &Report) {
    let text = report.to_string();
    let error = paint("error:", RED, &std::io::stderr());
    let warning = paint("warning:", YELLOW, &std::io::stderr());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("error:") {
            eprintln!("{error}{rest}");
        } else if let Some(rest) = line.strip_prefix("warning:") {
            eprintln!("{warning}{rest}");
        } else {
            eprintln!("{line}");
        }
    }
}
