//! What every alerter needs: the rule's options, what its messages may name, and a place for secrets.
use crate::mask::{lone_token, variables};
use crate::node::{Data, Node};
use crate::options::Options;
use crate::secrets::Secrets;
use crate::texts::python::{Part, Which, read};
use crate::texts::{Dialect, Term, Terms, Writer, jinja};
use crate::yaml::Yaml;

pub(crate) struct Context<'a> {
    pub(crate) options: &'a mut Options,
    pub(crate) terms: &'a mut Terms,
    pub(crate) secrets: &'a mut Secrets,
}

impl Context<'_> {
    /// A secret; `None`: the option is missing, which is a fault.
    pub(super) fn secret(&mut self, option: &str, variable: &str) -> Option<Yaml> {
        self.secret_as(option, variable, None)
    }

    /// A secret that is part of the variable's value: `how` has `{}` in its place.
    pub(super) fn secret_as(&mut self, option: &str, variable: &str, how: Option<&str>) -> Option<Yaml> {
        self.needs(&[option])?;
        let node = self.options.node(option)?;
        self.options.text(option)?;
        let reference = self.secrets.reference(variable, option, &node, how);
        self.told_secret(option, &reference);
        Some(reference)
    }

    /// The same for each item of a list.
    pub(super) fn secrets_of(&mut self, option: &str, variable: &str) -> Vec<Yaml> {
        if self.needs(&[option]).is_none() || self.options.texts(option).is_none() {
            return Vec::new();
        }
        let Some(node) = self.options.node(option) else { return Vec::new() };
        let items = match node.data {
            Data::List(items) => items,
            _ => vec![node],
        };
        let references: Vec<Yaml> =
            items.iter().map(|item| self.secrets.reference(variable, option, item, None)).collect();
        references.iter().for_each(|reference| self.told_secret(option, reference));
        references
    }

    fn told_secret(&mut self, option: &str, reference: &Yaml) {
        if let Yaml::Map(entries) = reference
            && let Some((_, Yaml::Text(name))) = entries.first()
        {
            self.options
                .carried(option, format!("a secret, referenced but not written: the variable {name}"));
        }
    }

    /// A literal address. One that may contain a key, in its query or before `@`, is a secret.
    pub(super) fn address(&mut self, option: &str, variable: &str) -> Option<Yaml> {
        self.needs(&[option])?;
        let text = self.options.text(option)?;
        if holds_secret(&text) {
            return self.secret(option, variable);
        }
        self.options.carried(option, "the destination's address");
        Some(address(&text))
    }

    /// `None`: an option is missing, which is a fault.
    pub(super) fn needs(&mut self, names: &[&str]) -> Option<()> {
        let missing: Vec<&str> =
            names.iter().copied().filter(|option| self.options.node(option).is_none()).collect();
        for option in &missing {
            self.options.fault(
                option,
                format!("`{option}` is missing"),
                "add it to the rule: ElastAlert requires it too",
            );
        }
        missing.is_empty().then_some(())
    }

    /// Literal text in the request.
    pub(super) fn constant(&mut self, option: &str) -> Option<Yaml> {
        let text = self.options.text(option)?;
        self.options.carried(option, "in the destination's request");
        Some(literal(&text))
    }

    pub(super) fn constant_or(&mut self, option: &str, default: &str) -> Yaml {
        self.constant(option).unwrap_or_else(|| Yaml::text(default))
    }

    /// Numbers and strings as they are.
    pub(super) fn value(&mut self, option: &str) -> Option<Yaml> {
        let node = self.options.node(option)?;
        self.options.carried(option, "in the destination's request");
        Some(constants(&node))
    }

    /// A text in which `{field}` stands for a value of the match.
    pub(super) fn formatted(&mut self, option: &str) -> Option<Yaml> {
        let text = self.options.text(option)?;
        match self.format(&text) {
            Ok(template) => {
                self.told_fields(option);
                Some(Yaml::Text(template))
            }
            Err(why) => {
                self.options.dropped(option, why);
                None
            }
        }
    }

    pub(super) fn formatted_list(&mut self, option: &str) -> Vec<Yaml> {
        let texts = self.options.texts(option).unwrap_or_default();
        let made: Vec<Yaml> =
            texts.iter().filter_map(|text| self.format(text).ok()).map(Yaml::Text).collect();
        if made.len() == texts.len() {
            self.told_fields(option);
        } else {
            self.options.dropped(option, "part of it cannot be formatted");
        }
        made
    }

    fn format(&mut self, text: &str) -> Result<String, String> {
        let mut writer = Writer::new(Dialect::Webhook);
        for part in read(text)? {
            match part {
                Part::Literal(text) => writer.text(&text),
                Part::Field { which: Which::Name(name), .. } => match self.term(&name) {
                    Term::Constant(text) => writer.text(&text),
                    Term::Told(expression) | Term::Untold(expression) => writer.expression(&expression),
                },
                Part::Field { which: Which::Index(index), .. } => {
                    return Err(format!("`{{{index}}}` has no argument"));
                }
            }
        }
        Ok(writer.end())
    }

    /// A template of Jinja2.
    pub(super) fn jinja(&mut self, text: &str) -> Result<String, String> {
        let root = self.options.text("jinja_root_name").unwrap_or_else(|| "_data".into());
        let (options, terms) = (&*self.options, &mut *self.terms);
        jinja::rewrite(text, &root, &mut |name| terms.expression(options, name, Dialect::Webhook))
    }

    /// The typed value of a field, or of a rule option if there is no such field.
    pub(super) fn field(&mut self, name: &str) -> Yaml {
        match self.term(name) {
            Term::Constant(text) => literal(&text),
            Term::Told(expression) => Yaml::Text(format!("{{{{ {expression} }}}}")),
            // No placeholder: a request leaves out absent values.
            Term::Untold(expression) => {
                let bare = expression.split(" | ").next().unwrap_or_default();
                Yaml::Text(format!("{{{{ {bare} }}}}"))
            }
        }
    }

    fn term(&mut self, name: &str) -> Term {
        self.terms.term(self.options, name, Dialect::Webhook)
    }

    /// Records that an option with fields was carried, and which of them the rule does not report.
    pub(super) fn told_fields(&mut self, option: &str) {
        let untold: Vec<String> =
            std::mem::take(&mut self.terms.untold).into_iter().map(|name| format!("`{name}`")).collect();
        if untold.is_empty() {
            self.options.carried(option, "in the destination's request");
        } else {
            let kind = &self.terms.kind;
            let what = format!(
                "in the destination's request; a rule of type `{kind}` does not report {}",
                untold.join(", ")
            );
            self.options.changed(option, what);
        }
    }

    /// Handles the options that all alerters of a product have; returns the timeout.
    pub(super) fn plumbing(&mut self, prefix: &str) -> Option<String> {
        let of = |name: &str| format!("{prefix}_{name}");
        for name in ["proxy", "proxy_login", "proxy_pass", "proxy_password"] {
            self.options.dropped(&of(name), "destinations have no proxy setting");
        }
        self.options.dropped(&of("ignore_ssl_errors"), "certificates are always verified");
        self.options
            .dropped(&of("ca_certs"), "the system's certificate authorities are trusted: add it there");
        for at in ["kibana_discover", "opensearch_discover"] {
            for name in [format!("attach_{at}_url"), format!("{at}_attach_url")] {
                self.options.dropped(&of(&name), "the message has `{{ link }}` if the cluster has `kibana:`");
            }
            for name in ["color", "title"] {
                self.options.dropped(&of(&format!("{at}_{name}")), "the link has no styling of its own");
            }
        }
        let option = of("timeout");
        let seconds = self.options.text(&option)?;
        if seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0) {
            self.options.carried(&option, "the destination's `timeout`");
            return Some(format!("{seconds}s"));
        }
        self.options.dropped(&option, "not a whole number of seconds; the default is 10 s");
        None
    }
}

/// A destination of the product `webhook`.
pub(super) struct Webhook {
    pub(super) url: Yaml,
    pub(super) auth: Option<Yaml>,
    pub(super) path: Option<Yaml>,
    pub(super) query: Vec<(String, Yaml)>,
    pub(super) headers: Vec<(String, Yaml)>,
    pub(super) body: Option<Yaml>,
    pub(super) form: Option<Yaml>,
    pub(super) timeout: Option<String>,
    /// The format of its texts, if not the product's default.
    pub(super) text: Option<&'static str>,
}

impl Webhook {
    pub(super) fn json(url: Yaml, body: Yaml) -> Self {
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

    pub(super) fn form(url: Yaml, form: Yaml) -> Self {
        Self { body: None, form: Some(form), ..Self::json(url, Yaml::Null) }
    }

    pub(super) fn auth(mut self, auth: Yaml) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Its receiver shows texts as they are, markup included.
    pub(super) fn plain(self) -> Self {
        self.plain_unless(false)
    }

    pub(super) fn plain_unless(mut self, reads_markdown: bool) -> Self {
        self.text = (!reads_markdown).then_some("plain");
        self
    }

    pub(super) fn timeout(mut self, timeout: Option<String>) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) fn made(self) -> Yaml {
        let mut params = Vec::new();
        params.extend(self.path.map(|path| ("path".to_string(), path)));
        for (name, pairs) in [("query", self.query), ("headers", self.headers)] {
            if !pairs.is_empty() {
                params.push((name.to_string(), Yaml::Map(pairs)));
            }
        }
        params.extend(self.body.map(|body| ("body".to_string(), body)));
        params.extend(self.form.map(|form| ("form".to_string(), form)));
        destination("webhook", self.url, self.auth, self.text, params, self.timeout)
    }
}

pub(super) fn destination(
    product: &str,
    url: Yaml,
    auth: Option<Yaml>,
    text: Option<&str>,
    params: Vec<(String, Yaml)>,
    timeout: Option<String>,
) -> Yaml {
    let private = matches!(&url, Yaml::Text(url) if is_private(url));
    let mut entries = vec![("use".to_string(), Yaml::text(product)), ("url".to_string(), url)];
    entries.extend(auth.map(|auth| ("auth".to_string(), auth)));
    entries.extend(text.map(|form| ("text".to_string(), Yaml::text(form))));
    if !params.is_empty() {
        entries.push(("params".to_string(), Yaml::Map(params)));
    }
    // ElastAlert allows such an address; here it needs a grant.
    if private {
        entries.push(("grants".to_string(), Yaml::map([("private_addresses", Yaml::Bool(true))])));
    }
    entries.extend(timeout.map(|timeout| ("timeout".to_string(), Yaml::Text(timeout))));
    Yaml::Map(entries)
}

fn is_private(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', ':', '?']).next().unwrap_or_default();
    let address: Option<std::net::Ipv4Addr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback() || address.is_private())
}

/// A map of a request, without absent members.
pub(super) fn members<const N: usize>(entries: [(&str, Option<Yaml>); N]) -> Vec<(String, Yaml)> {
    entries.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
}

/// Literal text, with nothing that the request's template would evaluate.
pub(super) fn literal(text: &str) -> Yaml {
    let mut writer = Writer::new(Dialect::Webhook);
    writer.text(text);
    Yaml::Text(writer.end())
}

/// A literal tree, with nothing that a template would evaluate.
pub(super) fn constants(node: &Node) -> Yaml {
    match &node.data {
        Data::List(items) => Yaml::List(items.iter().map(constants).collect()),
        Data::Map(entries) => {
            Yaml::Map(entries.iter().map(|entry| (entry.key.clone(), constants(&entry.value))).collect())
        }
        Data::Text(text) => literal(text),
        _ => crate::options::as_yaml(node),
    }
}

/// Whether an address may hold a key: in a query, or before `@`.
pub(super) fn holds_secret(url: &str) -> bool {
    // The `@` of a token does not count.
    crate::mask::mask(url).map_or(true, |masked| masked.contains(['?', '@']))
}

/// Whether a member of this name is a secret, which a request must not contain.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["auth", "api_key", "apikey", "api-key", "token", "secret", "password", "passwd", "cookie", "credential"]
        .iter()
        .any(|word| name.contains(word))
}

/// A literal address; `http://` if it has no scheme.
pub(crate) fn address(text: &str) -> Yaml {
    let text = text.trim().trim_end_matches('/');
    let bare = !text.contains("://") && lone_token(text).is_none();
    Yaml::Text(if bare { format!("http://{text}") } else { variables(text).0 })
}

/// A header that holds a secret.
pub(super) fn header(name: &str, value: Yaml) -> Yaml {
    Yaml::map([("header", Yaml::map([("name", Yaml::text(name)), ("value", value)]))])
}

/// A user and a secret password.
pub(super) fn basic(username: &str, password: Yaml) -> Yaml {
    Yaml::map([("basic", Yaml::map([("username", Yaml::text(username)), ("password", password)]))])
}
