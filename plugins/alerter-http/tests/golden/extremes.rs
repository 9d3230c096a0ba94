//! What a document says never makes a message too large for its receiver.
use alerter_http::AlerterHttp;
use libtest_mimic::Failed;
use serde_json::{Value as Json, json};
use watchbell_sdk::testing::MockHttp;
use watchbell_sdk::{AlertRefusal, Alerter, Product};

use crate::causes::cases;
use crate::{intent, response};

/// Characters that escapes, JSON or UTF-8 make longer, and the ordinary one.
const CHARACTERS: [char; 9] = ['x', '"', '\\', '*', '<', '&', '@', '\u{1}', '🔥'];

/// Every text at the greatest length that the host passes, and more labels than any receiver shows.
pub(crate) fn are_delivered() -> Result<(), Failed> {
    let mut told = Vec::new();
    for product in AlerterHttp::products() {
        let cases = cases(&product.name)?;
        // A body with every field has no limit but the destination's author's own.
        let Some(opened) = cases.get("opened").filter(|_| product.name != "webhook") else { continue };
        let params = opened["params"].to_string();
        for character in CHARACTERS {
            let _receiver = MockHttp::script([response(&opened["response"])]);
            let message = intent(&extreme(&product, character));
            match AlerterHttp::deliver(&product.name, &params, message) {
                Ok(_) => {}
                Err(AlertRefusal::Refused(reason) | AlertRefusal::Unavailable { reason, .. }) => {
                    told.push(format!("{character:?}: {reason}"));
                }
            }
        }
    }
    if told.is_empty() { Ok(()) } else { Err(told.join("\n").into()) }
}

fn extreme(product: &Product, character: char) -> Json {
    let of = |length: u32| character.to_string().repeat(length as usize);
    // The host removes control characters from texts, and no others from labels and details.
    let text = |length: u32| if character.is_control() { "x".repeat(length as usize) } else { of(length) };
    let label = json!([of(200), of(8_000)]);
    json!({
        "title": text(product.text.title_max),
        "body": text(product.text.body_max),
        "summary": text(2_000),
        "labels": vec![label; 30],
        "details": json!({ "message": of(200_000) }).to_string(),
        "rule": text(200),
        "environment": text(200),
        "owner": text(200),
        "acknowledge_link": format!("https://watchbell.example/ack/{}", "t".repeat(200)),
        "link": format!("https://kibana.example/app/discover#{}", "d".repeat(1_900)),
    })
}
