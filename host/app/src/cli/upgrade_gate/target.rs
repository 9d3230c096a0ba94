use anyhow::{Context, bail};
use url::Url;
use watchbell_elastic::{Auth, Cluster, ClusterConfig};
use watchbell_manifest::{Environment, Options, load_environment};

use super::args::UpgradeGate;
use crate::bind;
use crate::cli::{Failure, place};

/// The cluster by URL, or by its name in the environment.
pub(super) fn cluster(args: &UpgradeGate) -> anyhow::Result<Cluster> {
    if args.cluster.contains("://") { by_url(args) } else { by_name(args) }
}

fn by_url(args: &UpgradeGate) -> anyhow::Result<Cluster> {
    let mut nodes = Vec::new();
    let mut auth = auth()?;
    for text in args.cluster.split(',').map(str::trim) {
        // It may hold a password.
        let mut url = Url::parse(text).context("the cluster's address is not a URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            let decoded = |text: &str| percent_decoded(text);
            auth = Auth::Basic {
                user: decoded(url.username()),
                password: decoded(url.password().unwrap_or_default()),
            };
            // Both fail only for URLs that cannot have credentials.
            _ = url.set_username("");
            _ = url.set_password(None);
        }
        nodes.push(url);
    }
    let name = nodes.first().and_then(Url::host_str).unwrap_or("cluster").to_owned();
    let mut config = ClusterConfig::new(name, nodes);
    config.auth = auth;
    config.request_timeout = args.timeout.unwrap_or(config.request_timeout);
    config.ca = match &args.ca {
        Some(file) => Some(crate::bind::read(file)?),
        None => None,
    };
    Ok(Cluster::new(config)?)
}

/// From variables, so that no secret appears in a process list.
fn auth() -> anyhow::Result<Auth> {
    let variable = |name: &str| {
        std::env::var(format!("WATCHBELL_CLUSTER_{name}")).ok().filter(|value| !value.is_empty())
    };
    let password = variable("PASSWORD");
    Ok(match (variable("API_KEY"), variable("TOKEN"), variable("USERNAME")) {
        (Some(key), None, None) => Auth::ApiKey(key),
        (None, Some(token), None) => Auth::Bearer(token),
        (None, None, Some(user)) => {
            let password = password.context(
                "WATCHBELL_CLUSTER_USERNAME is set and WATCHBELL_CLUSTER_PASSWORD is not\n\nhint: set both",
            )?;
            Auth::Basic { user, password }
        }
        (None, None, None) => Auth::None,
        _ => bail!(
            "several of WATCHBELL_CLUSTER_API_KEY, WATCHBELL_CLUSTER_TOKEN and WATCHBELL_CLUSTER_USERNAME are set\n\n\
             hint: unset all but one"
        ),
    })
}

fn percent_decoded(text: &str) -> String {
    // A query's decoder would read `+` as a space.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn by_name(args: &UpgradeGate) -> anyhow::Result<Cluster> {
    if args.ca.is_some() || args.timeout.is_some() {
        bail!(
            "`--ca` and `--timeout` apply only to a cluster given as a URL\n\n\
             hint: set them in the environment, under `clusters.{}`",
            args.cluster
        );
    }
    let environment = environment(args)?;
    let spec = environment.clusters.get(&args.cluster).with_context(|| {
        let known: Vec<&str> = environment.clusters.keys().map(String::as_str).collect();
        format!(
            "the environment `{}` has no cluster `{}`\n\nhint: there are {}; a URL begins with `https://`",
            environment.name,
            args.cluster,
            known.join(", ")
        )
    })?;
    bind::cluster(&args.cluster, spec).with_context(|| format!("cluster `{}`", args.cluster))
}

fn environment(args: &UpgradeGate) -> anyhow::Result<Environment> {
    let catalog = match place::catalog(None) {
        Ok(catalog) => catalog,
        Err(Failure::Faults(error)) => return Err(error),
        Err(_) => bail!("the built-in modules cannot be loaded"),
    };
    let name = args.place.environment.as_str();
    let env = |name: &str| std::env::var(name).ok();
    let options = Options {
        environment: if name.is_empty() { "default" } else { name },
        token_overrides: &args.place.tokens,
        env: &env,
        check_secrets: false,
    };
    load_environment(&args.place.rules, &options, &catalog).map_err(|report| {
        place::tell(&report);
        anyhow::anyhow!("the environment `{}` has errors", options.environment)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn credentials_in_a_url_are_decoded() {
        assert_eq!(super::percent_decoded("p%40ss+w%3Drd"), "p@ss+w=rd");
        assert_eq!(super::percent_decoded(""), "");
    }
}
