//! Every file in `products/*/golden/`: a message and parameters in, the exact request and the outcome out.
//!
//! `BLESS=1 cargo test -p alerter-http` accepts what comes out.
mod causes; // which cases a product must have, and the table of what it sends
mod extremes; // the largest messages
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alerter_http::AlerterHttp;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value as Json, json};
use similar::TextDiff;
use watchbell_sdk::http::{Body, Failure, Field, Request, Response};
use watchbell_sdk::testing::MockHttp;
use watchbell_sdk::{AlertRefusal, Alerter, Cause, Fault, Intent, Product, Receipt, Severity};

fn main() -> ExitCode {
    let bless = std::env::var_os("BLESS").is_some();
    let mut trials = Vec::new();
    for product in AlerterHttp::products() {
        for path in golden_files(&product.name) {
            let name = format!("{}::{}", product.name, path.file_stem().unwrap().to_string_lossy());
            let product = product.clone();
            trials.push(Trial::test(name, move || holds(&product, &path, bless)));
        }
    }
    assert!(!trials.is_empty());
    trials.push(Trial::test("every_product_has_each_cause_and_both_kinds_of_failure", causes::are_complete));
    trials.push(Trial::test("no_value_makes_a_message_too_large", extremes::are_delivered));
    trials.push(Trial::test("the_page_says_what_is_sent", move || causes::are_on_the_page(bless)));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Whether the request and the outcome are those of the file.
fn holds(product: &Product, path: &Path, bless: bool) -> Result<(), Failed> {
    let written = fs::read_to_string(path)?;
    let case: Json =
        serde_json::from_str(&written).map_err(|error| format!("{}: {error}", path.display()))?;
    let came = pretty(&play(&product.name, &product.params_schema, &case));
    if bless {
        fs::write(path, came)?;
        return Ok(());
    }
    if came == written {
        return Ok(());
    }
    let diff = TextDiff::from_lines(&written, &came);
    let diff = diff.unified_diff().header(&path.display().to_string(), "what came").to_string();
    Err(format!("{diff}\naccept it with: BLESS=1 cargo test -p alerter-http").into())
}

fn golden_files(product: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("products").join(product).join("golden");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no case", folder.display());
    files
}

/// The case with what comes of it in place of what was written.
fn play(product: &str, schema: &str, case: &Json) -> Json {
    let mut played = Map::new();
    for member in ["about", "params", "intent", "response", "responses"] {
        if let Some(given) = case.get(member) {
            played.insert(member.to_owned(), given.clone());
        }
    }
    let params = case["params"].to_string();
    let schema: Json = serde_json::from_str(schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let unfit: Vec<Json> = schema
        .iter_errors(&case["params"])
        .map(|error| json!({ "path": error.instance_path().to_string(), "message": error.to_string() }))
        .collect();
    if !unfit.is_empty() {
        played.insert("unfit".to_owned(), json!(unfit));
        return Json::Object(played);
    }
    if let Err(faults) = AlerterHttp::prepare(product, &params) {
        let told = |fault: Fault| json!({ "path": fault.path, "message": fault.message });
        played.insert("faults".to_owned(), faults.into_iter().map(told).collect());
        return Json::Object(played);
    }
    let receiver = match case["responses"].as_array() {
        Some(several) => MockHttp::script(several.iter().map(response)),
        None => MockHttp::script([response(&case["response"])]),
    };
    let outcome = AlerterHttp::deliver(product, &params, intent(&case["intent"]));
    played.insert("requests".to_owned(), receiver.requests().iter().map(request).collect());
    played.insert("outcome".to_owned(), told(outcome));
    Json::Object(played)
}

/// A message, as the case changes it.
fn intent(changes: &Json) -> Intent {
    let mut message: Json = serde_json::from_str(include_str!("../message.json")).unwrap();
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

fn response(case: &Json) -> Result<Response, Failure> {
    if let Some(failure) = case["failure"].as_str() {
        let message = case["message"].as_str().unwrap().to_owned();
        return Err(match failure {
            "denied" => Failure::Denied(message),
            "invalid" => Failure::Invalid(message),
            "unreachable" => Failure::Unreachable(message),
            "interrupted" => Failure::Interrupted(message),
            other => panic!("there is no failure `{other}`"),
        });
    }
    let headers = case["headers"].as_object().unwrap();
    Ok(Response {
        status: case["status"].as_u64().unwrap() as u16,
        headers: headers
            .iter()
            .map(|(name, value)| Field { name: name.clone(), value: value.as_str().unwrap().to_owned() })
            .collect(),
        body: case["body"].as_str().unwrap().into(),
    })
}

fn request(request: &Request) -> Json {
    let pairs = |pairs: &[Field]| -> Json {
        pairs.iter().map(|pair| (pair.name.clone(), json!(pair.value))).collect::<Map<_, _>>().into()
    };
    let body = match &request.body {
        Body::Empty => json!("empty"),
        Body::Json(text) => json!({ "json": serde_json::from_str::<Json>(text).unwrap() }),
        Body::Form(fields) => json!({ "form": pairs(fields) }),
        Body::Text(text) => json!({ "text": text }),
        Body::Multipart(parts) => json!({ "multipart": pairs(parts) }),
    };
    json!({
        "method": request.method,
        "path": request.path,
        "query": pairs(&request.query),
        "headers": pairs(&request.headers),
        "body": body,
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

fn pretty(json: &Json) -> String {
    serde_json::to_string_pretty(json).unwrap() + "\n"
}
