//! Parameters in the making.
use crate::sheet::Sheet;
use crate::yaml::Yaml;

/// Parameters in the making.
pub(super) struct Maker<'a> {
    pub(super) sheet: &'a mut Sheet,
    pub(super) params: Vec<(String, Yaml)>,
}

impl Maker<'_> {
    pub(super) fn put(&mut self, param: &str, value: Yaml) {
        self.params.push((param.to_string(), value));
    }

    fn carried(&mut self, option: &str, param: &str, value: Option<Yaml>) {
        if let Some(value) = value {
            self.put(param, value);
            self.sheet.carried(option, format!("`params.{param}`"));
        }
    }

    pub(super) fn number(&mut self, option: &str, param: &str) {
        let value = self.sheet.number(option);
        self.carried(option, param, value);
    }

    /// A flag whose default is the same on both sides.
    pub(super) fn switch(&mut self, option: &str, param: &str) {
        let value = self.sheet.switch(option);
        if value == Some(Yaml::Bool(false)) {
            self.sheet.carried(option, "as it is by default");
        } else {
            self.carried(option, param, value);
        }
    }

    pub(super) fn text(&mut self, option: &str, param: &str) {
        let value = self.sheet.text(option).map(Yaml::Text);
        self.carried(option, param, value);
    }

    pub(super) fn span(&mut self, option: &str, param: &str) {
        let value = self.sheet.span(option).map(|span| Yaml::Text(span.text));
        self.carried(option, param, value);
    }

    pub(super) fn needs(&mut self, options: &[&str]) {
        for option in options {
            if self.sheet.node(option).is_none() {
                let kind = self.sheet.text("type").unwrap_or_default();
                self.sheet.fault(
                    option,
                    format!("`{option}` is missing"),
                    format!("a rule of type `{kind}` needs it, in ElastAlert too"),
                );
            }
        }
    }
}
