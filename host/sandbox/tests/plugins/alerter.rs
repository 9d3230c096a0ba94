use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::Response;
use libtest_mimic::Trial;
use serde_json::{Value as Json, json};
use watchbell_contract::{Cause, Intent, Label, Receipt, Refusal, Severity, Timestamp};
use watchbell_sandbox::{AlerterModule, Destination, DestinationSettings, Grants, Limits, Secret};

use crate::{SANDBOX, bytes, folders, sources, trial};

/// The requests that the receiver got, and its responses.
#[derive(Clone)]
struct Script {
    seen: Arc<Mutex<Vec<Json>>>,
    /// In order; the last one is repeated.
    answers: Arc<Vec<Json>>,
}

/// The golden messages whose requests are sent.
pub(crate) fn trials() -> Vec<Trial> {
    let alerter: Arc<OnceLock<AlerterModule>> = Arc::default();
    let mut trials = Vec::new();
    for product in folders(&sources("alerter-http").join("products")) {
        for path in golden_files(&product) {
            let case: Json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            // Errors in parameters are reported before anything is sent; connection failures are the host's.
            if case["requests"].is_null() || !case["response"]["failure"].is_null() {
                continue;
            }
            let name = format!("{product}::{}", path.file_stem().unwrap().to_string_lossy());
            let (alerter, product) = (Arc::clone(&alerter), product.clone());
            trials.push(trial("alerter-http", &name, move || {
                let load = || SANDBOX.load_alerter("http", &bytes("alerter-http")).unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(sends(alerter.get_or_init(load), &product, &case));
            }));
        }
    }
    assert!(trials.len() > 20, "{} golden messages", trials.len());
    trials
}

/// The host sends the golden request. A path that the host refuses, a header that it keeps to itself, a body that does
/// not parse: each would show here as a dead letter, where the module's own tests see but a request.
async fn sends(alerter: &AlerterModule, product: &str, case: &Json) {
    let one = || vec![case["response"].clone()];
    let answers = case["responses"].as_array().cloned().unwrap_or_else(one);
    let script = Script { seen: Arc::default(), answers: Arc::new(answers) };
    let to = destination(&script).await;
    let params = case["params"].to_string();
    let limits = Limits::default();
    let mut intent = intent(&case["intent"]);
    let delivery = alerter.deliver(product, &params, &intent, &to, &limits).await;
    let is_delivered = matches!(delivery.outcome, Ok(Ok(_)));
    let came =
        json!({ "outcome": told(delivery.outcome.unwrap()), "requests": *script.seen.lock().unwrap() });
    let requests: Vec<Json> = case["requests"].as_array().unwrap().iter().map(sent).collect();
    let expected = json!({ "outcome": &case["outcome"], "requests": &requests });
    assert!(came == expected, "\n expected {expected}\n     came {came}");
    if is_delivered || requests.is_empty() {
        return;
    }
    // Another attempt repeats nothing that was accepted. A product may say in the body of a success that it is none,
    // which is the last one then.
    let is_open = |number: usize| {
        number + 1 == requests.len() || script.answer(number)["status"].as_u64().unwrap() >= 300
    };
    let open: Vec<&Json> = requests
        .iter()
        .enumerate()
        .filter(|(number, _)| is_open(*number))
        .map(|(_, request)| request)
        .collect();
    intent.recorded = delivery.recorded;
    intent.attempt += 1;
    alerter.deliver(product, &params, &intent, &to, &limits).await.outcome.unwrap().unwrap_err();
    let seen = script.seen.lock().unwrap();
    let again = &seen[requests.len()..];
    // A body may say which attempt it is.
    let without_attempt = |request: &Json| {
        let mut request = request.clone();
        if let Some(body) = request["body"].as_object_mut() {
            body.remove("attempt");
        }
        request
    };
    let is_open =
        |request: &Json| open.iter().any(|other| without_attempt(other) == without_attempt(request));
    assert!(again.iter().all(is_open), "{again:?}: only of {open:?}");
    assert!(!again.is_empty());
}

impl Script {
    fn answer(&self, number: usize) -> &Json {
        &self.answers[number.min(self.answers.len() - 1)]
    }
}

fn golden_files(product: &str) -> Vec<PathBuf> {
    let folder = sources("alerter-http").join("products").join(product).join("golden");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

async fn destination(script: &Script) -> Destination {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(receive).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut settings = DestinationSettings::new(Secret::new(base));
    settings.grants = Grants { private_addresses: true, ..Grants::default() };
    Destination::new(settings).unwrap()
}

async fn receive(State(script): State<Script>, method: Method, uri: Uri, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Json::String(text));
    let number = {
        let mut seen = script.seen.lock().unwrap();
        seen.push(json!({ "method": method.as_str(), "path": uri.path(), "body": body }));
        seen.len() - 1
    };
    let answer = script.answer(number);
    let mut response = Response::builder().status(answer["status"].as_u64().unwrap() as u16);
    for (name, value) in answer["headers"].as_object().unwrap() {
        response = response.header(name, value.as_str().unwrap());
    }
    response.body(Body::from(answer["body"].as_str().unwrap().to_owned())).unwrap()
}

/// A golden request, as the receiver sees it.
fn sent(request: &Json) -> Json {
    let path = request["path"].as_str().filter(|path| !path.is_empty()).unwrap_or("/");
    let body = match &request["body"] {
        Json::Object(body) if body.contains_key("json") => body["json"].clone(),
        Json::Object(body) if body.contains_key("text") => body["text"].clone(),
        Json::Object(body) => {
            let form = body["form"].as_object().unwrap().iter();
            let pairs = form.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
            Json::String(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
        }
        _ => json!(""),
    };
    json!({ "method": request["method"], "path": path, "body": body })
}

fn intent(changes: &Json) -> Intent {
    let message = fs::read_to_string(sources("alerter-http").join("tests/message.json")).unwrap();
    let mut message: Json = serde_json::from_str(&message).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        message[name] = value.clone();
    }
    let text = |name: &str| message[name].as_str().unwrap().to_owned();
    let text_or_none = |name: &str| message[name].as_str().map(str::to_owned);
    let label = |label: &Json| Label {
        name: label[0].as_str().unwrap().to_owned(),
        value: label[1].as_str().map(str::to_owned),
    };
    let causes = [
        Cause::Opened,
        Cause::Worse,
        Cause::Repeat,
        Cause::Escalated,
        Cause::Acknowledged,
        Cause::Resolved,
        Cause::Event,
        Cause::Was,
        Cause::Summary,
        Cause::Test,
    ];
    let severities = [Severity::Info, Severity::Warning, Severity::Critical];
    Intent {
        id: text("id"),
        episode: text("episode"),
        rule: text("rule"),
        owner: text_or_none("owner"),
        environment: text("environment"),
        labels: message["labels"].as_array().unwrap().iter().map(label).collect(),
        cause: causes.into_iter().find(|cause| cause.as_str() == text("cause")).unwrap(),
        person: text_or_none("person"),
        severity: severities.into_iter().find(|severity| severity.as_str() == text("severity")).unwrap(),
        at: Timestamp(message["at"].as_i64().unwrap()),
        since: Timestamp(message["since"].as_i64().unwrap()),
        value: message["value"].as_f64(),
        threshold: message["threshold"].as_f64(),
        title: text("title"),
        body: text("body"),
        summary: text("summary"),
        details: text("details"),
        link: text_or_none("link"),
        acknowledge_link: text_or_none("acknowledge_link"),
        previous: text_or_none("previous").map(|reference| Receipt { reference: Some(reference) }),
        recorded: vec![],
        attempt: message["attempt"].as_u64().unwrap() as u32,
        maybe_repeated: message["maybe_repeated"].as_bool().unwrap(),
    }
}

fn told(outcome: Result<Receipt, Refusal>) -> Json {
    match outcome {
        Ok(receipt) => json!({ "delivered": { "reference": receipt.reference } }),
        Err(Refusal::Refused(reason)) => json!({ "refused": reason }),
        Err(Refusal::Unavailable { reason, retry_after } | Refusal::Unanswered { reason, retry_after }) => {
            json!({ "unavailable": reason, "retry_after": retry_after.map(|span| span.millis()) })
        }
    }
}
