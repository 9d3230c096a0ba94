//! Posts to a receiver whose answer comes a byte at a time and never ends.
use watchbell_sdk::http::{Request, send};

watchbell_guests::alerter!("drip-feed", |_intent| {
    watchbell_guests::judged(&send(0, &Request::post_json("{}").path("/drip"))?)
});
