//! Every rule as the component that it ships as, within the limits that a module has by default: its own time for each
//! row, its memory at its largest, its state as written.
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use watchbell_contract::{Ask, Call, Column, Dictionary, Question, Rows, Timestamp, Values, Window};
use watchbell_sandbox::{Config, Limits, RuleModule, Sandbox};

use crate::given;
use crate::subjects::{Fill, SUBJECTS, Subject};
use crate::table::{Runs, head, nanos_per};

const PAGE_ROWS: u64 = 10_000;
/// Rows of a window.
const ROWS: u64 = 1_000_000;
/// A window of an hour, on every grid.
const SPAN: i64 = 3_600_000;
const START: i64 = 1_704_067_200_000;
const MEBIBYTE: f64 = 1_048_576.0;

/// What one window took.
struct Cost {
    time: Duration,
    memory: usize,
    state: Vec<u8>,
}

/// Two windows of a million rows through each rule: the first fills its state, the next reads and writes it.
pub(crate) fn bench(runs: usize) -> Result<()> {
    let folder = given("WATCHBELL_PLUGINS")?;
    let sandbox = Sandbox::new(Config::default())?;
    head(&format!("each rule as a component, two windows of {ROWS} rows"));
    for subject in SUBJECTS {
        let file = folder.join(format!("{}.wasm", subject.plugin));
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let module = sandbox.load_rule(subject.plugin, &bytes)?;
        measure(subject, &module, runs).with_context(|| format!("{}, {}", subject.plugin, subject.what))?;
    }
    for plugin in unmeasured(&folder)? {
        println!("  not measured: {plugin}, which has no line in xtask/bench/src/subjects.rs");
    }
    Ok(())
}

fn measure(subject: &Subject, module: &RuleModule, runs: usize) -> Result<()> {
    let (mut first, mut next) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let filled = window(subject, module, None, 0)?;
        next.push(window(subject, module, Some(&filled.state), 1)?);
        first.push(filled);
    }
    println!("  {}: {}", subject.plugin, subject.what);
    let row = |name: &str, costs: &[Cost], unit: &str, of: &dyn Fn(&Cost) -> f64| {
        Runs { name: format!("  {name}"), seconds: costs.iter().map(of).collect() }
            .row(unit, |figure| figure);
    };
    let nanos = |cost: &Cost| nanos_per(ROWS as usize)(cost.time.as_secs_f64());
    row("first window, a row", &first, "ns", &nanos);
    row("next window, a row", &next, "ns", &nanos);
    row("memory at its largest", &next, "MiB", &|cost| cost.memory as f64 / MEBIBYTE);
    row("state as written", &next, "MiB", &|cost| cost.state.len() as f64 / MEBIBYTE);
    Ok(())
}

fn window(subject: &Subject, module: &RuleModule, state: Option<&[u8]>, number: i64) -> Result<Cost> {
    let (start, end) = (START + number * SPAN, START + (number + 1) * SPAN);
    let window = Window { start: Timestamp(start), settled: Timestamp(end), end: Timestamp(end) };
    let key: Vec<String> = subject.key.iter().map(|field| (*field).to_owned()).collect();
    // Time is what is measured; memory and state are held to what is promised.
    let limits = Limits { time_max: Duration::from_secs(120), ..Limits::default() };
    let context = watchbell_contract::Context { key, ..watchbell_contract::Context::default() };
    let call = Call { params: subject.params, context: &context, state, window };
    let mut run = module.start(&call, &limits)?;
    loop {
        let questions = run.questions()?;
        if questions.is_empty() {
            break;
        }
        for (index, question) in (0..).zip(&questions) {
            for page in 0..ROWS / PAGE_ROWS {
                let rows = answer(subject, question, window, page)?;
                if !rows.times.is_empty() {
                    run.answer(index, rows)?;
                }
            }
        }
    }
    let (finding, report) = run.finish()?;
    if let Some(line) = report.logs.first() {
        println!("  {}: {}: {}", subject.plugin, subject.what, line.message);
    }
    Ok(Cost { time: report.guest_time, memory: report.memory_bytes, state: finding.state })
}

/// The rows of a page that lie in what was asked, with the columns that were asked for.
fn answer(subject: &Subject, question: &Question, window: Window, page: u64) -> Result<Rows> {
    let (fields, every, filters, has_count) = match &question.ask {
        Ask::Hits(hits) => (&hits.fields, None, &hits.filters, false),
        Ask::Buckets(buckets) => (&buckets.by, Some(buckets.every), &buckets.filters, true),
        other => bail!("this benchmark cannot answer {other:?}"),
    };
    let time = |row: u64| window.start.0 + (row * SPAN as u64 / ROWS) as i64;
    let rows: Vec<u64> = (page * PAGE_ROWS..(page + 1) * PAGE_ROWS)
        .filter(|row| (question.over.start.0..question.over.end.0).contains(&time(*row)))
        .collect();
    let times = rows.iter().map(|row| match every {
        None => time(*row),
        Some(None) => question.over.start.0,
        Some(Some(every)) => time(*row) - time(*row).rem_euclid(every.millis().max(1) as i64),
    });
    let times = times.collect();
    let plain = |field: &str, values| Column {
        field: field.to_owned(),
        is_mapped: true,
        values,
        present: vec![],
        offsets: vec![],
    };
    let mut columns = Vec::new();
    for field in fields {
        let fill = subject.fields.iter().find(|(name, _)| name == field).map(|(_, fill)| *fill);
        let values = match field.as_str() {
            "_index" => Fill::Words(1).values(&rows),
            "_id" => Fill::Words(ROWS).values(&rows),
            other if other.starts_with("_type:") => always("keyword", rows.len()),
            _ => fill.with_context(|| format!("no line defines `{field}`"))?.values(&rows),
        };
        columns.push(plain(field, values));
    }
    if has_count {
        columns.push(plain("_count", Values::Integers(vec![1; rows.len()])));
    }
    if let Ask::Buckets(buckets) = &question.ask {
        let ones = || Values::Numbers(vec![1.0; rows.len()]);
        columns.extend(buckets.metrics.iter().map(|metric| plain(&metric.name, ones())));
    }
    for (number, filter) in (0..).zip(filters) {
        let flags = || rows.iter().map(move |row| u64::from(row % 2 == number % 2));
        let values = match has_count {
            true => Values::Integers(flags().map(|flag| flag as i64).collect()),
            false => Values::Booleans(flags().map(|flag| flag as u8).collect()),
        };
        columns.push(plain(&filter.name, values));
    }
    Ok(Rows { times, columns })
}

fn always(word: &str, rows: usize) -> Values {
    Values::Words(Dictionary { codes: vec![0; rows], ends: vec![word.len() as u32], bytes: word.into() })
}

impl Fill {
    fn values(self, rows: &[u64]) -> Values {
        /// Of no number of values a divisor: so each comes in turn, and far from where it stands in the table.
        const STRIDE: u64 = 7_919;
        match self {
            Self::Numbers(count) => {
                Values::Integers(rows.iter().map(|row| (row * STRIDE % count) as i64).collect())
            }
            Self::Words(count) => {
                let numbers: Vec<u64> = rows.iter().map(|row| row * STRIDE % count).collect();
                let distinct: Vec<u64> =
                    numbers.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
                let (mut ends, mut bytes) = (Vec::new(), Vec::new());
                for number in &distinct {
                    bytes.extend_from_slice(format!("web-{number:07}.example.com").as_bytes());
                    ends.push(bytes.len() as u32);
                }
                let code = |number: &u64| distinct.binary_search(number).unwrap_or_default() as u32;
                Values::Words(Dictionary { codes: numbers.iter().map(code).collect(), ends, bytes })
            }
        }
    }
}

fn unmeasured(plugins: &Path) -> Result<BTreeSet<String>> {
    let listed = std::fs::read_dir(plugins).with_context(|| format!("cannot list {}", plugins.display()))?;
    let names = listed.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let rules = names.filter_map(|name| name.strip_suffix(".wasm").map(str::to_owned));
    let is_measured = |name: &String| SUBJECTS.iter().any(|subject| subject.plugin == name);
    Ok(rules.filter(|name| name.starts_with("rule-") && !is_measured(name)).collect())
}
