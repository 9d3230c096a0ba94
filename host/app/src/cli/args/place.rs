use std::path::PathBuf;

use clap::Args;

/// Which manifests, and where they run.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The folder of rule manifests; `environments/` lies inside it.
    #[arg(long, value_name = "DIR", default_value = "rules", env = "WATCHBELL_RULES")]
    pub rules: PathBuf,
    /// The environment laid over `default`.
    #[arg(short, long, value_name = "NAME", default_value = "default", env = "ENVIRONMENT")]
    pub environment: String,
    /// Set a token of the environment for this call; may be given several times.
    #[arg(long = "token", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tokens: Vec<(String, String)>,
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "write KEY=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_token_keeps_what_follows_its_first_equals_sign() {
        assert_eq!(super::key_value("url=http://a/?b=c"), Ok(("url".into(), "http://a/?b=c".into())));
        assert!(super::key_value("=x").is_err());
    }
}
