use std::hint::black_box;

use anyhow::Result;
use watchbell_contract::{Call, Context, Timestamp, Window};
use watchbell_sandbox::{Config, Limits, Sandbox};

use crate::given;
use crate::rows::module;
use crate::table::{head, measure, timed};

/// Calls of one measurement.
const CALLS: usize = 2_000;
const LOADS: usize = 50;

pub(crate) fn bench(runs: usize) -> Result<()> {
    let cache = tempfile::tempdir()?;
    let config = || Config { cache_dir: Some(cache.path().join("modules")), ..Config::default() };
    let sandbox = Sandbox::new(config())?;
    let frequency = module(&sandbox)?;
    let window = Window { start: Timestamp(0), settled: Timestamp(0), end: Timestamp(60_000) };
    let params = r#"{"num_events": 5, "timeframe": "1m"}"#;
    let context = Context::default();
    let call = Call { params, context: &context, state: None, window };
    let mut fresh = || {
        timed(|| {
            for _ in 0..CALLS {
                drop(black_box(frequency.start(&call, &Limits::default())));
            }
        })
    };
    let mut whole = || {
        timed(|| {
            for _ in 0..CALLS {
                if let Ok(mut run) = frequency.start(&call, &Limits::default()) {
                    let _ = black_box(run.questions());
                    let _ = black_box(run.finish());
                }
            }
        })
    };
    let bytes = std::fs::read(given("WATCHBELL_PLUGINS")?.join("rule-frequency.wasm"))?;
    let mut load = || {
        timed(|| {
            for _ in 0..LOADS {
                drop(black_box(sandbox.load_rule("rule-frequency", &bytes)));
            }
        })
    };
    let measured = measure(
        runs,
        &mut [
            ("fresh sandbox and `start`", &mut fresh),
            ("a whole run without rows", &mut whole),
            ("loading a module from the cache", &mut load),
        ],
    );
    head("the sandbox; microseconds");
    measured[0].row("us", |seconds| seconds * 1e6 / CALLS as f64);
    measured[1].row("us", |seconds| seconds * 1e6 / CALLS as f64);
    measured[2].row("us", |seconds| seconds * 1e6 / LOADS as f64);
    Ok(())
}
