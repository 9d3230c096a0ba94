//! Benchmarks a rule's speed, memory and state on generated rows.
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::{Value, json};
use watchbell_contract::{Call, Context, Rows, Timestamp, Window};
use watchbell_sandbox::{Limits, RuleModule, RuleRun, RunError};

use super::super::args::BenchPlugin;
use super::super::{Failure, json, plain, print};
use super::look::Module;
use super::rows::Recipe;
use super::{sandbox, size};

/// Midnight of 2024-01-01: a multiple of every likely grid.
const ORIGIN: i64 = 1_704_067_200_000;
/// Runs without rows, to measure the cost of a call.
const EMPTY_RUNS: u32 = 100;

pub(super) fn bench(args: &BenchPlugin) -> Result<(), Failure> {
    let params: Value =
        serde_json::from_str(&args.params).map_err(|error| anyhow!("--params is not JSON: {error}"))?;
    if !params.is_object() {
        return Err(anyhow!("--params is not a JSON object: write for example '{{\"at_least\": 3}}'").into());
    }
    let Module::Rule(rule) = Module::read(&args.file, &sandbox()?)? else {
        return Err(anyhow!("`{}` is an alerter: only rules can be measured", args.file.display()).into());
    };
    let params = params.to_string();
    let context = Context { key: args.key.clone(), ..Context::default() };
    let plan = rule.prepare(&params, &context)?.map_err(|faults| {
        let lines = faults.iter().map(|fault| match fault.path.as_str() {
            "" => format!("  {}", plain(&fault.message)),
            path => format!("  {}: {}", plain(path), plain(&fault.message)),
        });
        anyhow!("the rule rejects the parameters:\n{}", lines.collect::<Vec<_>>().join("\n"))
    })?;
    let span = u64::from(args.over) * 1_000;
    // Windows end on the rule's grid.
    let span = span.next_multiple_of(plan.grid.map_or(1, |grid| grid.millis()).max(1));
    let end = Timestamp(ORIGIN + span as i64);
    let window = Window { start: Timestamp(ORIGIN), settled: end, end };
    let course = Course {
        rule: &rule,
        params: &params,
        context: &context,
        window,
        recipe: Recipe { key: &args.key, words: &args.text, rows: args.rows, keys: args.keys },
    };
    let empty = course.empty()?;
    let runs: Vec<Measured> = (0..args.runs).map(|_| course.run()).collect::<Result<_, _>>()?;
    if args.json {
        return json(&report(args, &empty, &runs));
    }
    print(&told(args, &rule, &empty, &runs))
}

struct Course<'a> {
    rule: &'a RuleModule,
    params: &'a str,
    context: &'a Context,
    window: Window,
    recipe: Recipe<'a>,
}

/// One run.
struct Measured {
    rows: u64,
    /// The module's own CPU time over all calls; time used by other programs is not included.
    guest: Duration,
    /// Wall-clock time from the first page to the finding.
    took: Duration,
    memory: usize,
    state: usize,
    signals: usize,
}

impl Course<'_> {
    fn start(&self) -> Result<RuleRun, Failure> {
        let call = Call { params: self.params, context: self.context, state: None, window: self.window };
        self.rule.start(&call, &generous()).map_err(failed)
    }

    /// The cost of a run without rows: a fresh instance, its questions, its finding.
    fn empty(&self) -> Result<Vec<Duration>, Failure> {
        let mut times = Vec::new();
        for _ in 0..EMPTY_RUNS {
            let started = now();
            let mut run = self.start()?;
            while !run.questions().map_err(failed)?.is_empty() {}
            run.finish().map_err(failed)?;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    fn run(&self) -> Result<Measured, Failure> {
        let mut run = self.start()?;
        let (mut rows, mut took) = (0, Duration::ZERO);
        loop {
            let questions = run.questions().map_err(failed)?;
            if questions.is_empty() {
                break;
            }
            for (number, question) in (0..).zip(&questions) {
                // Generated before the clock starts, and passed whole.
                let pages = self.recipe.answer(question, self.window);
                let pages: Vec<Rows> = pages.map_err(|why| anyhow!("the rule cannot be measured: {why}"))?;
                rows += pages.iter().map(|page| page.len() as u64).sum::<u64>();
                let started = now();
                for page in pages {
                    run.answer(number, page).map_err(failed)?;
                }
                took += started.elapsed();
            }
        }
        let started = now();
        let (finding, report) = run.finish().map_err(failed)?;
        Ok(Measured {
            rows,
            took: took + started.elapsed(),
            guest: report.guest_time,
            memory: report.memory_bytes,
            state: finding.state.len(),
            signals: finding.signals.len(),
        })
    }
}

/// Generous, so that the measurement completes; the report shows a host's limits beside the figures.
fn generous() -> Limits {
    Limits {
        time_max: Duration::from_secs(3_600),
        memory_bytes_max: 4 << 30,
        state_bytes_max: 1 << 30,
        output_bytes_max: 256 << 20,
        ..Limits::default()
    }
}

fn failed(error: RunError) -> Failure {
    let logs = error.logs.iter().map(|line| format!("\n  log: {}", plain(&line.message)));
    let hint = "\n\nhint: choose --params with which it rarely fires, and name text fields with --text";
    Failure::Faults(anyhow!(
        "the run failed: {}{}{hint}",
        plain(&error.fault.to_string()),
        logs.collect::<String>()
    ))
}

/// Minimum, median and maximum.
fn spread<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> [T; 3] {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

fn per_row(run: &Measured) -> f64 {
    run.guest.as_nanos() as f64 / run.rows.max(1) as f64
}

fn micros(time: &Duration) -> f64 {
    time.as_nanos() as f64 / 1_000.0
}

fn report(args: &BenchPlugin, empty: &[Duration], runs: &[Measured]) -> Value {
    let object = |[min, median, max]: [f64; 3]| json!({ "min": min, "median": median, "max": max });
    json!({
        "rows": runs[0].rows, "keys": args.keys, "runs": runs.len(),
        "call_us": object(spread(empty.iter().map(micros))),
        "row_ns": object(spread(runs.iter().map(per_row))),
        "guest_ms": object(spread(runs.iter().map(|run| micros(&run.guest) / 1_000.0))),
        "wall_ms": object(spread(runs.iter().map(|run| micros(&run.took) / 1_000.0))),
        "memory_bytes": spread(runs.iter().map(|run| run.memory))[2],
        "state_bytes": spread(runs.iter().map(|run| run.state))[2],
        "signals": runs[0].signals,
    })
}

fn told(args: &BenchPlugin, rule: &RuleModule, empty: &[Duration], runs: &[Measured]) -> String {
    let limits = Limits::default();
    let mut text = format!(
        "rule `{}`, {} rows of {} keys over {} s, {} runs: median (min to max)\n",
        plain(&rule.about().name),
        runs[0].rows,
        args.keys,
        args.over,
        runs.len()
    );
    let [min, median, max] = spread(empty.iter().map(micros));
    let _ = writeln!(text, "  a run without rows  {median:.1} us ({min:.1} to {max:.1})");
    let [min, median, max] = spread(runs.iter().map(per_row));
    let _ = writeln!(text, "  a row               {median:.1} ns ({min:.1} to {max:.1})");
    let [min, median, max] = spread(runs.iter().map(|run| micros(&run.guest) / 1_000.0));
    let time_max = limits.time_max.as_millis();
    let _ = writeln!(
        text,
        "  the module's time   {median:.0} ms ({min:.0} to {max:.0}) of {time_max} ms{}",
        over(max > time_max as f64, "time")
    );
    let [min, median, max] = spread(runs.iter().map(|run| micros(&run.took) / 1_000.0));
    let _ = writeln!(text, "  wall-clock time     {median:.0} ms ({min:.0} to {max:.0})");
    let memory = spread(runs.iter().map(|run| run.memory))[2];
    let _ = writeln!(
        text,
        "  its memory          {} of {}{}",
        size(memory),
        size(limits.memory_bytes_max),
        over(memory > limits.memory_bytes_max, "memory")
    );
    let state = spread(runs.iter().map(|run| run.state))[2];
    let _ = writeln!(
        text,
        "  its state           {} of {}{}",
        size(state),
        size(limits.state_bytes_max),
        over(state > limits.state_bytes_max, "state")
    );
    let _ = writeln!(text, "  signals             {}", runs[0].signals);
    text
}

fn over(is_over: bool, limit: &str) -> String {
    if is_over { format!(": the manifest must raise `limits.{limit}`") } else { String::new() }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark needs a clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_middle_of_few_values_is_one_of_them() {
        assert_eq!(super::spread([3.0, 1.0, 2.0].into_iter()), [1.0, 2.0, 3.0]);
        assert_eq!(super::spread([7].into_iter()), [7, 7, 7]);
    }
}
