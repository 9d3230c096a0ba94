//! `es_host` and related options as clusters of the environment.
use url::Url;

use crate::alerters::address;
use crate::mask::tokens;
use crate::node::{Data, Node};
use crate::options::Options;
use crate::secrets::Secrets;
use crate::yaml::Yaml;

/// The cluster that the rule's options describe; `None`: they name no host.
pub(crate) fn cluster(options: &mut Options, secrets: &mut Secrets) -> Option<Yaml> {
    let nodes = nodes(options);
    let auth = auth(options, secrets);
    let certificate = certificate(options);
    let timeout = options.number("es_conn_timeout");
    let kibana = kibana(options);
    options.dropped("ssl_show_warn", "certificates are always verified");
    options.dropped("es_send_get_body_as", "searches are sent with POST");
    options.dropped("es_version", "the version is read from the server");
    options.drop_all(
        &["aws_region", "profile", "boto_profile"],
        "AWS Signature Version 4 is not supported yet: use one of the cluster's own users",
    );
    if options.flag("verify_certs") == Some(false) {
        options.dropped(
            "verify_certs",
            "certificates are always verified: set the cluster's `ca:` to its authority",
        );
    } else {
        options.carried("verify_certs", "certificates are always verified");
    }
    if nodes.is_empty() {
        // Without a host, these would describe a cluster other than the one that is queried.
        return None;
    }
    let mut entries = vec![("nodes".to_string(), Yaml::texts(nodes))];
    entries.extend(auth.map(|auth| ("auth".to_string(), auth)));
    if let Some(ca) = options.filled("ca_certs") {
        options.changed("ca_certs", "the cluster's `ca`; relative paths start at `environments/`");
        entries.push(("ca".into(), Yaml::Text(ca)));
    }
    entries.extend(certificate.map(|certificate| ("client_certificate".to_string(), certificate)));
    if let Some(Yaml::Number(seconds)) = timeout {
        if seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0) {
            options.carried("es_conn_timeout", "the cluster's `timeout`");
            entries.push(("timeout".into(), Yaml::Text(format!("{seconds}s"))));
        } else {
            options.dropped("es_conn_timeout", "not a whole number of seconds; the default is 30 s");
        }
    }
    entries.extend(kibana.map(|kibana| ("kibana".to_string(), kibana)));
    Some(Yaml::Map(entries))
}

/// A name for a cluster, by its first node.
pub(crate) fn name(cluster: &Yaml) -> String {
    let Yaml::Map(entries) = cluster else { return "main".into() };
    let Some((_, Yaml::List(nodes))) = entries.first() else { return "main".into() };
    let Some(Yaml::Text(node)) = nodes.first() else { return "main".into() };
    let host = node.split("://").last().unwrap_or(node);
    crate::names::slug(host.split(['/', ':']).next().unwrap_or(host)).unwrap_or_else(|| "cluster".into())
}

fn nodes(options: &mut Options) -> Vec<String> {
    let ssl = options.flag("use_ssl").unwrap_or(false);
    let prefix = options
        .text("es_url_prefix")
        .map(|prefix| prefix.trim_matches('/').to_string())
        .filter(|prefix| !prefix.is_empty());
    let port = options.text("es_port");
    let scheme = if ssl { "https" } else { "http" };
    let hosts: Vec<String> = match options.node("es_hosts").map(|node| node.data) {
        Some(Data::List(items)) => items.iter().filter_map(Node::text).collect(),
        Some(Data::Text(text) | Data::Token(text)) => {
            text.split(',').map(|host| host.trim().to_string()).collect()
        }
        _ => Vec::new(),
    };
    let found: Vec<String> = if hosts.is_empty() {
        let host = options.filled("es_host");
        host.iter()
            .map(|host| node(scheme, host, port.as_deref().or(Some("9200")), prefix.as_deref()))
            .collect()
    } else {
        options.dropped("es_host", "ElastAlert uses `es_hosts` instead");
        hosts
            .iter()
            .map(|host| node(scheme, host, port.as_deref().or(Some("9200")), prefix.as_deref()))
            .collect()
    };
    let bare: Vec<String> = found.iter().map(|node| without_user(node)).collect();
    if bare != found {
        let what =
            "in the cluster's `nodes`, without the part before `@`: use `es_username` and `es_password`";
        options.changed(if hosts.is_empty() { "es_host" } else { "es_hosts" }, what);
    }
    let mut found = bare;
    let option = if hosts.is_empty() { "es_host" } else { "es_hosts" };
    if let Some(wrong) = found.iter().find(|node| !is_address(node)).cloned() {
        let what = format!("`{wrong}` is not an address");
        if options.is_shared(option) {
            // Every rule has it: what it should be is said once.
            options.changed(option, format!("{what}: give the token `ELASTICSEARCH_URL` the cluster's"));
            found = vec!["@@ELASTICSEARCH_URL@@".into()];
        } else {
            options.fault(option, what, "write the name or the IP address of a host");
            found.clear();
        }
    }
    if found.is_empty() {
        options.drop_all(&["es_port", "use_ssl", "es_url_prefix"], "has no effect without `es_host`");
        return found;
    }
    for option in ["es_hosts", "es_host", "es_port", "use_ssl", "es_url_prefix"] {
        options.settle(option, "in the cluster's `nodes`");
    }
    found
}

fn node(scheme: &str, host: &str, port: Option<&str>, prefix: Option<&str>) -> String {
    let host = host.trim().trim_end_matches('/');
    let (scheme, host) = host.split_once("://").unwrap_or((scheme, host));
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = port.filter(|_| !has_port).map_or_else(String::new, |port| format!(":{port}"));
    let prefix = prefix.map_or_else(String::new, |prefix| format!("/{prefix}"));
    format!("{scheme}://{host}{port}{prefix}")
}

/// Whether it is a URL, whatever its tokens stand for; the `<HOST>` of a template is none.
fn is_address(node: &str) -> bool {
    let values = tokens(node)
        .into_iter()
        .fold(node.to_string(), |node, token| node.replace(&format!("@@{token}@@"), "1"));
    Url::parse(&values).is_ok_and(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
}

/// Without `user:password@`.
fn without_user(node: &str) -> String {
    let Ok(masked) = crate::mask::mask(node) else { return String::new() };
    let Some((scheme, rest)) = masked.split_once("://") else { return node.to_string() };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rfind('@') {
        Some(at) => crate::mask::unmask(&format!("{scheme}://{}", &rest[at + 1..])),
        None => node.to_string(),
    }
}

fn auth(options: &mut Options, secrets: &mut Secrets) -> Option<Yaml> {
    let mut secret = |options: &mut Options, option: &str, variable: &str| {
        let node = options.node(option)?;
        options.filled(option)?;
        let reference = secrets.reference(variable, option, &node, None);
        options.carried(option, "a secret, referenced but not written: the cluster's `auth`");
        Some(reference)
    };
    if let Some(key) = secret(options, "es_api_key", "ELASTICSEARCH_API_KEY") {
        options.drop_all(
            &["es_username", "es_password", "es_bearer"],
            "`es_api_key` is used instead: a cluster has one kind of `auth`",
        );
        return Some(Yaml::map([("api_key", key)]));
    }
    if let Some(bearer) = secret(options, "es_bearer", "ELASTICSEARCH_BEARER") {
        options.drop_all(
            &["es_username", "es_password"],
            "`es_bearer` is used instead: a cluster has one kind of `auth`",
        );
        return Some(Yaml::map([("bearer", bearer)]));
    }
    let Some(username) = options.filled("es_username") else {
        if options.filled("es_password").is_some() {
            options.dropped("es_password", "has no effect without `es_username`");
        }
        return None;
    };
    let Some(password) = secret(options, "es_password", "ELASTICSEARCH_PASSWORD") else {
        options.dropped("es_username", "has no effect without `es_password`");
        return None;
    };
    options.carried("es_username", "the cluster's `auth`");
    Some(Yaml::map([("basic", Yaml::map([("username", Yaml::Text(username)), ("password", password)]))]))
}

fn certificate(options: &mut Options) -> Option<Yaml> {
    let certificate = options.filled("client_cert")?;
    let key = options.filled("client_key").unwrap_or_else(|| certificate.clone());
    for option in ["client_cert", "client_key"] {
        options
            .changed(option, "the cluster's `client_certificate`; relative paths start at `environments/`");
    }
    let key = Yaml::map([("file", Yaml::Text(key))]);
    Some(Yaml::map([("certificate", Yaml::Text(certificate)), ("key", key)]))
}

/// Kibana's address, for links to the documents.
fn kibana(options: &mut Options) -> Option<Yaml> {
    let why = "messages link to their documents if the cluster has `kibana:`";
    let mut found = None;
    for option in ["kibana_url", "opensearch_url", "kibana_discover_app_url", "opensearch_discover_app_url"] {
        let Some(text) = options.text(option) else { continue };
        let base = text
            .split("/app/")
            .next()
            .unwrap_or(&text)
            .split("/#")
            .next()
            .unwrap_or(&text)
            .trim_end_matches('/');
        if base.starts_with("http://") || base.starts_with("https://") || base.starts_with("@@") {
            options.carried(option, "the cluster's `kibana`");
            found.get_or_insert_with(|| address(&without_user(base)));
        } else {
            options.dropped(option, "not a URL");
        }
    }
    for at in ["kibana", "opensearch"] {
        for name in [
            "generate_{}_discover_url",
            "{}_discover_index_pattern_id",
            "{}_discover_version",
            "{}_discover_columns",
            "{}_discover_from_timedelta",
            "{}_discover_to_timedelta",
            "{}_discover_security_tenant",
            "shorten_{}_discover_url",
            "{}_username",
            "{}_password",
            "{}_verify_certs",
        ] {
            options.dropped(&name.replace("{}", at), why);
        }
    }
    options.drop_all(
        &[
            "use_kibana_dashboard",
            "generate_kibana_link",
            "use_kibana4_dashboard",
            "kibana4_start_timedelta",
            "kibana4_end_timedelta",
            "kibana_dashboard",
            "kibana_adapter",
        ],
        why,
    );
    found
}
