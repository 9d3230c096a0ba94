//! `tests/cases/rules`: each folder is one thing that real inputs were once judged wrongly in.
use std::path::Path;

use libtest_mimic::Trial;

use crate::world::World;
use crate::{folders, name, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let both = folders("rules").into_iter().flat_map(|folder| {
        let name = name(&folder);
        let checked = folder.clone();
        [
            trial(format!("rules::{name}::test"), move || async move { passes(&folder).await }),
            trial(format!("rules::{name}::check"), move || async move { shows_what_exists(&checked).await }),
        ]
    });
    both.collect()
}

async fn passes(folder: &Path) {
    let world = World::new().await;
    let (code, out, err) = world.call(&["test", "--rules", &folder.display().to_string()]).await;
    assert!(code == 0 && !out.contains("\n0 passed"), "{out}{err}");
}

/// A warning about what is right teaches people to ignore warnings.
async fn shows_what_exists(folder: &Path) {
    let world = World::new().await;
    let rules = folder.display().to_string();
    let (code, _, err) = world.call(&["check", "--no-secrets", "--rules", &rules]).await;
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("is always empty") && !err.contains("has it"), "{err}");
}
