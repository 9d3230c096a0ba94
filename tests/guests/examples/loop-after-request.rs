//! An alerter that computes without end once its receiver has answered: its clock must go on then.
use watchbell_sdk::http::{Request, send};

watchbell_guests::alerter!("loop-after-request", |_intent| {
    let mut steps = u64::from(send(0, &Request::post_json("{}"))?.status);
    loop {
        steps = std::hint::black_box(steps.wrapping_add(1));
    }
});
