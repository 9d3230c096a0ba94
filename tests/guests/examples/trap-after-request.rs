//! An alerter that ends without a word once its receiver has answered.
use watchbell_sdk::http::{Request, send};

watchbell_guests::alerter!("trap-after-request", |_intent| {
    send(0, &Request::post_json("{}"))?;
    std::process::abort();
});
