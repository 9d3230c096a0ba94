//! Cases as the text of a file, for recorded runs.
use serde_json::{Value, json};

use super::case::{Case, Document, Expected, Point};
use super::flow::flow;
use crate::Duration;

impl Case {
    /// The text of a `*.test.yaml` with these cases. What a case leaves at its default is not written.
    pub fn print(cases: &[Self]) -> String {
        let mut lines = vec!["tests:".to_owned()];
        cases.iter().for_each(|case| case.lines(&mut lines));
        lines.join("\n") + "\n"
    }

    fn lines(&self, lines: &mut Vec<String>) {
        let defaults = Self::default();
        let mut member = |name: &str, value: Value| lines.push(format!("    {name}: {}", flow(&value)));
        member("name", self.name.clone().into());
        if !self.pins.is_empty() {
            member("pins", self.pins.clone().into());
        }
        member("params", self.params.clone());
        if !self.key.is_empty() {
            member("key", json!(self.key));
        }
        let spans = [
            ("from", self.from, Duration::ZERO),
            ("every", self.every, defaults.every),
            ("lateness", self.lateness, Duration::ZERO),
        ];
        for (name, span, _) in spans.into_iter().filter(|(_, span, default)| span != default) {
            member(name, json!(span));
        }
        if !self.ends.is_empty() {
            member("ends", json!(self.ends));
        }
        if self.page_rows != defaults.page_rows {
            member("page_rows", self.page_rows.into());
        }
        if let Some(state) = &self.state {
            member("state", state.clone().into());
        }
        if !self.mapping.is_null() {
            member("mapping", self.mapping.clone());
        }
        if !self.missing.is_empty() {
            member("missing", json!(self.missing));
        }
        if let Some(why) = &self.fixed_cuts {
            member("cuts", json!({ "fixed": why }));
        }
        let is_unsaid = self.expect.iter().all(|point| point.at.unwrap_or(self.until) != self.until);
        if is_unsaid {
            member("until", json!(self.until));
        }
        if !self.documents.is_empty() {
            lines.push("    documents:".into());
            lines.extend(self.documents.iter().map(|document| format!("      - {}", document.line())));
        }
        if !self.expect.is_empty() {
            lines.push("    expect:".into());
        }
        for Point { at, signals, .. } in &self.expect {
            lines.push(format!("      - at: {}", at.unwrap_or(self.until)));
            let empty = if signals.is_empty() { " []" } else { "" };
            lines.push(format!("        signals:{empty}"));
            lines.extend(signals.iter().map(|signal| format!("          - {}", flow(&json!(signal)))));
        }
        if !self.never.is_empty() {
            let signals: Vec<&Expected> = self.never.iter().collect();
            lines.push(format!("    never: {}", flow(&json!({ "signals": signals }))));
        }
        if self.is_quiet() {
            lines.push("    quiet: true".into());
        }
        // The first member stands behind the dash of its test.
        if let Some(first) = lines.iter_mut().rev().find(|line| line.starts_with("    name:")) {
            first.replace_range(2..3, "-");
        }
    }
}

impl Document {
    fn line(&self) -> String {
        let mut members = vec![("at", self.at.to_string().into())];
        if let Some(arrives) = self.arrives {
            members.push(("arrives", arrives.to_string().into()));
        }
        if self.count != 1 {
            members.extend([("every", json!(self.every)), ("count", self.count.into())]);
        }
        if let Some(answers) = self.answers {
            members.push(("answers", json!(answers)));
        }
        if !self.fields.is_empty() {
            members.push(("fields", self.fields.clone().into()));
        }
        if let Some(matches) = &self.matches {
            members.push(("matches", json!(matches)));
        }
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{name}: {}", flow(value))).collect();
        format!("{{ {} }}", members.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::case::Offset;

    #[test]
    fn what_is_printed_reads_back() {
        let secs = Duration::from_secs;
        let signal = Expected {
            at: Some(secs(5)),
            labels: Some([("host".to_owned(), None)].into()),
            summary: Some("x: \"y\"".into()),
            ..Expected::default()
        };
        let mut case = Case::new(json!({ "n": "1", "of": ["yes", 2.5] }))
            .key(["host"])
            .late(secs(1), secs(90), json!({ "a.b": null, "t": "2024-01-01T00:00:00Z" }))
            .documents(secs(2), 3, secs(1), json!({ "user": "u{n}" }))
            .expect([signal]);
        (case.name, case.until) = ("it: works".into(), secs(120));
        case.documents[0].at = Offset(-1_500);
        let quiet = Case { name: "quiet".into(), quiet: true, ..Case::default() };
        let text = Case::print(&[case.clone(), quiet]);
        let read = Case::parse("x", &text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
        assert_eq!(Case::print(&read), text);
        assert_eq!((&read[0].params, &read[0].name, read[0].until), (&case.params, &case.name, case.until));
        assert_eq!(read[0].documents[0].fields, case.documents[0].fields);
        assert_eq!(read[0].expect[0].signals, case.expect[0].signals);
        assert_eq!((read[0].documents[0].at, read[1].until), (Offset(-1_500), Duration::from_mins(10)));
    }
}
