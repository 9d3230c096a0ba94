//! A pull request names what it likes; `check` reads regular files of bounded size.
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::{bounded, fifo};
use crate::plugin::Said;

const RULE: &str = "name: a\nuse: any\nindex: logs\nevery: 1m\nalert: { to: [hook] }\n";
const ENVIRONMENT: &str = "clusters: { main: { nodes: [\"http://127.0.0.1:9\"] } }\n\
     destinations: { hook: { use: webhook, url: \"http://127.0.0.1:9/\" } }\n";

/// A folder with one rule and its environment.
pub(super) fn folder() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let rules = scratch.path().join("rules");
    fs::create_dir_all(rules.join("environments")).unwrap();
    fs::write(rules.join("environments/default.yaml"), ENVIRONMENT).unwrap();
    fs::write(rules.join("a.yaml"), RULE).unwrap();
    scratch
}

#[track_caller]
fn refused(said: &Said, parts: &[&str]) {
    assert_eq!(said.code, 1, "{}\n{}", said.out, said.err);
    for part in parts {
        assert!(said.err.contains(part), "{part} is missing in {}", said.err);
    }
}

/// One of each that never ends, or never answers.
fn traps(folder: &Path) -> Vec<(String, &'static str)> {
    fifo(&folder.join("fifo"));
    let large = fs::File::create(folder.join("large")).unwrap();
    large.set_len(1 << 40).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        ("/dev/zero".into(), "it is not a file but a device"),
        (path("fifo"), "it is not a file but a FIFO"),
        (path(""), "it is not a file but a folder"),
        (path("large"), "it is larger than"),
    ]
}

#[test]
fn certificates_and_secrets_are_files_of_bounded_size() {
    let scratch = folder();
    let socket = scratch.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut traps = traps(scratch.path());
    traps.push((socket.display().to_string(), "it is not a file but a socket"));
    for (path, why) in &traps {
        let environments = [
            format!("clusters: {{ main: {{ nodes: [\"https://127.0.0.1:9\"], ca: {path:?} }} }}\n"),
            format!(
                "clusters: {{ main: {{ nodes: [\"https://127.0.0.1:9\"], auth: {{ bearer: {{ file: {path:?} }} }} }} }}\n"
            ),
        ];
        for environment in environments {
            let text = format!("{environment}{}", ENVIRONMENT.lines().nth(1).unwrap());
            fs::write(scratch.path().join("rules/environments/default.yaml"), text).unwrap();
            let said = bounded(scratch.path(), &[], &["check"]);
            // A secret's limit has words of its own.
            let is_large_secret = path.ends_with("large") && environment.contains("bearer");
            refused(&said, &[path, if is_large_secret { "is larger than 64 KiB" } else { why }]);
        }
    }
}

#[test]
fn a_module_is_a_file_of_bounded_size() {
    let scratch = folder();
    for (path, why) in traps(scratch.path()) {
        let rule = RULE.replace("use: any", &format!("use: {path:?}\nsha256: {}", "0".repeat(64)));
        fs::write(scratch.path().join("rules/a.yaml"), rule).unwrap();
        refused(&bounded(scratch.path(), &[], &["check"]), &[&path, why, "a.yaml:2:6"]);
        refused(&bounded(scratch.path(), &[], &["plugin", "inspect", &path]), &[why]);
    }
}

#[test]
fn manifests_and_environments_are_files() {
    let scratch = folder();
    let rules = scratch.path().join("rules");
    fifo(&rules.join("pipe.yaml"));
    refused(&bounded(scratch.path(), &[], &["check"]), &["rules/pipe.yaml: is not a file but a FIFO"]);
    fs::remove_file(rules.join("pipe.yaml")).unwrap();
    fifo(&rules.join("environments/pipe.yaml"));
    let said = bounded(scratch.path(), &[], &["check", "--environment", "pipe"]);
    refused(&said, &["rules/environments/pipe.yaml: is not a file but a FIFO"]);
}

#[test]
fn folders_are_walked_within_their_root() {
    let scratch = folder();
    let rules = scratch.path().join("rules");
    for (name, to) in [("etc", "/etc"), ("proc", "/proc/self"), ("dev", "/dev"), ("all", "/")] {
        symlink(to, rules.join(name)).unwrap();
    }
    symlink("/etc/hostname", rules.join("host.yaml")).unwrap();
    let said = bounded(scratch.path(), &[], &["check"]);
    refused(&said, &[]);
    for name in ["etc", "proc", "dev", "all", "host.yaml"] {
        let told = format!("error: rules/{name}: is a link that leads out of the folder");
        assert!(said.err.contains(&told), "{name} is missing in {}", said.err);
    }
    // Two that lead to each other's folder double with each step, if nobody looks.
    for name in ["etc", "proc", "dev", "all", "host.yaml"] {
        fs::remove_file(rules.join(name)).unwrap();
    }
    for name in ["x", "y"] {
        fs::create_dir(rules.join(name)).unwrap();
    }
    symlink("../y", rules.join("x/y")).unwrap();
    symlink("../x", rules.join("y/x")).unwrap();
    let said = bounded(scratch.path(), &[], &["check"]);
    refused(&said, &["is a link to a folder that contains it"]);
}

#[test]
fn folders_of_the_kernel_end() {
    let scratch = folder();
    for root in ["/proc", "/dev"] {
        let said = bounded(scratch.path(), &[], &["check", "--rules", root]);
        refused(&said, &["there is no environment `default`"]);
    }
}

#[test]
fn tests_and_their_documents_are_files_of_bounded_size() {
    let scratch = folder();
    let rules = scratch.path().join("rules");
    for (path, why) in traps(scratch.path()) {
        let test = format!("tests:\n  - name: t\n    documents: [{{ ndjson: {path:?} }}]\n    quiet: true\n");
        fs::write(rules.join("a.test.yaml"), test).unwrap();
        let said = bounded(scratch.path(), &[], &["test"]);
        // A folder may hold files of documents; this one holds none.
        let why = if path.ends_with('/') { "holds no `.ndjson` file" } else { why };
        assert_eq!(said.code, 1, "{}\n{}", said.out, said.err);
        assert!(format!("{}{}", said.out, said.err).contains(why), "{path}: {}\n{}", said.out, said.err);
        // `check` compares texts with the documents of tests.
        assert_eq!(bounded(scratch.path(), &[], &["check"]).code, 0);
    }
    fs::remove_file(rules.join("a.test.yaml")).unwrap();
    fifo(&rules.join("b.test.yaml"));
    refused(&bounded(scratch.path(), &[], &["test"]), &["b.test.yaml: is not a file but a FIFO"]);
}

#[test]
fn rules_to_import_and_recordings_are_files() {
    let scratch = folder();
    let elastalert = scratch.path().join("elastalert");
    fs::create_dir(&elastalert).unwrap();
    fifo(&elastalert.join("a.yaml"));
    symlink("/proc/self", elastalert.join("proc")).unwrap();
    symlink("/dev/zero", elastalert.join("b.yaml")).unwrap();
    let said = bounded(scratch.path(), &[], &["import", "elastalert", "elastalert", "--out", "made"]);
    assert_eq!(said.code, 1, "{}\n{}", said.out, said.err);
    for told in [
        "a.yaml: is not a file but a FIFO",
        "proc: is a link that leads out of the folder",
        "b.yaml: is a link that leads out of the folder",
    ] {
        assert!(said.out.contains(told), "{told} is missing in {}\n{}", said.out, said.err);
    }

    let runs = scratch.path().join("store.sqlite.runs/a");
    fs::create_dir_all(&runs).unwrap();
    fifo(&runs.join("1.json"));
    let said = bounded(scratch.path(), &[], &["replay", "--store", "store.sqlite"]);
    refused(&said, &["1.json`: it is not a file but a FIFO"]);
}
