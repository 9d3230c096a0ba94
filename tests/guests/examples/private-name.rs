//! Posts to its destination, whose name resolves to a private address.
use watchbell_sdk::http::{Request, send};

watchbell_guests::alerter!("private-name", |_intent| {
    watchbell_guests::judged(&send(0, &Request::post_json("{}"))?)
});
