//! Fields that texts show but nothing has are reported with their positions.
use std::fs;

use watchbell_manifest::{Bundle, Fields, KnownDocuments, Options, load, unknown};

mod fake;

const ENVIRONMENT: &str = "\
clusters: { main: { nodes: [\"http://127.0.0.1:9200\"] } }
destinations:
  chat: { use: slack, url: \"http://127.0.0.1:9300/chat\" }
  tickets:
    use: webhook
    url: \"http://127.0.0.1:9300/tickets\"
    params:
      body:
        who: \"{{ label.host }} {{ label.hots }}\"
        was: { $if: \"details.refrence > 1\", $then: \"{{ document.user.nmae }}\" }
        list: [{ $each: labels, $item: \"{{ item.name }} {{ details.current }}\" }]
";

const RULE: &str = "\
name: spiking
use: spike
index: logs-*
every: 1m
key: [host]
params: { timeframe: 5m, height: 3 }
alert:
  title: \"{{ details.curent }} {{ details.documents_note }} {{ documents_note }}\"
  body: |
    {{ details.current.a }} {{ document.user.name }}
      {{ document.user.nmae }} {% for d in documents %}{{ d.mesage }}{% endfor %}
    {{ documents[3].tags[0] }} {{ document }} {{ document['*'] }}
  to: [chat, tickets]
";

fn bundle(rule: &str) -> Bundle {
    let place = tempfile::tempdir().unwrap();
    let environments = place.path().join("environments");
    fs::create_dir_all(&environments).unwrap();
    fs::write(environments.join("default.yaml"), ENVIRONMENT).unwrap();
    fs::write(place.path().join("rule.yaml"), rule).unwrap();
    let options =
        Options { environment: "default", token_overrides: &[], env: &|_| None, check_secrets: false };
    load(place.path(), &options, &fake::Fake).unwrap_or_else(|report| panic!("{report}"))
}

/// Without the test's folder.
fn told(bundle: &Bundle, known: Option<&KnownDocuments>) -> Vec<String> {
    let warnings = unknown(bundle, &|_| known.cloned());
    warnings
        .iter()
        .map(|warning| {
            let file = warning.place.file.rsplit('/').next().unwrap_or_default();
            let hint = warning.hint.as_deref().unwrap_or_default();
            format!("{file}:{}:{} {} ({hint})", warning.place.line, warning.place.column, warning.message)
        })
        .collect()
}

fn documents(fields: &[&str], mappings: bool) -> KnownDocuments {
    let mut known = KnownDocuments { fields: Fields::default(), tests: true, mappings };
    fields.iter().for_each(|field| known.fields.add(*field));
    known
}

const DETAILS: [&str; 3] = [
    "default.yaml:9:14 `destinations.tickets.params.body.who`: `label.hots` is always empty: `key` of rule `spiking` \
     does not name it (did you mean `host`?)",
    "default.yaml:10:21 `destinations.tickets.params.body.was.$if`: `details.refrence` is always empty: `spike` does \
     not report it (did you mean `reference`?)",
    "rule.yaml:8:10 `alert.title`: `details.curent` is always empty: `spike` does not report it (did you mean `current`?)",
];

#[test]
fn what_no_document_has_is_told_with_its_place_and_a_near_name() {
    let bundle = bundle(RULE);
    let known = documents(&["user.name", "message", "tags"], false);
    assert_eq!(
        told(&bundle, Some(&known)),
        [
            DETAILS[0],
            DETAILS[1],
            "default.yaml:10:52 `destinations.tickets.params.body.was.$then`: `document.user.nmae`: no test document \
             has it (did you mean `user.name`?)",
            DETAILS[2],
            "rule.yaml:11:10 `alert.body`: `document.user.nmae`: no test document has it (did you mean \
             `user.name`?)",
            "rule.yaml:11:59 `alert.body`: `document.mesage`: no test document has it (did you mean `message`?)",
        ]
    );
    let known = documents(&["user.name", "message"], true);
    assert!(
        told(&bundle, Some(&known)).contains(
            &"rule.yaml:12:8 `alert.body`: `document.tags`: no test document and no mapping has it (add the \
              field to a test document, or remove it from the text)"
                .to_owned()
        ),
        "{:?}",
        told(&bundle, Some(&known))
    );
}

#[test]
fn without_a_document_to_compare_with_nothing_is_said_of_documents() {
    assert_eq!(told(&bundle(RULE), None), DETAILS);
}

#[test]
fn a_module_that_lists_no_details_may_tell_any() {
    let rule = RULE.replace("use: spike", "use: frequency").replace("height: 3", "count: 3");
    assert_eq!(told(&bundle(&rule), None), DETAILS[..1]);
}

#[test]
fn a_destination_that_no_rule_names_is_not_judged() {
    let rule = RULE.replace("[chat, tickets]", "[chat]");
    assert_eq!(told(&bundle(&rule), None), DETAILS[2..]);
}
