//! `watchbell replay`: repeats a recorded run.
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use watchbell_contract::{Call, Question, Rows, Timestamp, Values};
use watchbell_sandbox::{RuleModule, RunError};

use super::args::Replay;
use super::place::catalog;
use super::{Failure, GREEN, RED, paint, plain, print};
use crate::clock::rfc3339;
use crate::recording::{Ended, Recording, RecordingStore, RefusedForm};

/// The start of a case's timeline: 2024-01-01T00:00:00Z, as in the SDK's test harness.
const ORIGIN: i64 = 1_704_067_200_000;

pub(crate) fn replay(args: &Replay) -> Result<(), Failure> {
    let catalog = catalog(None)?;
    let bundle = args.place.load_or_tell(&catalog, false)?;
    let store = args.store.clone().unwrap_or_else(|| bundle.environment.store.sqlite.clone());
    let recordings = RecordingStore::beside(&store);
    let Some(id) = &args.run else { return list(&recordings, args.json) };
    let recording = recordings.find(id).map_err(|fault| {
        let told = crate::chain(&fault);
        anyhow::anyhow!("{told}\n\nhint: `watchbell replay` without an id lists what is recorded")
    })?;
    let module = match &args.module {
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            catalog.sandbox().load_rule(&path.display().to_string(), &bytes)?
        }
        None => {
            let rule = bundle.rule(&recording.rule).with_context(|| {
                format!(
                    "the rule `{}` no longer exists; pass its module with `--module FILE`",
                    recording.rule
                )
            })?;
            catalog.rule_module(&rule.module)?
        }
    };
    let same_module = module.digest() == recording.module;
    let ended = evaluate(&module, &recording)?;
    let same = match (&ended, &recording.ended) {
        // If the cluster refused a question, the replay must reach the same question.
        (ended, recorded) if recording.refused.is_some() => ended == recorded,
        // Addresses and times in a message may differ; only the failure counts.
        (Ended::Failed { .. }, Ended::Failed { .. }) => true,
        (ended, recorded) => ended == recorded,
    };
    if let Some(folder) = &args.write_case {
        write_case(&recording, &ended, folder)?;
    }
    if args.json {
        let report = json!({
            "run": recording.id(), "same": same, "same_module": same_module, "rows": recording.rows(),
            "window": recording.window.map(|at| rfc3339(Timestamp(at))), "recorded": recording.ended, "replayed": ended,
        });
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        tell(&recording, &ended, same, same_module)?;
    }
    if same { Ok(()) } else { Err(Failure::Told) }
}

fn list(recordings: &RecordingStore, json: bool) -> Result<(), Failure> {
    let files = recordings.files();
    let mut listed = Vec::new();
    for path in &files {
        let recording = crate::recording::read(path)?;
        let what = match &recording.ended {
            Ended::Found { signals, .. } => format!("{} signals", signals.len()),
            Ended::Failed { message } => format!("failed: {message}"),
        };
        listed.push(json!({ "run": recording.id(), "rows": recording.rows(), "ended": what }));
    }
    if json {
        return print(&serde_json::to_string_pretty(&listed)?);
    }
    if listed.is_empty() {
        return print(&format!(
            "`{}` contains no recordings: runs that find something or fail are recorded as they happen",
            recordings.folder().display()
        ));
    }
    for run in &listed {
        let text = |name: &str| run[name].as_str().unwrap_or_default();
        print(&plain(&format!("{}  {} rows, {}", text("run"), run["rows"], text("ended"))))?;
    }
    Ok(())
}

/// Repeats the run with the same parameters, state, window and pages.
fn evaluate(module: &RuleModule, recording: &Recording) -> anyhow::Result<Ended> {
    let state = recording
        .state
        .as_deref()
        .map(hex::decode)
        .transpose()
        .context("the recorded state is not hexadecimal")?;
    let (params, context) = (recording.params.to_string(), recording.context());
    let limits = recording.limits.into();
    let play = || -> Result<Ended, RunError> {
        let window = recording.window();
        let call = Call { params: &params, context: &context, state: state.as_deref(), window };
        let mut run = module.start(&call, &limits)?;
        for round in 0.. {
            let questions = run.questions()?;
            if questions.is_empty() {
                break;
            }
            for (number, question) in (0u32..).zip(&questions) {
                if let Some(refused) = recording.refused_at(round, number) {
                    return Ok(refused_again(recording, refused, question));
                }
                for rows in recording.answers(round, number) {
                    run.answer(number, rows)?;
                }
            }
        }
        run.finish().map(|(finding, _)| Ended::of(&finding))
    };
    if recording.answers(0, 0).any(|rows| rows.validate().is_err()) {
        bail!("the recording's columns are inconsistent: it was modified");
    }
    Ok(play().unwrap_or_else(|error| Ended::Failed { message: crate::chain(&error) }))
}

/// The outcome of a run whose question the cluster refused: the same if the module asks the same question.
fn refused_again(recording: &Recording, refused: &RefusedForm, question: &Question) -> Ended {
    match refused.is(question) {
        true => recording.ended.clone(),
        false => Ended::Failed {
            message: "it asks a different question than the one that the cluster refused".into(),
        },
    }
}

fn tell(recording: &Recording, ended: &Ended, same: bool, same_module: bool) -> Result<(), Failure> {
    let out = std::io::stdout();
    let [start, settled, end] = recording.window.map(|at| rfc3339(Timestamp(at)));
    print(&format!("{}: {} rows", recording.id(), recording.rows()))?;
    print(&format!("  window {start} .. {end}, settled at {settled}"))?;
    if let Some(refused) = &recording.refused {
        print(&plain(&format!("  asked {}", refused.asks)))?;
    }
    match ended {
        Ended::Found { signals, state } => {
            for signal in signals {
                let labels: Vec<String> = signal
                    .labels
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("-")))
                    .collect();
                print(&plain(&format!(
                    "  {} {} {} {}",
                    rfc3339(Timestamp(signal.at)),
                    signal.kind,
                    labels.join(" "),
                    signal.summary
                )))?;
            }
            print(&format!("  state {}", &state[..12.min(state.len())]))?;
        }
        Ended::Failed { message } => print(&plain(&format!("  failed: {message}")))?,
    }
    let module = if same_module { "" } else { ", with a different module than the recorded one" };
    let verdict = match same {
        true => paint("the same as recorded, bit for bit", GREEN, &out),
        false => paint("NOT the same as recorded", RED, &out),
    };
    print(&format!("  {verdict}{module}"))
}

/// Writes a case for `cargo test` and `watchbell plugin test`: the rows as documents, and the state as stored.
fn write_case(recording: &Recording, ended: &Ended, folder: &Path) -> anyhow::Result<()> {
    let Ended::Found { signals, .. } = ended else {
        bail!("a failed run cannot be written as a case: there is nothing to expect");
    };
    if !recording.is_one_question() {
        bail!("only a run with a single question can be written as a case");
    }
    let [start, settled, end] = recording.window;
    let since = |at: i64| watchbell_manifest::Offset(at - ORIGIN).to_string();
    let documents: Vec<Value> = recording
        .answers(0, 0)
        .flat_map(|rows| documents(&rows))
        .map(|(at, fields)| json!({ "at": since(at), "fields": fields }))
        .collect();
    let timeline = json!({
        "pins": format!("the recorded run {}", recording.id()), "key": recording.key, "from": since(start),
        "until": since(end), "ends": [], "every": watchbell_manifest::Offset(end - start).to_string(),
        "lateness": watchbell_manifest::Offset(end - settled).to_string(), "state": recording.state,
        "documents": documents,
    });
    let expected: Vec<Value> = signals
        .iter()
        .map(|signal| {
            json!({
                "at": since(signal.at), "kind": signal.kind, "labels": signal.labels.iter().cloned()
                    .collect::<std::collections::BTreeMap<_, _>>(),
                "until": signal.until.map(since), "value": signal.value.map(f64::from_bits), "summary": signal.summary,
            })
        })
        .collect();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for (name, content) in
        [("params", recording.params.clone()), ("timeline", timeline), ("expected", Value::Array(expected))]
    {
        let path = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&content)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

fn documents(rows: &Rows) -> Vec<(i64, Map<String, Value>)> {
    let value = |values: &Values, slot: usize| -> Value {
        match values {
            Values::Integers(values) => values[slot].into(),
            Values::Numbers(values) => values[slot].into(),
            Values::Booleans(values) => (values[slot] != 0).into(),
            Values::Points(points) => {
                json!({ "lat": points.latitudes[slot], "lon": points.longitudes[slot] })
            }
            Values::Words(words) => {
                let code = words.codes[slot] as usize;
                let start = code.checked_sub(1).map_or(0, |before| words.ends[before] as usize);
                let end = words.ends.get(code).map_or(start, |end| *end as usize);
                String::from_utf8_lossy(&words.bytes[start..end]).into()
            }
        }
    };
    let fields = |row: usize| {
        let columns = rows.columns.iter().filter_map(|column| {
            let mut own: Vec<Value> = match column.has(row) {
                true => column.slots(row).map(|slot| value(&column.values, slot)).collect(),
                false => return None,
            };
            let held = if own.len() == 1 { own.remove(0) } else { Value::Array(own) };
            Some((column.field.clone(), held))
        });
        columns.collect()
    };
    (0..rows.len()).map(|row| (rows.times[row], fields(row))).collect()
}
