//! An alerter that takes memory without end once its receiver has answered.
use watchbell_sdk::http::{Request, send};

watchbell_guests::alerter!("hog-after-request", |_intent| {
    let mut hoard = vec![send(0, &Request::post_json("{}"))?.body];
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
});
