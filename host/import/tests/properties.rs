//! Whatever is read: nothing panics, every option is accounted for, and places are where they are said to be.
use proptest::prelude::*;
use watchbell_import::{Import, Settings, SourceFile, import};
use watchbell_manifest::{Options, load};

mod fake;

/// Lines that look like a rule of ElastAlert's, right and wrong.
fn line() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec![
        "name",
        "type",
        "index",
        "alert",
        "filter",
        "timeframe",
        "num_events",
        "query_key",
        "realert",
        "alert_text",
        "alert_text_args",
        "alert_text_kw",
        "alert_text_type",
        "alert_subject",
        "import",
        "spike_height",
        "blacklist",
        "slack_webhook_url",
        "slack_channel_override",
        "http_post2_payload",
        "hive_connection",
        "es_host",
        "es_hosts",
        "es_password",
        "priority",
        "buffer_time",
        "run_every",
        "metric_agg_script",
        "match_bucket_filter",
        "fields",
        "limit_execution",
        "slak_webhook_url",
        "description",
        "opsgenie_details",
        "iris_iocs",
        "\"quoted\"",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec![
            "any",
            "frequency",
            "spike",
            "new_term",
            "blacklist",
            "metric_aggregation",
            "percentage_match",
            "slack",
            "[slack, debug]",
            "[{slack: {slack_channel_override: x}}]",
            "{minutes: 5}",
            "{minutes: @@M@@}",
            "5",
            "-1.5",
            "yes",
            "~",
            "@@A.b@@",
            "${HOME}",
            "$USER",
            "a.yaml",
            "b.yaml",
            "[a, [b, c]]",
            "{a: {field: b}}",
            "\"{0} {x} {\"",
            "\"{{ a.b | upper }} {% if x %}\"",
            "\"{:.2f}{}\"",
            "alert_text_jinja",
            "logs-%Y.%m.%d",
            "[{query: {query_string: {query: x}}}]",
            "[{term: {a: 1}}, {bool: {must: [{not: {term: {b: 2}}}]}}]",
            "[{eql: x}]",
            "http_post2",
            "hivealerter",
            "opsgenie",
            "iris",
            "post2",
            "&x [1]",
            "*x",
            "!!str 5",
        ])
        .prop_map(String::from),
        "[ -~é@]{0,12}",
    ];
    (keys, values).prop_map(|(key, value)| format!("{key}: {value}"))
}

/// Rules that are right, as beginnings.
const BASES: &[&str] = &[
    "",
    "type: any\nindex: logs\nalert: slack\nslack_webhook_url: u",
    "type: frequency\nindex: logs\nalert: post2\nhttp_post2_url: u\nnum_events: 3\ntimeframe: {hours: 1}",
    "type: spike\nindex: logs\nalert: opsgenie\nopsgenie_key: k\ntimeframe: {hours: 1}\nspike_height: 3\nspike_type: up",
    "type: new_term\nindex: logs\nalert: iris\niris_host: h\niris_api_token: t\nfields: [a]",
    "type: blacklist\nindex: logs\nalert: slack\nslack_webhook_url: u\ncompare_key: a\nblacklist: [x]",
    "type: percentage_match\nindex: logs\nalert: slack\nslack_webhook_url: u\nmatch_bucket_filter: [{term: {a: 1}}]\n\
         max_percentage: 5\nbuffer_time: {minutes: 5}",
    "type: metric_aggregation\nindex: logs\nalert: hivealerter\nhive_connection: {hive_apikey: k}\n\
         hive_alert_config: {type: x}\nmetric_agg_key: a\nmetric_agg_type: avg\nmax_threshold: 5\nbuffer_time: {minutes: 5}",
];

fn source(path: &str, text: String) -> SourceFile {
    SourceFile { path: path.into(), text: Ok(text) }
}

/// Every place lies in its file, and an option's name stands at its place.
fn places_hold(sources: &[SourceFile], settings: &Settings<'_>) -> Result<(), TestCaseError> {
    let made = import(sources, settings);
    for option in &made.report.options {
        let place = &option.place;
        let text = sources.iter().find(|source| *source.path == *place.file).unwrap().text.as_ref().unwrap();
        let lines: Vec<&str> =
            text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')).collect();
        let line = lines.get(place.line as usize - 1).copied().unwrap_or_default();
        let rest: String = line.chars().skip(place.column as usize - 1).collect();
        let rest = rest.trim_start_matches(['"', '\'']);
        prop_assert!(rest.starts_with(&option.option), "{option:?} at {rest:?} of\n{text}");
    }
    for rule in &made.report.rules {
        prop_assert_eq!(rule.became.is_none(), !rule.faults.is_empty());
        for fault in &rule.faults {
            let text = sources
                .iter()
                .find(|source| *source.path == *fault.place.file)
                .unwrap()
                .text
                .as_ref()
                .unwrap();
            prop_assert!(fault.place.line as usize <= text.split(['\n', '\r']).count() + 1, "{fault:?}");
            prop_assert!(!fault.message.is_empty() && !fault.remedy.is_empty());
        }
    }
    let _ = made.report.to_string();
    is_well_formed(&made)
}

/// Values may be wrong, as they were in ElastAlert; the form of what is written never is.
fn is_well_formed(made: &Import) -> Result<(), TestCaseError> {
    if made.files.is_empty() {
        return Ok(());
    }
    let place = tempfile::tempdir().unwrap();
    watchbell_import::write(place.path(), &made.files, false).unwrap();
    let undefined = made.report.tokens.iter().filter(|token| !token.defined);
    let given: Vec<(String, String)> = undefined.map(|token| (token.token.clone(), "5".into())).collect();
    let options =
        Options { environment: "default", token_overrides: &given, env: &|_| None, check_secrets: false };
    if let Err(report) = load(place.path(), &options, &fake::Fake) {
        for fault in &report.diagnostics {
            let wrong = [
                "is not YAML",
                "unknown key",
                "twice",
                "not a template",
                "unknown token",
                "is not used",
                "no destination",
                "no cluster",
                "unknown module",
                "unknown product",
                "private-use",
            ];
            let wrong = wrong.iter().any(|words| fault.message.contains(words));
            let files: Vec<&str> = made.files.iter().map(|file| file.text.as_str()).collect();
            prop_assert!(!wrong, "{fault}\n{}", files.join("\n---\n"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|\n|\t| |:|-|\\{|\\}|@|\\$){0,200}") {
        let sources = [source("a.yaml", text)];
        let made = import(&sources, &Settings::default());
        let _ = made.report.to_string();
        prop_assert_eq!(made.report.rules.len() + made.report.passed.len(), 1);
    }

    #[test]
    fn rules_of_all_kinds_are_accounted_for(
        base in prop::sample::select(BASES),
        a in prop::collection::vec(line(), 0..8),
        b in prop::collection::vec(line(), 0..6),
        fallback in any::<bool>(),
    ) {
        let settings = Settings { destination: fallback.then_some("ops"), tokens: &[], ..Settings::default() };
        let sources = [source("a.yaml", format!("{base}\n{}", a.join("\n"))), source("b.yaml", b.join("\n"))];
        places_hold(&sources, &settings)?;
    }

    #[test]
    fn every_option_is_told(keys in prop::collection::btree_set("[a-z_]{3,12}|es_host|realert|num_events|aggregation", 1..12)) {
        let lines: Vec<String> = keys.iter().map(|key| format!("{key}: 5")).collect();
        let text = format!("type: any\nindex: x\nalert: debug\n{}", lines.join("\n"));
        let made = import(&[source("a.yaml", text)], &Settings::default());
        for (index, key) in keys.iter().enumerate() {
            let line = index as u32 + 4;
            let told = made.report.options.iter().any(|option| option.place.line == line && option.option == *key);
            prop_assert!(told, "{key} of line {line}: {:?}", made.report.options);
        }
    }

    /// A literal text comes out as it went in, whatever it holds.
    #[test]
    fn texts_survive(text in "[!-#%-?A-~é€][ -#%-?A-~é€]{0,60}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let rule = format!("type: any\nname: x\nindex: x\nalert: debug\nowner: {quoted}\ndescription: {quoted}\n");
        let settings = Settings { destination: Some("ops"), tokens: &[], ..Settings::default() };
        let made = import(&[source("a.yaml", rule)], &settings);
        prop_assert!(made.report.is_complete(), "{}", made.report);
        let place = tempfile::tempdir().unwrap();
        watchbell_import::write(place.path(), &made.files, false).unwrap();
        let given = [("ELASTICSEARCH_URL".to_string(), "http://127.0.0.1:9200".to_string())];
        let options =
            Options { environment: "default", token_overrides: &given, env: &|_| None, check_secrets: false };
        let bundle = load(place.path(), &options, &fake::Fake);
        let bundle = bundle.unwrap_or_else(|report| panic!("{report}\n{}", made.files[1].text));
        prop_assert_eq!(bundle.rules[0].description.as_deref(), Some(text.as_str()));
        prop_assert_eq!(bundle.rules[0].spec.owner.as_deref(), Some(text.as_str()));
    }
}

/// The files of every case, and one of them with some lines changed.
fn mutated() -> impl Strategy<Value = Vec<SourceFile>> {
    let edit = prop_oneof![
        Just(Edit::Remove),
        Just(Edit::Double),
        Just(Edit::Outdent),
        Just(Edit::Join),
        line().prop_map(Edit::Replace),
        "[ -~]{0,8}".prop_map(Edit::Value),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), edit), 1..4);
    (prop::sample::select(cases()), any::<prop::sample::Index>(), edits).prop_map(
        |(mut files, which, edits)| {
            let file = which.index(files.len());
            let Ok(text) = &files[file].text else { return files };
            let mut lines: Vec<String> = text.split('\n').map(String::from).collect();
            for (at, edit) in edits {
                let at = at.index(lines.len());
                match edit {
                    Edit::Remove => drop(lines.remove(at)),
                    Edit::Double => lines.insert(at, lines[at].clone()),
                    Edit::Outdent => lines[at] = lines[at].trim_start().into(),
                    Edit::Join if at + 1 < lines.len() => {
                        let next = lines.remove(at + 1);
                        lines[at].push_str(&next);
                    }
                    Edit::Join => {}
                    Edit::Replace(line) => lines[at] = line,
                    Edit::Value(value) => {
                        let key = lines[at].split(": ").next().unwrap_or_default().to_string();
                        lines[at] = format!("{key}: {value}");
                    }
                }
                if lines.is_empty() {
                    lines.push(String::new());
                }
            }
            files[file].text = Ok(lines.join("\n"));
            files
        },
    )
}

#[derive(Clone, Debug)]
enum Edit {
    Remove,
    Double,
    Outdent,
    Join,
    Replace(String),
    Value(String),
}

fn cases() -> Vec<Vec<SourceFile>> {
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/import");
    let mut folders: Vec<_> = std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let files = folders.iter().map(|folder| watchbell_import::read(&folder.join("in")).unwrap());
    let files: Vec<Vec<SourceFile>> = files.filter(|files| !files.is_empty()).collect();
    assert!(files.len() > 30);
    files
}

/// Settings with which whatever is carried can be checked: its only token without a value is one of the files' own.
fn checked(sources: &[SourceFile]) -> Import {
    let tokens = [("ELASTICSEARCH_URL".to_string(), "http://127.0.0.1:9200".to_string())];
    let settings = Settings { destination: Some("ops"), tokens: &tokens, ..Settings::default() };
    let mut made = import(sources, &settings);
    made.refuse_rejected(&fake::Fake).unwrap();
    made
}

/// What loading says of manifests and an environment without tokens of their own: nothing.
fn passes_check(made: &Import) -> Result<(), TestCaseError> {
    let has_tokens = made.report.tokens.iter().any(|token| !token.defined);
    if made.files.len() < 2 || has_tokens {
        return Ok(());
    }
    let place = tempfile::tempdir().unwrap();
    watchbell_import::write(place.path(), &made.files, false).unwrap();
    let options =
        Options { environment: "default", token_overrides: &[], env: &|_| None, check_secrets: false };
    let bundle = load(place.path(), &options, &fake::Fake);
    let files: Vec<&str> = made.files.iter().map(|file| file.text.as_str()).collect();
    prop_assert!(bundle.is_ok(), "{}\n{}", bundle.unwrap_err(), files.join("\n---\n"));
    let carried = made.report.rules.iter().filter(|rule| rule.became.is_some()).count();
    prop_assert_eq!(bundle.map(|bundle| bundle.rules.len()).ok(), Some(carried));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_passes_check_whatever_is_read(sources in mutated()) {
        let made = checked(&sources);
        passes_check(&made)?;
        for rule in &made.report.rules {
            prop_assert_eq!(rule.became.is_none(), !rule.faults.is_empty(), "{}", made.report);
        }
    }
}

/// Each line that begins an option has an outcome, unless its file is passed over or cannot be read.
#[test]
fn every_option_of_every_case_is_told() {
    for sources in cases() {
        let made = checked(&sources);
        let report = &made.report;
        let is_read = |path: &str| report.options.iter().any(|option| &*option.place.file == path);
        for source in &sources {
            if !source.path.ends_with("ml") || report.passed.iter().any(|passed| passed.file == source.path) {
                continue;
            }
            let fault = report.rules.iter().find(|rule| rule.file == source.path && rule.became.is_none());
            assert!(is_read(&source.path) || fault.is_some(), "{} is not told\n{report}", source.path);
            if !is_read(&source.path) {
                continue;
            }
            for (line, text) in (1..).zip(source.text.as_ref().unwrap().lines()) {
                let Some((key, _)) = text.split_once(':') else { continue };
                if key.is_empty()
                    || !key
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'0'..=b'9'))
                {
                    continue;
                }
                let told = report.options.iter().any(|option| {
                    *option.place.file == source.path && option.place.line == line && option.option == key
                });
                assert!(told, "{}:{line}: {key}\n{report}", source.path);
            }
        }
    }
}

#[test]
fn the_beginnings_are_carried_over() {
    for base in BASES.iter().filter(|base| !base.is_empty()) {
        let made = import(&[source("a.yaml", base.to_string())], &Settings::default());
        assert!(made.report.is_complete(), "{}", made.report);
    }
}

#[test]
fn what_is_wrong_with_an_environment_is_told() {
    let rule = "type: any\nname: x\nindex: x\nalert: slack\nslack_webhook_url: https://geheim\n";
    let sources = [source("a.yaml", rule.into())];
    let tokens = [("ELASTICSEARCH_URL".to_string(), "http://127.0.0.1:9200".to_string())];
    let mut made = import(&sources, &Settings { tokens: &tokens, ..Settings::default() });
    let environment = made.files.iter_mut().find(|file| file.path.starts_with("environments/")).unwrap();
    environment.text.push_str("colour: red\n");
    let files = made.files.len();
    made.refuse_rejected(&fake::Fake).unwrap();
    assert_eq!(made.files.len(), files);
    let is_told = |note: &String| note.contains("environments/default.yaml:") && note.contains("colour");
    assert!(made.report.notes.iter().any(is_told), "{}", made.report);
    // A token without a value is among the tokens already.
    let mut made = import(&sources, &Settings::default());
    let notes = made.report.notes.clone();
    made.refuse_rejected(&fake::Fake).unwrap();
    assert_eq!(made.report.notes, notes);
}

#[test]
fn a_report_is_json_too() {
    let rule =
        "type: any\nname: x\nindex: x\nalert: slack\nslack_webhook_url: https://geheim\ncolour: @@C@@\n";
    let made = import(&[source("a.yaml", rule.into())], &Settings::default());
    let json = serde_json::to_value(&made.report).unwrap();
    assert_eq!(json["rules"][0]["became"]["file"], "a.yaml");
    assert_eq!(json["options"][0]["file"], "a.yaml");
    assert_eq!(json["options"][0]["line"], 1);
    assert_eq!(json["options"][0]["fate"], "carried");
    assert_eq!(json["secrets"][0]["variable"], "SLACK_WEBHOOK_URL");
    assert!(!json.to_string().contains("geheim"));
}
