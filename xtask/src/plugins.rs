//! Builds all plugins and guests for wasm and makes components of them.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cache::{Cache, checkout, write_if_changed};
use crate::clock;
use crate::component;
use crate::stage::Stage;
use crate::terminal::{green, red};
use crate::toolchain::Toolchain;

pub(crate) const BUDGET: Duration = Duration::from_secs(20 * 60);
/// The package whose examples are the guests.
const GUESTS: &str = "tests/guests";
/// The package of the component that renders texts. It is built and embedded as plugins are.
const TEXTS: &str = "host/text/component";
/// How the names of the packages in plugins/examples begin.
const EXAMPLES: &str = "example-";

/// Writes `plugins/NAME.wasm`, `plugins/examples/NAME.wasm` (a package each) and `guests/NAME.wasm` (an example each, `_`
/// as `-`) into the cache. Files that did not change keep their time. Every fault is reported before it fails.
pub(crate) fn build(cache: &Cache, stage: &mut Stage, toolchain: &Toolchain) -> Result<()> {
    let mut faults = Vec::new();
    let packages = packages(&mut faults)?;
    let mut modules = BTreeMap::new();
    for package in &packages {
        // Guests are built at once. A plugin is also a library for native tests, and a library in the same call would
        // switch link-time optimisation off: ten times the size.
        let mut cargo = toolchain.cargo(cache, if package.guests { "build" } else { "rustc" });
        cargo.args(["-p", &package.name, "--message-format", "json-render-diagnostics"]);
        cargo.args(if package.guests {
            &["--examples", "--keep-going"][..]
        } else {
            &["--lib", "--crate-type", "cdylib"]
        });
        if package.texts {
            // Nobody is shown its lines, and the host would read them all whenever a text passes a limit.
            cargo.args(["--", "-C", "strip=debuginfo"]);
        }
        let built = stage.capture(&mut cargo)?;
        modules.extend(parse_modules(&built.output, &packages));
        if !built.success {
            faults.push(format!("{}: cargo could not build it", package.name));
        }
    }
    let mut kept = Vec::new();
    for (goal, module) in &modules {
        let path = goal.folder(cache).join(format!("{}.wasm", goal.name));
        match convert(goal, module, &path) {
            Ok(line) => stage.say(&line),
            Err(error) => faults.push(format!("{}: {error:#}", goal.name)),
        }
        kept.push(path);
    }
    if faults.is_empty() {
        forget_others(&[cache.plugins(), examples(cache), cache.guests()], &kept)?;
        return Ok(());
    }
    for fault in &faults {
        stage.say(&format!("  {} {fault}", red("error:")));
    }
    bail!("{} of the plugins and guests could not be built (log: {})", faults.len(), stage.log().display())
}

#[derive(Debug)]
struct Package {
    name: String,
    manifest: String,
    guests: bool,
    texts: bool,
}

/// What a module is built for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Goal {
    guest: bool,
    name: String,
}

impl Goal {
    fn folder(&self, cache: &Cache) -> PathBuf {
        match self.guest {
            true => cache.guests(),
            false if self.name.starts_with(EXAMPLES) => examples(cache),
            false => cache.plugins(),
        }
    }
}

/// Where the components of examples lie: the host embeds those beside this folder.
fn examples(cache: &Cache) -> PathBuf {
    cache.plugins().join("examples")
}

/// The plugin folders that hold something, those of the examples, and the guests. A folder with an empty `lib.rs` is a
/// fault of its own.
fn packages(faults: &mut Vec<String>) -> Result<Vec<Package>> {
    let root = checkout();
    let mut folders = Vec::new();
    for place in ["plugins", "plugins/examples"] {
        let entries = fs::read_dir(root.join(place)).with_context(|| format!("cannot list {place}/"))?;
        folders.extend(
            entries.flatten().map(|entry| entry.path()).filter(|path| path.join("Cargo.toml").exists()),
        );
    }
    folders.push(root.join(TEXTS));
    folders.sort();
    folders.insert(0, root.join(GUESTS));
    let mut packages = Vec::new();
    for folder in folders {
        let guests = folder == root.join(GUESTS);
        let manifest = folder.join("Cargo.toml");
        let text =
            fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        let name =
            package_name(&text).with_context(|| format!("{} does not name a package", manifest.display()))?;
        if guests && !folder.join("examples").exists() {
            continue;
        }
        let source = folder.join("src/lib.rs");
        if !guests && is_empty(&fs::read_to_string(&source).unwrap_or_default()) {
            let source = source.strip_prefix(root).unwrap_or(&source);
            faults.push(format!("{name}: {} is empty: export something from it", source.display()));
            continue;
        }
        let texts = folder == root.join(TEXTS);
        packages.push(Package { name, manifest: manifest.to_string_lossy().into_owned(), guests, texts });
    }
    Ok(packages)
}

fn package_name(manifest: &str) -> Option<String> {
    let line = manifest.lines().find_map(|line| line.trim().strip_prefix("name"))?;
    let value = line.trim_start().strip_prefix('=')?.trim();
    Some(value.strip_prefix('"')?.split_once('"')?.0.to_owned())
}

fn is_empty(source: &str) -> bool {
    source.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with("//"))
}

/// The modules among cargo's messages.
fn parse_modules(messages: &str, packages: &[Package]) -> BTreeMap<Goal, PathBuf> {
    let mut modules = BTreeMap::new();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let Some(manifest) = message.get("manifest_path").and_then(text) else { continue };
        let Some(package) = packages.iter().find(|package| package.manifest == manifest) else { continue };
        let files = message.get("filenames").and_then(Value::as_array).into_iter().flatten();
        let Some(file) = files.filter_map(text).find(|file| file.ends_with(".wasm")) else { continue };
        let target = message.pointer("/target/name").and_then(text).unwrap_or_default();
        let name = if package.guests { target.replace('_', "-") } else { package.name.clone() };
        modules.insert(Goal { guest: package.guests, name }, PathBuf::from(file));
    }
    modules
}

/// Returns the line that tells of it: name, size, how long it took.
fn convert(goal: &Goal, module: &Path, path: &Path) -> Result<String> {
    let started = clock::now();
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let component = component::encode(&bytes)?;
    if !goal.guest {
        component::check_exports(&component)?;
    }
    let written = write_if_changed(path, &component)?;
    let kind = if goal.guest { "guest" } else { "plugin" };
    let state = if written { green("written") } else { "unchanged".to_owned() };
    let (name, kib, took) = (&goal.name, component.len().div_ceil(1024), clock::short(started.elapsed()));
    Ok(format!("  {kind:<7} {name:<32} {kib:>6} KiB  {took:>6}  {state}"))
}

/// Takes away what earlier calls left under names that are gone.
fn forget_others(folders: &[PathBuf], kept: &[PathBuf]) -> Result<()> {
    for folder in folders {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for path in fs::read_dir(folder)?.flatten().map(|entry| entry.path()) {
            let old = fs::metadata(&path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            let draft = path.extension().is_some_and(|end| end == "draft");
            // Another call's draft is moments old.
            let abandoned = draft && old.elapsed().is_ok_and(|age| age > Duration::from_secs(3600));
            let gone = path.extension().is_some_and(|end| end == "wasm") && !kept.contains(&path);
            if gone || abandoned {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_its_package() {
        assert_eq!(package_name("[package]\nname = \"rule-any\" # x\n").as_deref(), Some("rule-any"));
        assert_eq!(package_name("[package]\n"), None);
    }

    #[test]
    fn comments_alone_are_empty() {
        assert!(is_empty("\n//! soon\n\n"));
        assert!(!is_empty("//! a rule\nuse x;\n"));
    }

    #[test]
    fn modules_are_found_among_the_messages() {
        let packages = [
            Package {
                name: "rule-any".into(),
                manifest: "/w/plugins/rule-any/Cargo.toml".into(),
                guests: false,
                texts: false,
            },
            Package {
                name: "watchbell-guests".into(),
                manifest: "/w/tests/guests/Cargo.toml".into(),
                guests: true,
                texts: false,
            },
        ];
        let messages = r#"
            {"reason":"compiler-artifact","manifest_path":"/c/serde/Cargo.toml","target":{"name":"serde"},"filenames":["/t/libserde.rlib"]}
            {"reason":"compiler-artifact","manifest_path":"/w/plugins/rule-any/Cargo.toml","target":{"name":"rule_any"},"filenames":["/t/rule_any.wasm","/t/librule_any.rlib"]}
            {"reason":"compiler-artifact","manifest_path":"/w/tests/guests/Cargo.toml","target":{"name":"endless_loop"},"filenames":["/t/examples/endless_loop.wasm"]}
            {"reason":"build-finished","success":true}"#;
        let modules: Vec<(Goal, PathBuf)> = parse_modules(messages, &packages).into_iter().collect();
        assert_eq!(
            modules,
            [
                (Goal { guest: false, name: "rule-any".into() }, PathBuf::from("/t/rule_any.wasm")),
                (
                    Goal { guest: true, name: "endless-loop".into() },
                    PathBuf::from("/t/examples/endless_loop.wasm")
                ),
            ]
        );
    }
}
