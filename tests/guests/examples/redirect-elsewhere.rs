//! Asks for a page that redirects to another host.
use watchbell_sdk::http::{Body, Request, send};

watchbell_guests::alerter!("redirect-elsewhere", |_intent| {
    watchbell_guests::judged(&send(0, &Request::new("GET", Body::Empty).path("/moved"))?)
});
