//! The shown parts of each hit, written straight into the response.
use serde_json::Value as Json;

use super::asked::Asked;
use super::fields::{self, Shown};
use super::shard::{Hit, Shard};
use crate::errors::Answer;

/// Writes the list of hits, including brackets.
pub(crate) fn write_hits(asked: &Asked, shards: &[Shard], hits: &[Hit], out: &mut String) -> Answer<()> {
    // Bound for every index, so that a wrong field is refused even without hits.
    let mut shown: Vec<Vec<Shown>> = Vec::new();
    for shard in shards {
        let mapping = &shard.snapshot.mapping;
        let mut fields = fields::bind(&asked.doc_values, mapping, false)?;
        for field in fields::bind(&asked.fields, mapping, true)? {
            fields.retain(|old| old.path != field.path);
            fields.push(field);
        }
        shown.push(fields);
    }
    let sorted = !asked.sort.is_empty();
    let parse = !asked.fields.is_empty() || !asked.source.is_whole();
    out.push('[');
    for (at, hit) in hits.iter().enumerate() {
        let shard = &shards[hit.shard as usize];
        let document = &hit.document;
        if at > 0 {
            out.push(',');
        }
        out.push_str("{\"_index\":");
        string(&shard.snapshot.name, out);
        out.push_str(",\"_id\":");
        string(&document.id, out);
        if asked.version {
            out.push_str(&format!(",\"_version\":{}", document.version));
        }
        if asked.seq_no {
            out.push_str(&format!(",\"_seq_no\":{},\"_primary_term\":1", document.seq_no));
        }
        out.push_str(if sorted { ",\"_score\":null" } else { ",\"_score\":1.0" });
        if !document.ignored.is_empty() {
            out.push_str(",\"_ignored\":");
            json(&document.ignored.iter().map(|path| &**path).collect::<Vec<_>>().into(), out);
        }
        let source: Option<Json> = if parse { serde_json::from_str(&document.source).ok() } else { None };
        if !asked.source.hidden {
            out.push_str(",\"_source\":");
            match &source {
                Some(source) if !asked.source.is_whole() => json(&asked.source.apply(source), out),
                _ => out.push_str(&document.source),
            }
        }
        let fields =
            fields::show(&shown[hit.shard as usize], &shard.snapshot.mapping, document, source.as_ref());
        for (at, (path, values)) in fields.iter().enumerate() {
            out.push_str(if at > 0 { "," } else { ",\"fields\":{" });
            string(path, out);
            out.push(':');
            json(values, out);
        }
        if !fields.is_empty() {
            out.push('}');
        }
        if sorted {
            out.push_str(",\"sort\":");
            json(&Json::Array(hit.sort.clone()), out);
        }
        let mut matched = shard.compiled.named.iter().filter(|(_, named)| named.hit(document)).peekable();
        if matched.peek().is_some() {
            out.push_str(",\"matched_queries\":");
            json(&matched.map(|(name, _)| name.as_str()).collect::<Vec<_>>().into(), out);
        }
        out.push('}');
    }
    out.push(']');
    Ok(())
}

fn string(text: &str, out: &mut String) {
    json(&Json::from(text), out);
}

fn json(value: &Json, out: &mut String) {
    out.push_str(&value.to_string());
}
