//! Made-up web logs: steady traffic, then 5xx responses rising threefold, then calm. Time is compressed so that the
//! story fits in about 40 s.
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// How often a batch is written.
pub(crate) const BEAT: Duration = Duration::from_millis(250);
/// When the spike begins, and how long it lasts.
const SPIKE_AT: Duration = Duration::from_secs(10);
const SPIKE_FOR: Duration = Duration::from_secs(12);
/// How much quiet traffic lies before the demo began.
const BACKLOG: Duration = Duration::from_secs(60);
const BEATS_PER_SECOND: u32 = 4;
const REQUESTS_PER_BEAT: u32 = 3;

pub(crate) struct Traffic {
    random: StdRng,
    beats: u32,
    spiking: bool,
    turn: Option<&'static str>,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self { random: StdRng::seed_from_u64(5), beats: 0, spiking: false, turn: None }
    }

    /// The quiet minute before the demo began.
    pub(crate) fn backlog(&mut self) -> Vec<Value> {
        let now = jiff::Timestamp::now().as_millisecond();
        let beats = u32::try_from(BACKLOG.as_millis() / BEAT.as_millis()).unwrap_or(0);
        (0..beats)
            .flat_map(|beat| {
                let back = i64::from(beats - beat) * 1_000 / i64::from(BEATS_PER_SECOND);
                self.requests(now - back, beat, 1)
            })
            .collect()
    }

    /// The requests of the next quarter of a second.
    pub(crate) fn next_beat(&mut self) -> Vec<Value> {
        let elapsed = BEAT * self.beats;
        let spiking = elapsed >= SPIKE_AT && elapsed < SPIKE_AT + SPIKE_FOR;
        self.turn = match (self.spiking, spiking) {
            (false, true) => Some("a bad deployment: 5xx responses triple"),
            (true, false) => Some("rolled back: traffic is back to normal"),
            _ => None,
        };
        self.spiking = spiking;
        self.beats += 1;
        let now = jiff::Timestamp::now().as_millisecond();
        self.requests(now, self.beats, if spiking { 3 } else { 1 })
    }

    /// What has just changed, if anything has.
    pub(crate) fn turn(&mut self) -> Option<&'static str> {
        self.turn.take()
    }

    /// `errors` 5xx responses a second among the usual requests.
    fn requests(&mut self, at: i64, beat: u32, errors: u32) -> Vec<Value> {
        let mut batch = Vec::new();
        for _ in 0..REQUESTS_PER_BEAT {
            let status = [200, 200, 200, 204, 301, 404][self.random.random_range(0..6)];
            batch.push(self.request(at, status));
        }
        // Spread evenly over the second's beats, so that the quiet rate is exactly one a second.
        for error in 0..errors {
            if (error + beat).is_multiple_of(BEATS_PER_SECOND) {
                let status = [500, 502, 503][self.random.random_range(0..3)];
                batch.push(self.request(at, status));
            }
        }
        batch
    }

    fn request(&mut self, at: i64, status: u16) -> Value {
        let host = format!("web-{}", self.random.random_range(1..=3));
        let path = ["/", "/cart", "/login", "/api/orders"][self.random.random_range(0..4)];
        let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
        json!({
            "@timestamp": at.to_string(),
            "Status": status,
            "host": { "name": host },
            "url": { "path": path },
            "took_ms": self.random.random_range(2..400),
        })
    }
}
