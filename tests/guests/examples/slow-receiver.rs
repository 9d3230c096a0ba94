//! Posts to a receiver that takes longer than the guest itself may compute: no sin, and never a trap.
use watchbell_sdk::http::{Request, send};

watchbell_guests::alerter!("slow-receiver", |_intent| {
    for _ in 0..3 {
        send(0, &Request::post_json("{}").path("/slow"))?;
    }
    watchbell_guests::judged(&send(0, &Request::post_json("{}").path("/slow"))?)
});
