//! `kill -9` at every numbered step between a row and a delivery: nothing found is lost, and nothing is sent twice but
//! what was under way, which is flagged.
use watchbell::failpoint::{STEPS, Step};

use crate::journey::with_failed_logins;

/// Whether a request may have gone out without a trace of its outcome.
fn leaves_doubt(step: Step) -> bool {
    matches!(step, Step::Sending | Step::Sent | Step::Answered)
}

async fn survives(step: Step, nth: u32) {
    let world = with_failed_logins().await;
    let at = format!("{}:{nth}", step as u32);
    let mut doomed = world.start_with(&[], &[("WATCHBELL_CRASH_AT", &at)]);
    assert_eq!(
        doomed.ended().await,
        None,
        "step {step:?} #{nth} was not reached:\n{}",
        doomed.said.join("\n")
    );
    let before = world.receiver.got().len();

    let mut host = world.start();
    let again = before > 0;
    if !again || leaves_doubt(step) {
        // Whatever is in doubt is sent again by the second host, and only then.
        host.until("the delivery", |line| line["message"] == "delivered").await;
    } else {
        host.until("a window", |line| line["outcome"] == "committed").await;
    }
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));

    let got = world.receiver.got();
    let ids: std::collections::BTreeSet<_> =
        got.iter().map(|arrival| arrival.body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "step {step:?} #{nth}: one message, whatever happened: {got:#?}");
    match got.len() {
        1 => {}
        2 => {
            assert!(leaves_doubt(step) && again, "step {step:?} #{nth}: sent twice: {got:#?}");
            assert_eq!(
                got[1].body["maybe_repeated"], true,
                "step {step:?} #{nth}: the repetition is not flagged"
            );
            assert_eq!(got[0].body["maybe_repeated"], false);
        }
        more => panic!("step {step:?} #{nth}: sent {more} times: {got:#?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_only_what_was_in_flight_is_sent_again() {
    for step in STEPS {
        survives(step, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_passing_of_a_step_is_no_different() {
    for step in [Step::Evaluated, Step::Writing, Step::Written, Step::Acknowledged] {
        survives(step, 2).await;
    }
}
