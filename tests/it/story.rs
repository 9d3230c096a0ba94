//! The story of one alert against real receivers: chat at once, mail at 15 minutes, text message at 45, acknowledged at
//! 50, worse at 60, over at 90. In virtual time, with a host that dies at every step of its work; and by the real program
//! in compressed time, killed five times.
mod receivers; // chat, mail and text messages on loopback
mod virtual_host; // a host in virtual time that dies where it is told
mod killed; // the real program

use std::collections::BTreeMap;

use receivers::{Heard, Receivers};
use virtual_host::VirtualHost;

/// What each receiver hears, in order.
const TOLD: [(&str, &[&str]); 3] = [
    ("chat", &["opened", "acknowledged", "worse", "resolved"]),
    ("mail", &["escalated", "acknowledged", "worse", "resolved"]),
    ("sms", &["escalated", "acknowledged", "worse", "resolved"]),
];

/// Checks what the receivers heard: each message of the story once, in order, but for one that was under way when the
/// host died: at most so many of them are there twice, in a row.
fn check(heard: &BTreeMap<&str, Vec<Heard>>, repeated_max: usize, what: &str) {
    let mut repeated = 0;
    for (receiver, causes) in TOLD {
        let heard = &heard[receiver];
        let mut once: Vec<&Heard> = Vec::new();
        for message in heard {
            match once.last() {
                Some(last) if last.cause == message.cause => {
                    assert_eq!(last.intent, message.intent, "{what}: two messages say the same: {heard:#?}");
                    assert_ne!(
                        message.is_marked,
                        Some(false),
                        "{what}: a repetition is not marked: {heard:#?}"
                    );
                    repeated += 1;
                }
                _ => once.push(message),
            }
        }
        let told: Vec<&str> = once.iter().map(|message| message.cause.as_str()).collect();
        assert_eq!(told, causes, "{what}: {receiver} heard {heard:#?}");
    }
    assert!(repeated <= repeated_max, "{what}: {repeated} messages came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_told_once_however_often_the_host_dies() {
    let receivers = Receivers::start().await;
    let Some(mut host) = VirtualHost::new(&receivers) else {
        return;
    };
    host.play(None).await;
    check(&receivers.take(), 0, "undisturbed");
    let steps = host.steps();
    assert!(steps.messages == 12 && steps.all > 50, "{steps:?}");
    for step in 0..steps.all {
        let died = host.play(Some(step)).await;
        let repeated_max = died.map_or(0, |(_, in_flight)| in_flight);
        check(&receivers.take(), repeated_max, &format!("died at step {step}, {died:?}"));
        assert!(died.is_some(), "step {step} was not reached");
    }
    // What nobody counted would prove nothing.
    assert_eq!(host.deaths_while_sending(), steps.messages);
}
