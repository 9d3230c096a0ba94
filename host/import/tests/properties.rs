//! Whatever is read: nothing panics, every option is accounted for, and places are where they are said to be.
use proptest::prelude::*;
use watchbell_import::{Settings, Source, import};
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

fn source(path: &str, text: String) -> Source {
    Source { path: path.into(), text: Ok(text) }
}

/// Every place lies in its file, and an option's name stands at its place.
fn places_hold(sources: &[Source], settings: &Settings<'_>) -> Result<(), TestCaseError> {
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
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|\n|\t| |:|-|\\{|\\}|@|\\$){0,200}") {
        let sources = [source("a.yaml", text)];
        let made = import(&sources, &Settings::default());
        let _ = made.report.to_string();
        prop_assert_eq!(made.report.rules.len(), 1);
    }

    #[test]
    fn rules_of_all_kinds_are_accounted_for(
        a in prop::collection::vec(line(), 0..14),
        b in prop::collection::vec(line(), 0..6),
        fallback in any::<bool>(),
    ) {
        let settings = Settings { destination: fallback.then_some("ops"), tokens: &[] };
        let sources = [source("a.yaml", a.join("\n")), source("b.yaml", b.join("\n"))];
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
    fn texts_survive(text in "[ -~é€]{1,60}") {
        prop_assume!(!text.trim().is_empty() && !text.contains("@@") && !text.contains('$'));
        let quoted = serde_json::to_string(&text).unwrap();
        let rule = format!("type: any\nname: x\nindex: x\nalert: debug\nowner: {quoted}\ndescription: {quoted}\n");
        let settings = Settings { destination: Some("ops"), tokens: &[] };
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
