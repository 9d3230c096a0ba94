//! Every file in `tests/golden/`: a message and parameters in, the exact mail and the outcome out.
//!
//! `BLESS=1 cargo test -p alerter-email` accepts what comes out.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alerter_email::AlerterEmail;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value as Json, json};
use similar::TextDiff;
use watchbell_sdk::mail::{Failure, Mail, Sent};
use watchbell_sdk::testing::MockMail;
use watchbell_sdk::{AlertRefusal, Alerter, Cause, Fault, Intent, Receipt, Severity};

fn main() -> ExitCode {
    let bless = std::env::var_os("BLESS").is_some();
    let trials = files()
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(name, move || holds(&path, bless))
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Whether the mail and the outcome are those of the file.
fn holds(path: &Path, bless: bool) -> Result<(), Failed> {
    let written = fs::read_to_string(path)?;
    let case: Json =
        serde_json::from_str(&written).map_err(|error| format!("{}: {error}", path.display()))?;
    let came = serde_json::to_string_pretty(&play(&case)).unwrap() + "\n";
    if bless {
        fs::write(path, came)?;
        return Ok(());
    }
    if came == written {
        return Ok(());
    }
    let diff = TextDiff::from_lines(&written, &came);
    let diff = diff.unified_diff().header(&path.display().to_string(), "what came").to_string();
    Err(format!("{diff}\naccept it with: BLESS=1 cargo test -p alerter-email").into())
}

/// The case with what comes of it in place of what was written.
fn play(case: &Json) -> Json {
    let mut played = Map::new();
    for member in ["about", "params", "intent", "answer"] {
        played.insert(member.to_owned(), case[member].clone());
    }
    let params = case["params"].to_string();
    if let Err(faults) = AlerterEmail::prepare("email", &params) {
        let told = |fault: Fault| json!({ "path": fault.path, "message": fault.message });
        played.insert("faults".to_owned(), faults.into_iter().map(told).collect());
        return Json::Object(played);
    }
    let server = MockMail::script([answer(&case["answer"])]);
    let outcome = AlerterEmail::deliver("email", &params, intent(&case["intent"]));
    played.insert("mails".to_owned(), server.mails().iter().map(mail).collect());
    played.insert("outcome".to_owned(), told(outcome));
    Json::Object(played)
}

/// A message, as the case changes it.
fn intent(changes: &Json) -> Intent {
    let mut message: Json = serde_json::from_str(include_str!("message.json")).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        let member = message.get_mut(name).unwrap_or_else(|| panic!("a message has no `{name}`"));
        *member = value.clone();
    }
    let text = |name: &str| message[name].as_str().unwrap().to_owned();
    let text_or_none = |name: &str| message[name].as_str().map(str::to_owned);
    let labels = message["labels"].as_array().unwrap().iter();
    Intent {
        id: text("id"),
        episode: text("episode"),
        rule: text("rule"),
        owner: text_or_none("owner"),
        environment: text("environment"),
        labels: labels
            .map(|label| watchbell_sdk::wire::types::Label {
                name: label[0].as_str().unwrap().to_owned(),
                value: label[1].as_str().map(str::to_owned),
            })
            .collect(),
        cause: match &*text("cause") {
            "opened" => Cause::Opened,
            "worse" => Cause::Worse,
            "repeat" => Cause::Repeat,
            "escalated" => Cause::Escalated,
            "acknowledged" => Cause::Acknowledged,
            "resolved" => Cause::Resolved,
            "event" => Cause::Event,
            "was" => Cause::Was,
            "summary" => Cause::Summary,
            "test" => Cause::Test,
            other => panic!("there is no cause `{other}`"),
        },
        person: text_or_none("person"),
        severity: match &*text("severity") {
            "info" => Severity::Info,
            "warning" => Severity::Warning,
            "critical" => Severity::Critical,
            other => panic!("there is no severity `{other}`"),
        },
        at: message["at"].as_i64().unwrap(),
        since: message["since"].as_i64().unwrap(),
        value: message["value"].as_f64(),
        threshold: message["threshold"].as_f64(),
        title: text("title"),
        body: text("body"),
        summary: text("summary"),
        details: text("details"),
        link: text_or_none("link"),
        acknowledge_link: text_or_none("acknowledge_link"),
        previous: text_or_none("previous").map(|reference| Receipt { reference: Some(reference) }),
        attempt: message["attempt"].as_u64().unwrap() as u32,
        maybe_repeated: message["maybe_repeated"].as_bool().unwrap(),
    }
}

fn answer(case: &Json) -> Result<Sent, Failure> {
    let why = || case["message"].as_str().unwrap().to_owned();
    Err(match case["failure"].as_str() {
        None => {
            let message_id = case["message_id"].as_str().unwrap().to_owned();
            return Ok(Sent { message_id, refused: vec![] });
        }
        Some("denied") => Failure::Denied(why()),
        Some("invalid") => Failure::Invalid(why()),
        Some("refused") => Failure::Refused(why()),
        Some("unavailable") => Failure::Unavailable(why()),
        Some("interrupted") => Failure::Interrupted(why()),
        Some(other) => panic!("there is no failure `{other}`"),
    })
}

fn mail(mail: &Mail) -> Json {
    let headers: Map<String, Json> =
        mail.headers.iter().map(|field| (field.name.clone(), json!(field.value))).collect();
    let lines = |text: &str| -> Json { text.lines().map(Json::from).collect() };
    json!({
        "to": mail.to,
        "cc": mail.cc,
        "bcc": mail.bcc,
        "reply_to": mail.reply_to,
        "subject": mail.subject,
        "references": mail.references,
        "headers": headers,
        "text": lines(&mail.text),
        "html": lines(mail.html.as_deref().unwrap_or_default()),
    })
}

fn told(outcome: Result<Receipt, AlertRefusal>) -> Json {
    match outcome {
        Ok(receipt) => json!({ "delivered": { "reference": receipt.reference } }),
        Err(AlertRefusal::Refused(reason)) => json!({ "refused": reason }),
        Err(AlertRefusal::Unavailable { reason, retry_after }) => {
            json!({ "unavailable": reason, "retry_after": retry_after })
        }
    }
}
