//! Arguments that several commands share, and the readers of their values.
use std::path::PathBuf;

use clap::Args;

/// Which manifests, and where they run.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The folder of rule manifests; it contains `environments/`.
    #[arg(long, value_name = "DIR", default_value = "rules", env = "WATCHBELL_RULES")]
    pub rules: PathBuf,
    /// The environment to merge over `default`.
    #[arg(short, long, value_name = "NAME", default_value = "default", env = "ENVIRONMENT")]
    pub environment: String,
    /// Set a token of the environment for this invocation; may be given several times.
    #[arg(long = "token", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tokens: Vec<(String, String)>,
}

pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected KEY=VALUE".to_owned())
}

pub(crate) fn pause(text: &str) -> Result<std::time::Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "expected a duration such as `200ms` or `2s`".to_owned())?;
    std::time::Duration::try_from(span).map_err(|_| "must not be negative".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_token_keeps_what_follows_its_first_equals_sign() {
        assert_eq!(super::key_value("url=http://a/?b=c"), Ok(("url".into(), "http://a/?b=c".into())));
        assert!(super::key_value("=x").is_err());
    }
}
