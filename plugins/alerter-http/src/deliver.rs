use serde_json::Value as Json;
use watchbell_sdk::http::{Request, send};
use watchbell_sdk::{AlertRefusal, Receipt};

use crate::answer::{self, Meaning};
use crate::context::Context;
use crate::json_template::Failure;
use crate::product::{ProductSpec, RequestTemplate};
use crate::request;
use crate::template::Templates;

/// How many requests one message may send.
const REQUESTS_MAX: usize = 16;

/// Sends the requests of a message one after the other, each with its place in the product's list as its number, so
/// that a later attempt repeats none that was accepted.
///
/// The first request that is not accepted ends the delivery. Of a request per recipient, only an answer that asks for
/// another attempt does: that one recipient is refused keeps the message from nobody else.
pub(crate) fn deliver(
    product: &str,
    spec: &ProductSpec,
    params: &Json,
    context: &Context,
) -> Result<Receipt, AlertRefusal> {
    let mut reference: Option<String> = None;
    let mut refused: Vec<Refused> = Vec::new();
    for (place, template) in spec.requests.iter().enumerate() {
        let answers = spec.answers(template, params).map_err(AlertRefusal::refused)?;
        let failed = |(path, message): Failure| {
            AlertRefusal::refused(format!("the template at `{path}` of `{product}` failed: {message}"))
        };
        let known = reference.as_deref().map(|reference| context.with_reference(reference));
        let contexts = contexts(template, known.as_ref().unwrap_or(context)).map_err(failed)?;
        let all = contexts.len();
        if place + all > REQUESTS_MAX {
            let most = REQUESTS_MAX - place;
            return Err(AlertRefusal::refused(format!("{all} recipients: more than {most}")));
        }
        let mut is_last_accepted = false;
        for (item, context) in contexts.iter().enumerate() {
            let request = request::build(spec, template, params, context).map_err(failed)?;
            check_size(product, spec, &request)?;
            let number = (place + item) as u32;
            let response = send(number, &request)?;
            let reason = || {
                let told = answer::told(spec.reason.as_deref(), product, &response);
                if all > 1 { format!("recipient {} of {all}: {told}", item + 1) } else { told }
            };
            is_last_accepted = false;
            match answer::read(&answers, &response) {
                Meaning::Delivered { reference: given } => {
                    reference = reference.or(given);
                    is_last_accepted = true;
                }
                Meaning::Unavailable { retry_after } => {
                    return Err(AlertRefusal::Unavailable { reason: reason(), retry_after });
                }
                Meaning::Refused if all > 1 => refused.push(Refused { number, request, reason: reason() }),
                Meaning::Refused => return Err(AlertRefusal::Refused(reason())),
            }
        }
        // The host records an accepted request once another follows. If a person has the dead letter sent again, those
        // who have the message must not get it twice, so the last request of a refused message is a refused one. What is
        // answered to it changes nothing.
        if let Some(first) = refused.first().filter(|_| is_last_accepted) {
            let _ = send(first.number, &first.request);
        }
    }
    if refused.is_empty() {
        return Ok(Receipt { reference });
    }
    let reasons: Vec<String> = refused.into_iter().map(|refused| refused.reason).collect();
    Err(AlertRefusal::Refused(reasons.join("; ")))
}

/// A request for one of several recipients that the receiver did not accept.
struct Refused {
    number: u32,
    request: Request,
    reason: String,
}

/// The contexts to render a request with: one, or one per item, or none if the message does not need it.
fn contexts(template: &RequestTemplate, context: &Context) -> Result<Vec<Context>, Failure> {
    let templates = Templates::new();
    let at = |part: &'static str| move |message| (format!("/{part}"), message);
    if let Some(when) = &template.when
        && !templates.holds(when, context).map_err(at("when"))?
    {
        return Ok(Vec::new());
    }
    let Some(each) = &template.each else { return Ok(vec![context.clone()]) };
    match templates.expression(each, context).map_err(at("each"))? {
        Some(Json::Array(items)) => Ok(items.into_iter().map(|item| context.with_item(item)).collect()),
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(_) => Err(at("each")("not a list".to_owned())),
    }
}

fn check_size(product: &str, spec: &ProductSpec, request: &Request) -> Result<(), AlertRefusal> {
    let bytes = request::body_bytes(request);
    if bytes <= spec.bytes_max {
        return Ok(());
    }
    let most = spec.bytes_max;
    Err(AlertRefusal::refused(format!("the body has {bytes} bytes; `{product}` accepts at most {most}")))
}
