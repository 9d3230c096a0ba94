//! `plugin-name`: delivers messages as JSON to an HTTP receiver.
use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::http::{Request, Response, send};
use watchbell_sdk::{
    AlertRefusal, Alerter, Fault, Intent, Product, Receipt, Severity, TextFormat, Timestamp, json,
};

#[cfg(test)]
mod tests;

pub struct PluginName;

/// The `params` of a destination with this product.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The room to write to; by default, the receiver chooses.
    room: Option<String>,
}

#[watchbell_sdk::alerter(name = "plugin-name")]
impl Alerter for PluginName {
    fn products() -> Vec<Product> {
        let product = Product::new("plugin-name", "JSON to an HTTP receiver");
        vec![
            product
                .params::<Params>()
                .text(TextFormat::Plain, 200, 4_000),
        ]
    }

    fn prepare(_product: &str, params: &str) -> Result<(), Vec<Fault>> {
        let params = read(params).map_err(|message| vec![Fault::new("", message)])?;
        match params.room.as_deref() {
            Some("") => Err(vec![Fault::new(
                "/room",
                "must not be empty: leave it out instead",
            )]),
            _ => Ok(()),
        }
    }

    /// The host owns the destination's URL and credentials, and fits texts to the product's format and limits.
    fn deliver(_product: &str, params: &str, intent: Intent) -> Result<Receipt, AlertRefusal> {
        let params = read(params).map_err(AlertRefusal::refused)?;
        let body = json!({
            "room": params.room,
            "title": intent.title,
            "text": intent.body,
            "urgent": intent.severity == Severity::Critical,
            "at": Timestamp(intent.at).to_string(),
            "link": intent.link,
        });
        // The same for every attempt, so that the receiver can recognize a repetition. Of several requests, each has a
        // number of its own.
        let request = Request::post_json(body.to_string()).header("Idempotency-Key", &intent.id);
        understood(&send(0, &request)?)
    }
}

fn read(params: &str) -> Result<Params, String> {
    serde_json::from_str(params).map_err(|error| error.to_string())
}

/// `Refused` makes the message a dead letter; `Unavailable` is retried.
fn understood(response: &Response) -> Result<Receipt, AlertRefusal> {
    if response.is_success() {
        return Ok(Receipt {
            reference: response.header("location").map(str::to_owned),
        });
    }
    let reason = format!("answered {}: {}", response.status, response.text());
    match response.status {
        429 | 500..=599 => {
            let seconds = response
                .header("retry-after")
                .and_then(|text| text.parse::<u64>().ok());
            Err(AlertRefusal::Unavailable {
                reason,
                retry_after: seconds.map(|seconds| seconds * 1_000),
            })
        }
        _ => Err(AlertRefusal::Refused(reason)),
    }
}
