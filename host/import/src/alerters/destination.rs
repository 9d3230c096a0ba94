//! A destination, as the environment will have it.
use crate::mask::tokens;
use crate::names::slug;
use crate::yaml::Yaml;

/// The characters of what a name may add to the kind of receiver.
const HINT_MAX: usize = 40;

pub(crate) struct Destination {
    product: &'static str,
    /// What its name says besides the kind of receiver.
    hint: Option<String>,
    /// The keys of its kind of endpoint, `url` or `server` first.
    endpoint: Vec<(String, Yaml)>,
    pub(crate) text: Option<&'static str>,
    params: Vec<(String, Yaml)>,
    /// What ElastAlert does unasked and Watchbell only if it is allowed.
    grants: Vec<&'static str>,
    pub(crate) timeout: Option<String>,
}

impl Destination {
    pub(crate) fn new(product: &'static str, url: Yaml) -> Self {
        let is_private = matches!(&url, Yaml::Text(url) if is_private(url));
        let grants = is_private.then_some("private_addresses").into_iter().collect();
        let endpoint = vec![("url".to_string(), url)];
        Self { product, hint: None, endpoint, text: None, params: Vec::new(), grants, timeout: None }
    }

    /// `endpoint`: the keys of a mail server and its recipients.
    pub(crate) fn mail(endpoint: Vec<(String, Yaml)>, grants: Vec<&'static str>) -> Self {
        let params = Vec::new();
        Self { product: "email", hint: None, endpoint, text: None, params, grants, timeout: None }
    }

    /// `endpoint`: the keys of what is on the host's machine.
    pub(crate) fn local(product: &'static str, endpoint: Vec<(String, Yaml)>) -> Self {
        let params = Vec::new();
        Self { product, hint: None, endpoint, text: None, params, grants: Vec::new(), timeout: None }
    }

    /// Part of its name: a channel, a project or a recipient.
    pub(crate) fn about(mut self, hint: Option<&str>) -> Self {
        // A token has another value in each environment.
        let hint = hint.filter(|hint| tokens(hint).is_empty());
        let hint = hint.and_then(slug).map(|hint| hint.chars().take(HINT_MAX).collect::<String>());
        self.hint = hint.map(|hint| hint.trim_end_matches(['-', '.', '_']).to_string());
        self
    }

    pub(crate) fn auth(mut self, auth: Option<Yaml>) -> Self {
        self.endpoint.extend(auth.map(|auth| ("auth".to_string(), auth)));
        self
    }

    pub(crate) fn params(mut self, params: Vec<(String, Yaml)>) -> Self {
        self.params = params;
        self
    }

    pub(crate) fn timeout(mut self, timeout: Option<String>) -> Self {
        self.timeout = timeout;
        self
    }

    /// For an address that is not written, but known to be private.
    pub(crate) fn in_private(mut self) -> Self {
        if !self.grants.contains(&"private_addresses") {
            self.grants.push("private_addresses");
        }
        self
    }

    /// The name to give it, and what to write. `alerter`: ElastAlert's name, which says more than `webhook`.
    pub(crate) fn written(self, alerter: &str) -> (String, Yaml) {
        let kind = match self.product {
            "webhook" if alerter.starts_with("post") => "webhook",
            "webhook" => alerter,
            "email" => "mail",
            product => product,
        };
        let name = match &self.hint {
            Some(hint) => format!("{kind}-{hint}"),
            None => kind.to_string(),
        };
        let mut entries = vec![("use".to_string(), Yaml::text(self.product))];
        entries.extend(self.endpoint);
        entries.extend(self.text.map(|form| ("text".to_string(), Yaml::text(form))));
        if !self.params.is_empty() {
            entries.push(("params".to_string(), Yaml::Map(self.params)));
        }
        if !self.grants.is_empty() {
            let grants = self.grants.iter().map(|grant| (grant.to_string(), Yaml::Bool(true)));
            entries.push(("grants".to_string(), Yaml::Map(grants.collect())));
        }
        entries.extend(self.timeout.map(|timeout| ("timeout".to_string(), Yaml::Text(timeout))));
        (name, Yaml::Map(entries))
    }
}

/// A destination of the product `webhook`.
pub(crate) struct Webhook {
    pub(crate) url: Yaml,
    pub(crate) auth: Option<Yaml>,
    pub(crate) path: Option<Yaml>,
    pub(crate) query: Vec<(String, Yaml)>,
    pub(crate) headers: Vec<(String, Yaml)>,
    pub(crate) body: Option<Yaml>,
    pub(crate) form: Option<Yaml>,
    pub(crate) timeout: Option<String>,
    /// The format of its texts, if not the product's default.
    pub(crate) text: Option<&'static str>,
}

impl Webhook {
    pub(crate) fn json(url: Yaml, body: Yaml) -> Self {
        Self {
            url,
            auth: None,
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            body: Some(body),
            form: None,
            timeout: None,
            text: None,
        }
    }

    pub(crate) fn form(url: Yaml, form: Yaml) -> Self {
        Self { body: None, form: Some(form), ..Self::json(url, Yaml::Null) }
    }

    pub(crate) fn auth(mut self, auth: Yaml) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Its receiver shows texts as they are, markup included.
    pub(crate) fn plain(self) -> Self {
        self.plain_unless(false)
    }

    pub(crate) fn plain_unless(mut self, reads_markdown: bool) -> Self {
        self.text = (!reads_markdown).then_some("plain");
        self
    }

    pub(crate) fn timeout(mut self, timeout: Option<String>) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn made(self) -> Destination {
        let mut params = Vec::new();
        params.extend(self.path.map(|path| ("path".to_string(), path)));
        for (name, pairs) in [("query", self.query), ("headers", self.headers)] {
            if !pairs.is_empty() {
                params.push((name.to_string(), Yaml::Map(pairs)));
            }
        }
        params.extend(self.body.map(|body| ("body".to_string(), body)));
        params.extend(self.form.map(|form| ("form".to_string(), form)));
        Destination { text: self.text, timeout: self.timeout, ..Destination::new("webhook", self.url) }
            .auth(self.auth)
            .params(params)
    }
}

/// Whether an address is one of the machine's own network.
pub(crate) fn is_private(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    is_private_host(host.split(['/', ':', '?']).next().unwrap_or_default())
}

pub(crate) fn is_private_host(host: &str) -> bool {
    let address: Option<std::net::Ipv4Addr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback() || address.is_private())
}
