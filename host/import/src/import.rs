//! The whole import, in order: files, rules, one environment, one report.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_manifest::Place;

use crate::clusters::{self, cluster};
use crate::files::{File, SourceFile};
use crate::known::{PROCESS, explain};
use crate::mask::tokens;
use crate::names::{self, free, path, slug, without_tokens};
use crate::options::{Finding, Options};
use crate::report::{Became, Fate, Fault, OptionOutcome, Report, RuleOutcome, TokenNeeded};
use crate::rule::{Made, rule};
use crate::secrets::Secrets;
use crate::sources::Sources;
use crate::surroundings::Surroundings;
use crate::tree::Document;
use crate::yaml::{Yaml, document};

/// Settings of an import.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings<'a> {
    /// Where rules send their messages if none of their alerters can be carried over; without it, such a rule fails. A
    /// name as in manifests: letters, digits, `_`, `.` and `-`, at most 128.
    pub destination: Option<&'a str>,
    /// Values of tokens, for the environment; other tokens are listed there without a value.
    pub tokens: &'a [(String, String)],
    /// Where rules begin, an instant such as `2026-12-01T12:00:00Z`: when ElastAlert is stopped. Without it they begin when
    /// the host starts.
    pub begin: Option<&'a str>,
    /// The path of ElastAlert's configuration among the files, where they do not say it themselves.
    pub config: Option<&'a str>,
}

/// The files to write, and the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    pub files: Vec<File>,
    pub report: Report,
}

impl Import {
    /// Leaves out the manifest at `path`, which would be rejected for `reasons`, one sentence each.
    pub(crate) fn refuse(&mut self, path: &str, reasons: &[String]) {
        self.files.retain(|file| file.path != path);
        let is_it = |rule: &&mut RuleOutcome| rule.became.as_ref().is_some_and(|became| became.file == path);
        let Some(rule) = self.report.rules.iter_mut().find(is_it) else { return };
        rule.became = None;
        let place = Place { file: rule.file.as_str().into(), line: 0, column: 0 };
        rule.faults.extend(reasons.iter().map(|reason| Fault {
            place: place.clone(),
            message: format!("its manifest would be rejected: {reason}"),
            remedy: "change the option in this file, and import again".into(),
        }));
    }
}

const ENVIRONMENT: &str = "environments/default.yaml";

/// Turns ElastAlert files into manifests and an environment. The same files give the same result. The import never fails
/// as a whole: a rule that cannot be carried over is reported with its faults and left out.
#[must_use]
pub fn import(files: &[SourceFile], settings: &Settings<'_>) -> Import {
    let sources = Sources::new(files, settings.config);
    let mut work = Work::new(&sources, settings);
    let rules = sources.rules();
    work.find_main(
        &rules.iter().filter(|(_, read)| read.is_ok()).map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
    );
    for (file, read) in rules {
        match read {
            Ok(()) => work.rule(&file),
            Err(fault) => {
                let outcome =
                    RuleOutcome { name: stem(&file).into(), file, became: None, faults: vec![fault] };
                work.report.rules.push(outcome);
            }
        }
    }
    work.end()
}

struct Work<'a> {
    sources: &'a Sources,
    settings: &'a Settings<'a>,
    secrets: Secrets,
    /// By name, in order of appearance.
    clusters: Vec<(String, Yaml)>,
    destinations: Vec<(String, Yaml)>,
    files: Vec<File>,
    findings: Vec<Finding>,
    report: Report,
    /// The clusters that rules use.
    asked: BTreeSet<String>,
    names: BTreeSet<String>,
    paths: BTreeSet<String>,
    /// Where rules are.
    folders: Vec<String>,
    /// Where each token was first seen.
    tokens: BTreeMap<String, String>,
}

impl<'a> Work<'a> {
    fn new(sources: &'a Sources, settings: &'a Settings<'a>) -> Self {
        let variables = sources
            .documents()
            .flat_map(|(_, document)| document.variables.iter().map(|(name, _)| name.clone()));
        let secrets = Secrets::new(variables.collect());
        Self {
            sources,
            settings,
            secrets,
            clusters: Vec::new(),
            destinations: Vec::new(),
            files: Vec::new(),
            findings: Vec::new(),
            report: Report::default(),
            asked: BTreeSet::from(["main".to_string()]),
            names: BTreeSet::new(),
            paths: BTreeSet::from([ENVIRONMENT.to_string()]),
            folders: sources.folders().to_vec(),
            tokens: BTreeMap::new(),
        }
    }

    /// The cluster of rules that do not name one: the configuration's, or the only one.
    fn find_main(&mut self, rules: &[&str]) {
        let own = self.sources.config().and_then(|(file, config)| {
            let mut options = Options::new(file.into());
            config.entries.iter().for_each(|entry| options.lay(entry, true));
            let own = cluster(&mut options, &mut self.secrets);
            // Even if every rule names another one.
            self.findings.extend(own.is_some().then_some(options.findings).into_iter().flatten());
            own
        });
        let mut asked =
            rules.iter().map(|path| cluster(&mut self.sources.layers(path).options, &mut self.secrets));
        let main = own.or_else(|| {
            let first = asked.next()??;
            asked.all(|other| other.as_ref().is_none_or(|other| *other == first)).then_some(first)
        });
        let main = main
            .unwrap_or_else(|| Yaml::map([("nodes", Yaml::texts(["@@ELASTICSEARCH_URL@@".to_string()]))]));
        self.clusters.push(("main".into(), main));
    }

    fn rule(&mut self, file: &str) {
        let layers = self.sources.layers(file);
        let mut options = layers.options;
        if let Some(fault) = self.sources.config_fault() {
            let place = options.place("");
            options.fault_at(place, fault.message.clone(), fault.remedy.clone());
        }
        let name = options.text("name").unwrap_or_else(|| stem(file).to_string());
        let wanted = slug(&name).or_else(|| slug(stem(file))).unwrap_or_else(|| "rule".into());
        let slug = free(&wanted, &mut self.names);
        name_told(&mut options, &name, &slug);
        let around_name = slug.clone();
        options.carried("import", "imported options are written into the manifest");
        let cluster = self.cluster(&mut options);
        let sources = self.sources;
        let files = |path: &str| sources.text(file, path);
        let mut around = Surroundings {
            slug: slug.clone(),
            name: name.clone(),
            filters: layers.filters,
            files: &files,
            begin: self.settings.begin,
            fallback: self.settings.destination,
            secrets: &mut self.secrets,
        };
        let made = rule(&mut options, &mut around);
        let kind = options.node("type").and_then(|node| node.text()).unwrap_or_default();
        options.rest(|key| explain(key, &kind, &made.alerts));
        if !options.has("alert")
            && let Some(fallback) = self.settings.destination
        {
            self.report.notes.push(format!("`{file}` has no `alert`, so it notifies `{fallback}`"));
        }
        let became = options.faults.is_empty().then(|| {
            let path = free_path(&path(file, &self.folders), &mut self.paths);
            self.written(file, &path, &slug, cluster, made);
            Became { rule: slug, file: path }
        });
        if became.is_none() {
            self.names.remove(&around_name);
        }
        options.faults.sort();
        self.report.rules.push(RuleOutcome { file: file.into(), name, became, faults: options.faults });
        self.findings.extend(options.findings);
    }

    /// The name of the rule's cluster; `None`: main.
    fn cluster(&mut self, options: &mut Options) -> Option<String> {
        let wanted = cluster(options, &mut self.secrets)?;
        if let Some((name, _)) = self.clusters.iter().find(|(_, known)| *known == wanted) {
            return Some(name.clone()).filter(|name| name != "main");
        }
        let mut taken: BTreeSet<String> = self.clusters.iter().map(|(name, _)| name.clone()).collect();
        let name = free(&clusters::name(&wanted), &mut taken);
        self.clusters.push((name.clone(), wanted));
        Some(name)
    }

    fn written(&mut self, file: &str, path: &str, slug: &str, cluster: Option<String>, made: Made) {
        let mut to: Vec<String> = Vec::new();
        for (alerter, destination) in made.destinations {
            let name = self.destination(&alerter, slug, destination);
            if !to.contains(&name) {
                to.push(name);
            }
        }
        if let (true, Some(fallback)) = (to.is_empty(), self.settings.destination) {
            let variable = format!("{}_URL", crate::secrets::snake(fallback));
            let url = self
                .secrets
                .new_reference(&variable, &format!("the address of the destination `{fallback}`"));
            let destination = Yaml::map([("use", Yaml::text("webhook")), ("url", url)]);
            if !self.destinations.iter().any(|(name, _)| name == fallback) {
                self.destinations.push((fallback.to_string(), destination));
            }
            to.push(fallback.to_string());
        }
        let mut entries = made.entries;
        if let Some(cluster) = cluster {
            self.asked.insert(cluster.clone());
            let at = entries.iter().position(|(name, _)| name == "index").unwrap_or(entries.len());
            entries.insert(at, ("cluster".into(), Yaml::Text(cluster)));
        }
        if let Some((_, Yaml::Map(alert))) = entries.iter_mut().find(|(name, _)| name == "alert") {
            let at = alert.iter().position(|(name, _)| name == "repeat").unwrap_or(alert.len());
            alert.insert(at, ("to".into(), Yaml::texts(to)));
        }
        for (_, value) in &entries {
            self.mention(value, file);
        }
        let text = document(&format!("Imported from ElastAlert's {file}."), &entries);
        self.files.push(File { path: path.to_string(), text });
    }

    /// The name of a destination; rules with equal destinations share one.
    fn destination(&mut self, alerter: &str, rule: &str, destination: Yaml) -> String {
        if let Some((name, _)) = self.destinations.iter().find(|(_, known)| *known == destination) {
            return name.clone();
        }
        let mut taken: BTreeSet<String> = self.destinations.iter().map(|(name, _)| name.clone()).collect();
        taken.extend(self.settings.destination.map(str::to_string));
        let product = alerter.replace('_', "-");
        let with = |what: &str| match product.ends_with(&format!("-{what}")) {
            true => product.clone(),
            false => format!("{product}-{what}"),
        };
        let own = names::of_destination(&destination);
        let wanted = [own.room.as_deref().map_or_else(|| product.clone(), with)]
            .into_iter()
            .chain(own.host.as_deref().map(with))
            .find(|name| !taken.contains(name))
            .unwrap_or_else(|| with(rule));
        let name = free(&wanted, &mut taken);
        self.destinations.push((name.clone(), destination));
        name
    }

    fn mention(&mut self, value: &Yaml, file: &str) {
        value.visit(&mut |text| {
            for token in tokens(text) {
                self.tokens.entry(token.to_string()).or_insert_with(|| file.to_string());
            }
        });
    }

    fn end(mut self) -> Import {
        self.clusters.retain(|(name, _)| self.asked.contains(name));
        let mut entries = vec![("clusters".to_string(), Yaml::Map(self.clusters.clone()))];
        if !self.destinations.is_empty() {
            entries.push(("destinations".into(), Yaml::Map(self.destinations.clone())));
        }
        for (_, value) in entries.clone() {
            self.mention(&value, ENVIRONMENT);
        }
        self.report.secrets = self.secrets.needed(&Yaml::Map(entries.clone()));
        let values = self.token_values();
        if !values.is_empty() {
            entries.push(("tokens".into(), Yaml::Map(values)));
        }
        let comment = "Imported from ElastAlert. Always loaded; NAME.yaml in this folder overrides it.";
        if !self.files.is_empty() {
            self.files.insert(0, File { path: ENVIRONMENT.into(), text: document(comment, &entries) });
        }
        self.report.passed = self.sources.passed().to_vec();
        self.report.options = outcomes(self.findings, self.sources);
        if !self
            .sources
            .documents()
            .any(|(_, document)| document.entries.iter().any(|entry| entry.key == "run_every"))
        {
            let note = "no file sets `run_every`: rules run `every: 1m`, which affects how soon they notify, not what they find";
            self.report.notes.push(note.into());
        }
        self.report.notes.extend(NOTES.iter().map(ToString::to_string));
        Import { files: self.files, report: self.report }
    }

    fn token_values(&mut self) -> Vec<(String, Yaml)> {
        let mut entries = Vec::new();
        for (token, file) in &self.tokens {
            let given =
                self.settings.tokens.iter().rev().find(|(name, _)| name == token).map(|(_, value)| value);
            let mut origin = match self.secrets.variables.contains(token) {
                true => format!("ElastAlert substitutes the variable {token}, in {file}"),
                false => format!("used in {file}"),
            };
            if given.is_none() && self.secrets.variables.contains(token) {
                origin.push_str(&format!(
                    "; if it is not set there, `--token '{token}=${token}'` keeps the text"
                ));
            }
            self.report.tokens.push(TokenNeeded { token: token.clone(), defined: given.is_some(), origin });
            entries.push((token.clone(), given.map_or(Yaml::Null, |value| plain(value))));
        }
        entries
    }
}

const NOTES: &[&str] = &[
    "a match opens an episode, which notifies when it opens and when it ends; ElastAlert alerts again after `realert`, one minute by default",
    "rules are evaluated on a fixed grid of times, not when a run happens to start, and a restart loses nothing; docs/elastalert.md lists the differences by type",
    "texts are Markdown that looks as ElastAlert's text did to its receivers; values are data; a rule without `alert_text` has the standard text, with the document's first twelve fields",
    "a destination inside your own network needs `grants: { private_addresses: true }`",
];

/// A token's value as the environment would read it: a number or boolean if it is one.
fn plain(text: &str) -> Yaml {
    match text {
        "true" | "false" => Yaml::Bool(text == "true"),
        _ if text.parse::<i64>().is_ok()
            || text.contains('.') && text.parse::<f64>().is_ok_and(f64::is_finite) =>
        {
            Yaml::Number(text.to_string())
        }
        _ => Yaml::text(text),
    }
}

fn name_told(options: &mut Options, name: &str, slug: &str) {
    match without_tokens(name) {
        Some(_) => options.changed(
            "name",
            format!("`{slug}`: a rule has the same name in every environment, so it cannot contain a token"),
        ),
        None if name == slug => options.carried("name", "`name`"),
        None => options.changed(
            "name",
            format!("`{slug}`: names consist of letters, digits, `_`, `.` and `-`, and are unique"),
        ),
    }
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name)
}

fn free_path(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let stem = wanted.strip_suffix(".yaml").unwrap_or(wanted);
    let mut candidates = std::iter::once(wanted.to_string()).chain((2..).map(|n| format!("{stem}-{n}.yaml")));
    let path = candidates.find(|path| !taken.contains(path)).unwrap_or_else(|| wanted.to_string());
    taken.insert(path.clone());
    path
}

/// One outcome for every option: what the rules recorded, or else that nothing uses it.
fn outcomes(findings: Vec<Finding>, sources: &Sources) -> Vec<OptionOutcome> {
    let strong: BTreeSet<_> = findings
        .iter()
        .filter(|finding| !finding.weak)
        .map(|finding| finding.outcome.place.clone())
        .collect();
    let mut all: BTreeSet<OptionOutcome> = findings
        .into_iter()
        .filter(|finding| !finding.weak || !strong.contains(&finding.outcome.place))
        .map(|finding| finding.outcome)
        .collect();
    let told: BTreeSet<_> = all.iter().map(|outcome| outcome.place.clone()).collect();
    let config = sources.config().map(|(path, _)| path);
    for (path, document) in sources.documents() {
        all.extend(
            untold(document, config == Some(path))
                .into_iter()
                .filter(|outcome| !told.contains(&outcome.place)),
        );
    }
    all.into_iter().collect()
}

/// The outcomes of options that no rule uses.
fn untold(document: &Document, is_config: bool) -> Vec<OptionOutcome> {
    let mut found = Vec::new();
    for entry in &document.entries {
        let process = PROCESS.iter().find(|(name, _)| *name == entry.key);
        let (fate, what) = match (entry.key.as_str(), process) {
            (_, Some((_, why))) => (Fate::Dropped, format!("not needed: {why}")),
            ("realert", None) if is_config => {
                (Fate::Dropped, "ElastAlert reads it in rules only: set `alert.repeat` in each".into())
            }
            ("filter", None) => (Fate::Carried, "part of the `filter` of each rule that imports it".into()),
            (key, None) => (Fate::Dropped, explain(key, "", &[])),
        };
        found.push(OptionOutcome { place: entry.place.clone(), option: entry.key.clone(), fate, what });
    }
    found
}
