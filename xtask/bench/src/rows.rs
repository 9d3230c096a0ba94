use anyhow::{Context, Result, anyhow};
use rule_frequency::Frequency;
use watchbell_contract::{Column, Dictionary, Rows, Timestamp, Values, Window};
use watchbell_sandbox::{Config, Limits, RuleModule, Sandbox};
use watchbell_sdk::Run;
use watchbell_sdk::wire::types as wire;

use crate::given;
use crate::table::{head, measure, nanos_per, ratio, timed};

const PAGES: usize = 100;
const PAGE_ROWS: usize = 10_000;
const HOSTS: usize = 1_000;
/// No host is that busy: what is measured is the counting.
const PARAMS: &str = r#"{"num_events": 100000, "timeframe": "1m"}"#;

/// One million rows through one frequency rule by key, in pages of 10,000.
pub(crate) fn bench(runs: usize) -> Result<()> {
    let module = module(&Sandbox::new(Config::default())?)?;
    let key = vec!["host.name".to_owned()];
    let pages: Vec<Rows> = (0..PAGES).map(page).collect();
    let end = (PAGES * PAGE_ROWS) as i64;
    let window = Window { start: Timestamp(0), settled: Timestamp(end), end: Timestamp(end) };
    in_component(&module, &key, window, pages.clone())?;
    natively(&key, window, pages.iter().map(as_wire).collect())?;

    // Both sides take the pages by value; making them does not count.
    let mut native = || {
        let pages = pages.iter().map(as_wire).collect();
        timed(|| natively(&key, window, pages))
    };
    let mut component = || {
        let pages = pages.clone();
        timed(|| in_component(&module, &key, window, pages))
    };
    let measured = measure(
        runs,
        &mut [("component, columns in", &mut component), ("native, the same columns", &mut native)],
    );
    head(&format!("{} rows through `frequency` by key, {HOSTS} keys; nanoseconds a row", PAGES * PAGE_ROWS));
    for runs in &measured {
        runs.row("ns", nanos_per(PAGES * PAGE_ROWS));
    }
    ratio("a component takes, against native", &measured[0], &measured[1]);
    Ok(())
}

pub(crate) fn module(sandbox: &Sandbox) -> Result<RuleModule> {
    let file = given("WATCHBELL_PLUGINS")?.join("rule-frequency.wasm");
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(sandbox.load_rule("rule-frequency", &bytes)?)
}

fn in_component(module: &RuleModule, key: &[String], window: Window, pages: Vec<Rows>) -> Result<()> {
    let mut run = module.start(PARAMS, key, None, window, &Limits::default())?;
    run.questions()?;
    for page in pages {
        run.answer(0, page)?;
    }
    run.questions()?;
    run.finish()?;
    Ok(())
}

fn natively(key: &[String], window: Window, pages: Vec<wire::Rows>) -> Result<()> {
    let window = watchbell_sdk::Window {
        start: watchbell_sdk::Timestamp(window.start.0),
        settled: watchbell_sdk::Timestamp(window.settled.0),
        end: watchbell_sdk::Timestamp(window.end.0),
    };
    let told = |problem| anyhow!("{problem:?}");
    let mut run = Run::<Frequency>::start(PARAMS, key.to_vec(), None, window).map_err(told)?;
    run.questions().map_err(told)?;
    for page in pages {
        run.answer(0, page).map_err(told)?;
    }
    run.questions().map_err(told)?;
    run.finish().map_err(told)?;
    Ok(())
}

fn page(number: usize) -> Rows {
    let first = number * PAGE_ROWS;
    let hosts: Vec<String> = (0..HOSTS).map(|host| format!("web-{host:04}.example.com")).collect();
    let mut ends = Vec::new();
    let mut bytes = Vec::new();
    for host in &hosts {
        bytes.extend_from_slice(host.as_bytes());
        ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    }
    let codes = (first..first + PAGE_ROWS).map(|row| (row * 7_919 % HOSTS) as u32).collect();
    Rows {
        times: (first..first + PAGE_ROWS).map(|row| row as i64).collect(),
        columns: vec![Column {
            field: "host.name".into(),
            values: Values::Words(Dictionary { codes, ends, bytes }),
            present: vec![],
            offsets: vec![],
        }],
    }
}

fn as_wire(rows: &Rows) -> wire::Rows {
    let columns = rows.columns.iter().map(|column| wire::Column {
        field: column.field.clone(),
        values: match &column.values {
            Values::Integers(values) => wire::Values::Integers(values.clone()),
            Values::Numbers(values) => wire::Values::Numbers(values.clone()),
            Values::Booleans(values) => wire::Values::Booleans(values.clone()),
            Values::Words(words) => wire::Values::Words(wire::Dictionary {
                codes: words.codes.clone(),
                ends: words.ends.clone(),
                bytes: words.bytes.clone(),
            }),
        },
        present: column.present.clone(),
        offsets: column.offsets.clone(),
    });
    wire::Rows { times: rows.times.clone(), columns: columns.collect() }
}
