//! `ticket`: an episode as a ticket, which later messages comment on and the end closes.
use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::http::{Body, Request, Response, send};
use watchbell_sdk::{
    AlertRefusal, Alerter, Cause, Fault, Intent, Product, Receipt, Severity, TextFormat, json,
};

#[cfg(test)]
mod tests;

pub struct Ticket;

/// The `params` of a destination with this product.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The queue in which tickets are created.
    queue: String,
}

/// The requests of a message, by their numbers.
const CREATE: u32 = 0;
const COMMENT: u32 = 1;
const CLOSE: u32 = 2;

#[watchbell_sdk::alerter(name = "ticket")]
impl Alerter for Ticket {
    fn products() -> Vec<Product> {
        let product = Product::new("ticket", "Tickets of a REST API: created, commented on, closed");
        vec![product.params::<Params>().text(TextFormat::Markdown, 120, 20_000)]
    }

    fn prepare(_product: &str, params: &str) -> Result<(), Vec<Fault>> {
        match read(params) {
            Ok(params) if params.queue.is_empty() => Err(Fault::new("/queue", "must not be empty").into()),
            Ok(_) => Ok(()),
            Err(message) => Err(Fault::new("", message).into()),
        }
    }

    /// The receipt is the ticket's id: the host passes it to the later messages of the episode as `previous`.
    fn deliver(_product: &str, params: &str, intent: Intent) -> Result<Receipt, AlertRefusal> {
        let params = read(params).map_err(AlertRefusal::refused)?;
        let known = intent.previous.as_ref().and_then(|receipt| receipt.reference.clone());
        let ticket = match known {
            Some(ticket) => {
                comment(&ticket, &intent)?;
                ticket
            }
            // The first message, or one whose first message was not delivered.
            None => create(&params, &intent)?,
        };
        if intent.cause == Cause::Resolved {
            close(&ticket, &intent)?;
        }
        Ok(Receipt { reference: Some(ticket) })
    }
}

fn create(params: &Params, intent: &Intent) -> Result<String, AlertRefusal> {
    let body = json!({
        "queue": params.queue,
        "title": intent.title,
        "text": intent.body,
        "priority": match intent.severity {
            Severity::Info => 3,
            Severity::Warning => 2,
            Severity::Critical => 1,
        },
        "link": intent.link,
    });
    // The receiver recognizes a repeated request by the key, should its answer have been lost.
    let request = Request::post_json(body.to_string()).path("/tickets");
    let response = accepted(send(CREATE, &request.header("Idempotency-Key", &intent.id))?)?;
    let created: Created = serde_json::from_slice(&response.body)
        .map_err(|error| AlertRefusal::refused(format!("the ticket has no id: {error}")))?;
    Ok(created.id)
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

fn comment(ticket: &str, intent: &Intent) -> Result<(), AlertRefusal> {
    let text = match &intent.person {
        Some(person) => format!("{}\n\n{} ({person})", intent.title, intent.body),
        None => format!("{}\n\n{}", intent.title, intent.body),
    };
    let request = Request::post_json(json!({ "text": text }).to_string());
    let request = request.path(format!("{}/comments", path(ticket))).header("Idempotency-Key", &intent.id);
    accepted(send(COMMENT, &request)?).map(drop)
}

fn close(ticket: &str, intent: &Intent) -> Result<(), AlertRefusal> {
    let body = json!({ "state": "closed", "resolution": intent.summary });
    let request = Request::new("PATCH", Body::Json(body.to_string())).path(path(ticket));
    accepted(send(CLOSE, &request)?).map(drop)
}

/// The host refuses paths with `..`, and the id is the receiver's own text.
fn path(ticket: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("/tickets/{}", ticket.chars().map(plain).collect::<String>())
}

fn read(params: &str) -> Result<Params, String> {
    serde_json::from_str(params).map_err(|error| error.to_string())
}

/// `Refused` makes the message a dead letter; `Unavailable` is retried, from the first request without an answer on.
fn accepted(response: Response) -> Result<Response, AlertRefusal> {
    if response.is_success() {
        return Ok(response);
    }
    let reason = format!("answered {}: {}", response.status, response.text());
    match response.status {
        429 | 500..=599 => {
            let secs = response.header("retry-after").and_then(|text| text.parse::<u64>().ok());
            Err(AlertRefusal::Unavailable { reason, retry_after: secs.map(|secs| secs * 1_000) })
        }
        _ => Err(AlertRefusal::refused(reason)),
    }
}
