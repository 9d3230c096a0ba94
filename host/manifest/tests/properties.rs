//! Properties that hold for any text.
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use watchbell_manifest::{Bundle, Options, Report, load, load_tests, render};

mod fake;

const RULE: &str = include_str!("../../../rules/web/spike-in-5xxs.yaml");
const TESTS: &str = include_str!("../../../rules/web/spike-in-5xxs.test.yaml");
const ENVIRONMENT: &str = include_str!("../../../rules/environments/default.yaml");

fn try_load(rule: &str, environment: &str, tokens: &[(String, String)]) -> Result<Bundle, Report> {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), rule, environment);
    let options =
        Options { environment: "default", token_overrides: tokens, env: &|_| None, check_secrets: false };
    load(root.path(), &options, &fake::Fake)
}

fn write(root: &Path, rule: &str, environment: &str) {
    fs::create_dir_all(root.join("environments")).unwrap();
    fs::write(root.join("environments/default.yaml"), environment).unwrap();
    fs::write(root.join("rule.yaml"), rule).unwrap();
}

/// The text with one piece replaced by another.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let marks =
        "[@:{}\\[\\]\"'|>&*!%#,\n\t\\- ]{0,6}|.{0,12}|@@[a-zA-Z.]{1,8}@@|[0-9]{1,30}|(true|null|~|<<)";
    proptest::collection::vec((0..text.len(), 0..24_usize, marks), 1..4).prop_map(move |cuts| {
        let mut out = text.to_string();
        for (at, length, put) in cuts {
            let mut start = at.min(out.len());
            while !out.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + length).min(out.len());
            while !out.is_char_boundary(end) {
                end += 1;
            }
            out.replace_range(start..end, &put);
        }
        out
    })
}

/// As YAML counts them: a line ends at \n, at \r\n, and at \r alone.
fn lines(text: &str) -> u32 {
    text.replace("\r\n", "\n").split(['\n', '\r']).count() as u32
}

proptest! {
    // A failure prints its input, so no file of seeds is needed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn any_text_is_loaded_or_told(rule in "\\PC{0,80}|[\\x00-\\x7f]{0,60}", environment in "\\PC{0,40}") {
        for text in [&rule, &environment] {
            let told = try_load(text, ENVIRONMENT, &[]);
            prop_assert!(told.is_err());
            let told = try_load(RULE, text, &[]).unwrap_err();
            prop_assert!(!told.diagnostics.is_empty());
        }
    }

    #[test]
    fn a_mutated_manifest_is_loaded_or_told(rule in mutated(RULE), environment in mutated(ENVIRONMENT)) {
        for (rule, environment) in [(rule.as_str(), ENVIRONMENT), (RULE, environment.as_str())] {
            match try_load(rule, environment, &[]) {
                Ok(bundle) => prop_assert_eq!(bundle.rules.len(), 1),
                Err(report) => {
                    for fault in &report.diagnostics {
                        // Positions are within the file that they name; a missing part may be just after its end.
                        let lines = lines(rule).max(lines(environment));
                        prop_assert!(fault.place.line <= lines + 1, "{fault}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_mutated_test_is_loaded_or_told(text in mutated(TESTS)) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("spike-in-5xxs.yaml"), RULE).unwrap();
        fs::write(folder.path().join("spike-in-5xxs.test.yaml"), &text).unwrap();
        match load_tests(folder.path()) {
            Ok(files) => prop_assert!(files.iter().all(|file| !file.tests.is_empty())),
            Err(report) => {
                prop_assert!(!report.diagnostics.is_empty());
                for fault in &report.diagnostics {
                    prop_assert!(fault.place.line <= lines(&text) + 1, "{fault}");
                }
            }
        }
    }

    #[test]
    fn a_token_never_changes_the_structure(value in "\\PC{0,40}|[\\x00-\\x7f]{1,40}|[:{}\\[\\]\"'|>&*!%#,\n\\- @a]{1,12}") {
        let rule = "name: a\nuse: any\nindex: logs\nevery: 1m\nalert: { to: [ops-chat], title: x@@T@@ }\n\
                    description: \"x@@T@@\"\nowner: 'x@@T@@'\nlinks:\n  plain: x@@T@@ # @@T@@\n  block: |-\n    x@@T@@\n  \
                    folded: >-\n    x@@T@@\n  twice: x@@T@@@@T@@\n";
        let environment = "clusters: { main: { nodes: [\"http://127.0.0.1:9200\"] } }\n\
                           destinations: { ops-chat: { use: slack, url: \"http://127.0.0.1:9300/chat\" } }\n\
                           tokens: { T: t }\n";
        // A value that reads as a number or a YAML keyword would be one; here it must be a string.
        let value = format!("v{value}");
        // A title is a template, in which braces have a meaning.
        prop_assume!(!value.contains('{'));
        let bundle = try_load(rule, environment, &[("T".into(), value.clone())])
            .map_err(|report| TestCaseError::fail(report.to_string()))?;
        let rule = &bundle.rules[0];
        let expected = format!("x{value}");
        prop_assert_eq!(&rule.spec.alert.title, &expected);
        prop_assert_eq!(rule.description.as_ref(), Some(&expected));
        prop_assert_eq!(rule.spec.owner.as_ref(), Some(&expected));
        prop_assert_eq!(rule.links.keys().map(String::as_str).collect::<Vec<_>>(), ["block", "folded", "plain", "twice"]);
        prop_assert_eq!(&rule.links["plain"], &expected);
        prop_assert_eq!(&rule.links["block"], &expected);
        prop_assert_eq!(&rule.links["folded"], &expected);
        prop_assert_eq!(&rule.links["twice"], &format!("x{value}{value}"));
        prop_assert_eq!(rule.effective["name"].clone(), Value::from("a"));
    }

    #[test]
    fn what_is_rendered_reads_back(text in "[^\\x{e000}-\\x{f8ff}@\\x{feff}]{1,40}|[ :{}\\[\\]\"'|>&*!%#,\n\ta-c\\-]{1,20}") {
        let environment = "clusters: { main: { nodes: [\"http://127.0.0.1:9200\"] } }\n\
                           destinations: { ops-chat: { use: slack, url: \"http://127.0.0.1:9300/chat\" } }\n\
                           tokens: { T: t }\n";
        let rule = "name: a\nuse: any\nindex: logs\nevery: 1m\nalert: { to: [ops-chat] }\ndescription: \"@@T@@\"\n\
                    links: { a: \"x@@T@@\" }\n";
        let first = try_load(rule, environment, &[("T".into(), text)]).unwrap();
        let rendered = render(&first);
        let documents = rendered.split_once("---\n# ").unwrap().1.split_once('\n').unwrap().1;
        let again = try_load(documents, "clusters: { main: { nodes: [\"http://127.0.0.1:9200\"] } }\n\
            destinations: { ops-chat: { use: slack, url: \"http://127.0.0.1:9300/chat\" } }\n", &[])
            .map_err(|report| TestCaseError::fail(format!("{report}\n{rendered}")))?;
        prop_assert_eq!(&again.rules[0].effective, &first.rules[0].effective);
    }
}
