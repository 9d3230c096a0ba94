//! Alerters that fail once their receiver has answered.
use std::time::Duration;

use watchbell_sandbox::Limits;

use super::{Guest, destination, on_runtime};
use crate::receiver::Receiver;

pub(super) fn loop_after_request(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let limits = Limits { time_max: Duration::from_millis(100), ..Limits::default() };
        let error = guest.deliver(&destination(&receiver.url(), true), &limits).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the module exceeded its time limit (limits.time: 100ms); raise the limit, or give the rule less to do"
        );
        assert_eq!(receiver.seen(), ["POST /"]);
    });
}

pub(super) fn hog_after_request(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let to = destination(&receiver.url(), true);
        let error = guest.deliver(&to, &Limits::default()).await.unwrap_err();
        assert!(error.to_string().contains("exceeded its memory limit (limits.memory: 64MiB)"), "{error}");
        assert_eq!(receiver.seen(), ["POST /"]);
    });
}

pub(super) fn trap_after_request(guest: &Guest) {
    on_runtime(async {
        let receiver = Receiver::start().await;
        let to = destination(&receiver.url(), true);
        let error = guest.deliver(&to, &Limits::default()).await.unwrap_err();
        assert!(error.to_string().starts_with("the module trapped: wasm `unreachable`"), "{error}");
        assert_eq!(receiver.seen(), ["POST /"]);
    });
}
