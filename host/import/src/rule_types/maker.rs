//! A builder for parameters.
use crate::options::Options;
use crate::yaml::Yaml;

/// Collects a module's parameters.
pub(super) struct Maker<'a> {
    pub(super) options: &'a mut Options,
    pub(super) params: Vec<(String, Yaml)>,
}

impl Maker<'_> {
    pub(super) fn put(&mut self, param: &str, value: Yaml) {
        self.params.push((param.to_string(), value));
    }

    fn carried(&mut self, option: &str, param: &str, value: Option<Yaml>) {
        if let Some(value) = value {
            self.put(param, value);
            self.options.carried(option, format!("`params.{param}`"));
        }
    }

    pub(super) fn number(&mut self, option: &str, param: &str) {
        let value = self.options.number(option);
        self.carried(option, param, value);
    }

    /// A flag whose default is the same on both sides.
    pub(super) fn switch(&mut self, option: &str, param: &str) {
        let value = self.options.switch(option);
        if value == Some(Yaml::Bool(false)) {
            self.options.carried(option, "same as the default");
        } else {
            self.carried(option, param, value);
        }
    }

    pub(super) fn text(&mut self, option: &str, param: &str) {
        let value = self.options.text(option).map(Yaml::Text);
        self.carried(option, param, value);
    }

    /// A length of time, which is longer than zero.
    pub(super) fn span(&mut self, option: &str, param: &str) {
        let span = self.options.span(option);
        if span.as_ref().is_some_and(|span| span.millis == Some(0)) {
            let message = format!("`{option}` is zero, so that nothing lies within it");
            return self.options.fault(option, message, "make it longer");
        }
        self.carried(option, param, span.map(|span| Yaml::Text(span.text)));
    }

    pub(super) fn needs(&mut self, names: &[&str]) {
        for option in names {
            if self.options.node(option).is_none() {
                let kind = self.options.text("type").unwrap_or_default();
                self.options.fault(
                    option,
                    format!("`{option}` is missing"),
                    format!("a rule of type `{kind}` requires it, in ElastAlert too"),
                );
            }
        }
    }
}
