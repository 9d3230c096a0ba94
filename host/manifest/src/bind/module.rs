//! What `use` names: a built-in module, a file, or a registry reference.
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::doc::Doc;
use crate::ModuleRef;
use crate::limits::MODULE_BYTES_MAX;

/// `None` if it is invalid.
pub(super) fn module_ref(
    doc: &mut Doc<'_>,
    typed: &str,
    sha256: Option<&str>,
    source: &Path,
) -> Option<ModuleRef> {
    if let Some(place) = typed.strip_prefix("oci://") {
        return registry_ref(doc, place, sha256);
    }
    if !typed.contains('/') && !typed.ends_with(".wasm") {
        if sha256.is_some() {
            doc.fault("/sha256", format!("`sha256` applies only to files, and `{typed}` is built in"))
                .hint("remove it, or write `use: ./module.wasm`")
                .push(doc);
        }
        return Some(ModuleRef::Builtin(typed.to_string()));
    }
    let path = beside(source, typed);
    let actual = match file_digest(&path) {
        Ok(actual) => actual,
        Err(why) => {
            doc.fault("/use", format!("the module `{typed}` cannot be read: {why}"))
                .hint("the path is relative to the manifest")
                .push(doc);
            return None;
        }
    };
    match sha256.map(str::to_lowercase) {
        Some(named) if named == actual => Some(ModuleRef::File { path, sha256: actual }),
        Some(named) => {
            doc.fault("/sha256", format!("the digest of `{typed}` does not match"))
                .note(format!("the file has  {actual}"))
                .note(format!("sha256: says  {named}"))
                .hint("find out why the file changed; if the change is intended, update the digest here")
                .push(doc);
            None
        }
        None if doc.was_wrong("/sha256") => None,
        None => {
            doc.fault("/use", format!("`sha256` is missing: `{typed}` is a file"))
                .hint(format!("add `sha256: {actual}`"))
                .push(doc);
            None
        }
    }
}

/// A file as a manifest names it, if it names one; whether it has this digest is not checked.
pub(crate) fn module_file(typed: &str, sha256: &str, source: &Path) -> Option<ModuleRef> {
    let is_file = !typed.starts_with("oci://") && (typed.contains('/') || typed.ends_with(".wasm"));
    is_file.then(|| ModuleRef::File { path: beside(source, typed), sha256: sha256.to_lowercase() })
}

fn beside(source: &Path, typed: &str) -> PathBuf {
    source.parent().unwrap_or(Path::new("")).join(typed.strip_prefix("./").unwrap_or(typed))
}

/// A tag may be moved to another module; a digest cannot.
fn registry_ref(doc: &mut Doc<'_>, named: &str, sha256: Option<&str>) -> Option<ModuleRef> {
    if sha256.is_some() {
        doc.fault("/sha256", "`sha256` applies only to files; a registry module has its digest in `use`")
            .hint("remove it, or write `use: ./module.wasm`")
            .push(doc);
    }
    let Some((place, digest)) = named.split_once('@') else {
        let (host, repository) = named.split_once('/').unwrap_or((named, ""));
        let repository = repository.split(':').next().unwrap_or_default();
        doc.fault("/use", format!("`oci://{named}` must name a digest, because a tag can be moved"))
            .hint(format!(
                "`watchbell plugin pull {named}` prints it: write `oci://{host}/{repository}@sha256:…`"
            ))
            .push(doc);
        return None;
    };
    let digest = digest.strip_prefix("sha256:").unwrap_or_default().to_lowercase();
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        doc.fault(
            "/use",
            format!("`oci://{named}` has no SHA-256 digest: `sha256:` and 64 digits after the `@`"),
        )
        .push(doc);
        return None;
    }
    let (host, repository) = place.split_once('/').unwrap_or((place, ""));
    let is_host = host == "localhost" || host.contains(['.', ':']);
    let has_tag = repository.contains(':');
    if !is_host || repository.is_empty() || has_tag {
        doc.fault("/use", format!("`oci://{named}` is not a valid registry reference"))
            .hint("write it like `oci://registry.example.com/rules/login-burst@sha256:…`, without a tag")
            .push(doc);
        return None;
    }
    Some(ModuleRef::Registry { place: place.to_owned(), digest })
}

fn file_digest(path: &Path) -> Result<String, String> {
    let bytes = watchbell_outside::read(path, MODULE_BYTES_MAX).map_err(|error| error.to_string())?;
    Ok(hex::encode(Sha256::digest(&bytes)))
}
