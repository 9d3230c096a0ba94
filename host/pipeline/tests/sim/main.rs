//! A seeded run of three partitions and the notifier on two hosts, in a world of faults: outages, late documents, traps,
//! edited and switched rules that reach one host before the other, lost acknowledgements, a crash between any two
//! actions, and hosts that have lost something and do not know it yet. Promises are checked after every write.
//! `SEED=7 cargo test -p watchbell-pipeline --test sim` replays one run.
mod store; // a store in memory that checks what it is given
mod world; // documents, rules over them, and what a run of them finds
mod shell; // carries out actions in virtual time, with faults
mod promises; // what must hold in the end

use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use shell::{Sim, Tally};

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;

#[test]
fn every_promise_holds_under_every_seed() {
    if let Ok(seed) = std::env::var("SEED") {
        Sim::new(seed.parse().expect("SEED is a number")).run();
        return;
    }
    let (next, total) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return;
            }
            let tally = panic::catch_unwind(|| Sim::new(seed).run());
            let tally = tally.unwrap_or_else(|_| panic!("seed {seed} failed; replay it with SEED={seed}"));
            total.lock().expect("no other seed failed").add(&tally);
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    total.into_inner().expect("no seed failed").check();
}
