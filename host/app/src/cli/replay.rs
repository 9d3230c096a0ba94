//! `watchbell replay`: repeats a recorded run.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use watchbell_contract::{Ask, Call, ClusterView, Question, Rows, Timestamp, Values};
use watchbell_sandbox::{RuleModule, RunError, own_state_bytes};
use watchbell_sdk::Duration;
use watchbell_sdk::testing::Case;
use watchbell_sdk::testing::case::{Answers, Document, Expected, ExpectedKind, ORIGIN, Offset, Point};

use super::args::Replay;
use super::place::catalog;
use super::{Colour, Failure, json, paint, plain, print};
use crate::clock::rfc3339;
use crate::recording::{Ended, Recording, RecordingStore, RefusedForm};

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
            let bytes =
                crate::catalog::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
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
    let mut asked = Vec::new();
    let ended = evaluate(&module, &recording, &mut asked)?;
    let same = match (&ended, &recording.ended) {
        // If the cluster refused a question, the replay must reach the same question.
        (ended, recorded) if recording.refused.is_some() => ended == recorded,
        // Addresses and times in a message may differ; only the failure counts.
        (Ended::Failed { .. }, Ended::Failed { .. }) => true,
        (ended, recorded) => ended == recorded,
    };
    if let Some(folder) = &args.write_case {
        write_case(&recording, &ended, &asked, folder)?;
    }
    if args.json {
        let report = json!({
            "run": recording.id(), "same": same, "same_module": same_module, "rows": recording.rows(),
            "window": recording.window.map(|at| rfc3339(Timestamp(at))), "recorded": recording.ended, "replayed": ended,
        });
        json(&report)?;
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
        return super::json(&listed);
    }
    if listed.is_empty() {
        return print(&format!(
            "`{}` contains no recordings: runs that find something or fail are recorded as they happen",
            plain(&recordings.folder().display().to_string())
        ));
    }
    for run in &listed {
        let text = |name: &str| run[name].as_str().unwrap_or_default();
        print(&plain(&format!("{}  {} rows, {}", text("run"), run["rows"], text("ended"))))?;
    }
    Ok(())
}

/// Repeats the run with the same parameters, state, window and pages. `asked` is what it asked first.
fn evaluate(module: &RuleModule, recording: &Recording, asked: &mut Vec<Question>) -> anyhow::Result<Ended> {
    let state = recording
        .state
        .as_deref()
        .map(hex::decode)
        .transpose()
        .context("the recorded state is not hexadecimal")?;
    let (params, context) = (recording.params.to_string(), recording.context());
    let limits = recording.limits.into();
    let mut play = || -> Result<Ended, RunError> {
        let window = recording.window();
        let call = Call { params: &params, context: &context, state: state.as_deref(), window };
        let mut run = module.start(&call, &limits)?;
        for round in 0.. {
            let questions = run.questions()?;
            if round == 0 {
                asked.clone_from(&questions);
            }
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
    let [start, settled, end] = recording.window.map(|at| rfc3339(Timestamp(at)));
    print(&format!("{}: {} rows", plain(&recording.id()), recording.rows()))?;
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
            print(&format!("  state {}", plain(state.get(..12).unwrap_or(state))))?;
        }
        Ended::Failed { message } => print(&plain(&format!("  failed: {message}")))?,
    }
    let module = if same_module { "" } else { ", with a different module than the recorded one" };
    let verdict = match same {
        true => paint("the same as recorded, bit for bit", Colour::Green),
        false => paint("NOT the same as recorded", Colour::Red),
    };
    print(&format!("  {verdict}{module}"))
}

/// Writes a case for the plugin's own tests, `NAME.test.yaml`: the rows as documents, and the state as stored.
fn write_case(recording: &Recording, ended: &Ended, asked: &[Question], folder: &Path) -> anyhow::Result<()> {
    let Ended::Found { signals, .. } = ended else {
        bail!("a failed run cannot be written as a case: there is nothing to expect");
    };
    let [question] = asked else {
        bail!("only a run with a single question can be written as a case");
    };
    if !recording.is_one_question() {
        bail!("only a run with a single question can be written as a case");
    }
    let (answers, filters) = match &question.ask {
        Ask::Hits(hits) => (None, hits.filters.iter().map(|filter| filter.name.as_str()).collect()),
        Ask::Buckets(_) => bail!("the run counted on the cluster: the recording holds no documents"),
        Ask::Search(_) => (Some(Answers::Search), BTreeSet::new()),
        Ask::Cluster(view) => (
            Some(match view {
                ClusterView::Health => Answers::Health,
                ClusterView::UnassignedShards => Answers::UnassignedShards,
                ClusterView::PendingTasks => Answers::PendingTasks,
                ClusterView::Disks => Answers::Disks,
                ClusterView::Gate => Answers::Gate,
            }),
            BTreeSet::new(),
        ),
    };
    let state = match &recording.state {
        Some(kept) => {
            let kept = hex::decode(kept).context("the recorded state is not hexadecimal")?;
            // A case holds the module's own bytes, as its native tests know them.
            Some(hex::encode(own_state_bytes(&kept).context("the recorded state is of another form")?))
        }
        None => None,
    };
    let [start, settled, end] = recording.window;
    let since = |at: i64| Duration(u64::try_from(at - ORIGIN.0).unwrap_or(0));
    let rows = recording.answers(0, 0).flat_map(|rows| documents(&rows));
    let documents = rows.map(|(at, fields)| {
        let (matches, fields): (Map<_, _>, Map<_, _>) =
            fields.into_iter().partition(|(name, _)| filters.contains(name.as_str()));
        let matches = matches.into_iter().map(|(name, value)| (name, value == Value::Bool(true))).collect();
        let matches: Option<BTreeMap<_, _>> = Some(matches).filter(|_| !filters.is_empty());
        Document { at: Offset(at - ORIGIN.0), fields, matches, answers, ..Document::default() }
    });
    let expected = signals.iter().map(|signal| Expected {
        at: Some(since(signal.at)),
        kind: match signal.kind.as_str() {
            "firing" => Some(ExpectedKind::Firing),
            "clear" => Some(ExpectedKind::Clear),
            _ => Some(ExpectedKind::Event),
        },
        labels: Some(signal.labels.iter().cloned().collect()),
        until: signal.until.map(since),
        value: signal.value.map(f64::from_bits),
        summary: Some(signal.summary.clone().into()),
        ..Expected::default()
    });
    let fields = match &question.ask {
        Ask::Hits(hits) => hits.fields.clone(),
        _ => vec![],
    };
    let mut case = Case {
        name: format!("recorded: {}", recording.id()),
        params: recording.params.clone(),
        key: recording.key.clone(),
        from: since(start),
        until: since(end),
        every: Duration(end.abs_diff(start)),
        lateness: Duration(end.abs_diff(settled)),
        state,
        documents: documents.collect(),
        ..Case::default()
    };
    case.expect = vec![Point { at: Some(case.until), signals: expected.collect(), line: 0 }];
    let has = |field: &String| case.documents.iter().any(|document| document.fields.contains_key(field));
    case.missing = fields.into_iter().filter(|field| !has(field)).collect();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    // `:` and `#` are awkward in names of files.
    let name = recording.id().replace([':', '#'], "-");
    let path = folder.join(format!("{name}.test.yaml"));
    std::fs::write(&path, Case::print(&[case])).with_context(|| format!("cannot write `{}`", path.display()))
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
