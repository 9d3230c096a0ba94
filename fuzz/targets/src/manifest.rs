//! A bundle from five texts: a manifest, its environment, an overlay, values of tokens, and the rule's tests.
use std::cell::RefCell;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use watchbell_manifest::{Bundle, Options, Report, load, load_tests, render};

use crate::sections::{lines, sections};

#[path = "../../../host/manifest/tests/fake/mod.rs"]
mod fake; // modules and products, as the tests of manifests have them
use fake::Fake;

const ENVIRONMENT: &str = "\
clusters: { main: { nodes: [\"http://127.0.0.1:9200\"] } }
destinations: { ops-chat: { use: webhook, url: \"http://127.0.0.1:9300/chat\" } }
";

/// A report shows at most this many errors.
const DIAGNOSTICS_MAX: usize = 1_000;

thread_local! {
    /// One folder for all inputs: making one takes longer than most of them.
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Loads a bundle: the same twice, with positions inside its files, and equal to what is rendered of it.
pub fn manifest(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        within(folder.path(), &Texts::of(input));
    });
}

/// What one input says.
#[derive(Default)]
struct Texts {
    rule: String,
    environment: Option<String>,
    overlay: Option<String>,
    tokens: Vec<(String, String)>,
    tests: Option<String>,
}

impl Texts {
    fn of(input: &str) -> Self {
        let mut texts = Self::default();
        for (name, text) in sections(input) {
            match name {
                "" => texts.rule = text,
                "environment" => texts.environment = Some(text),
                "overlay" => texts.overlay = Some(text),
                "tokens" => {
                    texts.tokens = text
                        .lines()
                        .filter_map(|line| line.split_once('='))
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect();
                }
                "tests" => texts.tests = Some(text),
                _ => {}
            }
        }
        texts
    }

    fn lines_max(&self) -> u32 {
        let texts = [Some(&self.rule), self.environment.as_ref(), self.overlay.as_ref(), self.tests.as_ref()];
        texts.into_iter().flatten().map(|text| lines(text)).max().unwrap_or(0)
    }
}

fn within(root: &Path, texts: &Texts) {
    write(root, texts);
    let environment = if texts.overlay.is_some() { "prod" } else { "default" };
    let loaded = bundle(root, environment, &texts.tokens);
    let again = bundle(root, environment, &texts.tokens);
    match (&loaded, &again) {
        (Ok(first), Ok(second)) => assert_eq!(first.digest, second.digest, "the same files, another bundle"),
        (Err(first), Err(second)) => assert_eq!(first, second, "the same files, another report"),
        _ => panic!("the same files load only sometimes"),
    }
    match &loaded {
        Ok(bundle) => {
            assert_eq!(bundle.rules.len(), 1);
            reads_back(root, bundle);
        }
        Err(report) => told(report, texts),
    }
    if texts.tests.is_some() {
        write(root, texts);
        if let Err(report) = load_tests(root) {
            told(&report, texts);
        }
    }
}

fn write(root: &Path, texts: &Texts) {
    let put = |name: &str, text: Option<&str>| match text {
        Some(text) => fs::write(root.join(name), text).expect("a file"),
        // It may be absent already.
        None => drop(fs::remove_file(root.join(name))),
    };
    fs::create_dir_all(root.join("environments")).expect("a folder");
    put("environments/default.yaml", Some(texts.environment.as_deref().unwrap_or(ENVIRONMENT)));
    put("environments/prod.yaml", texts.overlay.as_deref());
    put("rule.yaml", Some(&texts.rule));
    put("rule.test.yaml", texts.tests.as_deref());
}

fn bundle(root: &Path, environment: &str, tokens: &[(String, String)]) -> Result<Bundle, Report> {
    let options = Options { environment, token_overrides: tokens, env: &|_| None, check_secrets: false };
    load(root, &options, &Fake)
}

/// A report names at least one fault; each lies in its file, or just after its end where something is missing.
fn told(report: &Report, texts: &Texts) {
    assert!(!report.diagnostics.is_empty() && report.diagnostics.len() <= DIAGNOSTICS_MAX);
    let lines = texts.lines_max().max(lines(ENVIRONMENT));
    for fault in &report.diagnostics {
        assert!(fault.place.line <= lines + 1, "{fault}");
        assert!(!fault.message.is_empty());
    }
    assert!(!report.to_string().contains(is_private), "a masked token is shown: {report}");
}

/// The rule as rendered loads as the same rule.
fn reads_back(root: &Path, first: &Bundle) {
    let rendered = render(first);
    // A token's value may spell a token, which a file cannot.
    if rendered.contains("@@") || rendered.contains(is_private) {
        return;
    }
    let (environment, rule) = rendered.split_once("---\n# ").expect("a rule after the environment");
    let (_, rule) = rule.split_once('\n').expect("the rule's file in a line of its own");
    let texts =
        Texts { rule: rule.to_owned(), environment: Some(environment.to_owned()), ..Texts::default() };
    write(root, &texts);
    let again = bundle(root, "default", &[]).unwrap_or_else(|report| panic!("{report}\n{rendered}"));
    assert_eq!(again.rules[0].effective, first.rules[0].effective, "{rendered}");
}

/// Private-use characters stand for tokens while a file is parsed.
fn is_private(c: char) -> bool {
    ('\u{E000}'..='\u{F8FF}').contains(&c)
}
