//! What the tests start nodes of clusters from: they start and stop these themselves, in the midst of a test.
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::cache::{Cache, write_if_changed};
use crate::jars::{Program, ServerKind};
use crate::java::Java;
use crate::stage::Stage;

/// The variable that names the file.
pub(crate) const VARIABLE: &str = "WATCHBELL_NODES";

/// A file that says how each server is started, and what this machine cannot run, and why.
pub(crate) struct Nodes {
    pub(crate) file: PathBuf,
    pub(crate) missing: Vec<(&'static ServerKind, String)>,
}

/// Resolves and compiles `kinds`. The file maps each key to `{ "java": …, "arguments": […] }`; the launcher's own
/// arguments come after these.
pub(crate) fn prepare(
    cache: &Cache,
    stage: &mut Stage,
    java: &Java,
    kinds: impl Iterator<Item = &'static ServerKind>,
) -> Result<Nodes> {
    let mut found = Map::new();
    let mut missing = Vec::new();
    for kind in kinds {
        match Program::prepare(cache, stage, java, kind)? {
            Ok(program) => {
                let java = program.java.display().to_string();
                found.insert(kind.key.into(), json!({ "java": java, "arguments": program.arguments() }));
            }
            Err(why) => missing.push((kind, why)),
        }
    }
    let file = cache.clusters().join("nodes.json");
    write_if_changed(&file, format!("{:#}\n", Value::Object(found)).as_bytes())?;
    Ok(Nodes { file, missing })
}
