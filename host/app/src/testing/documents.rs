//! A test's documents, and when a search can find them.
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use watchbell_contract::{Duration, Timestamp};
use watchbell_manifest::{Documents, Fields, Offset, Test};
use watchbell_outside::ReadError;
use watchbell_sdk::testing::case::number;

use crate::clock::rfc3339;

/// The maximum documents of one test; larger data belongs in a backtest.
const DOCUMENTS_MAX: usize = 2_000_000;

/// How many lines of a file are read for its field names.
const LINES_READ_MAX: usize = 1_000;
/// How many bytes of a file are read for its field names.
const BYTES_READ_MAX: u64 = 4 << 20;
/// Bytes of one file of documents.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Entries of a folder of files of documents.
const ENTRIES_MAX: usize = 10_000;

/// Adds the fields of `test`'s documents and mapping.
///
/// # Errors
/// What is wrong with a file of documents.
pub(crate) fn fields(test: &Test, into: &mut Fields) -> Result<(), String> {
    test.mapping.iter().for_each(|mapping| mapped(mapping, "", into));
    for of in &test.documents {
        into.add_document(&of.fields);
        for path in of.ndjson.as_deref().map(files).transpose()?.unwrap_or_default() {
            let start = watchbell_outside::read_start(&path, BYTES_READ_MAX);
            let start = start.map_err(|error| cannot_read(&path, &error))?;
            for line in start.split(|byte| *byte == b'\n').take(LINES_READ_MAX) {
                // The last line may be cut.
                if let Ok(document) = serde_json::from_slice(line) {
                    into.add_document(&document);
                }
            }
        }
    }
    Ok(())
}

fn mapped(properties: &Value, above: &str, into: &mut Fields) {
    for (name, field) in properties.as_object().into_iter().flatten() {
        let name = format!("{above}{name}");
        // Multi-fields that hold the same value in another form are included.
        mapped(&field["fields"], &format!("{name}."), into);
        match field.get("properties") {
            Some(inner) => mapped(inner, &format!("{name}."), into),
            None if field["type"] == "flattened" => into.add_open(name),
            None => into.add(name),
        }
    }
}

fn cannot_read(path: &Path, error: &ReadError) -> String {
    format!("cannot read `{}`: {error}", path.display())
}

/// A document on its way to the index.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    pub(super) index: String,
    pub(super) source: String,
}

/// All documents of `test`, in order of arrival. Documents before the start are present from the beginning.
///
/// # Errors
/// What is wrong with a file of documents, with its line.
pub(super) fn arrivals(test: &Test, index: &str, time_field: &str) -> Result<Vec<Arrival>, String> {
    let mut arrivals = Vec::new();
    for of in &test.documents {
        let index = of.index.as_deref().unwrap_or(index);
        match &of.ndjson {
            Some(path) => {
                for path in files(path)? {
                    from_file(&path, of, test.start, index, time_field, &mut arrivals)?;
                }
            }
            None => generated(of, test.start, index, time_field, &mut arrivals),
        }
        if arrivals.len() > DOCUMENTS_MAX {
            return Err(format!("more than {DOCUMENTS_MAX} documents"));
        }
    }
    for arrival in &mut arrivals {
        arrival.at = arrival.at.max(test.start);
    }
    arrivals.sort_by_key(|arrival| arrival.at);
    Ok(arrivals)
}

fn generated(of: &Documents, start: Timestamp, index: &str, time_field: &str, into: &mut Vec<Arrival>) {
    let first = later(start, of.at.unwrap_or_default());
    let arrives = of.arrives.map_or(first, |arrives| later(start, arrives));
    for n in 0..of.count {
        let after = Duration(of.every.millis().saturating_mul(u64::from(n)));
        let mut fields = of.fields.clone();
        fields.values_mut().for_each(|value| number(value, n));
        // A document may have its time in a nested object or under a dotted name.
        if fields.get(time_field).or_else(|| below(&fields, time_field)).is_none() {
            fields.insert(time_field.to_owned(), rfc3339(first + after).into());
        }
        let source = Value::Object(fields).to_string();
        into.push(Arrival { at: arrives + after, index: index.to_owned(), source });
    }
}

fn from_file(
    path: &Path,
    of: &Documents,
    start: Timestamp,
    index: &str,
    time_field: &str,
    into: &mut Vec<Arrival>,
) -> Result<(), String> {
    let text =
        watchbell_outside::read_text(path, FILE_BYTES_MAX).map_err(|error| cannot_read(path, &error))?;
    let mut first = None;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let place = |what: &str| format!("{}:{number}: {what}", path.display());
        let mut source: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| place(&format!("is not a JSON object: {error}")))?;
        let own = time_of(&source, time_field)
            .ok_or_else(|| place(&format!("has no time in `{time_field}`: write a date or milliseconds")))?;
        let origin = *first.get_or_insert(own);
        let since = Offset(own.0.saturating_sub(origin.0));
        let at = match of.at {
            Some(at) => {
                let moved = later(later(start, at), since);
                // Written as one key, whatever form the file used.
                remove(&mut source, time_field);
                source.insert(time_field.to_owned(), rfc3339(moved).into());
                moved
            }
            None => own,
        };
        let arrives = of.arrives.map_or(at, |arrives| later(later(start, arrives), since));
        into.push(Arrival {
            at: arrives,
            index: index.to_owned(),
            source: Value::Object(source).to_string(),
        });
    }
    Ok(())
}

/// The file, or every `.ndjson` file of a folder, in order.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let listed = fs::read_dir(path).map_err(|error| format!("cannot list `{}`: {error}", path.display()))?;
    let entries: Vec<_> = listed.flatten().take(ENTRIES_MAX + 1).collect();
    if entries.len() > ENTRIES_MAX {
        return Err(format!("`{}` holds more than {ENTRIES_MAX} files and folders", path.display()));
    }
    let mut files: Vec<_> = entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "ndjson"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("`{}` holds no `.ndjson` file", path.display()));
    }
    Ok(files)
}

fn time_of(source: &Map<String, Value>, field: &str) -> Option<Timestamp> {
    match source.get(field).or_else(|| below(source, field))? {
        Value::Number(millis) => millis.as_i64().map(Timestamp),
        Value::String(text) => text.parse().ok().or_else(|| text.parse().ok().map(Timestamp)),
        _ => None,
    }
}

fn below<'a>(source: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    let (first, rest) = field.split_once('.')?;
    rest.split('.').try_fold(source.get(first)?, |value, part| value.get(part))
}

fn remove(source: &mut Map<String, Value>, field: &str) {
    if source.remove(field).is_some() {
        return;
    }
    if let Some((first, rest)) = field.split_once('.')
        && let Some(Value::Object(inner)) = source.get_mut(first)
    {
        remove(inner, rest);
    }
}

pub(super) fn later(start: Timestamp, offset: Offset) -> Timestamp {
    if offset.0 < 0 {
        start - Duration(offset.0.unsigned_abs())
    } else {
        start + Duration(offset.0.unsigned_abs())
    }
}
