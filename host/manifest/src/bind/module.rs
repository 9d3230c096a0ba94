//! What `use` names: a built-in module, a file, or a registry reference; and whether it may run.
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::doc::Doc;
use crate::limits::MODULE_BYTES_MAX;
use crate::{ModuleFault, ModuleRef, Modules, PluginPolicy};

/// What a document says of a module.
#[derive(Clone, Copy)]
pub(super) struct Typed<'a> {
    /// The map with `use` and `sha256`, as a JSON pointer.
    pub(super) at: &'a str,
    pub(super) name: &'a str,
    pub(super) sha256: Option<&'a str>,
    /// A file in the folder that paths are relative to.
    pub(super) source: &'a Path,
    /// What paths are relative to, in words.
    pub(super) relative_to: &'static str,
}

impl Typed<'_> {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }
}

/// `None` if it is invalid.
pub(super) fn module_ref(doc: &mut Doc<'_>, typed: Typed<'_>) -> Option<ModuleRef> {
    let Typed { name, sha256, .. } = typed;
    if let Some(place) = name.strip_prefix("oci://") {
        return registry_ref(doc, typed, place);
    }
    if is_builtin(name) {
        if sha256.is_some() {
            doc.fault(
                &typed.key("sha256"),
                format!("`sha256` applies only to files, and `{name}` is built in"),
            )
            .hint("remove it, or write `use: ./module.wasm`")
            .push(doc);
        }
        return Some(ModuleRef::Builtin(name.to_string()));
    }
    let path = beside(typed.source, name);
    let actual = match file_digest(&path) {
        Ok(actual) => actual,
        Err(why) => {
            doc.fault(&typed.key("use"), format!("the module `{name}` cannot be read: {why}"))
                .hint(format!("the path is relative to {}", typed.relative_to))
                .push(doc);
            return None;
        }
    };
    match sha256.map(str::to_lowercase) {
        Some(named) if named == actual => Some(ModuleRef::File { path, sha256: actual }),
        Some(named) => {
            doc.fault(&typed.key("sha256"), format!("the digest of `{name}` does not match"))
                .note(format!("the file has  {actual}"))
                .note(format!("sha256: says  {named}"))
                .hint("find out why the file changed; if the change is intended, update the digest here")
                .push(doc);
            None
        }
        None if doc.was_wrong(&typed.key("sha256")) => None,
        None => {
            doc.fault(&typed.key("use"), format!("`sha256` is missing: `{name}` is a file"))
                .hint(format!("add `sha256: {actual}`"))
                .push(doc);
            None
        }
    }
}

/// A file as a manifest names it, if it names one; whether it has this digest is not checked.
pub(crate) fn module_file(typed: &str, sha256: &str, source: &Path) -> Option<ModuleRef> {
    let is_file = !typed.starts_with("oci://") && !is_builtin(typed);
    is_file.then(|| ModuleRef::File { path: beside(source, typed), sha256: sha256.to_lowercase() })
}

fn is_builtin(typed: &str) -> bool {
    !typed.contains('/') && !typed.ends_with(".wasm")
}

fn beside(source: &Path, typed: &str) -> PathBuf {
    source.parent().unwrap_or(Path::new("")).join(typed.strip_prefix("./").unwrap_or(typed))
}

/// A tag may be moved to another module; a digest cannot.
fn registry_ref(doc: &mut Doc<'_>, typed: Typed<'_>, named: &str) -> Option<ModuleRef> {
    let at = typed.key("use");
    if typed.sha256.is_some() {
        let message = "`sha256` applies only to files; a registry module has its digest in `use`";
        doc.fault(&typed.key("sha256"), message).hint("remove it, or write `use: ./module.wasm`").push(doc);
    }
    let Some((place, digest)) = named.split_once('@') else {
        let (host, repository) = named.split_once('/').unwrap_or((named, ""));
        let repository = repository.split(':').next().unwrap_or_default();
        doc.fault(&at, format!("`oci://{named}` must name a digest, because a tag can be moved"))
            .hint(format!(
                "`watchbell plugin pull {named}` prints it: write `oci://{host}/{repository}@sha256:…`"
            ))
            .push(doc);
        return None;
    };
    let digest = digest.strip_prefix("sha256:").unwrap_or_default().to_lowercase();
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        doc.fault(
            &at,
            format!("`oci://{named}` has no SHA-256 digest: `sha256:` and 64 digits after the `@`"),
        )
        .push(doc);
        return None;
    }
    let (host, repository) = place.split_once('/').unwrap_or((place, ""));
    let is_host = host == "localhost" || host.contains(['.', ':']);
    let has_tag = repository.contains(':');
    if !is_host || repository.is_empty() || has_tag {
        doc.fault(&at, format!("`oci://{named}` is not a valid registry reference"))
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

/// Which modules an environment allows.
#[derive(Clone, Copy)]
pub(super) struct Allowed<'a> {
    /// The environment's name.
    pub(super) environment: &'a str,
    /// `None`: any.
    pub(super) policy: Option<&'a PluginPolicy>,
    pub(super) modules: &'a dyn Modules,
}

impl Allowed<'_> {
    /// Checks that the environment allows the module, before any of it runs. `None` if it does not, which has been
    /// told; an error if it cannot be read.
    pub(super) fn may_run(
        &self,
        doc: &mut Doc<'_>,
        module: &ModuleRef,
        typed: Typed<'_>,
    ) -> Option<Result<(), ModuleFault>> {
        let Some(policy) = self.policy else { return Some(Ok(())) };
        // Built-in modules are part of the program and trusted with it.
        if matches!(module, ModuleRef::Builtin(_)) {
            return Some(Ok(()));
        }
        let identity = match self.modules.identity(module) {
            Ok(identity) => identity,
            Err(fault) => return Some(Err(fault)),
        };
        if policy.allows(&identity) {
            return Some(Ok(()));
        }
        let (name, environment, digest) = (typed.name, self.environment, &identity.digest);
        let signed = match &*identity.signers {
            [] => "it is not signed".to_owned(),
            keys => format!("it is signed by {}, which is not among `plugins.keys`", keys.join(", ")),
        };
        doc.fault(
            &typed.key("use"),
            format!("the module `{name}` is not allowed in environment `{environment}`"),
        )
        .note(format!("its digest is {digest}, and {signed}"))
        .hint(format!(
            "add `sha256:{digest}` to `plugins.allow` of the environment, or have it signed with one of `plugins.keys`"
        ))
        .push(doc);
        None
    }
}

/// Whether `policy` allows the module, which is not a built-in one.
pub(crate) fn is_allowed(module: &ModuleRef, policy: Option<&PluginPolicy>, modules: &dyn Modules) -> bool {
    policy.is_none_or(|policy| modules.identity(module).is_ok_and(|identity| policy.allows(&identity)))
}
