//! `_bulk`: lines of actions and sources.
use serde_json::{Map, Value as Json, json};

use super::documents;
use super::reply::Reply;
use super::request::Request;
use crate::cluster::{Cluster, Op, check_id};
use crate::errors::{Answer, Refusal};
use crate::shared::Shared;

pub(super) fn bulk(shared: &Shared, request: &Request, index: Option<&str>) -> Answer<Reply> {
    request.ignore(&["refresh", "wait_for_active_shards", "require_alias"]);
    request.finish()?;
    if request.body.is_empty() {
        return Err(Refusal::no_body());
    }
    if !request.body.ends_with('\n') {
        return Err(Refusal::illegal("The bulk request must be terminated by a newline [\\n]"));
    }
    let now = (shared.clock)();
    let mut lines = request.body.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    // All actions are read before the first is run: a malformed body changes nothing.
    let mut actions = Vec::new();
    while let Some((number, line)) = lines.next() {
        let action = Action::parse(line, number + 1, index)?;
        let source = match action.op {
            Op::Delete => "",
            _ => lines.next().map(|(_, line)| line).ok_or_else(|| {
                Refusal::illegal(format!(
                    "Malformed action/metadata line [{}], expected a source after it",
                    number + 1
                ))
            })?,
        };
        actions.push((action, source));
    }
    if actions.is_empty() {
        return Err(Refusal::validation("no requests added"));
    }
    let mut cluster = shared.lock();
    let mut errors = false;
    let items: Vec<Json> = actions
        .iter()
        .map(|(action, source)| {
            let (name, item, failed) = action.run(&mut cluster, source, now);
            errors |= failed;
            let mut object = Map::new();
            object.insert(name.to_owned(), item);
            Json::Object(object)
        })
        .collect();
    Ok(Reply::ok(json!({"took": 0, "errors": errors, "items": items})))
}

struct Action {
    op: Op,
    index: String,
    id: Option<String>,
}

impl Action {
    fn parse(line: &str, number: usize, default: Option<&str>) -> Answer<Self> {
        let malformed =
            |what: String| Refusal::illegal(format!("Malformed action/metadata line [{number}], {what}"));
        let json: Json = serde_json::from_str(line).map_err(|error| malformed(error.to_string()))?;
        let entry =
            json.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
        let (name, body) = entry.ok_or_else(|| malformed("expected one action".into()))?;
        let op = match name.as_str() {
            "index" => Op::Index,
            "create" => Op::Create,
            "delete" => Op::Delete,
            "update" => return Err(Refusal::unmodelled("the bulk action [update]")),
            other => {
                return Err(malformed(format!(
                    "expected field [create], [delete], [index] or [update] but found [{other}]"
                )));
            }
        };
        let (mut index, mut id) = (default.map(str::to_owned), None);
        for (key, value) in body.as_object().ok_or_else(|| malformed("expected an object".into()))? {
            match (key.as_str(), value) {
                ("_index", Json::String(name)) => index = Some(name.clone()),
                ("_id", Json::String(text)) => id = Some(text.clone()),
                ("_id", Json::Number(number)) => id = Some(number.to_string()),
                ("_id", Json::Null) | ("require_alias", Json::Bool(false)) => {}
                (other, _) => {
                    return Err(Refusal::illegal(format!(
                        "Action/metadata line [{number}] contains an unknown parameter [{other}]"
                    )));
                }
            }
        }
        let index = index.ok_or_else(|| Refusal::validation("index is missing"))?;
        if op == Op::Delete && id.is_none() {
            return Err(Refusal::validation("an id is missing"));
        }
        // Such an id would refuse all that is beside it.
        if op != Op::Delete {
            id.as_deref().map_or(Ok(()), check_id)?;
        }
        Ok(Self { op, index, id })
    }

    fn run(&self, cluster: &mut Cluster, source: &str, now: i64) -> (&'static str, Json, bool) {
        let name = match self.op {
            Op::Index => "index",
            Op::Create => "create",
            Op::Delete => "delete",
        };
        match cluster.write(&self.index, self.id.as_deref(), self.op, source, now) {
            Ok(written) => {
                let mut item = documents::shown(&written);
                let status = match written.result {
                    "created" => 201,
                    "not_found" => 404,
                    _ => 200,
                };
                if let Some(item) = item.as_object_mut() {
                    item.insert("status".into(), status.into());
                }
                (name, item, false)
            }
            Err(refusal) => {
                let mut error = refusal.object();
                if let (Some((kind, reason)), Some(error)) = (&refusal.cause, error.as_object_mut()) {
                    error.insert("caused_by".into(), json!({"type": kind, "reason": reason}));
                }
                let item =
                    json!({"_index": self.index, "_id": self.id, "status": refusal.status, "error": error});
                (name, item, true)
            }
        }
    }
}
