//! Posts to a receiver whose answer has no end.
use watchbell_sdk::http::{Request, send};

watchbell_guests::alerter!("endless-response", |_intent| {
    watchbell_guests::judged(&send(0, &Request::post_json("{}").path("/endless"))?)
});
