//! `upgrade-gate`: checks whether an Elasticsearch node may be replaced.
pub(super) mod args; // the command line
mod target; // which cluster, and its credentials
mod shell; // reads, waits and writes until there is a verdict
mod progress; // what it is waiting for
mod people; // the verdict as text and a table
mod machine; // the verdict as JSON
mod once; // `--next` and `--put-back`: a single read

use watchbell_gate::{Allowed, Ask, Author, Drain, Gate, Outcome, Own, Procedure, Restart, Verdict};

use self::args::{Until, UpgradeGate};
use super::{Failure, Terminal};
use crate::clock::{self, Clock};

/// What to do with the verdict.
pub(crate) fn upgrade_gate(args: &UpgradeGate) -> Result<(), Failure> {
    let outcome = decide(args).map_err(Failure::Undecided)?;
    match outcome {
        Outcome::Safe => Ok(()),
        other => Err(Failure::Ended(other.exit_code())),
    }
}

fn decide(args: &UpgradeGate) -> anyhow::Result<Outcome> {
    let cluster = target::cluster(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if args.next {
        return runtime.block_on(once::next(args, &cluster));
    }
    if args.put_back {
        return runtime.block_on(once::put_back(args, &cluster));
    }
    let clock = Clock::start();
    let mut procedure = procedure(args, &clock)?;
    let verdict = runtime.block_on(shell::drive(&mut *procedure, &cluster, &clock, args))?;
    tell(args, &verdict)?;
    Ok(verdict.outcome)
}

fn procedure(args: &UpgradeGate, clock: &Clock) -> anyhow::Result<Box<dyn Procedure>> {
    let now = clock.now();
    let ask = Ask {
        node: args.drain.clone().or_else(|| args.node.clone()),
        wait: args.wait.into(),
        stable: args.stable.into(),
        poll: args.poll.into(),
        allowed: Allowed::parse(&args.allow)?,
    };
    let until_ready = args.until == Some(Until::Ready);
    Ok(match (&args.drain, args.disable_allocation) {
        (Some(_), _) => Box::new(Drain::new(ask, author(), until_ready, now)),
        (None, true) => Box::new(Restart::new(ask, author(), until_ready, now)),
        (None, false) => Box::new(Gate::new(ask, Own::default(), now)),
    })
}

fn author() -> Author {
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).or_else(|| {
        let name = std::fs::read_to_string("/etc/hostname").ok()?;
        Some(name.trim().to_owned())
    });
    Author { host: host.unwrap_or_else(|| "an unnamed host".into()), at: clock::rfc3339(clock::wall()) }
}

fn tell(args: &UpgradeGate, verdict: &Verdict) -> anyhow::Result<()> {
    match args.json {
        true => Terminal::out().json(&machine::verdict(verdict))?,
        false => Terminal::out().print(&people::verdict(args, verdict))?,
    }
    Ok(())
}
