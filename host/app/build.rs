//! Embeds the built plugins. Without them the program still builds, so that `cargo check` needs no wasm toolchain;
//! `watchbell run` then says what is missing.
use std::path::{Path, PathBuf};
use std::{env, fmt::Write as _, fs};

fn main() {
    println!("cargo:rerun-if-env-changed=WATCHBELL_PLUGINS");
    let mut listing = String::from("pub(crate) static BUILTIN: &[(&str, &[u8])] = &[\n");
    if let Some(folder) = env::var_os("WATCHBELL_PLUGINS").map(PathBuf::from) {
        println!("cargo:rerun-if-changed={}", folder.display());
        for file in components(&folder) {
            println!("cargo:rerun-if-changed={}", file.display());
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let _ = writeln!(listing, "    ({name:?}, include_bytes!({:?})),", file.display().to_string());
        }
    }
    listing.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("builtin.rs");
    fs::write(out, listing).expect("OUT_DIR is writable");
}

fn components(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    files
}
