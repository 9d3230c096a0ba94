//! Every input of the corpus, and every one that ever broke a promise, through the function that the fuzzer calls.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use watchbell_fuzz_targets::{TARGETS, Target};

/// As the fuzzer's limit for one input. Most take a millisecond.
const INPUT_MAX: Duration = Duration::from_secs(10);
/// The corpus of all targets.
const CORPUS_BYTES_MAX: u64 = 300 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of a folder, sorted; none where it does not exist.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[expect(clippy::disallowed_methods, reason = "a promise about real time")]
fn run(name: &str) {
    let (name, target): Target = *TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = files(&fuzz().join("corpus").join(name));
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for path in corpus.iter().chain(&files(&fuzz().join("regressions").join(name))) {
        let input = fs::read(path).unwrap();
        let started = Instant::now();
        // A panic is told below the name of the input.
        println!("{}", path.display());
        target(&input);
        assert!(started.elapsed() < INPUT_MAX, "{} took {:?}", path.display(), started.elapsed());
    }
}

macro_rules! inputs {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_tested_and_has_a_program() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|(name, _)| name), tested);
            let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
            for name in tested {
                let program = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
                assert!(manifest.contains(&program), "fuzz/Cargo.toml lacks {name}");
                let body = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
                assert!(body.contains(&format!("watchbell_fuzz_targets::{name}(data)")), "{body}");
            }
            assert_eq!(manifest.matches("[[bin]]").count(), tested.len());
        }
    };
}

inputs! { manifest lucene hits buckets importer registry node discover texts searches }

#[test]
fn the_corpus_stays_small() {
    let bytes: u64 = TARGETS
        .iter()
        .flat_map(|(name, _)| files(&fuzz().join("corpus").join(name)))
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes");
}
