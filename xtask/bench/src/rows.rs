use anyhow::{Context as _, Result, anyhow};
use rule_frequency::Frequency;
use watchbell_contract::{Call, Column, Context, Dictionary, Rows, Timestamp, Values, Window};
use watchbell_rows::{Feed, Step};
use watchbell_sandbox::{Config, Limits, RuleModule, Sandbox};
use watchbell_sdk::Run;

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
    natively(&key, window, pages.clone())?;

    // Both sides take the pages by value; making them does not count.
    let mut native = || {
        let pages = pages.clone();
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
    let context = Context { key: key.to_vec(), ..Context::default() };
    let call = Call { params: PARAMS, context: &context, state: None, window };
    let mut run = module.start(&call, &Limits::default())?;
    run.questions()?;
    for page in pages {
        run.answer(0, page)?;
    }
    run.questions()?;
    run.finish()?;
    Ok(())
}

/// As the sandbox does it: rows in groups, the state taken on the way.
fn natively(key: &[String], window: Window, pages: Vec<Rows>) -> Result<()> {
    let context = watchbell_sdk::Context { key: key.to_vec(), ..watchbell_sdk::Context::default() };
    let (start, settled, end) = (window.start.0, window.settled.0, window.end.0);
    let of = watchbell_sdk::Timestamp;
    let window = watchbell_sdk::Window { start: of(start), settled: of(settled), end: of(end) };
    let told = |problem| anyhow!("{problem:?}");
    let call = watchbell_sdk::Call { params: PARAMS, context: &context, state: None, window };
    let mut run = Run::<Frequency>::start(call).map_err(told)?;
    let mut feed = Feed::new(start, settled, end, usize::MAX);
    let round = run.questions().with_context(|| "no questions")?;
    feed.begin(round.questions.iter().map(|question| question.asked(key)).collect(), round.is_scouting);
    let mut steps = Vec::new();
    for page in pages {
        feed.page(0, page, &mut steps).map_err(|fault| anyhow!("{fault:?}"))?;
        for step in steps.drain(..) {
            match step {
                Step::Answer(question, page) => {
                    run.answer(question as usize, &page.into()).map_err(told)?;
                }
                Step::Snapshot => drop(run.snapshot().map_err(told)?),
            }
        }
    }
    run.questions();
    if feed.finish() {
        run.snapshot().map_err(told)?;
    }
    run.finish();
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
            is_mapped: true,
            values: Values::Words(Dictionary { codes, ends, bytes }),
            present: vec![],
            offsets: vec![],
        }],
    }
}
