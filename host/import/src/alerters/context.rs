//! What every alerter needs: the rule's options, what its messages may name, and a place for secrets.
use super::destination::Destination;
pub(crate) use super::values::{
    NO_ADDRESS, address, basic, by_severity, constants, header, holds_secret, is_address, is_secret, literal,
    members,
};
use crate::node::{Data, Node};
use crate::options::Options;
use crate::secrets::Secrets;
use crate::texts::python::{Part, Which, read};
use crate::texts::{Dialect, Term, Terms, Writer, jinja};
use crate::yaml::Yaml;

const IN_PARAMS: &str = "in the destination's `params`";

pub(crate) struct Context<'a> {
    pub(crate) options: &'a mut Options,
    pub(crate) terms: &'a mut Terms,
    pub(crate) secrets: &'a mut Secrets,
}

impl Context<'_> {
    /// A secret, or the file that the option of the same name and `_file` names.
    pub(crate) fn secret_or_file(&mut self, option: &str, variable: &str, how: Option<&str>) -> Option<Yaml> {
        if self.options.node(option).is_some() {
            return self.secret_as(option, variable, how);
        }
        let named = format!("{option}_file");
        let path = self.options.text(&named).filter(|path| !path.is_empty())?;
        if how.is_none() {
            self.options.carried(&named, "a secret in the same file");
            return Some(Yaml::map([("file", Yaml::Text(path))]));
        }
        let what = how.unwrap_or("{}").replace("{}", "VALUE");
        let (name, reference) =
            self.secrets.of_file(variable, &path, &format!("{what}, from the file `{path}`"));
        self.options
            .changed(&named, format!("the variable {name}: the destination needs more than the file holds"));
        Some(reference)
    }

    /// A secret; `None`: the option is missing, which is a fault.
    pub(crate) fn secret(&mut self, option: &str, variable: &str) -> Option<Yaml> {
        self.secret_as(option, variable, None)
    }

    /// A secret that is part of the variable's value: `how` has `{}` in its place.
    pub(crate) fn secret_as(&mut self, option: &str, variable: &str, how: Option<&str>) -> Option<Yaml> {
        self.needs(&[option])?;
        let node = self.options.node(option)?;
        self.options.text(option)?;
        let reference = self.secrets.reference(variable, option, &node, how);
        self.told_secret(option, &reference);
        Some(reference)
    }

    /// The same for each item of a list.
    pub(crate) fn secrets_of(&mut self, option: &str, variable: &str) -> Vec<Yaml> {
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
    pub(crate) fn address(&mut self, option: &str, variable: &str) -> Option<Yaml> {
        self.needs(&[option])?;
        let text = self.options.text(option)?;
        if holds_secret(&text) {
            return self.secret(option, variable);
        }
        if !is_address(&text) {
            self.options.dropped(option, NO_ADDRESS);
            return None;
        }
        self.options.carried(option, "the destination's address");
        Some(address(&text))
    }

    /// `None`: an option is missing, which is a fault.
    pub(crate) fn needs(&mut self, names: &[&str]) -> Option<()> {
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
    pub(crate) fn constant(&mut self, option: &str) -> Option<Yaml> {
        let text = self.filled_in(option)?;
        self.options.carried(option, "in the destination's request");
        Some(literal(&text))
    }

    pub(crate) fn constant_or(&mut self, option: &str, default: &str) -> Yaml {
        self.constant(option).unwrap_or_else(|| Yaml::text(default))
    }

    /// Numbers and strings as they are.
    pub(crate) fn value(&mut self, option: &str) -> Option<Yaml> {
        let node = self.options.node(option)?;
        self.options.carried(option, "in the destination's request");
        Some(constants(&node))
    }

    /// A text in which `{field}` stands for a value of the match.
    pub(crate) fn formatted(&mut self, option: &str) -> Option<Yaml> {
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

    /// A text whose `{0}` stands for the first of the fields that `arguments` lists.
    pub(crate) fn formatted_with(&mut self, option: &str, arguments: &str) -> Option<Yaml> {
        let Some(names) = self.options.texts(arguments) else { return self.constant(option) };
        let text = self.options.text(option)?;
        match self.filled(&text, &names) {
            Ok(template) => {
                self.told_fields(option);
                self.options.settle(arguments, format!("written into `{option}`"));
                Some(Yaml::Text(template))
            }
            Err(why) => {
                self.options.dropped(option, why);
                None
            }
        }
    }

    /// `{0}` and the like in `text`, by the names of fields.
    pub(crate) fn filled(&mut self, text: &str, names: &[String]) -> Result<String, String> {
        let mut writer = Writer::new(Dialect::Webhook);
        for part in read(text)? {
            let name = match &part {
                Part::Literal(text) => {
                    writer.text(text);
                    continue;
                }
                Part::Field { which: Which::Index(index), .. } => {
                    names.get(*index).ok_or_else(|| format!("`{{{index}}}` has no argument"))?
                }
                Part::Field { which: Which::Name(name), .. } => {
                    return Err(format!("`{{{name}}}` has no argument of that name"));
                }
            };
            match self.term(name) {
                Term::Constant(text) => writer.text(&text),
                Term::Told(expression) | Term::Untold(expression) => writer.expression(&expression),
            }
        }
        Ok(writer.end())
    }

    /// A parameter that is not a template.
    pub(crate) fn plain(&mut self, option: &str) -> Option<Yaml> {
        let text = self.filled_in(option)?;
        self.options.carried(option, IN_PARAMS);
        Some(Yaml::Text(text))
    }

    /// An empty text is as good as none, and receivers refuse some of them.
    fn filled_in(&mut self, option: &str) -> Option<String> {
        let text = self.options.text(option)?;
        if text.trim().is_empty() {
            self.options.dropped(option, "empty");
            return None;
        }
        Some(text)
    }

    /// A parameter by severity, of which ElastAlert has one value for all.
    pub(crate) fn one_of(&mut self, option: &str, allowed: &[&str]) -> Option<Yaml> {
        let text = self.options.text(option)?;
        let known = allowed.iter().find(|known| known.eq_ignore_ascii_case(&text));
        match known {
            Some(known) => {
                self.options.carried(option, "in the destination's `params`, the same for each severity");
                Some(by_severity(&Yaml::text(*known)))
            }
            None => {
                let one_of = allowed.join(", ");
                self.options.dropped(option, format!("not one of {one_of}: the rule's `severity` decides"));
                None
            }
        }
    }

    /// A number by severity, of which ElastAlert has one value for all.
    pub(crate) fn level(&mut self, option: &str, least: i64, most: i64) -> Option<Yaml> {
        let text = self.options.text(option)?;
        match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => {
                self.options.carried(option, "in the destination's `params`, the same for each severity");
                Some(by_severity(&Yaml::Number(number.to_string())))
            }
            _ => {
                let why = format!("not a number from {least} to {most}: the rule's `severity` decides");
                self.options.dropped(option, why);
                None
            }
        }
    }

    /// `#rrggbb`, or Slack's name of a colour.
    pub(crate) fn colour(&mut self, option: &str) -> Option<Yaml> {
        let text = self.options.text(option)?;
        let named = match text.as_str() {
            "good" => Some("#2eb886"),
            "warning" => Some("#daa038"),
            "danger" => Some("#a30200"),
            _ => None,
        };
        let digits = text.strip_prefix('#').unwrap_or_default();
        let is_colour = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match named.map(String::from).or_else(|| is_colour.then(|| text.clone())) {
            Some(colour) => {
                self.options.carried(option, "`params.color`, until the episode is over");
                Some(Yaml::Text(colour))
            }
            None => {
                self.options
                    .dropped(option, "not a colour such as `#a30200`: the colour follows the severity");
                None
            }
        }
    }

    /// An emoji between colons.
    pub(crate) fn emoji(&mut self, option: &str) -> Option<Yaml> {
        let text = self.options.text(option)?;
        let name = text.strip_prefix(':').and_then(|text| text.strip_suffix(':')).unwrap_or_default();
        if name.is_empty() || name.contains(':') {
            self.options.dropped(option, "not an emoji name between colons");
            return None;
        }
        self.options.carried(option, IN_PARAMS);
        Some(Yaml::Text(text))
    }

    /// Text that only mentions people becomes `params.mention`.
    pub(crate) fn mention(&mut self, option: &str, marks: &[&str]) -> Option<Yaml> {
        let text = self.options.text(option).filter(|text| !text.trim().is_empty())?;
        if text.split_whitespace().all(|word| marks.iter().any(|mark| word.starts_with(mark))) {
            self.options.carried(option, "`params.mention`, for each severity");
            return Some(by_severity(&Yaml::Text(text)));
        }
        self.options.dropped(option, "the text of a message is the rule's `alert.body`: write it there");
        None
    }

    /// Fields of a message: a title, and a text or the name of a field.
    pub(crate) fn fields(&mut self, option: &str, with_short: bool) -> Option<Yaml> {
        let items = match self.options.node(option)?.data {
            Data::List(items) => items,
            _ => return None,
        };
        let mut made = Vec::new();
        for item in &items {
            let Some(title) = item.get("title").or_else(|| item.get("name")).and_then(Node::text) else {
                continue;
            };
            let arguments: Option<Vec<String>> = match item.get("args").map(|node| &node.data) {
                Some(Data::List(names)) => names.iter().map(Node::text).collect(),
                _ => None,
            };
            let value = item.get("value").and_then(Node::text);
            let value = match (arguments, value) {
                (Some(names), value) => {
                    let text = value.unwrap_or_else(|| {
                        (0..names.len()).map(|index| format!("{{{index}}}")).collect::<Vec<_>>().join("\n")
                    });
                    match self.filled(&text, &names) {
                        Ok(template) => Yaml::Text(template),
                        Err(why) => {
                            self.options.dropped(option, why);
                            return None;
                        }
                    }
                }
                (None, Some(name)) => self.field(&name),
                (None, None) => continue,
            };
            let short = item.get("short").map(|node| Yaml::Bool(node.data == Data::Bool(true)));
            made.push(Yaml::Map(members([
                ("title", Some(literal(&title))),
                ("value", Some(value)),
                ("short", short.filter(|_| with_short)),
            ])));
        }
        // The most that receivers of such fields take.
        let most = if with_short { 20 } else { 10 };
        let is_cut = made.len() > most;
        made.truncate(most);
        self.told_fields(option);
        if is_cut {
            self.options.changed(option, format!("the first {most}: a message has no more"));
        }
        Some(Yaml::List(made))
    }

    /// Gives up on an alerter; the rule's other destinations are kept.
    pub(crate) fn refuse(&mut self, option: &str, why: impl Into<String>) -> Vec<Destination> {
        self.options.dropped(option, why);
        Vec::new()
    }

    /// Texts in which `{field}` stands for a value, each in its place; `None`: it cannot be formatted.
    pub(crate) fn formatted_list(&mut self, option: &str) -> Vec<Option<Yaml>> {
        let texts = self.options.texts(option).unwrap_or_default();
        let made: Vec<Option<Yaml>> =
            texts.iter().map(|text| self.format(text).ok().map(Yaml::Text)).collect();
        if made.iter().all(Option::is_some) {
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
    pub(crate) fn jinja(&mut self, text: &str) -> Result<String, String> {
        let root = self.options.text("jinja_root_name").unwrap_or_else(|| "_data".into());
        let (options, terms) = (&*self.options, &mut *self.terms);
        jinja::rewrite(text, &root, &mut |name| terms.expression(options, name, Dialect::Webhook))
    }

    /// The typed value of a field, or of a rule option if there is no such field.
    pub(crate) fn field(&mut self, name: &str) -> Yaml {
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
    pub(crate) fn told_fields(&mut self, option: &str) {
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
    pub(crate) fn plumbing(&mut self, prefix: &str) -> Option<String> {
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
