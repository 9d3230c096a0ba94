//! What no compiler and no linter knows: who may depend on whom, through any number of others.
mod writers; // one writer for what the program says
mod threat_model; // what `docs/security.md` names exists

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::world::repository;

/// The workspace's packages and all that they depend on, as cargo resolves them.
struct Graph {
    /// By id.
    names: BTreeMap<String, String>,
    /// What a build of each package takes in, directly.
    needs: BTreeMap<String, Vec<String>>,
    /// Ids of the workspace's own packages.
    members: Vec<String>,
    /// Names of those below `host/`.
    host: BTreeSet<String>,
}

impl Graph {
    fn read() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // What other platforms need was not downloaded.
        let compiler = Command::new("rustc").arg("-vV").output().expect("rustc can be started");
        let compiler = String::from_utf8_lossy(&compiler.stdout).into_owned();
        let platform = compiler.lines().find_map(|line| line.strip_prefix("host: ")).expect("its platform");
        let told = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .args(["--filter-platform", platform])
            .current_dir(repository())
            .output()
            .expect("cargo can be started");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        Self::of(&serde_json::from_slice(&told.stdout).expect("cargo's metadata is JSON"))
    }

    fn of(metadata: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let list = |value: &Value| value.as_array().expect("a list").clone();
        let names = list(&metadata["packages"]).iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
        let nodes = list(&metadata["resolve"]["nodes"]);
        let needs = nodes.iter().map(|node| {
            // `null` is an ordinary dependency; the other kinds are `dev` and `build`.
            let is_taken_in =
                |needed: &Value| list(&needed["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let needed =
                list(&node["deps"]).into_iter().filter(is_taken_in).map(|needed| text(&needed["pkg"]));
            (text(&node["id"]), needed.collect())
        });
        let members = list(&metadata["workspace_members"]).iter().map(text).collect();
        let root = text(&metadata["workspace_root"]) + "/host/";
        let packages = list(&metadata["packages"]);
        let of_host = packages.iter().filter(|package| text(&package["manifest_path"]).starts_with(&root));
        let host = of_host.map(|package| text(&package["name"])).collect();
        Self { names, needs: needs.collect(), members, host }
    }

    /// Our own packages, by name.
    fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|id| (self.names[id].as_str(), id.as_str()))
    }

    fn id(&self, member: &str) -> &str {
        self.members().find(|(name, _)| *name == member).unwrap_or_else(|| panic!("no package `{member}`")).1
    }

    /// The packages that `id` names itself.
    fn direct(&self, id: &str) -> BTreeSet<&str> {
        self.needs[id].iter().map(|id| self.names[id].as_str()).collect()
    }

    /// The packages that a build of `id` takes in, except by way of one of `but`.
    fn all(&self, id: &str, but: &[&str]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            for needed in &self.needs[id] {
                let name = self.names[needed].as_str();
                if !but.contains(&name) && found.insert(name) {
                    left.push(needed);
                }
            }
        }
        found
    }
}

fn is_wasmtime(name: &str) -> bool {
    name == "wasmtime" || name.starts_with("wasmtime-")
}

#[test]
fn only_the_sandbox_names_wasmtime() {
    let graph = Graph::read();
    let named: Vec<&str> = graph
        .members()
        .filter(|(_, id)| graph.direct(id).into_iter().any(is_wasmtime))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(named, ["watchbell-sandbox"]);
}

#[test]
fn wasmtime_comes_by_the_sandbox_alone() {
    let graph = Graph::read();
    for (name, id) in graph.members().filter(|(name, _)| *name != "watchbell-sandbox") {
        let brought: Vec<&str> =
            graph.all(id, &["watchbell-sandbox"]).into_iter().filter(|name| is_wasmtime(name)).collect();
        assert!(brought.is_empty(), "{name} brings in {brought:?} by another way");
    }
}

/// With WASI linked in, a rule could reach the clock, the network and files.
#[test]
fn nothing_links_wasi_in() {
    let graph = Graph::read();
    for (name, id) in graph.members() {
        let wasi: Vec<&str> = graph
            .all(id, &[])
            .into_iter()
            .filter(|name| name.starts_with("wasmtime-wasi") || *name == "wasi-common")
            .collect();
        assert!(wasi.is_empty(), "{name} takes in {wasi:?}");
    }
}

#[test]
fn pipeline_manifest_and_view_need_no_runtime() {
    let graph = Graph::read();
    for name in
        ["watchbell-contract", "watchbell-text", "watchbell-pipeline", "watchbell-manifest", "watchbell-view"]
    {
        let all = graph.all(graph.id(name), &[]);
        for heavy in ["tokio", "reqwest", "rusqlite", "axum", "wasmtime"] {
            assert!(!all.contains(heavy), "{name} takes in {heavy}");
        }
    }
}

#[test]
fn the_contract_needs_a_calendar_and_rows_alone() {
    let graph = Graph::read();
    assert_eq!(graph.direct(graph.id("watchbell-contract")), BTreeSet::from(["jiff", "watchbell-rows"]));
    assert_eq!(graph.direct(graph.id("watchbell-rows")), BTreeSet::from(["hashbrown"]));
}

#[test]
fn plugins_use_nothing_of_the_host() {
    let graph = Graph::read();
    assert!(graph.host.len() > 8, "the host's packages were not found");
    let plugins: Vec<_> = graph
        .members()
        .filter(|(name, _)| name.starts_with("rule-") || name.starts_with("alerter-"))
        .collect();
    assert!(plugins.len() > 10, "the plugins were not found");
    for (name, id) in plugins {
        let all = graph.all(id, &[]);
        let host: Vec<&str> = all.into_iter().filter(|name| graph.host.contains(*name)).collect();
        assert!(host.is_empty(), "{name} takes in {host:?}");
    }
}

/// That the graph above can see what the tests are for.
#[test]
fn a_dependency_of_a_dependency_is_seen() {
    let kind = |kind: Value| serde_json::json!([{ "kind": kind }]);
    let graph = Graph::of(&serde_json::json!({
        "workspace_members": ["a 1"],
        "workspace_root": "/w",
        "packages": [
            { "id": "a 1", "name": "a", "manifest_path": "/w/plugins/a/Cargo.toml" },
            { "id": "b 1", "name": "b", "manifest_path": "/w/host/b/Cargo.toml" },
            { "id": "w 1", "name": "wasmtime-wasi", "manifest_path": "/registry/w/Cargo.toml" },
            { "id": "t 1", "name": "tempfile", "manifest_path": "/registry/t/Cargo.toml" },
        ],
        "resolve": { "nodes": [
            { "id": "a 1", "deps": [
                { "pkg": "b 1", "dep_kinds": kind(Value::Null) }, { "pkg": "t 1", "dep_kinds": kind("dev".into()) },
            ] },
            { "id": "b 1", "deps": [{ "pkg": "w 1", "dep_kinds": kind(Value::Null) }] },
            { "id": "w 1", "deps": [] }, { "id": "t 1", "deps": [] },
        ] },
    }));
    assert_eq!(graph.host, BTreeSet::from(["b".to_owned()]));
    assert_eq!(graph.direct("a 1"), BTreeSet::from(["b"]));
    assert_eq!(graph.all("a 1", &[]), BTreeSet::from(["b", "wasmtime-wasi"]));
    assert_eq!(graph.all("a 1", &["b"]), BTreeSet::new());
    assert!(is_wasmtime("wasmtime-wasi") && !is_wasmtime("wasmparser"));
}

#[test]
fn the_pipelines_types_derive_no_serde() {
    let folder = repository().join("host/pipeline/src");
    let mut left = vec![folder];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("a file");
                assert!(!text.contains("Serialize"), "{}", path.display());
            }
        }
    }
}
