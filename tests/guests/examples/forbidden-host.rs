//! Tries to reach another host than its destination, in every way a path offers.
use watchbell_sdk::AlertRefusal;
use watchbell_sdk::http::{Body, Failure, Request, send};

watchbell_guests::alerter!("forbidden-host", |intent| {
    let mut refusals = Vec::new();
    for path in ["https://other.example/", "//other.example/", "/../admin", "/%2e%2e/admin"] {
        match send(0, &Request::new("POST", Body::Text(intent.title.clone())).path(path)) {
            Err(Failure::Invalid(why)) => refusals.push(why),
            other => return Err(AlertRefusal::refused(format!("`{path}` was not refused: {other:?}"))),
        }
    }
    match send(0, &Request::post_json("{}").header("Host", "other.example")) {
        Err(Failure::Invalid(why)) => refusals.push(why),
        other => return Err(AlertRefusal::refused(format!("`Host` was not refused: {other:?}"))),
    }
    Err(AlertRefusal::refused(refusals.join("\n")))
});
