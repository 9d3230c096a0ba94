use std::fs;
use std::path::PathBuf;

use crate::world::repository;

/// Every package's folder and manifest.
fn packages() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for group in ["host", "plugins", "xtask", "sdk", "tests", "."] {
        let group = repository().join(group);
        let inside = fs::read_dir(&group).expect("a folder").flatten().map(|entry| entry.path());
        for folder in inside.chain([group.clone()]) {
            if let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) {
                found.push((folder, manifest));
            }
        }
    }
    assert!(found.len() > 15, "the packages were not found");
    found
}

fn depends(manifest: &str, on: &str) -> bool {
    let body = manifest.split("[dev-dependencies]").next().unwrap_or_default();
    body.lines().any(|line| line.starts_with(on) && line[on.len()..].trim_start().starts_with(['=', '.']))
}

#[test]
fn only_the_sandbox_names_wasmtime() {
    let named: Vec<_> = packages()
        .into_iter()
        .filter(|(folder, manifest)| *folder != repository().join(".") && depends(manifest, "wasmtime"))
        .filter(|(_, manifest)| !manifest.contains("[workspace]"))
        .map(|(folder, _)| folder.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(named, ["sandbox"]);
}

#[test]
fn the_pipeline_and_the_manifest_need_no_runtime() {
    for (folder, manifest) in packages() {
        if folder.ends_with("pipeline") || folder.ends_with("manifest") || folder.ends_with("contract") {
            for heavy in ["tokio", "reqwest", "rusqlite", "axum"] {
                assert!(!depends(&manifest, heavy), "{} depends on {heavy}", folder.display());
            }
        }
    }
}

#[test]
fn plugins_use_nothing_of_the_host() {
    for (folder, manifest) in packages() {
        if folder.parent().is_some_and(|parent| parent.ends_with("plugins")) {
            let host = manifest
                .lines()
                .find(|line| line.starts_with("watchbell-") && !line.starts_with("watchbell-sdk"));
            assert_eq!(host, None, "{}", folder.display());
        }
    }
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
